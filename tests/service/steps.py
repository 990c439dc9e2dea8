"""A world in memory that goes from state to state by the steps of `tests/simulation/small_worlds.py`; nothing fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.simulation.race import Hand, Step
from tests.simulation.s3 import Landed
from tidemark.core.files import FileVersion
from tidemark.core.lifecycle import Batch


def did(hand: Hand, *steps: Step) -> Hand:
    """The world after these steps."""
    for step in steps:
        step(hand)
        hand.invariants.check()
    return hand


def asked(hand: Hand, act: Callable[..., Any], *arguments: Any) -> Any:
    """What the service function answers in that world; what it raises is raised here."""
    answers: list[Any] = []
    errors: list[BaseException] = []
    simulation = hand.simulation

    def tried(_: object) -> None:
        try:
            answers.append(act(simulation.world, *arguments))
        except BaseException as error:  # noqa: BLE001 - raised below, in the test's own thread
            errors.append(error)

    simulation.run("person", tried, lambda *_: None)
    while not answers and not errors:  # it waits for the warehouse
        simulation.stage.step()
    hand.invariants.check()
    if errors:
        raise errors[0]
    return answers[0]


def batch_of(hand: Hand, number: int = 0) -> Batch:
    """The batch that was made as the first (0), second (1), …"""
    batch = asked(hand, lambda world: world.ledger.batches.get(hand.batch(number)))
    assert isinstance(batch, Batch)
    return batch


def version_of(landed: Landed) -> FileVersion:
    """The file version of an object that has landed, as its event describes it."""
    size = landed.event["detail"]["object"]["size"]
    return FileVersion(landed.bucket, landed.key, landed.version, size, landed.event["time"], landed.sequencer)
