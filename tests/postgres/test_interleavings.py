"""Every order in which the statements of two sessions can run: two loads, or a load and a reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import pytest

from tests.core.test_warehouse_sql import EVENTS, HOMES, event, home
from tests.postgres.interleavings import Played
from tests.postgres.loads import DATASET, LEVELS, Load
from tests.postgres.sessions import Rows, in_one_transaction
from tests.postgres.stage import Stage
from tidemark.core.warehouse_ddl import history_of, shard_of

BEFORE = Load("load.0", {"b0": 1}, {EVENTS: [event("b0", 1, "eve")], HOMES: [home("b0", 1, "h1", "old")]})
#: Batch b1: an attempt that was given up, whose load wakes up late, and the one that took its place.
ZOMBIE = Load(
    "load.1",
    {"b1": 1},
    {EVENTS: [event("b1", 1, "ann"), event("b1", 1, "ann")], HOMES: [home("b1", 1, "h1", "low", "2026-11-02")]},
)
ATTEMPT_2 = Load(
    "load.2", {"b1": 2}, {EVENTS: [event("b1", 2, "bob")], HOMES: [home("b1", 2, "h1", "high", "2026-11-02")]}
)
#: Another batch of the same tables, with a later row of the same key and one of another.
OTHER = Load(
    "load.3",
    {"b2": 1},
    {EVENTS: [event("b2", 1, "cid")], HOMES: [home("b2", 1, "h1", "top", "2026-11-03"), home("b2", 1, "h2", "mid")]},
)
Change = Callable[[list[str]], list[str]]


@dataclass(frozen=True)
class Pair:
    """Two loads at once, and what readers must see in the end."""

    first: Load
    second: Load
    seen: Mapping[str, Rows]


ONE_ATTEMPT = {"events": [("b0", 1, "eve"), ("b1", 2, "bob")], "homes": [("h1", "high", "b1")]}
BOTH_BATCHES = {
    "events": [("b0", 1, "eve"), ("b1", 2, "bob"), ("b2", 1, "cid")],
    "homes": [("h1", "top", "b2"), ("h2", "mid", "b2")],
}
PAIRS = {
    "a zombie and the newer attempt": Pair(ZOMBIE, ATTEMPT_2, ONE_ATTEMPT),
    "two batches of the same tables": Pair(ATTEMPT_2, OTHER, BOTH_BATCHES),
    "one load that was sent twice": Pair(ATTEMPT_2, ATTEMPT_2, ONE_ATTEMPT),
}
ZOMBIE_PAIR, BATCHES, TWICE = PAIRS


@dataclass(frozen=True)
class Ended:
    """The result of one order: what is seen and recorded, and what the loads have answered."""

    seen: Mapping[str, Rows]
    history: Rows
    counted: tuple[Rows, ...]
    played: Played

    def is_as(self, other: Ended) -> bool:
        """Whether everything but the order is the same."""
        return (self.seen, self.history, self.counted) == (other.seen, other.history, other.counted)


def ends(stage: Stage, level: str, pair: Pair, changed: Change = list) -> Iterator[Ended]:
    """Plays every order of a pair, whose statements may be changed first."""
    stage.load(BEFORE)
    programs = [in_one_transaction(level, changed(load.statements())) for load in (pair.first, pair.second)]
    for played in stage.every_order(*programs):
        counted = tuple(sorted(answers[-2]) if len(answers) > 1 else [] for answers in played.answers)
        yield Ended(stage.seen([EVENTS, HOMES]), stage.history(), counted, played)


# ── two loads ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("level", "name"),
    [*((level, ZOMBIE_PAIR) for level in LEVELS), *((level, BATCHES) for level in LEVELS[1:]), (LEVELS[1], TWICE)],
)
def test_two_loads_at_once_are_two_loads_in_turn(stage: Stage, level: str, name: str) -> None:
    """In every order, the rows, the record and both answers are those of one load after the other.

    Neither fails. The one that comes second waits with its first statement, for the lock; the other one never waits.
    """
    pair = PAIRS[name]
    ended = list(ends(stage, level, pair))
    assert len(ended) == len(pair.first.statements()) + len(pair.second.statements()) + 2
    in_turn = (ended[0], ended[-1])
    assert [end.played.order[-1] for end in in_turn] == [1, 0]
    for end in ended:
        assert end.played.errors == ("", "")
        assert end.seen == pair.seen
        assert any(end.is_as(turn) for turn in in_turn)
        assert sorted(end.played.waited) in ([(), ()], [(), (0,)])


# ── without a safeguard ─────────────────────────────────────────────────────────────────────────────────────


def without_lock(statements: list[str]) -> list[str]:
    """Nothing keeps two loads apart."""
    return statements[1:]


def lock_second(statements: list[str]) -> list[str]:
    """The fence looks before the lock is held."""
    return [statements[1], statements[0], *statements[2:]]


def without_fence(statements: list[str]) -> list[str]:
    """Every batch is accepted."""
    return [statements[0], statements[1].partition(" WHERE NOT EXISTS")[0], *statements[2:]]


def without_clearing(statements: list[str]) -> list[str]:
    """Rows of older attempts stay."""
    return [statement for statement in statements if not statement.startswith('DELETE FROM "events" ')]


def without_clearing_the_record(statements: list[str]) -> list[str]:
    """A repeated load is recorded twice."""
    return [statement for statement in statements if not statement.startswith("DELETE FROM tidemark.")]


def only_events(pair: Pair) -> Pair:
    """The same loads of facts alone: they change no row that the other has changed, so no engine sees a conflict."""
    first, second = (replace(load, rows={EVENTS: load.rows[EVENTS]}) for load in (pair.first, pair.second))
    return Pair(first, second, {"events": pair.seen["events"], "homes": [("h1", "old", "b0")]})


def swapped(pair: Pair) -> Pair:
    return Pair(pair.second, pair.first, pair.seen)


ZOMBIE_SECOND = only_events(swapped(PAIRS[ZOMBIE_PAIR]))


@pytest.mark.parametrize(
    ("changed", "pair", "level"),
    [
        (without_lock, ZOMBIE_SECOND, "READ COMMITTED"),
        (without_lock, ZOMBIE_SECOND, "REPEATABLE READ"),
        (lock_second, ZOMBIE_SECOND, "REPEATABLE READ"),
        (without_fence, ZOMBIE_SECOND, "SERIALIZABLE"),
        (without_clearing, only_events(PAIRS[ZOMBIE_PAIR]), "SERIALIZABLE"),
        (without_clearing_the_record, only_events(PAIRS[TWICE]), "SERIALIZABLE"),
    ],
)
def test_a_load_without_one_safeguard_goes_wrong(stage: Stage, changed: Change, pair: Pair, level: str) -> None:
    """In some order both loads succeed, and readers see a zombie's rows, or the load is recorded twice."""
    for end in ends(stage, level, pair, changed):
        is_wrong = end.seen != pair.seen or len(set(end.history)) < len(end.history)
        if is_wrong and end.played.errors == ("", ""):
            return
    pytest.fail("every order ended well")


@pytest.mark.parametrize(
    ("changed", "level", "error"),
    [
        (without_lock, "SERIALIZABLE", "could not serialize access due to read/write dependencies among transactions"),
        (lock_second, "READ COMMITTED", "deadlock detected"),
    ],
)
def test_a_load_without_the_lock_in_its_place_fails(stage: Stage, changed: Change, level: str, error: str) -> None:
    """Where an engine keeps two such loads apart by itself, it does so by ending one of them."""
    for end in ends(stage, level, ZOMBIE_SECOND, changed):
        if any(end.played.errors):
            assert error in end.played.errors
            return
        assert end.seen == ZOMBIE_SECOND.seen
    pytest.fail("no order ended with an error")


# ── a load and a reader ─────────────────────────────────────────────────────────────────────────────────────


def test_a_reader_sees_a_load_whole_or_not_at_all(stage: Stage) -> None:
    """A query of two tables, begun at any moment of a load, does not wait and answers as before or as after it."""
    stage.load(BEFORE)
    query = 'SELECT user_id, _batch_id FROM "events" UNION ALL SELECT income, _batch_id FROM "homes" ORDER BY 1'
    before, after = [("eve", "b0"), ("old", "b0")], [("bob", "b1"), ("eve", "b0"), ("high", "b1")]
    answers = []
    for played in stage.every_order(in_one_transaction(LEVELS[1], ATTEMPT_2.statements()), [query]):
        assert played.waited[1] == ()
        answers += played.answers[1]
    assert answers == [after, *[before] * (len(ATTEMPT_2.statements()) + 1)]


def test_two_queries_of_one_transaction_see_the_same_moment(stage: Stage) -> None:
    """The rows that are stored and those that are shown belong together, whatever the load does between the two."""
    stage.load(BEFORE)
    load = replace(ATTEMPT_2, rows={HOMES: ATTEMPT_2.rows[HOMES]})
    shown, stored = 'SELECT MAX(income) FROM "homes"', "SELECT COUNT(*) FROM homes_by_batch"
    reader = (f"BEGIN ISOLATION LEVEL REPEATABLE READ; {shown}", stored)
    answers = set()
    for played in stage.every_order(in_one_transaction(LEVELS[1], load.statements()), reader):
        assert played.waited[1] == ()
        answers.add(tuple(rows[0][0] for rows in played.answers[1]))
    assert answers == {("old", 1), ("high", 2)}


def test_a_reader_of_the_record_waits_for_the_load(stage: Stage) -> None:
    """The lock is one that readers of the record wait for, too; they see the load's rows when it has ended."""
    load = replace(OTHER, rows={EVENTS: OTHER.rows[EVENTS]})
    query = f"SELECT COUNT(*) FROM {history_of(shard_of(DATASET))}"
    ended = list(stage.every_order(in_one_transaction(LEVELS[1], load.statements()), [query]))
    assert [(played.answers[1], played.waited[1]) for played in ended] == [
        ((([(1,)]),), ()),
        *[(([(1,)],), (0,))] * len(load.statements()),
        (([(0,)],), ()),
    ]
