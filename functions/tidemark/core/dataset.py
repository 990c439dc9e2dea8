"""What a dataset declares, as values: the one source of schemas, tables, policies and column order.

One type system maps to Spark, Iceberg and Redshift; the order of the columns here is the order of COPY, which maps by
position. `tidemark.core.declaration` reads these values from a declaration.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Optional

from tidemark.core.errors import DeclarationError

TYPE = re.compile(r"(?P<kind>[a-z]+)(?:\((?P<a>\d+)(?:\s*,\s*(?P<b>\d+))?\))?")

#: kind → (Spark, Iceberg, Redshift); a `{}` takes the type's arguments.
TYPES: Mapping[str, tuple[str, str, str]] = {
    "string": ("string", "string", "VARCHAR({})"),
    "int": ("int", "int", "INTEGER"),
    "bigint": ("bigint", "long", "BIGINT"),
    "double": ("double", "double", "DOUBLE PRECISION"),
    "decimal": ("decimal({})", "decimal({})", "DECIMAL({})"),
    "boolean": ("boolean", "boolean", "BOOLEAN"),
    "date": ("date", "date", "DATE"),
    "timestamp": ("timestamp", "timestamptz", "TIMESTAMP"),
}
STRING_BYTES_MAX = 65_535  # Redshift's longest VARCHAR


@dataclass(frozen=True)
class ColumnType:
    """A type of the declaration, such as `string(256)` or `decimal(12,2)`."""

    kind: str
    arguments: tuple[int, ...] = ()

    @classmethod
    def parse(cls, text: object, where: tuple[object, ...] = ()) -> ColumnType:
        """`"decimal(12,2)"` → a type; anything else raises with the list of types that exist."""
        found = TYPE.fullmatch(text.strip()) if isinstance(text, str) else None
        if not found or found["kind"] not in TYPES:
            raise DeclarationError(f"expected a type ({', '.join(TYPES)}), found {text!r}", where)
        kind = found["kind"]
        arguments = tuple(int(part) for part in (found["a"], found["b"]) if part)
        if kind == "string":
            arguments = arguments or (STRING_BYTES_MAX,)
            valid = len(arguments) == 1 and 1 <= arguments[0] <= STRING_BYTES_MAX
        elif kind == "decimal":
            valid = len(arguments) == 2 and 1 <= arguments[0] <= 38 and arguments[1] <= min(37, arguments[0])
        else:
            valid = not arguments
        if not valid:
            raise DeclarationError(f"expected string(1..65535) or decimal(1..38, scale), found {text!r}", where)
        return cls(kind, arguments)

    def _render(self, template: str) -> str:
        return template.format(",".join(map(str, self.arguments)))

    @property
    def spark(self) -> str:
        """Spark's DDL name."""
        return self._render(TYPES[self.kind][0])

    @property
    def iceberg(self) -> str:
        """Iceberg's type name."""
        return self._render(TYPES[self.kind][1]).replace(",", ", ")

    @property
    def redshift(self) -> str:
        """Redshift's type name; a string's length counts bytes."""
        return self._render(TYPES[self.kind][2])

    def __str__(self) -> str:
        return self.kind + (f"({','.join(map(str, self.arguments))})" if self.arguments else "")


@dataclass(frozen=True)
class Column:
    name: str
    type: ColumnType


@dataclass(frozen=True)
class Field:
    """One field of the raw record."""

    name: str
    type: ColumnType
    required: bool = False


#: Appended to every table, in this order: they make a batch a value that can be replaced whole.
SYSTEM_COLUMNS = (Column("_batch_id", ColumnType("string", (64,))), Column("_attempt", ColumnType("int")))
#: Facts also say which file they came from, as s3://bucket/key.
LINEAGE_COLUMN = Column("_file", ColumnType("string", (2048,)))


@dataclass(frozen=True)
class Table:
    name: str
    kind: str  # facts | additive
    columns: tuple[Column, ...]
    partition: Optional[str] = None  # identity partition of the lake table
    deduplicate: Optional[str] = None  # facts: this key is kept once within a batch
    sums: tuple[str, ...] = ()  # additive: columns that add up; the others are the keys
    sort: tuple[str, ...] = ()  # warehouse sort key
    dist: Optional[str] = None  # warehouse distribution key

    @property
    def physical_name(self) -> str:
        """The name of the stored table: an additive one is stored by batch, and shown by a view that sums it."""
        return self.name if self.kind == "facts" else f"{self.name}_by_batch"

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """Declared columns, then the system's; the order of COPY."""
        lineage = (LINEAGE_COLUMN,) if self.kind == "facts" else ()
        return self.columns + SYSTEM_COLUMNS + lineage

    @property
    def keys(self) -> tuple[str, ...]:
        """Additive: the columns by which rows are summed."""
        return tuple(column.name for column in self.columns if column.name not in self.sums)


@dataclass(frozen=True)
class BatchPolicy:
    max_files: int = 1_000
    max_bytes: int = 256 << 20
    max_wait: timedelta = timedelta(seconds=60)  # of the oldest pending file
    max_running: int = 4  # batches of the dataset that are FORMING, PLANNED or RUNNING


@dataclass(frozen=True)
class LoadPolicy:
    every: timedelta = timedelta(minutes=5)


@dataclass(frozen=True)
class Format:
    type: str = "json"
    compression: str = "auto"


@dataclass(frozen=True)
class Dataset:
    name: str
    prefix: str
    record: tuple[Field, ...]
    transform: str
    tables: tuple[Table, ...]
    description: str = ""
    format: Format = Format()
    batch: BatchPolicy = BatchPolicy()
    load: LoadPolicy = LoadPolicy()
    on_overwrite: str = "supersede"  # supersede | append | ignore
    tolerance: float = 0.0  # share of rejected records above which people are told
    declared: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)  # as parsed from the file

    def table(self, name: str) -> Table:
        """The table of that logical name."""
        return next(table for table in self.tables if table.name == name)

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the fields without which a record is rejected."""
        return tuple(field.name for field in self.record if field.required)
