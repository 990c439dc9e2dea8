"""`tidemark recover`: a ledger that was set back or lost is made whole before anything goes on."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from rich.console import Console

from cli.render import Part, capped, duration, plural, say, say_whole
from tidemark.adapters.world import World
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
        found = look(world)
        _tell(console, found, "would be put back")
        say(console, "nothing was done; without --dry-run the ledger is made whole")
        return NEEDS_A_PERSON if found.disagreements else 0
    if seal_of(world) is Seal.WHOLE and not anyway:
        say(console, "the ledger is whole: it bears the seal of its table (--anyway stops everything, and looks)")
        return 0
    _wait(world, console, HANDLERS_END_AFTER if wait_seconds is None else timedelta(seconds=wait_seconds))
    found = recover(world, accept)
    if found.disagreements and not accept:
        _tell(console, found, "would be put back")
        say(console, ("nothing was done", "red"), ": ledger, lake and warehouse do not agree, and nothing goes on")
        return NEEDS_A_PERSON
    _tell(console, found, "put back")
    say(console, ("the ledger is whole", "green"), ": everything goes on by itself")
    return 0


def _wait(world: World, console: Console, longest: timedelta) -> None:
    """Until every function that had begun before the seal was broken has ended."""
    until = stop(world) + longest
    while (left := until - world.clock.now()) > timedelta(0):
        say(console, f"functions that had begun may run for another {duration(left)}")
        time.sleep(min(LOOK_SECONDS, left.total_seconds()))


def _tell(console: Console, found: Findings, done: str) -> None:
    say(console, f"{plural(len(found.batches), 'batch')} {done}", _by_state(found.batches))
    batches: list[Part] = [f"{one.batch_id} {one.state} attempt {one.attempt}" for one in found.batches]
    for told in _shown(console, batches):
        say_whole(console, "  ", told)
    for batch_id in found.left_out:
        say_whole(console, f"left out: {batch_id} came to nothing, and another batch has its files")
    for told in _shown(console, found.disagreements):
        say_whole(console, ("disagrees: ", "red"), told)


def _shown(console: Console, lines: Sequence[Part]) -> Sequence[Part]:
    """Not all of a long list on a screen."""
    return capped(lines, "`tidemark recover --dry-run` in a pipe") if console.is_terminal else lines


def _by_state(batches: tuple[Batch, ...]) -> str:
    counts = Counter(batch.state for batch in batches)
    return f": {', '.join(f'{state} {count}' for state, count in sorted(counts.items()))}" if counts else ""
