"""What lies outside of the ledger is found, and read only where the ledger knows less."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.service.lost import DAY, LOAD, ONE, SHOP, TWO, A, B, Shop
from tidemark.adapters.s3_documents import Store
from tidemark.core.errors import Terminal
from tidemark.core.failures import RunFailure
from tidemark.core.lifecycle import State
from tidemark.service.evidence import gather


def refusing(words: str) -> Callable[[str], Any]:
    """A warehouse that answers every query with these words."""

    def read(_: str) -> Any:
        raise Terminal(f"the warehouse refused the query: ERROR: {words}")

    return read


def test_all_that_is_left_of_a_batch_is_found(shop: Shop) -> None:
    """Its documents, its run, and its rows in lake and warehouse, by batch and attempt."""
    shop.load(ONE, A, B, rows=3)
    shop.run(ONE)
    seen = gather(shop.world)
    trace = seen.traces[ONE]
    assert trace.left == seen.left[ONE]
    assert trace.left.manifests == trace.left.specs == {1}
    assert (trace.manifest.files, trace.run_id) == ((A, B), "run-1")  # type: ignore[union-attr]
    assert trace.results[1].days == {"sales": (DAY,)}
    assert trace.lake == trace.warehouse == {"sales": {1: 3}}
    assert trace.loads == {1: LOAD}
    assert (seen.known, seen.unreadable) == ({}, ())


def test_tables_that_nothing_was_ever_loaded_into_are_empty(shop: Shop) -> None:
    """The warehouse makes them, and its record of loads, with the first load."""
    seen = gather(shop.world)
    assert (seen.warehouse["sales"], seen.loads, seen.lake["sales"]) == ({}, {}, {})


@pytest.mark.parametrize("words", ['relation "sales" does not exist', 'schema "tidemark" does not exist'])
def test_a_warehouse_without_a_table_or_its_schema_has_none_of_its_rows(
    shop: Shop, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redshift says so of a table that no load has made yet."""
    monkeypatch.setattr(shop.warehouse, "read", refusing(words))
    assert gather(shop.world).warehouse["sales"] == {}


@pytest.mark.parametrize(
    "words",
    [
        'column "_attempt" does not exist in sales',
        'column "_attempt" of relation "sales" does not exist',
        'permission denied for relation "sales"',
    ],
)
def test_a_warehouse_that_cannot_be_read_is_not_taken_for_an_empty_one(
    shop: Shop, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else every batch would be said to have lost its rows."""
    monkeypatch.setattr(shop.warehouse, "read", refusing(words))
    with pytest.raises(Terminal, match=re.escape(words)):
        gather(shop.world)


def test_of_two_loads_of_an_attempt_the_later_one_counts(shop: Shop) -> None:
    """A load that is repeated has its rows recorded under its own id."""
    later = "load.20261120T100000.00000000"
    shop.load(ONE, A, load=later)
    shop.show(ONE, 0, load=LOAD)
    assert gather(shop.world).loads == {ONE: {1: later}}


def test_documents_of_batches_that_the_ledger_knows_are_not_read(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be millions: the listing is enough."""
    shop.load(ONE, A)
    shop.know(ONE, State.LOADED)
    shop.form(TWO, B)
    read: list[str] = []
    get = Store.get
    monkeypatch.setattr(Store, "get", lambda self, bucket, key: read.append(key) or get(self, bucket, key))
    seen = gather(shop.world)
    assert (set(seen.left), set(seen.known), set(seen.traces)) == ({ONE, TWO}, {ONE}, {TWO})
    assert read == [f"batches/shop/{TWO}/0001/manifest.json"]


def test_a_retry_works_by_the_manifest_that_its_job_spec_names(shop: Shop) -> None:
    """It need not be the latest one: a planner may have died over that."""
    shop.form(ONE, A, B)
    shop.order(ONE)
    shop.form(ONE, A, attempt=2)
    shop.order(ONE, attempt=3, by=1)
    assert gather(shop.world).traces[ONE].by == 1


def test_the_latest_run_of_the_latest_attempt_is_found(shop: Shop) -> None:
    """Runs of older attempts and of people are passed over; EMR is asked for those since the first document."""
    shop.form(ONE, A)
    shop.order(ONE)
    shop.order(ONE, attempt=2)
    shop.run(ONE, attempt=2, run_id="first")
    shop.run(ONE, attempt=2, run_id="again")
    shop.run(ONE, attempt=1, run_id="old")
    shop.emr.runs.insert(0, {"id": "by hand"})
    seen = gather(shop.world)
    assert seen.traces[ONE].run_id == "again"
    assert shop.emr.asked == [seen.left[ONE].since - timedelta(minutes=1)]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"files": 3}'])
def test_a_document_that_cannot_be_read_is_a_line_for_a_person(shop: Shop, text: str) -> None:
    """And keeps nobody from reading the others."""
    shop.put("control", ONE, 1, "manifest.json", text)
    shop.form(TWO, B)
    seen = gather(shop.world)
    assert set(seen.traces) == {TWO}
    assert [line.partition(": ")[0] for line in seen.unreadable] == [ONE]


def test_a_job_spec_whose_manifest_is_gone_is_a_line_for_a_person(shop: Shop) -> None:
    """Nothing else says which files the batch had."""
    shop.form(ONE, A, attempt=2)
    shop.order(ONE, attempt=2, by=1)
    [line] = gather(shop.world).unreadable
    assert line == f"{ONE}: its manifests and job specs cannot be read: KeyError('manifest of attempt 1')"


def test_a_damaged_result_is_passed_over(shop: Shop) -> None:
    """Publish would refuse it as well; the failure of another attempt is read."""
    shop.form(ONE, A)
    shop.order(ONE)
    shop.order(ONE, attempt=2)
    shop.put("lake", ONE, 1, "result.json", "{")
    shop.blame(ONE, A, attempt=2)
    trace = gather(shop.world).traces[ONE]
    assert trace.results == {}
    assert trace.failures == {2: RunFailure("NoSuchVersion", "file", replace(A, size=0, sequencer=None))}


def test_a_dataset_that_nobody_declares_any_more_is_known_by_its_job_spec(shop: Shop) -> None:
    """Its batches may be in tables of which the ledger has forgotten the declaration."""
    gone = replace(SHOP, name="gone", declared={**SHOP.declared, "name": "gone", "tables": {"relics": {
        "columns": {"day": "date", "amount": "bigint"}}}})  # fmt: skip
    batch_id = "gone.20261119T080000.dddddddd"
    shop.form(batch_id, A)
    shop.order(batch_id, dataset=gone)
    shop.lake.tables["relics"] = {batch_id: {1: 1}}
    seen = gather(shop.world)
    assert [table.name for table in seen.datasets["gone"].tables] == ["relics"]
    assert seen.traces[batch_id].lake == {"relics": {1: 1}}
