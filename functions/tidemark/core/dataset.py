"""What a dataset declares, as values: the one source of schemas, tables, policies and column order.

The order of the columns here is the order of COPY, which maps by position. `tidemark.core.column_types` says what a
column's type is in each engine, and `tidemark.core.dataset_parser` reads these values from a declaration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Optional

from tidemark.core.column_types import STRING_BYTES_MAX, ColumnType
from tidemark.core.path import Path


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
    source: str = ""  # what the raw record calls it, where that is another name
    values: tuple[str, ...] = ()  # a string field: all that it may say; none where anything goes
    unit: str = ""  # a timestamp field: what a number counts since 1970, one of EPOCH_UNITS; else its size shows it

    @property
    def raw(self) -> str:
        """The name in the raw record or header line."""
        return self.source or self.name


#: Appended to every table, in this order: they make a batch a value that can be replaced whole.
SYSTEM_COLUMNS = (Column("_batch_id", ColumnType("string", (64,))), Column("_attempt", ColumnType("int")))
#: Rows that are records also say which file they came from (s3://bucket/key), and keep what the declaration does not
#: know of the record, as a JSON object.
LINEAGE_COLUMNS = (
    Column("_file", ColumnType("string", (2048,))),
    Column("_rescued", ColumnType("string", (STRING_BYTES_MAX,))),
)
#: By these, after `newest_by`, the latest row of a key is told: when the file landed, and where in it the row stood.
ARRIVAL_COLUMNS = (Column("_landed_at", ColumnType("timestamp")), Column("_ordinal", ColumnType("bigint")))

#: What a table is to its batches.
#:     facts     one row for every record kept
#:     latest    one row for every record kept, stored by batch; shown is the latest row of each key
#:     additive  sums per batch, stored by batch; shown are the sums over all batches
#:     report    whatever a nightly job makes of its period
KINDS = ("facts", "latest", "additive", "report")


@dataclass(frozen=True)
class Ratio:
    """A quotient of two sums that the view of an additive table shows; it is never stored."""

    name: str
    numerator: str
    denominator: str


@dataclass(frozen=True)
class Table:
    name: str
    kind: str  # one of KINDS
    columns: tuple[Column, ...]
    partition: Optional[str] = None  # identity partition of the lake table
    day: Optional[str] = None  # the date column by which nightly jobs read it
    deduplicate: Optional[str] = None  # facts, latest: this key is kept once within a batch
    deduplication_window: Optional[timedelta] = None  # and once among the batches of so long a time
    sums: tuple[str, ...] = ()  # additive: columns that add up; the others are the keys
    ratios: tuple[Ratio, ...] = ()  # additive: shown by the view
    key: Optional[str] = None  # latest: one row for each value is shown
    newest_by: Optional[str] = None  # latest: the column that orders a key's rows, before their arrival does
    sort: tuple[str, ...] = ()  # warehouse sort key
    dist: Optional[str] = None  # warehouse distribution key

    @property
    def physical_name(self) -> str:
        """The name of the stored table: what is stored by batch is shown under the table's own name."""
        return f"{self.name}_by_batch" if self.kind in ("additive", "latest") else self.name

    @property
    def keeps_records(self) -> bool:
        """Whether it stores one row for every record kept."""
        return self.kind in ("facts", "latest")

    @property
    def latest_first(self) -> tuple[str, ...]:
        """Latest: by these columns, each descending and nulls last, the first of a key's rows is the latest."""
        arrival = ("_landed_at", "_file", "_ordinal", "_batch_id")
        return ((self.newest_by,) if self.newest_by else ()) + arrival

    @property
    def shows(self) -> str:
        """Latest: the rule in words, under which readers see its rows."""
        return f"the latest row of each {self.key} by {self.newest_by or 'arrival'}"

    @property
    def own_columns(self) -> tuple[Column, ...]:
        """The system's columns behind the declared ones, in the order of COPY."""
        lineage = LINEAGE_COLUMNS if self.keeps_records else ()
        return SYSTEM_COLUMNS + lineage + (ARRIVAL_COLUMNS if self.kind == "latest" else ())

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """Declared columns, then the system's; the order of COPY."""
        return self.columns + self.own_columns

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
    type: str = "json"  # json | csv | tsv | parquet | orc | avro
    compression: str = "auto"  # told by content
    header: bool = True  # csv, tsv: the first line names the columns; without one, the record's order does
    delimiter: str = ","
    encoding: str = "utf-8"
    nulls: tuple[str, ...] = ("",)  # csv, tsv: texts that mean nothing
    trim: bool = False  # csv, tsv: blanks around a field do not belong to it
    records: Path = ()  # json: where in each object its records are; none where the object is the record


@dataclass(frozen=True)
class Read:
    """What a nightly job reads of a table."""

    table: str
    whole: bool = False  # all rows; else those of the period
    back: int = 0  # and of so many days before it


@dataclass(frozen=True)
class Nightly:
    """How a nightly job's tables come about: from published tables, once for each period of UTC days."""

    every: str  # day | week | month
    reads: tuple[Read, ...]
    after: tuple[str, ...] = ()  # nightly jobs that have to be through with the period's days
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
    tolerance: float = 0.0  # share of rejected records above which people are told
    nightly: Optional[Nightly] = None  # a nightly job has no files, hence neither prefix nor record
    declared: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)  # as parsed from the file

    def owns(self, key: str) -> bool:
        """Whether an object of that key is one of its raw files."""
        return self.nightly is None and key.startswith(self.prefix)

    def table(self, name: str) -> Table:
        """The table of that logical name."""
        return next(table for table in self.tables if table.name == name)

    @property
    def deduplication_window(self) -> Optional[timedelta]:
        """For how long its batches know each other's keys; None where each only knows its own."""
        return max((table.deduplication_window for table in self.tables if table.deduplication_window), default=None)

    @property
    def key_required(self) -> bool:
        """Whether every record has the key that is kept once."""
        return all(table.deduplicate in self.required for table in self.tables if table.deduplicate)

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the fields without which a record is rejected."""
        return tuple(field.name for field in self.record if field.required)
