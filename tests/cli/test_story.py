"""What `batches`, `explain` and `quarantine` tell of attempts that failed, and of a batch that waits for a person."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from cli.operate import list_quarantine, show_quarantined
from cli.render import PIPE_WIDTH
from cli.status import show_batches, show_file
from tests.cli.nasty import printed
from tests.service.nights import NightWorld, advance
from tidemark.core.files import FileVersion
from tidemark.core.lifecycle import Batch, Formed, Poisoned, RunRetried, RunStarted, State
from tidemark.core.manifest import Manifest
from tidemark.service.transitions import move

BATCH = "shop.20261121T080000.aaaaaaaa"
FILES = tuple(FileVersion("raw", f"shop/{place}.json", "v1", 7) for place in range(12))


def running(world: NightWorld) -> Batch:
    """A batch of twelve files whose first run has begun a minute after the batch."""
    now = world.clock.now()
    world.store.put_once("control", "manifest", Manifest(BATCH, 1, "shop", FILES).dumps())
    for file in FILES:
        world.ledger.files.claim(file, "shop", BATCH, now)
    formed = move(
        world, world.ledger.batches.save(Batch(BATCH, "shop", now, now)), Formed(1, "manifest", len(FILES), 84)
    )
    advance(world, minutes=1)
    return move(world, formed, RunStarted(1, "run-1"))


def failed_once(world: NightWorld) -> Batch:
    """Its second attempt, begun nine minutes later."""
    batch = running(world)
    advance(world, minutes=9)
    return move(world, batch, RunRetried(1, "the run was killed: out of memory"))


def test_an_attempt_that_failed_says_why(world: NightWorld) -> None:
    """Also once the next one is through, and nothing is wrong with the batch any more."""
    retried = failed_once(world)
    uri = f"s3://raw/{FILES[0].key}"
    for state, reason in ((State.PLANNED, retried.reason), (State.LOADED, "")):
        retried = world.ledger.batches.save(replace(retried, state=state, reason=reason))
        told = printed(lambda console: show_file(world, console, uri), PIPE_WIDTH)
        assert "attempt 1 given up while RUNNING: the run was killed: out of memory" in told
        assert "the run was killed: out of memory" in printed(
            lambda console: show_batches(world, console, None, 5), 160
        )
    assert "attempt 1: the run was killed" in printed(lambda console: show_batches(world, console, None, 5), PIPE_WIDTH)


def test_took_is_the_time_of_the_attempt(world: NightWorld) -> None:
    """The second one, begun after ten minutes, takes two; the batch is twelve minutes old."""
    retried = failed_once(world)
    advance(world, minutes=2)
    shown = printed(lambda console: show_batches(world, console, None, 5), PIPE_WIDTH)
    assert "2.0 min" in shown
    assert retried.took(world.clock.now()) == timedelta(minutes=2)
    done = replace(retried, state=State.LOADED, updated_at=world.clock.now())
    advance(world, days=1)
    assert done.took(world.clock.now()) == timedelta(minutes=2)
    assert world.ledger.batches.attempts(BATCH)[0].took(world.clock.now()) > timedelta(days=1)


def test_a_quarantined_batch_names_its_files(world: NightWorld) -> None:
    """The first in the list, ten of them in its story, and where the others are."""
    move(world, running(world), Poisoned(1, "counts do not agree"))
    listed = printed(lambda console: list_quarantine(world, console), PIPE_WIDTH)
    assert "s3://raw/shop/0.json and 11 more" in listed
    told = printed(lambda console: show_quarantined(world, console, BATCH, 20), PIPE_WIDTH)
    assert "counts do not agree" in told
    assert [told.count(f"{file.uri}\n") for file in FILES] == [1] * 10 + [0] * 2
    assert "and 2 more, see its manifest manifest" in told
