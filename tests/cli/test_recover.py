"""What `tidemark recover` prints, and what its exit status says."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest
from rich.console import Console

import cli.recover as command
from cli.commands import tidemark
from cli.recover import run_recovery
from tests.service.nights import NightWorld
from tidemark.core.errors import Conflict, TidemarkError
from tidemark.core.lifecycle import Batch, State
from tidemark.service.recover import Findings
from tidemark.service.seal import Seal, look, sealed_or_new

BATCH = "shop.20261119T080000.aaaaaaaa"
LINE = f"{BATCH}: lake, sales: expected 2 rows of attempt 1, found no rows"


@pytest.fixture
def out() -> io.StringIO:
    """What was printed."""
    return io.StringIO()


def answer(world: NightWorld, out: io.StringIO, *words: str) -> int:
    """The exit status of the command with these options."""
    with tidemark.commands["recover"].make_context("recover", ["--wait", "0", *words]) as context:
        return run_recovery(world, Console(file=out, width=200), **context.params)


@pytest.fixture
def accepted(world: NightWorld, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """A restored ledger with a batch that disagrees with a table; the fixture lists each call's `accept`."""
    sealed_or_new(world)
    world.ledger.controls.set("SEAL", {"whole": "another made 2020-01-01T00:00:00.000000Z"})
    monkeypatch.setattr(world.clock, "moment", world.ledger.table.made_at())  # moto's clock made the table
    now, asked = world.clock.now(), []
    batch = Batch(BATCH, "shop", now, now, State.LOADED, attempt=2)
    findings = Findings((batch,), (), (LINE,))

    def recovered(_: Any, accept: bool) -> Findings:
        asked.append(accept)
        return findings

    monkeypatch.setattr(command, "look", lambda _: findings)
    monkeypatch.setattr(command, "recover", recovered)
    return asked


def test_a_dry_run_says_what_would_be_put_back(world: NightWorld, out: io.StringIO, accepted: list[bool]) -> None:
    """A dry run shows batches and disagreements, and breaks no seal."""
    seal = world.ledger.recovery.seal()
    assert answer(world, out, "--dry-run") == 1
    assert "1 batch would be put back: LOADED 1\n" in out.getvalue()
    assert f"  {BATCH} LOADED attempt 2\n" in out.getvalue()
    assert f"disagrees: {LINE}\n" in out.getvalue()
    assert (world.ledger.recovery.seal(), accepted) == (seal, [])


def test_a_disagreement_needs_a_person_who_may_accept_it(
    world: NightWorld, out: io.StringIO, accepted: list[bool]
) -> None:
    """A disagreement stops recovery with status 1; `--accept` recovers, and still prints it."""
    assert answer(world, out) == 1
    assert "nothing was done: ledger, lake and warehouse do not agree" in out.getvalue()
    assert answer(world, out, "--accept") == 0
    assert "1 batch put back: LOADED 1\n" in out.getvalue()
    assert out.getvalue().count(LINE) == 2
    assert accepted == [False, True]


def test_a_whole_ledger_is_left_alone(world: NightWorld, out: io.StringIO) -> None:
    """A whole ledger is reported as whole, with status 0."""
    sealed_or_new(world)
    assert answer(world, out) == 0
    assert out.getvalue().startswith("the ledger is whole")


def test_functions_that_had_begun_are_waited_for(
    world: NightWorld, out: io.StringIO, accepted: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recovery waits until the longest function that had begun has ended."""
    clock, slept = world.clock, []
    monkeypatch.setattr(clock, "moment", world.ledger.table.made_at() + timedelta(seconds=941))

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        monkeypatch.setattr(clock, "moment", clock.now() + timedelta(seconds=seconds))

    monkeypatch.setattr(command.time, "sleep", sleep)
    run_recovery(world, Console(file=out), only_plan=False, accept=True, anyway=False, wait_seconds=None)
    assert slept == [10, 9]
    assert look(world) is Seal.FOREIGN  # the seal is for the service to give


def test_a_recovery_that_is_overtaken_says_so(
    world: NightWorld, out: io.StringIO, accepted: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line, instead of the words of a conditional write."""

    def overtaken(*_: Any) -> Findings:
        raise Conflict("TransactionCanceledException")

    monkeypatch.setattr(command, "recover", overtaken)
    with pytest.raises(TidemarkError, match=r"^another recovery or a function has written meanwhile, so this"):
        answer(world, out)
