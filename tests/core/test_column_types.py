"""Every column type is one row: each engine's own parser takes its forms, and nothing else has to know it.

`python tests/core/test_column_types.py` writes what follows from the rows into datasets/schema.json and docs/types.md.
"""

from __future__ import annotations

import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow as pa
import pytest
from pyspark.sql.pandas.types import from_arrow_type

from local.redshift.session import Warehouse
from local.redshift.translate import translate
from spark_jobs.engine.formats.checks import UnfitError, value_check
from spark_jobs.engine.formats.columns import arrow_type, shown, typed
from spark_jobs.engine.formats.texts import read_as
from tidemark.adapters.iceberg import iceberg_type
from tidemark.core.column_types import (
    TYPES,
    ColumnType,
    Family,
    Parameter,
    TypeRow,
    json_schema_pattern,
    markdown_table,
    syntax,
    types_that,
)
from tidemark.core.dataset import Column, Field, Table
from tidemark.core.dataset_parser import parse_dataset
from tidemark.core.errors import DeclarationError
from tidemark.core.warehouse_ddl import definitions, table_changes

ROOT = Path(__file__).resolve().parents[2]
SCHEMA, PAGE = ROOT / "datasets" / "schema.json", ROOT / "docs" / "types.md"
PATTERN = re.compile(r'(?<="pattern": )".*string.*int.*"')
TABLE = re.compile(r"(?<=<!-- types:begin -->\n).*(?=<!-- types:end -->)", re.DOTALL)

#: A type that does not exist: whole numbers of 8 bits, of which no key, sum or partition is made.
TINY = TypeRow(
    Family.INTEGER, bits=8, compares=False, partitions=False, meaning="a tiny number",
    spark="tinyint", iceberg="int", arrow="int8()", redshift="SMALLINT",
)  # fmt: skip
#: Another one, with a parameter that may be left out.
TAG = TypeRow(
    Family.TEXT, parameters=(Parameter("bytes", 1, 99, default=9),), meaning="a short text",
    spark="string", iceberg="string", arrow="string()", redshift="VARCHAR({bytes})",
)  # fmt: skip


def examples() -> list[str]:
    """Each type as it is declared; one with parameters with the least and with the greatest."""
    ranges = {kind: row.parameters for kind, row in TYPES.items()}
    least = [(kind, [one.least for one in parameters]) for kind, parameters in ranges.items()]
    most = [(kind, [one.most for one in parameters]) for kind, parameters in ranges.items() if parameters]
    return [f"{kind}({','.join(map(str, numbers))})" if numbers else kind for kind, numbers in [*least, *most]]


EXAMPLES = examples()


@pytest.fixture(params=EXAMPLES)
def declared(request: pytest.FixtureRequest) -> ColumnType:
    """A type, as parsed from its declaration."""
    return ColumnType.parse(request.param)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rows more in the table."""
    monkeypatch.setitem(TYPES, "tiny", TINY)  # type: ignore[arg-type]
    monkeypatch.setitem(TYPES, "tag", TAG)  # type: ignore[arg-type]


def test_the_examples_are_of_every_type() -> None:
    """Types with parameters come twice, so that both ends of their range are tried."""
    assert {ColumnType.parse(one).kind for one in EXAMPLES} == set(TYPES)
    assert {"string(1)", "string(65535)", "decimal(1,0)", "decimal(38,37)"} <= set(EXAMPLES)


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
    warehouse = Warehouse(tmp_path / "warehouse.duckdb", s3=lambda: None)
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


def test_what_a_type_permits_is_what_its_row_says() -> None:
    """Only numbers are summed, and only `double` cannot partition: two of its values may differ and look the same."""
    assert types_that(lambda row: row.sum) == ("int", "bigint", "double", "decimal")
    assert types_that(lambda row: not row.partitions) == ("double",)
    assert types_that(lambda row: not row.compares) == ()


@pytest.mark.parametrize(
    ("type_", "bytes_max", "digits"),
    [
        ("string(7)", 7, None),
        ("int", None, (9, 0)),
        ("bigint", None, (18, 0)),
        ("decimal(12,2)", None, (10, 2)),
        ("double", None, None),
    ],
)
def test_limits_follow_from_the_parameters(type_: str, bytes_max: int | None, digits: tuple[int, int] | None) -> None:
    """An integer of 32 bits always has room for nine digits, one of 64 bits for eighteen."""
    found = ColumnType.parse(type_)
    assert (found.bytes_max, found.digits) == (bytes_max, digits)


def test_a_number_of_thousands_of_digits_is_one_line_of_error() -> None:
    """Python itself refuses to read such a number."""
    with pytest.raises(DeclarationError, match=r"expected string\(1\.\.65535\) or decimal"):
        ColumnType.parse(f"string({'9' * 5_000})")


def test_the_schema_for_editors_and_the_page_are_generated() -> None:
    """`python tests/core/test_column_types.py` writes both anew."""
    assert PATTERN.findall(SCHEMA.read_text(encoding="utf-8")) == [json.dumps(json_schema_pattern())]
    assert TABLE.findall(PAGE.read_text(encoding="utf-8")) == [f"{markdown_table()}\n"]


# ── A new type is one row ───────────────────────────────────────────────────────────────────────────────────


def declaration(**keys: Any) -> dict[str, Any]:
    """A dataset with fields and columns of the two new types."""
    columns = {"n": "tiny", "label": "tag(5)", "m": "int"}
    table = {"columns": columns, **keys}
    return {"name": "shop", "prefix": "shop/", "record": {"n": "tiny", "label": "tag"}, "tables": {"sales": table}}


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


@pytest.mark.usefixtures("tiny")
def test_a_new_row_reaches_the_schema_the_page_and_errors() -> None:
    """Nothing is listed by hand."""
    schema = deepcopy(json.loads(SCHEMA.read_text(encoding="utf-8")))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(declaration(), schema)
    schema["$defs"]["type"]["pattern"] = json_schema_pattern()
    jsonschema.validate(declaration(), schema)
    assert (syntax("tag"), syntax("tiny")) == ("tag(bytes)", "tiny")
    assert (
        markdown_table().count("\n| `tiny` | a tiny number | `tinyint` | `int` | `int8()` | `SMALLINT` | – | no |") == 1
    )
    with pytest.raises(DeclarationError, match=r"expected a type \(string, .*, tiny, tag\), found 'tinny'"):
        ColumnType.parse("tinny")
    with pytest.raises(DeclarationError, match=r"or tag\(1\.\.99\), found 'tag\(100\)'"):
        ColumnType.parse("tag(100)")


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"sort": "n"}, "sort: expected columns of the table (label, m), found 'n'"),
        ({"dist": "n"}, "dist: expected columns of the table (label, m), found 'n'"),
        ({"deduplicate": "n"}, "deduplicate: expected columns of the table (label, m), found 'n'"),
        ({"kind": "latest", "key": "n"}, "key: expected columns of the table (label, m), found 'n'"),
        (
            {"kind": "latest", "key": "m", "newest_by": "n"},
            "newest_by: expected columns of the table (label, m)",
        ),
        ({"kind": "additive", "sums": ["n"]}, "sums: expected columns of type int, bigint, double, decimal, found"),
        (
            {"partition": "n"},
            "partition: expected a column of the table whose values can be told apart",
        ),
    ],
)
def test_a_new_row_says_what_the_type_permits(keys: dict[str, Any], message: str) -> None:
    """A type that cannot be compared is no key, and orders nothing; one without a sum is not added up."""
    with pytest.raises(DeclarationError) as raised:
        parse_dataset(declaration(**keys))
    assert str(raised.value).startswith(f"tables.sales.{message}")


if __name__ == "__main__":
    SCHEMA.write_text(PATTERN.sub(lambda _: json.dumps(json_schema_pattern()), SCHEMA.read_text(encoding="utf-8")))
    PAGE.write_text(TABLE.sub(lambda _: f"{markdown_table()}\n", PAGE.read_text(encoding="utf-8")), encoding="utf-8")
