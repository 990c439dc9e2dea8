"""Every statement that the product can make is one of Redshift's documentation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.test_column_types import EXAMPLES
from tests.redshift.grammar import NAME_BYTES_MAX, RESERVED, batch_faults, faults
from tidemark.adapters.dataset_files import load_all
from tidemark.core.dataset import Dataset, Table
from tidemark.core.dataset_parser import parse_dataset
from tidemark.core.errors import DeclarationError
from tidemark.core.loading import BATCHES_MAX
from tidemark.core.warehouse_ddl import VIEW, declared_shape, history_statements, relations, table_changes
from tidemark.core.warehouse_sql import LoadBatch, LoadTable, load_statements
from tidemark.service import evidence

MANIFEST = "s3://tidemark-control-123456789012-eu-central-1/loads/load.20260301T120000.0123abcd/events.manifest"
ROLE = "arn:aws:iam::123456789012:role/tidemark-eu-central-1-CopyRole"

# ── every statement of a declaration ────────────────────────────────────────────────────────────────────────


def transactions(dataset: Dataset) -> Iterator[list[str]]:
    """All that is sent for a dataset: its tables new and changed, and loads with and without rows."""
    for table in dataset.tables:
        for relation in relations(table):
            for recorded in (None, *_older_shapes(table, relation)):
                yield from table_changes(table, relation, recorded)
    yield load_of(dataset, None)
    yield load_of(dataset, MANIFEST)


def load_of(dataset: Dataset, manifest: str | None, batches: int = 1) -> list[str]:
    """A load of so many batches, whose files lack the last declared column, as those of an older declaration do."""
    members = [LoadBatch(dataset.name, f"{dataset.name}.20260301T120000.{n:08x}", 50) for n in range(batches)]
    tables = [
        LoadTable(dataset.name, table, manifest, (*table.columns[:-1], *table.own_columns)) for table in dataset.tables
    ]
    return load_statements("load.20260301T120000.0123abcd", members, tables, ROLE)


def _older_shapes(table: Table, relation: str) -> Iterator[dict[str, str]]:
    """The table as it was before its last column was added, and its view before it was changed."""
    shape = declared_shape(table, relation)
    yield {name: value for name, value in shape.items() if name != table.columns[-1].name}
    if VIEW in shape:
        yield shape | {VIEW: "another"}


SHIPPED = load_all(Path(__file__).resolve().parents[2] / "datasets")


@pytest.mark.parametrize("name", SHIPPED)
def test_the_statements_of_a_shipped_dataset_are_documented(name: str) -> None:
    """Their tables, changes of these, and loads."""
    for statements in transactions(SHIPPED[name]):
        assert batch_faults(statements) == []


def test_the_statements_of_the_largest_load_are_documented() -> None:
    """As many batches as one load takes."""
    assert batch_faults(load_of(SHIPPED["web_logs"], MANIFEST, BATCHES_MAX)) == []


def test_the_statements_of_the_record_are_documented() -> None:
    """The record's schema, tables and view."""
    assert batch_faults(history_statements()) == []


def test_the_queries_of_recovery_are_documented() -> None:
    """They read what a lost ledger can no longer say."""
    queries: list[str] = []
    world: Any = SimpleNamespace(warehouse=SimpleNamespace(read=lambda sql: queries.append(sql) or []))
    evidence._in_warehouse(world, "order")
    evidence._loads(world)
    assert [faults(query) for query in queries] == [(), ()]


#: Names that Redshift, or the statements around them, may take in another sense, and the longest ones.
TABLE_NAMES = st.sampled_from(["t" * 32, "load_history", *sorted(name for name in RESERVED if len(name) < 24)])
COLUMN_NAMES = st.sampled_from(["c" * NAME_BYTES_MAX, "row_count", "batch_id", *sorted(RESERVED)])


@st.composite
def declarations(draw: st.DrawFn) -> dict[str, Any]:
    """A dataset of one table of any kind, with names and types of every sort."""
    columns = draw(st.dictionaries(COLUMN_NAMES, st.sampled_from(EXAMPLES), min_size=2, max_size=6))
    name, kind = draw(TABLE_NAMES), draw(st.sampled_from(["facts", "latest", "additive"]))
    numbers = [column for column, type_ in columns.items() if type_.startswith(("int", "bigint", "decimal", "double"))]
    some = st.lists(st.sampled_from(sorted(columns)), unique=True)
    table: dict[str, Any] = {"kind": kind, "columns": columns, "sort": draw(some), "dist": draw(some)[:1]}
    if kind == "latest":
        table |= {"key": draw(st.sampled_from(sorted(columns))), "newest_by": draw(some)[:1]}
    if kind == "additive":
        table |= {"sums": numbers, "ratios": {"selec": f"{numbers[0]} / {numbers[-1]}"} if numbers else {}}
    record = {"id": "string(8)"}
    return {"name": "d" * 32, "prefix": "d/", "record": record, "tables": {name: table}}


@settings(max_examples=20)
@given(declarations())
def test_the_statements_of_any_declaration_are_documented(declared: dict[str, Any]) -> None:
    """A declaration is refused, or everything that it leads to is Redshift's SQL."""
    try:
        dataset = parse_dataset(declared)
    except DeclarationError:
        return
    for statements in transactions(dataset):
        assert batch_faults(statements) == []


# ── what the grammar refuses ────────────────────────────────────────────────────────────────────────────────

COPY = "COPY t FROM 's3://b/k' IAM_ROLE 'arn:r' FORMAT AS PARQUET"


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("SELECT a AS tag FROM t", "a reserved word without quotes: tag"),
        ("SELECT a FROM system", "a reserved word without quotes: system"),
        (f'SELECT "{"n" * 128}" FROM t', "a name of 128 bytes"),
        (f'SELECT "{"ñ" * 64}" FROM t', "a name of 128 bytes"),
        ('ALTER TABLE t ADD COLUMN "xmin" INTEGER', "a column that each table has: xmin"),
        ('SELECT "Name" FROM t', "a name that Redshift changes or refuses: 'Name'"),
        ("CREATE TEMP TABLE t (a VARCHAR(65536))", "VARCHAR(65536)"),
        ("CREATE TEMP TABLE t (a DECIMAL(39,0))", "DECIMAL(39,0)"),
        ("CREATE TEMP TABLE t (a DECIMAL(38,38))", "DECIMAL(38,38)"),
        ("CREATE TEMP TABLE t (a DECIMAL(5,6))", "DECIMAL(5,6)"),
        ("SELECT MEDIAN(a) FROM t", "a word that no form has: MEDIAN"),
        ("SELECT FROM WHERE", "not a query: SELECT FROM WHERE"),
        ("SELECT a FROM t; SELECT a FROM t", "unexpected '; SELECT a FROM t'"),
        ("SELECT a FROM t WHERE a = :name", "unexpected ':name'"),
    ],
)
def test_what_redshift_would_not_take_is_found(statement: str, fault: str) -> None:
    """Each rule has a statement that breaks it alone."""
    assert fault in faults(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE t ADD COLUMN a INTEGER, ADD COLUMN b INTEGER",
        "ALTER TABLE t ADD COLUMN IF NOT EXISTS a INTEGER",
        "CREATE VIEW IF NOT EXISTS v AS SELECT a FROM t",
        "CREATE TEMP TABLE t (a TEXT)",
        "CREATE TABLE t (a INTEGER) DISTKEY (a, b)",
        "CREATE TABLE t (a INTEGER) SORTKEY (a) DISTKEY (a)",
        "CREATE TABLE t (a INTEGER PRIMARY KEY)",
        "LOCK TABLE t IN EXCLUSIVE MODE",
        "TRUNCATE t",
        f"{COPY} COMPUPDATE OFF",
        f"{COPY} REGION 'us-east-1'",
        f"{COPY} MAXERROR 10",
        f"{COPY} GZIP",
        COPY.replace("PARQUET", "CSV"),
    ],
)
def test_another_form_is_found(statement: str) -> None:
    """Options and clauses that the documentation does not have, or that the product does not use."""
    assert f"no documented form: {statement[:80]}" in faults(statement)


def test_a_batch_has_its_own_limits() -> None:
    """BatchExecuteStatement takes 40 statements and 100 KB."""
    assert batch_faults(["LOCK t"] * 40) == []
    assert batch_faults(["LOCK t"] * 41) == ["41 statements in a batch"]
    assert batch_faults([]) == ["0 statements in a batch"]
    assert batch_faults([f"SELECT a FROM t WHERE a = '{'x' * 100_000}'"]) == ["100028 bytes in a batch"]
