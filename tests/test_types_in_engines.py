"""Column types in Spark, Iceberg, Arrow and Redshift, as these engines themselves take them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql.pandas.types import from_arrow_type

from local.redshift.session import Warehouse
from local.redshift.translate import translate
from spark_jobs.engine.formats.checks import UnfitError, value_check
from spark_jobs.engine.formats.columns import arrow_type, shown, typed
from spark_jobs.engine.formats.texts import read_as
from tests.core.test_column_types import EXAMPLES, TAG, TINY, declaration
from tidemark.adapters.iceberg import iceberg_type
from tidemark.core.column_types import (
    TYPES,
    ColumnType,
)
from tidemark.core.dataset import Column, Field, Table
from tidemark.core.dataset_parser import parse_dataset
from tidemark.core.warehouse_ddl import definitions, table_changes


@pytest.fixture(params=EXAMPLES)
def declared(request: pytest.FixtureRequest) -> ColumnType:
    """A type, as parsed from its declaration."""
    return ColumnType.parse(request.param)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rows more in the table."""
    monkeypatch.setitem(TYPES, "tiny", TINY)  # type: ignore[arg-type]
    monkeypatch.setitem(TYPES, "tag", TAG)  # type: ignore[arg-type]


def test_iceberg_knows_the_type(declared: ColumnType) -> None:
    """pyiceberg parses the form, and gives it back as the name of the type."""
    assert str(iceberg_type(declared)) == declared.iceberg


def test_spark_takes_arrows_form_for_its_own(declared: ColumnType) -> None:
    """pyspark's conversion of the Arrow type is the type of Spark's form, so batches of the reader fit its frames."""
    assert from_arrow_type(arrow_type(declared)).simpleString() == declared.spark


def test_redshift_takes_the_forms_in_tables_and_sums(tmp_path: Path) -> None:
    """A table with a column of every type is made, and a view that adds up each type that has a sum."""
    columns = [Column(f"c{number:02}", ColumnType.parse(one)) for number, one in enumerate(EXAMPLES)]
    sums = tuple(column.name for column in columns if column.type.redshift_sum)
    table = Table("every", "additive", tuple(columns), sums=sums)
    warehouse = Warehouse(tmp_path / "warehouse.duckdb", s3=lambda _: None)
    session = warehouse.session()
    for sql in (sql for change in table_changes(table, table.physical_name, None) for sql in change):
        session.run(translate(sql))
    effect = session.run(translate("SELECT * FROM every"))
    assert effect.rows
    assert sorted(effect.rows.names) == [column.name for column in columns]
    session.close()
    warehouse.close()


def test_every_type_is_read_from_every_form_of_record(declared: ColumnType) -> None:
    """Values, columns and texts of a type are checked by its family; an object is no value of any type so far."""
    field = Field("v", declared)
    with pytest.raises(UnfitError):
        value_check(declared)({"a": 1})
    table, reasons = typed({"v": pa.nulls(1)}, 1, [field])
    assert (table.schema.field("v").type, reasons) == (arrow_type(declared), {})
    assert list(shown(read_as(pa.array(["\0"]), [field]))) == ["\0"]


@pytest.mark.usefixtures("tiny")
def test_a_new_row_reaches_declarations_and_every_engine() -> None:
    """Spark, Iceberg, Arrow and Redshift know the new types, and records are checked by them."""
    dataset = parse_dataset(declaration())
    number, label = (field.type for field in dataset.record)
    assert definitions(dataset.tables[0].columns) == '"n" SMALLINT, "label" VARCHAR(5), "m" INTEGER'
    assert (number.spark, str(iceberg_type(number)), arrow_type(number)) == ("tinyint", "int", pa.int8())
    assert (str(label), label.bytes_max, arrow_type(label)) == ("tag(9)", 9, pa.string())
    table, reasons = typed({"n": [127, 128], "label": ["a", "a" * 10]}, 2, dataset.record)
    assert (table["n"].to_pylist(), sorted(reasons)) == ([127, None], [1])
