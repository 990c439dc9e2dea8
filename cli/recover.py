"""`tidemark recover`: a ledger that was restored or lost is made whole before anything goes on."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from rich.console import Console

from cli.render import Part, capped, duration, plural, say, say_whole
from tidemark.adapters.world import World
from tidemark.core.errors import Conflict, TidemarkError
from tidemark.core.lifecycle import Batch
from tidemark.service.recover import HANDLERS_END_AFTER, Findings, look, recover, stop
from tidemark.service.seal import Seal
from tidemark.service.seal import look as seal_of

NEEDS_A_PERSON = 1  # exit status
LOOK_SECONDS = 10.0


def run_recovery(
    world: World, console: Console, only_plan: bool, accept: bool, anyway: bool, wait_seconds: float | None
) -> int:
    """Make the ledger whole, or say what would be put back. Exit status 1 while anything disagrees."""
    if only_plan:
        findings = look(world)
        _show(console, findings, "would be put back")
        say(console, "nothing was done; without --dry-run the ledger is made whole")
        return NEEDS_A_PERSON if findings.disagreements else 0
    if seal_of(world) is Seal.WHOLE and not anyway:
        say(console, "the ledger is whole: it bears the seal of its table (--anyway stops everything, and checks)")
        return 0
    _wait(world, console, HANDLERS_END_AFTER if wait_seconds is None else timedelta(seconds=wait_seconds))
    try:
        findings = recover(world, accept)
    except Conflict as another:
        raise TidemarkError(
            f"another recovery or a function has written meanwhile, so this one has stopped: {another}"
        ) from None
    if findings.disagreements and not accept:
        _show(console, findings, "would be put back")
        say(console, ("nothing was done", "red"), ": ledger, lake and warehouse do not agree, and nothing goes on")
        return NEEDS_A_PERSON
    _show(console, findings, "put back")
    say(console, ("the ledger is whole", "green"), ": everything goes on by itself")
    return 0


def _wait(world: World, console: Console, longest: timedelta) -> None:
    """Wait until every function that had begun before the seal was broken has ended."""
    until = stop(world) + longest
    while (left := until - world.clock.now()) > timedelta(0):
        say(console, f"functions that had begun may run for another {duration(left)}")
        time.sleep(min(LOOK_SECONDS, left.total_seconds()))


def _show(console: Console, findings: Findings, done: str) -> None:
    say(console, f"{plural(len(findings.batches), 'batch')} {done}", _by_state(findings.batches))
    batches: list[Part] = [f"{batch.batch_id} {batch.state} attempt {batch.attempt}" for batch in findings.batches]
    for row in _listed(console, batches):
        say_whole(console, "  ", row)
    for batch_id in findings.left_out:
        say_whole(console, f"left out: {batch_id} came to nothing, and another batch has its files")
    for row in _listed(console, findings.disagreements):
        say_whole(console, ("disagrees: ", "red"), row)


def _listed(console: Console, rows: Sequence[Part]) -> Sequence[Part]:
    """The first rows on a screen, all of them in a pipe."""
    return capped(rows, "`tidemark recover --dry-run` in a pipe") if console.is_terminal else rows


def _by_state(batches: tuple[Batch, ...]) -> str:
    counts = Counter(batch.state for batch in batches)
    return f": {', '.join(f'{state} {count}' for state, count in sorted(counts.items()))}" if counts else ""
