"""Declarations of datasets as values: the single source of schemas, tables, policies and column order.

The order of the columns here is their order in files, from which COPY maps by position. `tidemark.core.column_types`
maps column types to each engine's types, and `tidemark.core.dataset_parser` parses declarations into these values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Optional

from tidemark.core.column_types import ColumnType
from tidemark.core.path import Path


@dataclass(frozen=True)
class Column:
    name: str
    type: ColumnType


@dataclass(frozen=True)
class Field:
    """A field of the raw record."""

    name: str
    type: ColumnType
    required: bool = False
    source: str = ""  # its name in the raw record; "" if that is `name`
    values: tuple[str, ...] = ()  # string: the allowed values; empty if all are
    unit: str = ""  # timestamp: the unit of numbers since 1970, one of EPOCH_UNITS; "" to infer it from their size
    path: Path = ()  # where it lies inside of other fields; () if it is a field of the record itself
    from_key: str = ""  # pattern of the key in which it stands (tidemark.core.key_pattern); "" if it is in the record

    @property
    def raw(self) -> str:
        """The field's name in the raw record or header line, or its path there."""
        return self.source or self.name

    @property
    def steps(self) -> Path:
        """The path from the raw record to the field; its first step is the name of a field of the record itself."""
        return self.path or (self.raw,)


#: Columns that are appended to every table, in this order; by them all rows of a batch can be replaced.
SYSTEM_COLUMNS = (Column("_batch_id", ColumnType("string", (64,))), Column("_attempt", ColumnType("int")))
#: Half of a row in Redshift: the other half is left to the declared columns (docs/aws-facts.md#redshift-row-width).
RESCUED_BYTES_MAX = 32_768
#: The undeclared fields of a record, as a JSON object. A record with more of them than fit is rejected.
RESCUED = Column("_rescued", ColumnType("string", (RESCUED_BYTES_MAX,)))
#: Columns of tables that keep records: the file (s3://bucket/key) of the record, and its undeclared fields.
LINEAGE_COLUMNS = (Column("_file", ColumnType("string", (2048,))), RESCUED)
#: Columns that order the rows of a key after `newest_by`: when the file landed, and the row's position in the file.
ARRIVAL_COLUMNS = (Column("_landed_at", ColumnType("timestamp")), Column("_ordinal", ColumnType("bigint")))

#: Kinds of tables.
#:     facts     one row for each kept record
#:     latest    one row for each kept record, stored by batch; readers see the latest row of each key
#:     additive  sums, stored by batch; readers see the sums over all batches
#:     report    the rows that a nightly job computes for its period
KINDS = ("facts", "latest", "additive", "report")


@dataclass(frozen=True)
class Ratio:
    """A quotient of two sums, computed by the view of an additive table."""

    name: str
    numerator: str
    denominator: str


@dataclass(frozen=True)
class Table:
    name: str
    kind: str  # one of KINDS
    columns: tuple[Column, ...]
    partition: Optional[str] = None  # column of the lake table's identity partition
    day: Optional[str] = None  # the date column by which nightly jobs select rows
    deduplicate: Optional[str] = None  # facts, latest: a batch keeps one record of each value of this key
    deduplication_window: Optional[timedelta] = None  # and of which all batches within this time keep only one record
    sums: tuple[str, ...] = ()  # additive: the columns that are summed; the others are the keys
    ratios: tuple[Ratio, ...] = ()  # additive: quotients in the view
    key: Optional[str] = None  # latest: readers see one row for each of its values
    newest_by: Optional[str] = None  # latest: orders the rows of a key; ARRIVAL_COLUMNS order equal ones
    sort: tuple[str, ...] = ()  # warehouse sort key
    dist: Optional[str] = None  # warehouse distribution key

    @property
    def physical_name(self) -> str:
        """The name of the stored table; readers of a table that is stored by batch see another, named `name`."""
        return f"{self.name}_by_batch" if self.kind in ("additive", "latest") else self.name

    @property
    def keeps_records(self) -> bool:
        """Whether the table stores one row for each kept record."""
        return self.kind in ("facts", "latest")

    @property
    def latest_first(self) -> tuple[str, ...]:
        """Latest: the columns that order a key's rows, latest first, each descending with nulls last."""
        arrival = ("_landed_at", "_file", "_ordinal", "_batch_id")
        return ((self.newest_by,) if self.newest_by else ()) + arrival

    @property
    def shows(self) -> str:
        """Latest: in words, which rows readers see."""
        return f"the latest row of each {self.key} by {self.newest_by or 'arrival'}"

    @property
    def own_columns(self) -> tuple[Column, ...]:
        """The columns that follow the declared ones, in the order of COPY."""
        lineage = LINEAGE_COLUMNS if self.keeps_records else ()
        return SYSTEM_COLUMNS + lineage + (ARRIVAL_COLUMNS if self.kind == "latest" else ())

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """The declared columns, then Tidemark's own, in the order of COPY."""
        return self.columns + self.own_columns

    @property
    def keys(self) -> tuple[str, ...]:
        """Additive: the columns by which rows are grouped."""
        return tuple(column.name for column in self.columns if column.name not in self.sums)


@dataclass(frozen=True)
class BatchPolicy:
    max_files: int = 1_000
    max_bytes: int = 256 << 20
    max_wait: timedelta = timedelta(seconds=60)  # for the oldest pending file
    max_running: int = 4  # slots of the dataset: batches from their first claim to the end of their run


@dataclass(frozen=True)
class LoadPolicy:
    every: timedelta = timedelta(minutes=5)


@dataclass(frozen=True)
class Format:
    type: str = "json"  # json | csv | tsv | parquet | orc | avro
    compression: str = "auto"  # detected from the content
    header: bool = True  # csv, tsv: the first line names the columns; otherwise they are in the order of the record
    delimiter: str = ","
    encoding: str = "utf-8"
    nulls: tuple[str, ...] = ("",)  # csv, tsv: texts that are read as null
    trim: bool = False  # csv, tsv: remove blanks around each field
    records: Path = ()  # json: path to the records in each object; empty if the object is the record


@dataclass(frozen=True)
class Read:
    """The rows that a nightly job reads from a table."""

    table: str
    whole: bool = False  # all rows, instead of those of the period
    back: int = 0  # also rows of this many days before the period


@dataclass(frozen=True)
class Nightly:
    """A nightly job, which computes its tables from published tables, once for each period of UTC days."""

    every: str  # day | week | month
    reads: tuple[Read, ...]
    after: tuple[str, ...] = ()  # nightly jobs that must have computed the period's days before
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Dataset:
    name: str
    prefix: str
    record: tuple[Field, ...]
    transform: str  # module of spark_jobs/transforms, or of spark_jobs/nightly
    tables: tuple[Table, ...]
    description: str = ""
    format: Format = Format()
    batch: BatchPolicy = BatchPolicy()
    load: LoadPolicy = LoadPolicy()
    on_overwrite: str = "supersede"  # supersede | append | ignore
    tolerance: float = 0.0  # share of rejected records above which an alarm is raised
    nightly: Optional[Nightly] = None  # a nightly job reads no files, so its prefix and record are empty
    declared: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)  # the parsed YAML or JSON

    def owns(self, key: str) -> bool:
        """Whether the object with this key is a raw file of the dataset."""
        return self.nightly is None and key.startswith(self.prefix)

    def table(self, name: str) -> Table:
        """The table with this logical name."""
        return next(table for table in self.tables if table.name == name)

    @property
    def deduplication_window(self) -> Optional[timedelta]:
        """The time within which batches are deduplicated against each other; None if each only within itself."""
        return max((table.deduplication_window for table in self.tables if table.deduplication_window), default=None)

    @property
    def key_required(self) -> bool:
        """Whether every record must have the `deduplicate` key."""
        return all(table.deduplicate in self.required for table in self.tables if table.deduplicate)

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the required fields."""
        return tuple(field.name for field in self.record if field.required)
