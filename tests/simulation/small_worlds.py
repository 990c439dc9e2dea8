"""Small worlds: a few files in some state, reached without faults, from which two runners race."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial
from typing import Any

from tests.simulation.course import SmallWorld
from tests.simulation.nights import declare_nights
from tests.simulation.race import Hand, Step
from tests.simulation.repeats import Once
from tests.simulation.s3 import Landed
from tests.simulation.world import SETTINGS, declare
from tidemark.service import operate

# ── steps ───────────────────────────────────────────────────────────────────────────────────────────────────


def orders(policy: str = "supersede", max_files: int = 10, **more: Any) -> Step:
    """Declare the dataset."""
    return lambda hand: hand.simulation.declared.update(orders=declare("orders", policy, max_files, 3, **more))


def nights(hand: Hand) -> None:
    """Declare the nightly jobs."""
    hand.simulation.declared.update(declare_nights())


def put(key: str, *ids: str, poison: str = "") -> Step:
    """Land a file with a record for each id, or a poison file; its event is not delivered yet."""
    records = tuple({"id": one, "user": "u", "note": "fine", "day": "2025-12-30"} for one in ids)

    def step(hand: Hand) -> None:
        landed = hand.simulation.s3.land(
            SETTINGS.raw_bucket, f"orders/{key}", ({"poison": poison},) if poison else records
        )
        hand.simulation.landed.append(landed)

    return step


def collect(number: int) -> Step:
    """Deliver the event of the file that landed first (0), second (1), …"""

    def step(hand: Hand) -> None:
        landed = hand.simulation.landed[number]
        record = {"messageId": "1", "body": json.dumps(landed.event), "eventSource": "aws:sqs"}
        hand.invoke("collect", partial(_received, hand, landed), Records=[record])

    return step


def _received(hand: Hand, landed: Landed, error: BaseException | None) -> None:
    """SQS deletes the message only after success."""
    if error is None:
        hand.simulation.received.append(landed)
    else:
        hand.simulation._enqueue(landed)


def land(key: str, *ids: str, poison: str = "") -> Step:
    """Land a file, and deliver its event."""

    def step(hand: Hand) -> None:
        put(key, *ids, poison=poison)(hand)
        collect(len(hand.simulation.landed) - 1)(hand)

    return step


def plan(hand: Hand) -> None:
    """Plan everything that is pending, without waiting."""
    hand.invoke("plan", eager=True)


def load(hand: Hand) -> None:
    """Load everything that is published, without waiting."""
    hand.invoke("load", eager=True)


def nightly(hand: Hand) -> None:
    """Invoke nightly for all jobs."""
    hand.invoke("nightly")


def reconcile(hand: Hand) -> None:
    """Invoke reconcile."""
    hand.invoke("reconcile")


def hint(function: str, number: int = 0) -> Step:
    """Send a function a hint for the batch that was created first (0), second (1), …"""
    return lambda hand: hand.invoke(function, detail={"batch_id": hand.batch(number)})


submit, publish, settle = (partial(hint, function) for function in ("submit", "publish", "settle"))


def run_ended(hand: Hand) -> None:
    """Deliver EMR's event that the first run has ended."""
    hand.invoke("publish", detail={"jobRunId": "run00000"})


def wait(hand: Hand) -> None:
    """Wait until all runs and statements have ended."""
    hand.pass_time()


def minutes(number: float) -> Step:
    """Let minutes pass."""
    return lambda hand: hand.pass_time(number)


def runs_end(*outcomes: str) -> Step:
    """Set the outcomes of the next runs; see `emr`."""
    return lambda hand: hand.simulation.emr.script.extend([*outcomes, *["good"] * 20])


def warehouse_down(hand: Hand) -> None:
    """Let statements fail for a minute."""
    hand.simulation.redshift.down_until = hand.simulation.stage.time + timedelta(minutes=1)


def index_lags(hand: Hand) -> None:
    """Let the ledger's index lag by 20 seconds."""
    hand.simulation.dynamodb.lag = lambda: 20.0


def replay(hand: Hand) -> None:
    """Replay the first batch, as a person does."""
    hand.person(lambda world: operate.replay(world, operate.find_batch(world, hand.batch(0))))


def discard(hand: Hand) -> None:
    """Discard the first batch, as a person does."""
    hand.person(lambda world: operate.discard_batch(world, operate.find_batch(world, hand.batch(0))))


def release(key: str) -> Step:
    """Release a refused file, as a person does."""

    def act(world: Any) -> object:
        return operate.release_file(world, operate.find_refused(world, SETTINGS.raw_bucket, f"orders/{key}"))

    return lambda hand: hand.person(act)


# ── states ──────────────────────────────────────────────────────────────────────────────────────────────────

RUN = (submit(), wait)
PLANNED = (orders(), land("a", "a1"), land("b", "b1"), plan)
RAN = (*PLANNED, *RUN)
PUBLISHED = (*RAN, publish())
LOADING = (*PUBLISHED, load, wait)
LOADED = (*LOADING, settle())
OVERWRITTEN = land("a", "a2")
FAILED_TWICE = (runs_end("unknown", "unknown"), *RAN, publish(), minutes(10), *RUN)
NEXT_PUBLISHED = (land("c", "c1"), plan, submit(1), wait, publish(1))
TWO_RAN = (land("a", "a1"), plan, land("b", "b1"), plan, submit(0), submit(1), wait)
REFUSED = (orders(), land("a", poison="named"), land("b", "b1"), plan, *RUN, publish(), plan)
NIGHTS = (orders(), nights, land("a", "a1"), plan, *RUN)
TURNS = (orders(deduplication_window="7d"), land("a", "k"), plan, minutes(1), land("b", "k", "l"), plan)

WORLDS = {
    "plan, plan": SmallWorld((orders(), land("a", "a1"), land("b", "b1"), collect(0)), (plan,), (plan,)),
    "plan, plan: the index lags": SmallWorld(
        (orders(max_files=1), land("a", "a1"), land("b", "b1"), index_lags), (plan,), (plan,)
    ),
    "plan, plan: a key overwritten twice": SmallWorld(
        (orders(max_files=1), land("a", "a1"), plan, OVERWRITTEN, land("a", "a3")), (plan,), (plan,)
    ),
    "plan, plan: both versions count": SmallWorld(
        (orders("append", 1), land("a", "a1"), land("a", "a2")), (plan,), (plan,)
    ),
    "plan, collect: delivered again": SmallWorld((orders(), land("a", "a1")), (plan,), (collect(0),)),
    "plan, collect: a newer version": SmallWorld(
        (orders(), land("a", "a1"), put("a", "a2")), (plan,), (collect(1), plan)
    ),
    "plan, reconcile": SmallWorld((orders(), land("a", "a1"), put("b", "b1"), minutes(20)), (plan,), (reconcile,)),
    "submit, submit": SmallWorld(PLANNED, (submit(),), (submit(),)),
    "submit, submit: planned long ago": SmallWorld((*PLANNED, minutes(6)), (submit(),), (submit(),)),
    "submit, overwritten": SmallWorld((*PLANNED, OVERWRITTEN), (submit(),), (plan,)),
    "submit, publish: the event comes first": SmallWorld(PLANNED, (submit(),), (wait, run_ended)),
    "submit, submit: in turn": SmallWorld(TURNS, (submit(0),), (submit(1),), Once),
    "publish, submit: in turn": SmallWorld((*TURNS, *RUN), (publish(0),), (submit(1),), Once),
    "publish, publish": SmallWorld(RAN, (publish(),), (publish(),)),
    "publish, publish: two batches": SmallWorld((orders(), *TWO_RAN), (publish(0),), (publish(1),)),
    "publish, publish: latest rows of one user": SmallWorld(
        (orders(newest_by=""), *TWO_RAN), (publish(0),), (publish(1),)
    ),
    "publish, overwritten": SmallWorld((*RAN, OVERWRITTEN), (publish(),), (plan,)),
    "publish, overwritten and published": SmallWorld((*RAN, OVERWRITTEN), (publish(),), (plan, plan, *RUN, publish())),
    "publish: split, overwritten": SmallWorld((*FAILED_TWICE, OVERWRITTEN), (publish(),), (plan,)),
    "plan, plan: halves": SmallWorld((*FAILED_TWICE, publish(), OVERWRITTEN), (plan,), (plan,)),
    "publish: file refused, overwritten": SmallWorld(
        (orders(), land("a", poison="named"), land("b", "b1"), plan, *RUN, OVERWRITTEN), (publish(),), (plan,)
    ),
    "load, load": SmallWorld((*LOADED, *NEXT_PUBLISHED), (load,), (load,)),
    "load, load: the index lags": SmallWorld((*LOADED, *NEXT_PUBLISHED, index_lags), (load,), (load,)),
    "load, load: first of all": SmallWorld(PUBLISHED, (load,), (load,)),
    "load, overwritten": SmallWorld((*LOADED, *NEXT_PUBLISHED, land("c", "c2")), (load,), (plan,)),
    "load, settle": SmallWorld((*LOADING, *NEXT_PUBLISHED), (load,), (settle(0),)),
    "settle, settle": SmallWorld((*PUBLISHED, *NEXT_PUBLISHED, load, wait), (settle(0),), (settle(1),)),
    "settle, settle: a load that failed": SmallWorld(
        (*LOADED, *NEXT_PUBLISHED, load, warehouse_down, wait), (settle(1),), (settle(1),)
    ),
    "settle, overwritten": SmallWorld((*LOADING, OVERWRITTEN), (settle(),), (plan,)),
    "replay, load": SmallWorld(PUBLISHED, (replay,), (load,)),
    "replay, settle": SmallWorld(LOADING, (replay,), (settle(),)),
    "replay, replay": SmallWorld(LOADED, (replay,), (replay,)),
    "replay, overwritten": SmallWorld((*LOADED, OVERWRITTEN), (replay,), (plan,)),
    "release, overwritten": SmallWorld((*REFUSED, OVERWRITTEN), (release("a"),), (plan,)),
    "release, publish": SmallWorld((*REFUSED, *RUN), (release("a"),), (publish(),)),
    "release, load": SmallWorld((*REFUSED, *RUN, publish()), (release("a"),), (load,)),
    "release, settle": SmallWorld((*REFUSED, *RUN, publish(), load, wait), (release("a"),), (settle(),)),
    "discard, overwritten": SmallWorld(
        (orders(), land("a", poison="unnamed"), plan, *RUN, publish(), minutes(10), *RUN, publish(), OVERWRITTEN),
        (discard,), (plan,),
    ),
    "nightly, nightly": SmallWorld((*NIGHTS, publish()), (nightly,), (nightly,)),
    "nightly, nightly: the index lags": SmallWorld((*NIGHTS, publish(), index_lags), (nightly,), (nightly,)),
    "nightly, publish": SmallWorld(NIGHTS, (nightly,), (publish(),)),
}  # fmt: skip
