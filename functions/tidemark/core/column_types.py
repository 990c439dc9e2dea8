"""Column types: one row of TYPES for each, from which everything else is derived.

A row has the type's name in Spark, Iceberg, Arrow and Redshift, as text that each system's library parses: Spark's DDL,
pyiceberg's type names, pyarrow's constructors, Redshift's SQL. Parameters are in braces. The declaration parser, the
JSON Schema for editors and the table in docs/types.md are derived from the same rows;
`python tests/core/test_column_types.py` writes the last two.

A `Family` says which values a type has. The file readers choose their checks by family, so a type of an existing family
is one new row, and a new family is one row and one check.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Optional

from tidemark.core.errors import DeclarationError
from tidemark.core.suggestions import did_you_mean

#: Unit of a number that counts time since 1970 → how many of the unit are one second.
EPOCH_UNITS: Mapping[str, int] = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
STRING_BYTES_MAX = 65_535  # Redshift's longest VARCHAR

_NUMBER, _COMMA = r"\d+", r"\s*,\s*"
_DECLARED = re.compile(rf"(?P<kind>[a-z]+)(?:\((?P<arguments>{_NUMBER}(?:{_COMMA}{_NUMBER})*)\))?")


class Family(Enum):
    """The kind of values that a type has."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    FLOAT = "float"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"


@dataclass(frozen=True)
class Parameter:
    """A whole number in a type's declaration, such as the scale of a decimal."""

    name: str
    least: int
    most: int
    default: Optional[int] = None
    within: str = ""  # the parameter that it must not exceed

    @property
    def bounds(self) -> str:
        """The bounds as an error shows them, or the parameter's name if they depend on another parameter."""
        return self.name if self.within else f"{self.least}..{self.most}"


@dataclass(frozen=True)
class TypeRow:
    """A type in every system; the forms are templates with the parameters' names."""

    family: Family
    spark: str  # DDL, as Spark itself prints it
    iceberg: str  # type name of the table specification
    arrow: str  # call of pyarrow's constructor
    redshift: str
    meaning: str  # for the docs
    parameters: tuple[Parameter, ...] = ()
    sum: str = ""  # Redshift's type of a sum; "" if the type cannot be summed
    compares: bool = True  # may be a key, a sort key or a distribution key
    partitions: bool = True  # may partition a table of the lake
    bits: int = 0  # of an integer
    row_bytes: int = 0  # that a value takes in a row of Redshift; a text takes its own bytes as well
    bounds: Optional[tuple[str, str]] = None  # the least and the greatest value, if engines have different ranges


#: Years 1 to 9999: the range that Spark, Iceberg, Redshift and Python have in common.
DATES = ("0001-01-01", "9999-12-31")
TIMESTAMPS = ("0001-01-01 00:00:00+00:00", "9999-12-31 23:59:59.999999+00:00")
_BYTES = Parameter("bytes", 1, STRING_BYTES_MAX, default=STRING_BYTES_MAX)
_PRECISION, _SCALE = Parameter("precision", 1, 38), Parameter("scale", 0, 37, within="precision")

#: Name in a declaration → the type.
TYPES: Mapping[str, TypeRow] = {
    "string": TypeRow(
        Family.TEXT, parameters=(_BYTES,),
        spark="string", iceberg="string", arrow="string()", redshift="VARCHAR({bytes})", row_bytes=4,
        meaning="text of at most so many bytes of UTF-8; 65,535 if left out",
    ),
    "int": TypeRow(
        Family.INTEGER, bits=32,
        spark="int", iceberg="int", arrow="int32()", redshift="INTEGER", sum="BIGINT", row_bytes=4,
        meaning="a whole number of 32 bits",
    ),
    "bigint": TypeRow(
        Family.INTEGER, bits=64,
        spark="bigint", iceberg="long", arrow="int64()", redshift="BIGINT", sum="BIGINT", row_bytes=8,
        meaning="a whole number of 64 bits",
    ),
    "double": TypeRow(
        Family.FLOAT, partitions=False,
        spark="double", iceberg="double", arrow="float64()", redshift="DOUBLE PRECISION", sum="DOUBLE PRECISION",
        row_bytes=8,
        meaning="a floating-point number of 64 bits; neither NaN nor an infinity",
    ),
    "decimal": TypeRow(
        Family.DECIMAL, parameters=(_PRECISION, _SCALE),
        spark="decimal({precision},{scale})", iceberg="decimal({precision}, {scale})",
        arrow="decimal128({precision}, {scale})", redshift="DECIMAL({precision},{scale})", sum="DECIMAL(38,{scale})",
        row_bytes=16,
        meaning="an exact number of at most 38 digits, `scale` of them after the point",
    ),
    "boolean": TypeRow(
        Family.BOOLEAN,
        spark="boolean", iceberg="boolean", arrow="bool_()", redshift="BOOLEAN", row_bytes=1,
        meaning="true or false",
    ),
    "date": TypeRow(
        Family.DATE, bounds=DATES,
        spark="date", iceberg="date", arrow="date32()", redshift="DATE", row_bytes=4,
        meaning="a day of the years 1 to 9999",
    ),
    "timestamp": TypeRow(
        Family.TIMESTAMP, bounds=TIMESTAMPS,
        spark="timestamp", iceberg="timestamptz", arrow="timestamp('us', 'UTC')", redshift="TIMESTAMP",
        row_bytes=8,
        meaning="a moment of the years 1 to 9999 in UTC, to the microsecond",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class ColumnType:
    """A type of the declaration, such as `string(256)` or `decimal(12,2)`."""

    kind: str
    arguments: tuple[int, ...] = ()

    @classmethod
    def parse(cls, text: object, where: tuple[object, ...] = ()) -> ColumnType:
        """The type of a text such as `decimal(12,2)`. Raises `DeclarationError`, with the types that exist."""
        declared = _DECLARED.fullmatch(text.strip()) if isinstance(text, str) else None
        if not declared or declared["kind"] not in TYPES:
            raise DeclarationError(
                f"expected a type ({', '.join(TYPES)}), found {text!r}{did_you_mean(text, TYPES)}", where
            )
        parameters = TYPES[declared["kind"]].parameters
        arguments = _numbers(declared["arguments"]) or _defaults(parameters)
        if not _fit(arguments, parameters):
            raise DeclarationError(f"expected {' or '.join(_sized())}, found {text!r}", where)
        return cls(declared["kind"], arguments)

    @property
    def row(self) -> TypeRow:
        """The type's row in `TYPES`."""
        return TYPES[self.kind]

    @property
    def family(self) -> Family:
        """The kind of values that the type has."""
        return self.row.family

    @property
    def spark(self) -> str:
        """Spark's DDL name."""
        return self._filled(self.row.spark)

    @property
    def iceberg(self) -> str:
        """Iceberg's type name."""
        return self._filled(self.row.iceberg)

    @property
    def arrow(self) -> str:
        """The call of pyarrow's constructor, without the module's name."""
        return self._filled(self.row.arrow)

    @property
    def redshift(self) -> str:
        """Redshift's type name; the length of a string is in bytes."""
        return self._filled(self.row.redshift)

    @property
    def redshift_sum(self) -> str:
        """Redshift's type for a sum of such a column, wide enough for the sum; a decimal stays a decimal."""
        return self._filled(self.row.sum)

    @property
    def bytes_max(self) -> Optional[int]:
        """The most bytes of UTF-8 that a text may have; None for other types."""
        return self._given.get("bytes", STRING_BYTES_MAX) if self.family is Family.TEXT else None

    @property
    def row_bytes(self) -> int:
        """The most bytes that a value takes in a row of Redshift (docs/aws-facts.md#redshift-row-width)."""
        return self.row.row_bytes + (self.bytes_max or 0)

    @property
    def digits(self) -> Optional[tuple[int, int]]:
        """Digits before and after the point that an exact number can always hold; None for other types."""
        if self.family is Family.DECIMAL:
            precision, scale = self.arguments
            return precision - scale, scale
        return (len(str(1 << (self.row.bits - 1))) - 1, 0) if self.row.bits else None

    @property
    def _given(self) -> Mapping[str, int]:
        return dict(zip((parameter.name for parameter in self.row.parameters), self.arguments))

    def _filled(self, template: str) -> str:
        return template.format(**self._given)

    def __str__(self) -> str:
        return self.kind + (f"({','.join(map(str, self.arguments))})" if self.arguments else "")


def types_that(permits: Callable[[TypeRow], object]) -> tuple[str, ...]:
    """Names of the types for whose row `permits` is true."""
    return tuple(kind for kind, row in TYPES.items() if permits(row))


def syntax(kind: str) -> str:
    """How the type is declared, such as `decimal(precision,scale)`."""
    names = ",".join(parameter.name for parameter in TYPES[kind].parameters)
    return f"{kind}({names})" if names else kind


def markdown_table() -> str:
    """The table in docs/types.md."""
    lines = [
        "| type | values | Spark | Iceberg | Arrow | Redshift | a sum in Redshift | may partition |",
        "|---|---|---|---|---|---|---|---|",
        *map(_markdown_line, TYPES),
    ]
    return "\n".join(lines)


def _markdown_line(kind: str) -> str:
    row = TYPES[kind]
    forms = (_named(form, row) for form in (row.spark, row.iceberg, row.arrow, row.redshift))
    total = f"`{_named(row.sum, row)}`" if row.sum else "–"
    permits = "yes" if row.partitions else "no"
    return f"| `{syntax(kind)}` | {row.meaning} | {' | '.join(f'`{form}`' for form in forms)} | {total} | {permits} |"


def _named(template: str, row: TypeRow) -> str:
    return template.format(**{parameter.name: parameter.name for parameter in row.parameters})


def json_schema_pattern() -> str:
    """The JSON Schema's pattern for a type; the parser checks the bounds of parameters."""
    return f"^({'|'.join(map(_pattern, TYPES))})$"


def _pattern(kind: str) -> str:
    parameters = TYPES[kind].parameters
    if not parameters:
        return kind
    numbers = rf"\({_COMMA.join([_NUMBER] * len(parameters))}\)"
    return f"{kind}({numbers})?" if _defaults(parameters) else f"{kind}{numbers}"


def _numbers(arguments: Optional[str]) -> tuple[int, ...]:
    # Python refuses to parse thousands of digits, and the first twenty are enough to see that a number is too large.
    return tuple(int(number[:20]) for number in re.findall(_NUMBER, arguments or ""))


def _defaults(parameters: tuple[Parameter, ...]) -> tuple[int, ...]:
    return tuple(parameter.default for parameter in parameters if parameter.default is not None)


def _fit(arguments: tuple[int, ...], parameters: tuple[Parameter, ...]) -> bool:
    given = {parameter.name: argument for parameter, argument in zip(parameters, arguments)}
    return len(arguments) == len(parameters) and all(
        parameter.least <= given[parameter.name] <= min(parameter.most, given.get(parameter.within, parameter.most))
        for parameter in parameters
    )


def _sized() -> list[str]:
    """The types with parameters, with their bounds: `string(1..65535)`."""
    return [
        f"{kind}({', '.join(parameter.bounds for parameter in row.parameters)})"
        for kind, row in TYPES.items()
        if row.parameters
    ]
