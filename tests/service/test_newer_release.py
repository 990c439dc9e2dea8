"""A newer release wrote items or documents, and was rolled back: they wait, and everything else goes on."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.service.steps import asked, batch_of, did
from tests.simulation.race import Hand, Step
from tests.simulation.scenario import play
from tests.simulation.small_worlds import (
    LOADED,
    LOADING,
    PLANNED,
    PUBLISHED,
    RAN,
    RUN,
    collect,
    hint,
    land,
    load,
    minutes,
    nightly,
    plan,
    publish,
    put,
    replay,
    settle,
    submit,
    wait,
)
from tidemark.core.errors import TidemarkError
from tidemark.core.lifecycle import State
from tidemark.service import operate
from tidemark.service.sweep import sweep


def newer_items(hand: Hand) -> None:
    """A newer release has written every item of the first batch, its loads and its keys, and all pending segments."""
    _stamp(hand, lambda pk: pk.startswith(("BATCH#", "LOAD#", "FILE#", "PENDING#", "SEGMENT#")), "2")


def deployed_again(hand: Hand) -> None:
    """The newer release is back, and goes on by itself: here, what it wrote is what this release reads."""
    _stamp(hand, lambda _: True, "1")


def _stamp(hand: Hand, is_meant: Callable[[str], bool], number: str) -> None:
    dynamodb = hand.simulation.dynamodb
    for pk, items in list(dynamodb.items.items()):
        for sk, item in list(items.items()):
            if is_meant(pk):
                items[sk] = {**item, "format": {"N": number}}
                if (pk, sk) in dynamodb.seen:
                    dynamodb.seen[pk, sk] = items[sk]


def newer_documents(name: str) -> Step:
    """A newer release has written the documents of this name."""

    def step(hand: Hand) -> None:
        objects = hand.simulation.s3.objects
        for place, body in list(objects.items()):
            if place[1].endswith(name):
                objects[place] = json.dumps({**json.loads(body), "format": 2}).encode()

    return step


def older_documents(hand: Hand) -> None:
    """The release that reads them is deployed again."""
    objects = hand.simulation.s3.objects
    for place, body in list(objects.items()):
        objects[place] = body.replace(b'"format": 2', b'"format": 1')


def sweeps(hand: Hand) -> None:
    """Sweep, which raises nothing."""
    asked(hand, sweep)


SECOND = (land("c", "c1"), plan)
SECOND_LOADED = (submit(1), wait, publish(1), load, wait, settle(1))
STATES: dict[str, tuple[Step, ...]] = {
    "FORMING": (*LOADED, replay),
    "PLANNED": PLANNED,
    "RUNNING": RAN,
    "PUBLISHED": PUBLISHED,
    "LOADING": LOADING,
    "LOADED": LOADED,
}


@pytest.mark.parametrize("state", STATES)
def test_a_batch_of_a_newer_release_holds_up_no_other(hand: Hand, state: str) -> None:
    """Every function leaves it unchanged, without an error, and loads what comes after it."""
    did(hand, *STATES[state], newer_items)
    before = dict(hand.simulation.dynamodb.items[f"BATCH#{hand.batch(0)}"])
    hinted = [hint(function) for function in ("plan", "submit", "publish", "settle")]
    did(hand, *SECOND, *hinted, *SECOND_LOADED, sweeps, minutes(30), plan, load, nightly, sweeps)
    assert batch_of(hand, 1).state is State.LOADED
    assert hand.simulation.dynamodb.items[f"BATCH#{hand.batch(0)}"] == before
    did(hand, deployed_again)
    play(hand.simulation, hand.invariants, chaos_seconds=0)
    assert batch_of(hand, 0).state is State.LOADED


def test_a_pending_file_of_a_newer_release_waits(hand: Hand) -> None:
    """Plan takes up those that come after it."""
    did(hand, *PLANNED[:2], newer_items, land("b", "b1"), plan, sweeps)
    assert batch_of(hand).files == 1
    did(hand, deployed_again, *RUN, publish())
    play(hand.simulation, hand.invariants, chaos_seconds=0)
    assert batch_of(hand, 1).state is State.LOADED


def test_a_key_that_a_newer_release_holds_waits_and_is_not_claimed_twice(hand: Hand) -> None:
    """Its batch stays FORMING until that release is back; another batch goes on."""
    did(hand, *LOADED, newer_items, put("a", "a2"), collect(2), plan, put("d", "d1"), collect(3), plan, sweeps)
    assert [batch_of(hand, number).state for number in (1, 2)] == [State.FORMING, State.PLANNED]
    did(hand, deployed_again)
    play(hand.simulation, hand.invariants, chaos_seconds=0)


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("manifest.json", (*LOADED, replay)),
        ("job_spec.json", PUBLISHED),
        ("result.json", RAN),
        ("result.json", PUBLISHED),
    ],
)
def test_a_document_of_a_newer_release_is_left_alone_until_that_release_is_back(
    hand: Hand, name: str, steps: tuple[Step, ...]
) -> None:
    """Its batch waits, without an attempt or a quarantine for it, and holds up no other."""
    did(hand, *steps, newer_documents(name))
    before = batch_of(hand, 0)
    hinted = [hint(function) for function in ("plan", "submit", "publish")]
    did(hand, *hinted, *SECOND, submit(1), wait, publish(1), load, wait, settle(1), sweeps)
    assert batch_of(hand, 1).state is State.LOADED
    assert batch_of(hand, 0) == before
    did(hand, older_documents)
    play(hand.simulation, hand.invariants, chaos_seconds=0)
    assert batch_of(hand, 0).state is State.LOADED


def test_a_person_is_told_whose_batch_it_is(hand: Hand) -> None:
    """In one line, instead of that there is none."""
    did(hand, *LOADED, newer_items)
    with pytest.raises(
        TidemarkError, match=r"^item BATCH#orders\..* BATCH is of format 2, .*: deploy the newer release"
    ):
        asked(hand, operate.find_batch, hand.batch(0))


def test_a_removed_declaration_that_cannot_be_read_stops_nothing(hand: Hand) -> None:
    """A newer release has declared the dataset in words that this one does not know."""
    did(hand, *PLANNED)
    declared = {"pk": {"S": "DATASETS"}, "sk": {"S": "visits"}, "declared": {"S": '{"name": "visits", "shape": "new"}'}}
    hand.simulation.dynamodb.items["DATASETS"]["visits"] = declared
    did(hand, sweeps, *RUN, publish(), load, wait, settle(), plan, nightly)
    assert batch_of(hand).state is State.LOADED
