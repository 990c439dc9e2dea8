"""Records a release's ledger and documents, for the release after it: `python -m tests.upgrading.record RELEASE`.

Run it at the end of a release. The steps reach each state of a batch in the simulation, so that a test can repeat them
under tomorrow's code, put the recorded ledger in the place of its own, and go on.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import tidemark.service.plan as plan_module
from tests.simulation.invariants import Invariants
from tests.simulation.quiet import quiet
from tests.simulation.race import Hand, Raced, Step
from tests.simulation.small_worlds import (
    FAILED_TWICE,
    LOADED,
    LOADING,
    NIGHTS,
    PLANNED,
    PUBLISHED,
    REFUSED,
    RUN,
    TURNS,
    collect,
    land,
    minutes,
    orders,
    plan,
    publish,
    replay,
    runs_end,
    submit,
)

RECORDED = Path(__file__).with_name("recorded.json")


def plan_dies(hand: Hand) -> None:
    """Plan begins a batch, and dies before it forms it."""
    with mock.patch.object(plan_module, "form"):
        plan(hand)


def nightly(hand: Hand) -> None:
    """Invoke nightly for all jobs."""
    hand.invoke("nightly")


#: State of a batch, and how it was reached → the steps.
STATES: dict[str, tuple[Step, ...]] = {
    "pending": (orders(), land("a", "a1")),
    "FORMING": (orders(), land("a", "a1"), land("b", "b1"), plan_dies),
    "FORMING again": (*LOADED, replay),
    "PLANNED": PLANNED,
    "PLANNED again": (runs_end("transient"), *PLANNED, *RUN, publish()),
    "RUNNING": (*PLANNED, submit()),
    "PUBLISHED": PUBLISHED,
    "PUBLISHED, with keys": (*TURNS, *RUN, publish()),
    "LOADING": LOADING,
    "LOADED": LOADED,
    "LOADED, to be overwritten": (*LOADED, land("a", "a2")),
    "EMPTY": (*PLANNED, collect(0), plan),
    "SPLIT": (*FAILED_TWICE, publish()),
    "QUARANTINED": (orders(), land("a", poison="unnamed"), plan, *RUN, publish(), minutes(10), *RUN, publish()),
    "a refused file": REFUSED,
    "nightly, PLANNED": (*NIGHTS, publish(), nightly),
}


@contextmanager
def reached(steps: tuple[Step, ...]) -> Iterator[Hand]:
    """The small world after the steps."""
    simulation = Raced()
    hand = Hand(simulation, Invariants(simulation))
    with quiet(simulation):
        for step in steps:
            step(hand)
            hand.invariants.check()
        yield hand


def recorded(hand: Hand) -> dict[str, Any]:
    """The ledger's items and the documents, as JSON."""
    items = [item for sks in hand.simulation.dynamodb.items.values() for item in sks.values()]
    documents = {f"s3://{bucket}/{key}": body.decode() for (bucket, key), body in hand.simulation.s3.objects.items()}
    return {"ledger": [_as_json(item) for item in items], "documents": documents}


def _as_json(item: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(item, default=lambda value: base64.b64encode(bytes(value)).decode()))  # type: ignore[no-any-return]


def main(release: str) -> None:
    """Record every state."""
    states = {}
    for name, steps in STATES.items():
        with reached(steps) as hand:
            states[name] = recorded(hand)
    origin = f"written by tests/upgrading/record.py in the simulation, from made-up records, by {release}"
    # One line for each item and document, so that a difference can be read.
    text = json.dumps({"origin": origin, "states": states})
    for begin in ('{"pk": {', '{"s3://', ', "s3://'):
        text = text.replace(begin, f"\n{begin}")
    RECORDED.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
