"""Batches of the last release go on under this one (docs/upgrading.md)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.simulation.people import heal
from tests.simulation.race import Hand
from tests.simulation.scenario import play
from tests.upgrading.record import RECORDED, STATES, reached
from tidemark.core.files import split_uri
from tidemark.core.lifecycle import Batch, State
from tidemark.core.naming import parse_run_name
from tidemark.service import operate

YESTERDAY: Mapping[str, Any] = json.loads(RECORDED.read_text(encoding="utf-8"))["states"]


def keys(items: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(item["pk"]["S"], item["sk"]["S"]) for item in items}


def parsed(item: dict[str, Any]) -> dict[str, Any]:
    """The item as DynamoDB returns it, with its binary values."""
    return {name: {"B": base64.b64decode(value["B"])} if "B" in value else value for name, value in item.items()}


def take_over(hand: Hand, state: Mapping[str, Any]) -> None:
    """Put yesterday's ledger and documents in the place of those that today's code has written."""
    dynamodb, s3 = hand.simulation.dynamodb, hand.simulation.s3
    items = [parsed(item) for item in state["ledger"]]
    today = [item for sks in dynamodb.items.values() for item in sks.values()]
    assert keys(items) == keys(today), "the same steps reach the same batches"
    dynamodb.items.clear()
    dynamodb.late.clear()
    dynamodb.seen = {(item["pk"]["S"], item["sk"]["S"]): item for item in items if "open" in item or "dataset" in item}
    for item in items:
        dynamodb.items.setdefault(item["pk"]["S"], {})[item["sk"]["S"]] = item
    s3.objects.update({split_uri(uri): text.encode() for uri, text in state["documents"].items()})
    for run in hand.simulation.emr.runs:
        run.told = _spec_of(state["documents"], run.name)


def _spec_of(documents: Mapping[str, str], name: str) -> bytes:
    batch_id, attempt = parse_run_name(name) or ("", 0)
    place = f"/{batch_id}/{attempt:04d}/job_spec.json"
    return next(text for uri, text in documents.items() if uri.endswith(place)).encode()


def batches(hand: Hand) -> dict[str, State]:
    return {name: batch.state for name, batch in hand.invariants.batches.items()}


@pytest.fixture
def hand(request: pytest.FixtureRequest) -> Iterator[Hand]:
    """Yesterday's ledger in the state of the test's parameter, with EMR, lake and warehouse in the same state."""
    with reached(STATES[request.param]) as hand:
        take_over(hand, YESTERDAY[request.param])
        yield hand


def release(hand: Hand) -> None:
    """The file is readable now, and a person releases its batch."""
    heal(hand.simulation)
    hand.person(lambda world: operate.release_batch(world, _quarantined(world)))


def _quarantined(world: Any) -> Batch:
    (batch,), _ = world.ledger.quarantine.contents()
    return batch  # type: ignore[no-any-return]


@pytest.mark.parametrize(("hand", "name"), [(name, name) for name in STATES], indirect=["hand"])
def test_what_the_last_release_left_goes_on_to_loaded(hand: Hand, name: str) -> None:
    """Each item, manifest, job spec and result is read as it was meant; all rows are in lake and warehouse once."""
    if name == "QUARANTINED":
        release(hand)
    play(hand.simulation, hand.invariants, chaos_seconds=0)
    ends = set(batches(hand).values())
    assert State.LOADED in ends
    assert ends <= {State.LOADED, State.EMPTY, State.SPLIT}


def test_every_state_of_the_lifecycle_is_recorded() -> None:
    """And each was recorded with the steps that the test repeats."""
    assert set(YESTERDAY) == set(STATES)
    assert {str(state) for state in State} <= set(STATES)
