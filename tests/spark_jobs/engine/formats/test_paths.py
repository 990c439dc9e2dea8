"""Fields inside of fields: the same values and the same rest from every format, and nothing lost."""

from __future__ import annotations

import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_jobs.engine.formats import reader_for
from spark_jobs.engine.formats.paths import are_apart, follow, left_of, taken
from spark_jobs.engine.formats.records import RecordReader
from tests.spark_jobs.engine.formats.containers import written
from tests.spark_jobs.reading import Read, sorted_out
from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Field, Format
from tidemark.core.path import parse_path


def at(path: str, type_: str = "bigint", name: str = "", *, required: bool = False) -> Field:
    """A field that lies at a path."""
    steps = parse_path(path)
    return Field(
        name or path.replace(".", "_"),
        ColumnType.parse(type_),
        required,
        path,
        path=steps if len(steps) > 1 else (),
    )


ORDER = [
    at("order.id", "string(8)", required=True),
    at("order.total", "decimal(8,2)"),
    at("order.ship.country", "string(2)"),
    at("placed", "timestamp"),
    at("items[0].sku", "string(8)", "first"),
]
ONE = {
    "order": {"id": "a1", "total": 12.5, "ship": {"country": "DE", "zip": "1"}, "note": "hi"},
    "placed": "2026-11-20T10:00:00Z",
    "items": [{"sku": "x"}, {"sku": "y"}],
    "more": 1,
}
BY_NAME = ORDER[:4]  # names alone lead to these, so pyarrow's parser reads them


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("order.id", "a1"),
        ("order.ship.country", "DE"),
        ("items[1].sku", "y"),
        ("items[-1].sku", "y"),
        ("items[2].sku", None),
        ("order.missing.at", None),
        ("placed.year", None),
        ("order[0]", None),
    ],
)
def test_a_path_leads_to_its_value_or_to_nothing(path: str, value: Any) -> None:
    """Never to an error: what is not there, or of another kind, is null."""
    assert follow(ONE, parse_path(path)) == value


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        (ORDER, {"order": {"ship": {"zip": "1"}, "note": "hi"}, "items": ONE["items"], "more": 1}),
        ([at("order"), at("order.id")], {name: ONE[name] for name in ("placed", "items", "more")}),
        ([at("order.id"), at("order")], {name: ONE[name] for name in ("placed", "items", "more")}),
        ([at(name) for name in ONE], None),
        ([at("placed.year")], ONE),
    ],
)
def test_what_no_field_takes_is_left(fields: list[Field], left: Any) -> None:
    """Objects without the members that were taken, and whole where a path leads into something else or a list."""
    assert left_of(ONE, taken(fields)) == left


def test_fields_are_apart_unless_one_lies_in_another() -> None:
    """Or two are the same, or a list is on the way: then the exact scanner reads them."""
    assert are_apart(BY_NAME)
    assert not are_apart(ORDER)
    assert not are_apart([at("order"), at("order.id")])
    assert not are_apart([at("order.id"), at("order.id", name="again")])


def orders(*records: dict[str, Any], fields: list[Field] = ORDER) -> Read:
    return sorted_out(RecordReader(fields), "\n".join(map(json.dumps, records)).encode())


def test_nested_fields_become_columns_and_the_rest_is_rescued() -> None:
    """Beside fields of the record itself."""
    [row], rejected, _ = orders(ONE)
    assert (row["order_id"], str(row["order_total"]), row["order_ship_country"], row["first"]) == (
        "a1",
        "12.50",
        "DE",
        "x",
    )
    left = {"order": {"ship": {"zip": "1"}, "note": "hi"}, "items": ONE["items"], "more": 1}
    assert json.loads(row["_rescued"]) == left
    assert rejected == []


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"order": {"total": 1}}, "order.id is missing"),
        ({"order": None}, "order.id is missing"),
        ({"order": "a1"}, "order.id is missing"),
        ({"order": {"id": "a1", "total": "much"}}, "order.total: "),
        ({"order": {"id": ["a"]}}, "order.id: "),
        ({"placed": 1}, "order.id is missing"),
    ],
)
def test_a_value_that_does_not_fit_is_named_by_its_path(record: dict[str, Any], reason: str) -> None:
    """In the vectorised parser's place, and in the scanner's."""
    for fields in (ORDER, BY_NAME):
        rows, [rejected], _ = orders(record, fields=fields)
        assert rows == []
        assert rejected.reason.startswith(reason)


VALUES = st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["a", "7", "2026-11-20T10:00:00Z"])
PARTS = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["id", "total", "ship", "x"]), inner),
)
RECORDS = st.dictionaries(st.sampled_from(["order", "placed", "items", "y"]), PARTS)


@given(st.lists(RECORDS, min_size=1, max_size=4))
def test_both_parsers_read_the_same(records: list[dict[str, Any]]) -> None:
    """The vectorised one gives up wherever it would read anything else than the scanner."""
    fields = [at("order.id", "string(8)"), at("order.ship.total"), at("placed", "timestamp")]
    exact = RecordReader(fields)
    exact._vectorised = False
    body = "\n".join(map(json.dumps, records)).encode()
    fast, slow = sorted_out(RecordReader(fields), body), sorted_out(exact, body)
    assert repr(fast) == repr(slow)


def test_the_vectorised_parser_reads_paths_of_names() -> None:
    """Not only the scanner, which takes ten times as long; with and without other members beside them."""
    reader = RecordReader(BY_NAME)
    for record in ({"order": {"id": "a"}}, ONE):
        table = reader._parse(json.dumps(record).encode())
        assert table is not None
        assert table["order_id"].to_pylist() == [record["order"]["id"]]  # type: ignore[index]


def parquet(rows: list[dict[str, Any]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


def orc(rows: list[dict[str, Any]]) -> bytes:
    sink = io.BytesIO()
    pyarrow.orc.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


def avro(rows: list[dict[str, Any]]) -> bytes:
    def record(name: str, **fields: Any) -> dict[str, Any]:
        return {
            "type": "record",
            "name": name,
            "fields": [{"name": key, "type": value} for key, value in fields.items()],
        }

    country = record("Ship", country=["null", "string"], zip="string")
    order = record("Order", id="string", total="double", ship=["null", country], note="string")
    items = {"type": "array", "items": record("Item", sku="string")}
    return written(record("R", order=order, placed="string", items=items, more="long"), *rows)


@pytest.mark.parametrize(("type_", "file"), [("parquet", parquet), ("orc", orc), ("avro", avro)])
def test_every_format_that_nests_gives_the_same_rows(type_: str, file: Any) -> None:
    """As JSON does; a null on the way is null."""
    other = {**ONE, "order": {**ONE["order"], "id": "b2", "ship": None}, "items": []}  # type: ignore[dict-item]
    rows, rejected, _ = sorted_out(reader_for(Format(type_), ORDER), file([ONE, other]))
    expected, _, _ = orders(ONE, other)
    assert rejected == []
    for row, wanted in zip(rows, expected, strict=True):
        left, wanted_left = (json.loads(one.pop("_rescued")) for one in (row, wanted))
        assert row == wanted
        assert left == {name: part for name, part in wanted_left.items() if part is not None}
