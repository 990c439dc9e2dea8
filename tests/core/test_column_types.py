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
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from tidemark.core.dataset_parser import parse_dataset
from tidemark.core.errors import DeclarationError

SPELLINGS = [
    # declared      Spark            Iceberg           Redshift
    ("string", "string", "string", "VARCHAR(65535)"),
    ("string(256)", "string", "string", "VARCHAR(256)"),
    ("int", "int", "int", "INTEGER"),
    ("bigint", "bigint", "long", "BIGINT"),
    ("double", "double", "double", "DOUBLE PRECISION"),
    ("decimal(12,2)", "decimal(12,2)", "decimal(12, 2)", "DECIMAL(12,2)"),
    (" decimal(38, 0) ", "decimal(38,0)", "decimal(38, 0)", "DECIMAL(38,0)"),
    ("boolean", "boolean", "boolean", "BOOLEAN"),
    ("date", "date", "date", "DATE"),
    ("timestamp", "timestamp", "timestamptz", "TIMESTAMP"),
]

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


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rows more in the table."""
    monkeypatch.setitem(TYPES, "tiny", TINY)  # type: ignore[arg-type]
    monkeypatch.setitem(TYPES, "tag", TAG)  # type: ignore[arg-type]


def test_the_examples_are_of_every_type() -> None:
    """Types with parameters come twice, so that both ends of their range are tried."""
    assert {ColumnType.parse(one).kind for one in EXAMPLES} == set(TYPES)
    assert {"string(1)", "string(65535)", "decimal(1,0)", "decimal(38,37)"} <= set(EXAMPLES)


def test_what_a_type_permits_is_what_its_row_says() -> None:
    """Only numbers are summed, and only `double` cannot partition: two of its values may differ and look the same."""
    assert types_that(lambda row: row.sum) == ("int", "bigint", "double", "decimal")
    assert types_that(lambda row: not row.partitions) == ("double",)
    assert types_that(lambda row: not row.compares) == ()


@pytest.mark.parametrize(
    ("type_", "bytes_max", "digits"),
    [
        ("string(7)", 7, None),
        ("string", 65_535, None),
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


@pytest.mark.parametrize(
    ("type_", "row_bytes"),
    [
        ("string(7)", 11),
        ("string", 65_539),
        ("int", 4),
        ("bigint", 8),
        ("double", 8),
        ("decimal(12,2)", 16),
        ("boolean", 1),
        ("date", 4),
        ("timestamp", 8),
    ],
)
def test_every_type_takes_its_bytes_of_a_row_in_redshift(type_: str, row_bytes: int) -> None:
    """A text takes four bytes and its own, a decimal as many as the longest one."""
    assert ColumnType.parse(type_).row_bytes == row_bytes


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
        ({"kind": "additive", "sums": ["m"]}, "columns: expected columns that are summed or can be compared, found n"),
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


@pytest.mark.parametrize(("declared", "spark", "iceberg", "redshift"), SPELLINGS)
def test_a_type_has_one_name_in_each_engine(declared: str, spark: str, iceberg: str, redshift: str) -> None:
    """The declaration's type is the only source of the three engines' types."""
    found = ColumnType.parse(declared)
    assert (found.spark, found.iceberg, found.redshift) == (spark, iceberg, redshift)


@given(st.sampled_from([declared for declared, *_ in SPELLINGS]))
def test_a_type_reads_back_as_it_is_written(declared: str) -> None:
    """`str` gives the canonical declaration of a type."""
    found = ColumnType.parse(declared)
    assert ColumnType.parse(str(found)) == found
