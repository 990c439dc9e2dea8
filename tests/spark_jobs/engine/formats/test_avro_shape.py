"""Schemas whose values take no bytes, or have no end."""

from __future__ import annotations

from typing import Any

import pytest

from tests.spark_jobs.engine.formats.containers import ID, container, longs, read, record, written


def test_records_that_hold_records_of_their_own_kind_are_read() -> None:
    """A list of two, linked."""
    schema = record(id="long", next=["null", "R"])
    body = written(schema, {"id": 1, "next": {"id": 2, "next": None}})
    rows, rejected, _ = read(body, ID)
    assert [(row["id"], row["_rescued"]) for row in rows] == [(1, '{"next":{"id":2,"next":null}}')]
    assert rejected == []


def test_nesting_without_an_end_is_damage() -> None:
    """A list of a hundred thousand, linked, would end the process."""
    deep = container(record(id="long", next=["null", "R"]), (1, longs(1, 1) * 100_000), (1, longs(7, 0)))
    rows, (rejected,), _ = read(deep, ID)
    assert [row["id"] for row in rows] == [7]
    assert rejected.reason.endswith("in records 1 to 1: nested too deeply")


@pytest.mark.parametrize(
    "items",
    [
        "null",
        record(),
        {"type": "fixed", "name": "F", "size": 0},
        {**record(of="null", more={"type": "fixed", "name": "F", "size": 0}), "name": "E"},
    ],
)
def test_a_list_of_what_takes_no_bytes_is_refused(items: Any) -> None:
    """A few bytes could claim a billion items, and real writers do not write such arrays."""
    items = {**items, "name": "E"} if isinstance(items, dict) else items
    schema = record(id="long", list={"type": "array", "items": items})
    _, (rejected,), end = read(container(schema, (1, longs(1, 10**12, 0))), ID)
    assert rejected.reason == end.problem
    assert end.problem == "expected an Avro array's items to take bytes, as it could otherwise have any length"


@pytest.mark.parametrize(
    "items", [["null", "long"], {"type": "map", "values": "null"}, {**record(a="int"), "name": "E"}]
)
def test_a_list_of_anything_else_is_kept(items: Any) -> None:
    """An empty array takes a byte, for any type of items."""
    schema = record(id="long", list={"type": "array", "items": items})
    rows, rejected, _ = read(written(schema, {"id": 1, "list": []}), ID)
    assert ([row["_rescued"] for row in rows], rejected) == (['{"list":[]}'], [])
