"""What a drive does next, and when it ends."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from local import drive as drive_module
from local.drive import Progress, Stuck, drive
from tidemark.core.lifecycle import Batch, State

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def batch(state: State, period: str = "") -> Batch:
    return Batch("web.t.1", "web", NOON, NOON, state, period=period)


def progress(*states: State, pending: int = 0) -> Progress:
    return Progress(1.0, {"web": pending}, {"web": tuple(map(batch, states))})


class Scripted:
    """A cloud that notes what it is asked for; the drive sees one progress after the other."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *seen: Progress, busy: bool = False) -> None:
        self.invoked: list[tuple[str, Any]] = []
        self.dispatcher = SimpleNamespace(wait_idle=self._wait, idle=lambda: True)
        self._seen, self._busy = iter(seen), busy
        monkeypatch.setattr(drive_module, "look", lambda world, seconds: next(self._seen))
        monkeypatch.setattr(drive_module, "LOOK_SECONDS", 0)

    def _wait(self, seconds: float) -> None:
        if self._busy:
            raise TimeoutError("a function hangs")

    def invoke(self, function: str, event: Any) -> Any:
        self.invoked.append((function, event))
        return SimpleNamespace(error=None, payload={"batches": 0})

    def drive(self, **more: Any) -> Progress:
        cloud: Any = self
        world: Any = SimpleNamespace(datasets={})
        return drive(cloud, world, lambda _: None, **more)


@pytest.mark.parametrize(
    ("seen", "next_step"),
    [
        (progress(pending=1), ("Plan", {"eager": True})),
        (progress(State.FORMING), ("Plan", {"eager": True})),
        (Progress(1.0, {}, {"sums": (batch(State.FORMING, "2026-03-01"),)}), ("Nightly", {"jobs": []})),
        (progress(State.PUBLISHED), ("Load", {"eager": True})),
    ],
)
def test_the_next_step_is_asked_for_at_once(
    monkeypatch: pytest.MonkeyPatch, seen: Progress, next_step: tuple[str, Any]
) -> None:
    """Nothing waits for its schedule; at rest the drive ends with what it saw last."""
    scripted = Scripted(monkeypatch, seen, progress(State.LOADED))
    assert scripted.drive() == progress(State.LOADED)
    assert scripted.invoked == [next_step]


def test_a_load_waits_for_the_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wake-up of the warehouse takes along all that is about to be published."""
    scripted = Scripted(monkeypatch, progress(State.PUBLISHED, State.RUNNING), progress(State.LOADED))
    scripted.drive()
    assert scripted.invoked == []


def test_a_drive_that_does_not_come_to_rest_says_what_it_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time that it was given is over, or a function never ends."""
    with pytest.raises(Stuck, match="not at rest after 0 s, waiting for Spark: 1 of 2 batches are through"):
        Scripted(monkeypatch, progress(State.RUNNING, State.LOADED)).drive(seconds_max=0.5)
    with pytest.raises(Stuck, match="not at rest after 5 s: a function hangs"):
        Scripted(monkeypatch, busy=True).drive(seconds_max=5)


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (progress(State.PLANNED, State.LOADED), "Spark: 1 of 2 batches are through"),
        (progress(State.LOADING), "the warehouse's COPY"),
        (progress(pending=2), "batches to form"),
        (progress(), "the queue"),
    ],
)
def test_progress_says_what_takes_the_time(seen: Progress, words: str) -> None:
    """Runs first, since everything else waits for them."""
    assert seen.waiting_for == words


def test_all_is_at_rest_when_nothing_is_pending_and_no_batch_is_under_way() -> None:
    """A batch in quarantine waits for a person, not for a drive."""
    assert progress(State.LOADED, State.QUARANTINED).at_rest
    assert not progress(State.LOADED, pending=1).at_rest
    assert not progress(State.LOADED, State.LOADING).at_rest
