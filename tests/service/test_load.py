"""From published batches to a transaction in the warehouse."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

import tidemark.service.load as load_module
from tests.service.steps import asked, batch_of, did
from tests.simulation.race import Hand
from tests.simulation.small_worlds import LOADED, NEXT_PUBLISHED, PUBLISHED, land, minutes, orders, plan, settle, wait
from tidemark.core.dataset import Ratio
from tidemark.core.errors import Unprepared
from tidemark.core.failures import LOADS_MAX
from tidemark.core.lifecycle import State
from tidemark.core.loading import Load
from tidemark.core.naming import load_of
from tidemark.service.load import load


def statements(hand: Hand) -> list[str]:
    """The names of the loads that the warehouse was sent."""
    return [load_of(one.name) for one in hand.simulation.redshift.statements if one.name.startswith("tide.load.")]


def open_loads(hand: Hand) -> list[Load]:
    found: list[Load] = asked(hand, lambda world: world.ledger.loads.open())
    return found


def test_what_is_published_is_loaded_in_one_transaction(hand: Hand) -> None:
    """The batch is LOADING, and the load's name is the statement's, so that it can be found again."""
    did(hand, *PUBLISHED)
    assert asked(hand, load, True) == 1
    batch = batch_of(hand)
    assert (batch.state, statements(hand)) == (State.LOADING, [batch.load_id])
    [begun] = open_loads(hand)
    assert begun.batches == ((batch.batch_id, 1),)
    assert begun.statement_id


def test_a_batch_is_loaded_once(hand: Hand) -> None:
    """A second look begins nothing, nor does one that finds nothing published."""
    did(hand, *PUBLISHED)
    assert [asked(hand, load, True) for _ in range(2)] == [1, 0]
    did(hand, land("c", "c1"), plan)
    assert asked(hand, load, True) == 0
    assert len(statements(hand)) == 1


def test_the_warehouse_is_left_asleep_until_a_batch_has_waited(hand: Hand) -> None:
    """Five minutes, as the dataset declares; whoever is eager does not wait."""
    did(hand, *LOADED, *NEXT_PUBLISHED)
    assert asked(hand, load) == 0
    did(hand, minutes(6))
    assert asked(hand, load) == 1


def test_copy_is_told_every_file_with_its_exact_size(hand: Hand) -> None:
    """COPY of Parquet refuses a manifest without sizes."""
    did(hand, *PUBLISHED)
    asked(hand, load, True)
    key = f"loads/{batch_of(hand).load_id}/orders.manifest"
    entries = json.loads(hand.simulation.s3.objects[("control", key)])["entries"]
    assert [entry["mandatory"] for entry in entries] == [True, True]
    assert [set(entry["meta"]) for entry in entries] == [{"content_length"}] * 2
    assert entries[0]["url"].startswith(f"s3://lake/batches/orders/{hand.batch(0)}/0001/tables/orders/")


def test_a_load_whose_loader_died_is_sent_a_minute_later(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stands in the ledger without a statement; the next look sends it, and begins no second one."""
    did(hand, *PUBLISHED)
    with monkeypatch.context() as patched:
        patched.setattr(load_module, "_execute", lambda *_: None)
        asked(hand, load, True)
    assert (statements(hand), len(open_loads(hand))) == ([], 1)
    assert asked(hand, load) == 0
    assert statements(hand) == []
    did(hand, minutes(2))
    assert asked(hand, load) == 0
    assert statements(hand) == [one.load_id for one in open_loads(hand)]


def test_a_load_without_its_result_is_refused(hand: Hand) -> None:
    """Nothing is sent; the batch runs again, for its files may be gone as well."""
    did(hand, *PUBLISHED)
    del hand.simulation.s3.objects[("lake", f"batches/orders/{hand.batch(0)}/0001/result.json")]
    asked(hand, load, True)
    batch = batch_of(hand)
    assert (statements(hand), batch.state, batch.attempt) == ([], State.FORMING, 2)
    assert "result.json" in batch.because


def test_a_dataset_that_was_deployed_with_another_column_is_loaded_by_itself(hand: Hand) -> None:
    """COPY maps by position: files of two layouts do not go into one load."""
    did(hand, *LOADED, orders(added=1), *NEXT_PUBLISHED, minutes(6))
    assert asked(hand, load) == 1
    sent = hand.simulation.redshift.statements[-1]
    assert any("first_added" in sql for sql in sent.sqls)


def test_a_view_that_gets_a_column_keeps_its_readers(hand: Hand) -> None:
    """It has to be dropped for that, so what they had is granted again in the same transaction."""
    did(hand, *LOADED)
    reader = "'public', 'orders_users', 'SELECT', 'analysts', 'group', 0"
    hand.simulation.redshift.database.execute(f"INSERT INTO svv_relation_privileges VALUES ({reader})")
    declared = hand.simulation.declared["orders"]
    rated = [
        replace(table, ratios=(Ratio("share", "events", "events"),)) if table.kind == "additive" else table
        for table in declared.tables
    ]
    hand.simulation.declared["orders"] = replace(declared, tables=tuple(rated))
    did(hand, *NEXT_PUBLISHED, minutes(6))
    assert asked(hand, load) == 1
    sent = [
        one.sqls for one in hand.simulation.redshift.statements if one.name.startswith("tidemark-table-orders_users")
    ]
    assert [sql.split(" AS ")[0] for sql in sent[-1]] == [
        'DROP VIEW IF EXISTS "orders_users"',
        'CREATE VIEW "orders_users"',
        'GRANT SELECT ON "orders_users" TO GROUP "analysts"',
    ]


@pytest.mark.parametrize("words", ["permission denied for database warehouse", "words that nothing else knows"])
def test_a_first_load_before_the_grant_passes_later(hand: Hand, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    """While the warehouse takes no table, whatever it says, the batch waits and is counted; afterwards it is loaded."""
    did(hand, *PUBLISHED)
    redshift = hand.simulation.redshift
    run = redshift._one

    def refuses(sql: str) -> list[Any]:
        if sql.startswith("CREATE TABLE"):
            raise ValueError(words)
        return run(sql)

    with monkeypatch.context() as patched:
        patched.setattr(redshift, "_one", refuses)
        for failures in range(1, LOADS_MAX + 2):
            asked(hand, load, True)
            batch = batch_of(hand)
            assert (batch.state, batch.failures.loads) == (State.PUBLISHED, failures)
            assert words in batch.reason
            did(hand, minutes(60))
    asked(hand, load, True)
    did(hand, wait, settle())
    assert batch_of(hand).state is State.LOADED


def test_the_table_that_is_refused_holds_up_only_its_own_dataset(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two batches go into one load, whose tables are not taken: the next loads are smaller."""
    did(hand, *PUBLISHED, *NEXT_PUBLISHED)
    monkeypatch.setattr(load_module, "ensure_tables", refused)
    assert asked(hand, load, True) == 1
    assert [(batch_of(hand, n).state, batch_of(hand, n).company) for n in (0, 1)] == [(State.PUBLISHED, 1)] * 2


def refused(*_: object) -> None:
    raise Unprepared("expected INTEGER as in the warehouse, found BIGINT")
