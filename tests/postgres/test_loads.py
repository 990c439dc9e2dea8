"""Loads that are interrupted, repeated, queued, or run beside other work on their tables."""

from __future__ import annotations

from contextlib import closing
from itertools import permutations

import psycopg
import pytest

from tests.core.test_warehouse_sql import ACTIVITY, EVENTS, HOMES, REPORT, event, home
from tests.postgres.dialect import postgres
from tests.postgres.loads import Load
from tests.postgres.sessions import Session, in_one_transaction
from tests.postgres.stage import Stage
from tidemark.core.dataset import Table
from tidemark.core.warehouse_ddl import history_statements

TABLES = (EVENTS, ACTIVITY, HOMES)
LEVEL = "REPEATABLE READ"


def web(load_id: str, batch: str, attempt: int, user: str, income: str) -> Load:
    """A load of one batch with a row for each kind of table."""
    return Load(
        load_id,
        {batch: attempt},
        {
            EVENTS: [event(batch, attempt, user)],
            ACTIVITY: [(user, 2, "1.50", batch, attempt)],
            HOMES: [home(batch, attempt, "h1", income, f"2026-11-0{attempt}")],
        },
    )


BEFORE = web("load.1", "b1", 1, "ann", "low")
AGAIN = web("load.2", "b1", 2, "bob", "high")
SEEN_BEFORE = {"events": [("b1", 1, "ann")], "activity": [("ann", 2)], "homes": [("h1", "low", "b1")]}
SEEN_AFTER = {"events": [("b1", 2, "bob")], "activity": [("bob", 2)], "homes": [("h1", "high", "b1")]}
#: Batches of a nightly job of shard 0; `web` is of shard 2.
NIGHT = {number: f"counts.2026110{number}T000000.0123abcd" for number in (1, 2)}


def night(load_id: str, number: int, attempt: int, *values: int) -> Load:
    """A load of what a nightly job has computed for one night."""
    batch = NIGHT[number]
    return Load(load_id, {batch: attempt}, {REPORT: [(value, batch, attempt) for value in values]}, "counts")


# ── interrupted and repeated ────────────────────────────────────────────────────────────────────────────────


def test_a_load_that_dies_anywhere_is_repeated_exactly_once(stage: Stage) -> None:
    """Its connection is ended after each of its statements; nothing is seen of it, and the whole load comes again."""
    program = in_one_transaction(LEVEL, AGAIN.statements())
    for place in range(1, len(program)):
        stage.reset()
        stage.load(BEFORE)
        with closing(Session(stage.url)) as dying:
            dying.execute(*program[:place])
            stage.watcher.end(dying)
            with pytest.raises(psycopg.OperationalError):
                dying.execute(program[place])
        assert stage.seen(TABLES) == SEEN_BEFORE
        counted = stage.load(AGAIN)
        assert sorted(counted) == [("b1", 2, name, 1) for name in ("activity_by_batch", "events", "homes_by_batch")]
        assert stage.seen(TABLES) == SEEN_AFTER


def test_a_load_whose_answer_was_lost_is_repeated_exactly_once(stage: Stage) -> None:
    """It was committed, and is sent again: the same rows, the same counts, one record."""
    stage.load(BEFORE)
    counted = stage.load(AGAIN)
    record = stage.history()
    assert stage.load(AGAIN) == counted
    assert stage.seen(TABLES) == SEEN_AFTER
    assert stage.history() == record


def test_the_death_of_a_load_lets_the_waiting_one_go_on(stage: Stage) -> None:
    """A zombie dies in the middle while the newer attempt waits for its lock."""
    dying, waiting = stage.sessions
    program = in_one_transaction(LEVEL, AGAIN.statements())
    dying.execute(*in_one_transaction(LEVEL, BEFORE.statements())[:9])
    waiting.send(program[0])
    assert stage.watcher.is_waiting(waiting)
    stage.watcher.end(dying)
    assert not stage.watcher.is_waiting(waiting)
    waiting.answer()
    waiting.execute(*program[1:])
    assert stage.seen(TABLES) == SEEN_AFTER


def test_a_load_in_conflict_with_a_person_is_repeated_exactly_once(stage: Stage) -> None:
    """Somebody deletes the same rows at the same time: the load fails as a whole, and the next one succeeds."""
    stage.load(BEFORE)
    loader, person = stage.sessions
    program = in_one_transaction(LEVEL, AGAIN.statements())
    clears = next(place for place, each in enumerate(program) if each.startswith('DELETE FROM "events"'))
    loader.execute(*program[:clears])
    person.execute("BEGIN", 'DELETE FROM "events"')
    loader.send(program[clears])
    assert stage.watcher.is_waiting(loader)
    person.execute("COMMIT")
    with pytest.raises(psycopg.errors.SerializationFailure):
        loader.answer()
    loader.execute("ROLLBACK")
    assert stage.seen(TABLES) == {**SEEN_BEFORE, "events": []}
    stage.load(AGAIN)
    assert stage.seen(TABLES) == SEEN_AFTER


# ── who waits ───────────────────────────────────────────────────────────────────────────────────────────────


def test_loads_of_one_shard_pass_in_the_order_of_their_arrival(stage: Stage) -> None:
    """Of two that wait, the first to come goes on first, and the second waits for it."""
    first, second = stage.sessions
    lock = in_one_transaction(LEVEL, AGAIN.statements())[0]
    with closing(Session(stage.url)) as third:
        first.execute(lock)
        for waiting in (second, third):
            waiting.send(lock)
            assert stage.watcher.is_waiting(waiting)
        first.execute("COMMIT")
        assert [stage.watcher.is_waiting(each) for each in (second, third)] == [False, True]
        second.answer()
        second.execute("COMMIT")
        third.answer()


def test_loads_of_two_shards_never_wait_for_each_other(stage: Stage) -> None:
    """After each statement of one load, another shard's whole load passes."""
    program = in_one_transaction("SERIALIZABLE", AGAIN.statements())
    under_way, other = stage.sessions
    for place, statement in enumerate(program):
        under_way.execute(statement)
        for each in in_one_transaction("SERIALIZABLE", night(f"load.n{place}", 1, 1, place).statements()):
            other.send(each)
            assert not stage.watcher.is_waiting(other)
            other.answer()
        other.execute("DISCARD TEMP")
    assert stage.seen([*TABLES, REPORT]) == {**SEEN_AFTER, "report": [(NIGHT[1], 1, len(program) - 1)]}


def test_a_reader_of_the_whole_record_ends_no_load(stage: Stage) -> None:
    """It waits for one shard's load, another shard's load waits for it, and all three end."""
    loader, reader = stage.sessions
    web_load, night_load = (in_one_transaction(LEVEL, each.statements()) for each in (AGAIN, night("load.n", 1, 1, 7)))
    with closing(Session(stage.url)) as behind:
        loader.execute(web_load[0])
        reader.send("SELECT COUNT(*) FROM tidemark.load_history")
        assert stage.watcher.is_waiting(reader)
        behind.send(night_load[0])
        assert stage.watcher.is_waiting(behind)
        loader.execute(*web_load[1:])
        behind.answer()
        assert reader.answer() == [(3,)]
        behind.execute(*night_load[1:])
    assert stage.seen([*TABLES, REPORT]) == {**SEEN_AFTER, "report": [(NIGHT[1], 1, 7)]}


@pytest.mark.parametrize("place", range(1, len(AGAIN.statements()) + 1))
def test_a_column_is_added_while_a_load_runs(stage: Stage, place: int) -> None:
    """The change waits for the load or does not, and the load's rows are there, with null in the new column."""
    loader, changer = stage.sessions
    program = in_one_transaction(LEVEL, AGAIN.statements())
    loader.execute(*program[:place])
    changer.send('ALTER TABLE "events" ADD COLUMN "page" VARCHAR(8)')
    stage.watcher.is_waiting(changer)
    loader.execute(*program[place:])
    changer.answer()
    assert stage.watcher.execute('SELECT user_id, page FROM "events"') == [("bob", None)]
    assert stage.seen(TABLES) == SEEN_AFTER


def test_the_first_loads_of_two_shards_may_collide_when_they_create_the_record(stage: Stage) -> None:
    """The second one's transaction fails as a whole, and succeeds when it is repeated."""
    first, second = stage.sessions
    statements = [postgres(each) for each in history_statements()]
    stage.watcher.execute("DROP SCHEMA tidemark CASCADE")
    first.execute("BEGIN", *statements)
    second.send(f"BEGIN; {statements[0]}")
    assert stage.watcher.is_waiting(second)
    first.execute("COMMIT")
    with pytest.raises(psycopg.errors.UniqueViolation):
        second.answer()
    second.execute("ROLLBACK", "BEGIN", *statements, "COMMIT")
    assert stage.history() == []


# ── the rows that count ─────────────────────────────────────────────────────────────────────────────────────


def test_a_restated_night_replaces_its_own_rows_only(stage: Stage) -> None:
    """The rows of the other night stay, and an older computation that comes late changes nothing."""
    stage.load(night("load.1", 1, 1, 10, 11), night("load.2", 2, 1, 20), night("load.3", 1, 2, 12))
    stage.load(night("load.1", 1, 1, 10, 11))
    assert stage.seen([REPORT]) == {"report": [(NIGHT[1], 2, 12), (NIGHT[2], 1, 20)]}


def test_ties_and_nulls_of_a_latest_table_do_not_depend_on_the_order_of_loads(stage: Stage) -> None:
    """Equal values are decided by arrival, file, place and batch; no value loses, and no key is not shown."""
    dated = Table("homes", "latest", HOMES.columns, key="home_id", newest_by="income")
    rows = {
        "b1": [home("b1", 1, "h1", "2026", place=1), home("b1", 1, "h1", "2026", place=2), home("b1", 1, None, "2027")],
        "b2": [home("b2", 1, "h1", "2026"), ("h2", None, *home("b2", 1, "h2", "", landed="2026-11-09")[2:])],
        "b3": [home("b3", 1, "h2", "2025"), ("h3", None, *home("b3", 1, "h3", "")[2:])],
    }
    shown = []
    for order in permutations(rows):
        stage.reset()
        stage.load(*(Load(f"load.{batch}", {batch: 1}, {dated: rows[batch]}) for batch in order))
        shown.append(stage.seen([HOMES])["homes"])
    # Of h1, b2's row wins: its file's name comes after that of b1.
    assert shown == [[("h1", "2026", "b2"), ("h2", "2025", "b3"), ("h3", None, "b3")]] * 6
