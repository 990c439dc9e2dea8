"""Parses a declaration: plain data, as YAML or JSON gives it, into a `Dataset`.

Every error names the place, what was expected and what was found; the caller, which knows the file, adds the line.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Optional

from tidemark.core.column_types import EPOCH_UNITS, ColumnType, Family, TypeRow, types_that
from tidemark.core.dataset import (
    ARRIVAL_COLUMNS,
    LINEAGE_COLUMNS,
    SYSTEM_COLUMNS,
    BatchPolicy,
    Column,
    Dataset,
    Field,
    Format,
    LoadPolicy,
    Nightly,
    Ratio,
    Read,
    Table,
)
from tidemark.core.errors import DeclarationError, raise_all
from tidemark.core.key_pattern import check_pattern
from tidemark.core.load_limits import (
    FRAME_STATEMENTS,
    LATEST_STATEMENTS,
    STATEMENTS_MAX,
    TABLE_STATEMENTS,
    statements_needed,
)
from tidemark.core.path import Path, parse_path, written_path
from tidemark.core.suggestions import did_you_mean

#: Columns that Redshift, like PostgreSQL, has in every table.
SYSTEM_NAMES = ("oid", "tableoid", "ctid", "xmin", "xmax", "cmin", "cmax", "insertxid", "deletexid")
#: Tables and views of the catalog, which hide tables of the same name.
_SYSTEM_TABLE = re.compile(r"(pg|stl|stv|svl|svv|svcs|sys|duckdb|sqlite)_|information_schema\Z")
KEY_BYTES_MAX = 1_024  # of S3
COLUMNS_MAX = 1_600  # of a table in Redshift
#: Codecs of Python that are no encodings of files: for domain names, for source code, and "undefined".
_NO_FILE_ENCODINGS = ("idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined")
PARTITION_BYTES_MAX = 1_024  # publish takes the value from the bounds in Parquet's footer, which omits longer texts
NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
COLUMN = re.compile(r"[a-z][a-z0-9_]{0,126}")
SIZE = re.compile(r"(?P<number>\d+)\s*(?P<unit>[KMGT]?B)?")
DURATION_MAX = timedelta(days=36_500)  # adding a longer duration to a time could exceed Python's year 9999
DURATION = re.compile(r"(?P<number>\d+)\s*(?P<unit>[smhd])")
UNITS = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


_Parts = Mapping[str, Callable[[], Any]]


class _Collected:
    """The values of parts by name, and the errors of those that have none."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.errors: list[DeclarationError] = []

    def add(self, name: str, part: Callable[[], Any]) -> None:
        try:
            self.values[name] = part()
        except DeclarationError as error:
            self.errors += error.all


def parse_dataset(declared: object) -> Dataset:
    """Plain data → a dataset or a nightly job.

    Raises `DeclarationError` with the place, what was expected and what was found, or `DeclarationErrors` with all of
    several errors.
    """
    if isinstance(declared, Mapping) and "every" in declared:
        return _nightly_job(declared)
    keys = _Mapping(declared, ())
    parts: _Parts = {
        "prefix": lambda: _prefix(keys),
        "record": lambda: _record(keys),
        "format": lambda: _format(keys),
        "batch": lambda: _batch(keys),
        "on_overwrite": lambda: keys.choice("on_overwrite", ("supersede", "append", "ignore"), "supersede"),
        "tolerance": lambda: keys.share("tolerance", 0.0),
        **_shared(keys, ("facts", "latest", "additive")),
    }
    required = ("name", "prefix", "record", "tables")
    optional = ("description", "format", "transform", "batch", "load", "on_overwrite", "tolerance")
    dataset = Dataset(**keys.read(parts, required, optional), declared=dict(keys.data))
    raise_all([*_unreachable_values(dataset), *_repeated_columns(dataset), *_unfit_deduplication(dataset)])
    return dataset


def _unreachable_values(dataset: Dataset) -> Iterator[DeclarationError]:
    """Refuses `values` that no record can have, because the format reads them as null or trims them."""
    for field in dataset.record if dataset.format.type in DELIMITED else ():
        for value in field.values:
            where = ("record", field.name, "values")
            if value in dataset.format.nulls:
                yield DeclarationError(f"expected values that are not null, found {value!r}, one of `nulls`", where)
            elif dataset.format.trim and value != value.strip(" \t"):
                yield DeclarationError(f"expected values without blanks around them, found {value!r}", where)


def _repeated_columns(dataset: Dataset) -> Iterator[DeclarationError]:
    """Without a header, each field has a column of its own; two fields with one raw name would both get the last."""
    if dataset.format.type in DELIMITED and not dataset.format.header:
        fields = [field for field in dataset.record if not field.from_key]
        names = [field.raw for field in fields]
        for field in (field for position, field in enumerate(fields) if field.raw in names[:position]):
            message = f"expected a column of its own for each field, found {field.raw!r} again"
            yield DeclarationError(message, ("record", field.name))


def _unfit_deduplication(dataset: Dataset) -> Iterator[DeclarationError]:
    """All tables that keep records keep the same ones, so they have one `deduplicate` key, a field of the record."""
    keeping = [table for table in dataset.tables if table.keeps_records]
    fields, first = [field.name for field in dataset.record], keeping[0].deduplicate if keeping else None
    for table in keeping:
        where, key = ("tables", table.name, "deduplicate"), table.deduplicate or "none"
        if table.deduplicate != first:
            message = f"expected {first or 'none'} as of {keeping[0].name}, for all keep the same rows, found {key}"
            yield DeclarationError(message, where)
        elif first and first not in fields:
            yield DeclarationError(
                f"expected a field of the record, found {first!r}{did_you_mean(first, fields)}", where
            )


def _nightly_job(declared: Mapping[str, Any]) -> Dataset:
    keys = _Mapping(declared, ())
    parts: _Parts = {
        "every": lambda: keys.choice("every", ("day", "week", "month"), "day"),
        "reads": lambda: _reads(keys),
        "after": lambda: keys.words("after"),
        "parameters": lambda: dict(keys.section("parameters").data),
        **_shared(keys, ("report", "latest")),
    }
    required = ("name", "every", "reads", "tables")
    values = keys.read(parts, required, ("description", "after", "parameters", "transform", "load"))
    nightly = Nightly(*(values.pop(key) for key in ("every", "reads", "after", "parameters")))
    return Dataset(prefix="", record=(), nightly=nightly, **values, declared=dict(keys.data))


def _shared(keys: _Mapping, kinds: tuple[str, ...]) -> _Parts:
    """The parts that datasets and nightly jobs have in common."""
    return {
        "name": lambda: keys.name("name", NAME),
        "transform": lambda: keys.name("transform", NAME) if "transform" in keys.data else keys.data.get("name"),
        "tables": lambda: _tables(keys.mapping("tables"), kinds),
        "description": lambda: keys.text("description", ""),
        "load": lambda: _load(keys),
    }


class _Mapping:
    """A mapping of the declaration, with its path for error messages."""

    def __init__(
        self,
        data: object,
        where: tuple[object, ...],
        required: tuple[str, ...] = (),
        optional: Optional[tuple[str, ...]] = None,
    ) -> None:
        if not isinstance(data, Mapping):
            raise DeclarationError(f"expected a mapping, found {_show(data)}", where)
        self.data, self.where = data, where
        if optional is not None:
            raise_all(self._key_errors(required, optional))

    def _key_errors(self, required: tuple[str, ...], optional: tuple[str, ...]) -> list[DeclarationError]:
        """An error for each missing and each unknown key."""
        known = required + optional
        missing = [key for key in required if key not in self.data]
        surplus = [key for key in self.data if key not in known]
        return [
            *(DeclarationError(f"expected a key `{key}`, found {_list(self.data)}", self.where) for key in missing),
            *(
                DeclarationError(
                    f"expected one of {', '.join(known)}, found `{key}`{did_you_mean(key, known)}", self.at(key)
                )
                for key in surplus
            ),
        ]

    def read(self, parts: _Parts, required: tuple[str, ...], optional: tuple[str, ...]) -> dict[str, Any]:
        """The value of each part, by name. Raises all errors of keys and parts together.

        Skips a part that is named after a missing required key, whose error is already reported.
        """
        errors, collected = self._key_errors(required, optional), _Collected()
        for name, part in parts.items():
            if name in self.data or name not in required:
                collected.add(name, part)
        raise_all([*errors, *collected.errors])
        return collected.values

    def each(self, pattern: re.Pattern[str], parse: Callable[[str], Any]) -> tuple[Any, ...]:
        """The parsed value of each entry. Raises all errors together."""
        collected = _Collected()
        for name in self.names(pattern):
            collected.add(name, partial(parse, name))
        raise_all(collected.errors)
        return tuple(collected.values.values())

    def at(self, key: str) -> tuple[object, ...]:
        return (*self.where, key)

    def fail(self, key: str, expected: str, known: Iterable[str] = ()) -> DeclarationError:
        value = self.data.get(key)
        return DeclarationError(f"expected {expected}, found {_show(value)}{did_you_mean(value, known)}", self.at(key))

    def mapping(self, key: str, **shape: tuple[str, ...]) -> _Mapping:
        return _Mapping(self.data.get(key), self.at(key), **shape)

    def section(self, key: str, optional: Optional[tuple[str, ...]] = None) -> _Mapping:
        return _Mapping(self.data.get(key, {}), self.at(key), optional=optional)

    def names(self, pattern: re.Pattern[str]) -> list[str]:
        if not self.data:
            raise DeclarationError("expected at least one entry, found none", self.where)
        raise_all([self._bad_name(key) for key in self.data if not isinstance(key, str) or not pattern.fullmatch(key)])
        return list(self.data)

    def _bad_name(self, key: object) -> DeclarationError:
        message = f"expected a name of lower-case letters, digits and _, found {key!r}"
        return DeclarationError(message + _hint(key), self.at(str(key)))

    def name(self, key: str, pattern: re.Pattern[str]) -> str:
        value = self.data[key]
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise self.fail(key, "a name of at most 32 lower-case letters, digits and _")
        return value

    def text(self, key: str, default: str) -> str:
        value = self.data.get(key, default)
        if not isinstance(value, str):
            raise self.fail(key, "a text")
        return value

    def texts(self, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        value = self.data.get(key, list(default))
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            raise self.fail(key, "a list of texts")
        return tuple(value)

    def choice(self, key: str, choices: tuple[str, ...], default: str) -> str:
        value = self.data.get(key, default)
        if value not in choices:
            raise self.fail(key, " or ".join(choices), choices)
        return str(value)

    def count(self, key: str, default: int) -> int:
        value = self.data.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise self.fail(key, "a whole number from 1")
        return value

    def flag(self, key: str, default: bool = False) -> bool:
        value = self.data.get(key, default)
        if not isinstance(value, bool):
            raise self.fail(key, "true or false")
        return value

    def share(self, key: str, default: float) -> float:
        value = self.data.get(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise self.fail(key, "a share from 0 to 1")
        return float(value)

    def size(self, key: str, default: int) -> int:
        if key not in self.data:
            return default
        match = SIZE.fullmatch(str(self.data[key]).strip().upper())
        if not match or not int(match["number"]):
            raise self.fail(key, "a size such as 256MB")
        return int(match["number"]) * UNITS[match["unit"] or "B"]

    def duration(self, key: str, default: timedelta) -> timedelta:
        if key not in self.data:
            return default
        match = DURATION.fullmatch(str(self.data[key]).strip())
        if not match:
            raise self.fail(key, "a duration such as 60s, 5m, 1h")
        seconds = int(match["number"][:20]) * SECONDS[match["unit"]]
        if seconds > DURATION_MAX.total_seconds():
            raise self.fail(key, f"a duration of at most {DURATION_MAX.days}d")
        return timedelta(seconds=seconds)

    def columns(self, key: str, known: tuple[str, ...]) -> tuple[str, ...]:
        value = self.data.get(key, [])
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list) or any(column not in known for column in listed):
            raise self.fail(key, f"columns of the table ({', '.join(known)})", known)
        if len(set(listed)) < len(listed):
            raise DeclarationError(f"expected each column once, found {', '.join(listed)}", self.at(key))
        return tuple(listed)

    def words(self, key: str) -> tuple[str, ...]:
        value = self.data.get(key, [])
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list) or not all(isinstance(word, str) and NAME.fullmatch(word) for word in listed):
            raise self.fail(key, "a list of names")
        return tuple(listed)

    def column(self, key: str, known: tuple[str, ...]) -> Optional[str]:
        columns = self.columns(key, known)
        if len(columns) > 1:
            raise self.fail(key, "one column")
        return columns[0] if columns else None


#: Patterns that are probably mistakes in a prefix, and what an error says was expected instead.
_LIKELY_MISTAKES: tuple[tuple[str, str], ...] = (
    (r"\A\w+://|\As3:", "without s3:// and the bucket's name"),
    (r"[*?]", "without * and ?: all keys that begin so are meant"),
    (r"!\{", "without Firehose's expressions: all keys that begin so are meant"),
    (r"//|(\A|/)\.{1,2}/", "without empty parts, . and .. between its slashes"),
    (r"\\", "with / instead of \\"),
    (r"[\x00-\x1f\x7f]|\A\s|\s/\Z", "without control characters, and without blanks at its ends"),
)


def _prefix(keys: _Mapping) -> str:
    prefix = keys.text("prefix", "")
    for pattern, expected in _LIKELY_MISTAKES:
        if re.search(pattern, prefix):
            raise keys.fail("prefix", f"a key prefix {expected}")
    if not prefix.endswith("/") or prefix.startswith("/"):
        raise keys.fail("prefix", "a key prefix that ends with / and does not begin with it")
    if len(prefix.encode(errors="replace")) >= KEY_BYTES_MAX:
        raise keys.fail("prefix", f"a key prefix that leaves room in a key of {KEY_BYTES_MAX:,} bytes")
    return prefix


def _record(keys: _Mapping) -> tuple[Field, ...]:
    record, format_ = keys.mapping("record"), keys.data.get("format")
    type_ = format_.get("type", Format().type) if isinstance(format_, Mapping) else Format().type
    fields = record.each(COLUMN, lambda name: _field(name, record, type_))
    if all(field.from_key for field in fields):
        raise keys.fail("record", "at least one field that is in the record, and not in the key")
    return fields


def _field(name: str, record: _Mapping, format_: object) -> Field:
    declared = record.data[name]
    if isinstance(declared, str):
        return Field(name, ColumnType.parse(declared, record.at(name)))
    keys = record.mapping(name, required=("type",), optional=("required", "from", "from_key", "values", "unit"))
    type_ = ColumnType.parse(keys.data["type"], keys.at("type"))
    (source, path), required = _source(keys, format_), keys.flag("required")
    pattern = _key_pattern(keys, name)
    return Field(name, type_, required, source, _values(keys, type_), _unit(keys, type_), path, pattern)


def _key_pattern(keys: _Mapping, name: str) -> str:
    pattern = keys.text("from_key", "")
    if pattern and "from" in keys.data:
        raise keys.fail("from_key", "either from or from_key")
    if pattern:
        try:
            check_pattern(pattern, name)
        except ValueError as error:
            raise keys.fail("from_key", str(error)) from None
    return pattern


def _source(keys: _Mapping, format_: object) -> tuple[str, Path]:
    """The raw name, and the path if the field lies inside another one. In a header, a name with a dot is a name."""
    if isinstance(keys.data.get("from"), list):
        names = keys.texts("from", ())
        if len(names) != 1:
            raise keys.fail("from", "one name in brackets; a path is written order.id or items[0].sku")
        return names[0], ()
    name = keys.text("from", "")
    if format_ in DELIMITED:
        if name != name.strip():
            raise keys.fail("from", "a name without blanks around it, which do not count in a header")
        return name, ()
    return _path(keys, name) if set(name) & {".", "["} else (name, ())


def _path(keys: _Mapping, text: str) -> tuple[str, Path]:
    try:
        path = parse_path(text)
    except ValueError as error:
        raise DeclarationError(f"{error}, or [{text!r}] where the name itself has the dot", keys.at("from")) from None
    if None in path:
        raise keys.fail("from", "a path to one value, such as items[0].sku; [*] means all of them")
    return (written_path(path), path) if len(path) > 1 else (str(path[0]), ())


def _values(keys: _Mapping, type_: ColumnType) -> tuple[str, ...]:
    if "values" not in keys.data:
        return ()
    if type_.family is not Family.TEXT:
        raise keys.fail("values", f"a key only for a field of type {_of_family(Family.TEXT)}")
    values = keys.texts("values", ())
    if not values or len(set(values)) < len(values):
        raise keys.fail("values", "at least one text, each once")
    unfit = [text for text in values if "\0" in text or len(text.encode(errors="replace")) > (type_.bytes_max or 0)]
    if unfit:
        raise DeclarationError(f"expected texts that {type_} can hold, found {unfit[0]!r}", keys.at("values"))
    return values


def _unit(keys: _Mapping, type_: ColumnType) -> str:
    if "unit" not in keys.data:
        return ""
    if type_.family is not Family.TIMESTAMP:
        raise keys.fail("unit", f"a key only for a field of type {_of_family(Family.TIMESTAMP)}")
    return keys.choice("unit", tuple(EPOCH_UNITS), "")


def _of_family(family: Family) -> str:
    """The family's types, as error messages list them."""
    return " or ".join(types_that(lambda row: row.family is family))


def _reads(keys: _Mapping) -> tuple[Read, ...]:
    reads = keys.mapping("reads")
    return reads.each(NAME, lambda name: _read(name, reads))


def _read(table: str, reads: _Mapping) -> Read:
    declared = reads.data[table]
    if isinstance(declared, str):
        return Read(table, whole=reads.choice(table, ("period", "whole"), "period") == "whole")
    back = reads.mapping(table, required=("back",), optional=()).duration("back", timedelta(0))
    if not back or back % timedelta(days=1):
        raise _Mapping(declared, reads.at(table)).fail("back", "whole days, such as 28d")
    return Read(table, back=back.days)


def _tables(keys: _Mapping, kinds: tuple[str, ...]) -> tuple[Table, ...]:
    tables = keys.each(NAME, lambda name: _table(name, keys, kinds))
    needed = statements_needed(tables)
    if needed > STATEMENTS_MAX:  # all tables of a batch are loaded in one transaction
        rule = f"{FRAME_STATEMENTS}, and {TABLE_STATEMENTS} for each table, {LATEST_STATEMENTS} for one of kind latest"
        message = f"expected tables that {STATEMENTS_MAX} statements load ({rule}), found {needed} for {len(tables)}"
        raise DeclarationError(message, keys.where)
    stored = {table.physical_name: table.name for table in tables if table.physical_name != table.name}
    for table in tables:
        if stored.get(table.name, table.name) != table.name:
            message = f"expected a name of its own, found the one under which {stored[table.name]} is stored"
            raise DeclarationError(message, keys.at(table.name))
    return tables


def _table(name: str, tables: _Mapping, kinds: tuple[str, ...]) -> Table:
    if _SYSTEM_TABLE.match(name):
        message = f"expected a name that Redshift keeps for no table of its own, found {name}"
        raise DeclarationError(message, tables.at(name))
    keys = tables.mapping(name)
    optional = (
        "kind", "partition", "day", "deduplicate", "deduplication_window",
        "sums", "ratios", "key", "newest_by", "sort", "dist",
    )  # fmt: skip
    first: _Parts = {"kind": lambda: _kind(keys, kinds), "columns": lambda: _columns(keys)}
    shape = keys.read(first, ("columns",), optional)
    kind, columns = shape["kind"], shape["columns"]
    names = tuple(column.name for column in columns)
    comparable = _columns_that(columns, lambda row: row.compares)
    parts: _Parts = {
        "partition": lambda: _partition(keys, columns),
        "day": lambda: _day(keys, columns),
        "deduplicate": lambda: keys.column("deduplicate", comparable),
        "deduplication_window": lambda: keys.duration("deduplication_window", timedelta(0)) or None,
        "sums": lambda: _sums(keys, kind, columns),
        "ratios": lambda: _ratios(keys, names),
        "key": lambda: _key(keys, kind, comparable),
        "newest_by": lambda: keys.column("newest_by", comparable),
        "sort": lambda: keys.columns("sort", comparable),
        "dist": lambda: keys.column("dist", comparable),
    }
    return Table(name=name, **shape, **keys.read(parts, ("columns",), optional))


def _columns_that(columns: Iterable[Column], permits: Callable[[TypeRow], object]) -> tuple[str, ...]:
    """Names of the columns for whose type `permits` is true."""
    return tuple(column.name for column in columns if permits(column.type.row))


def _kind(keys: _Mapping, kinds: tuple[str, ...]) -> str:
    kind = keys.choice("kind", kinds, kinds[0])
    _only_for(keys, kind)
    return kind


def _columns(keys: _Mapping) -> tuple[Column, ...]:
    declared = keys.mapping("columns")
    columns = declared.each(COLUMN, lambda name: _column(name, declared))
    most = COLUMNS_MAX - len(SYSTEM_COLUMNS + LINEAGE_COLUMNS + ARRIVAL_COLUMNS)
    if len(columns) > most:
        raise DeclarationError(f"expected at most {most} columns, found {len(columns)}", declared.where)
    return columns


def _column(name: str, declared: _Mapping) -> Column:
    _refuse_system_column(name, declared)
    return Column(name, ColumnType.parse(declared.data[name], declared.at(name)))


def _refuse_system_column(name: str, keys: _Mapping) -> None:
    """Refuses the names of columns that every table of Redshift already has."""
    if name in SYSTEM_NAMES:
        message = f"expected a name that Redshift has no column of its own for, found {name}"
        raise DeclarationError(message, keys.at(name))


def _partition(keys: _Mapping, columns: tuple[Column, ...]) -> Optional[str]:
    types = {column.name: column.type for column in columns}
    name = keys.column("partition", tuple(types))
    if name and not types[name].row.partitions:
        others = " or ".join(types_that(lambda row: not row.partitions))
        raise keys.fail(
            "partition", f"a column of the table whose values can be told apart, hence of another type than {others}"
        )
    if name and (types[name].bytes_max or 0) > PARTITION_BYTES_MAX:
        raise keys.fail("partition", f"a column of the table of at most {types[name].kind}({PARTITION_BYTES_MAX})")
    return name


def _key(keys: _Mapping, kind: str, names: tuple[str, ...]) -> Optional[str]:
    key = keys.column("key", names)
    if kind == "latest" and not key:
        raise keys.fail("key", "the column of which the latest row is shown, for a table of kind latest")
    return key


#: Keys that only some kinds of table have.
ONLY_FOR: Mapping[str, tuple[str, ...]] = {
    "deduplicate": ("facts", "latest"),
    "deduplication_window": ("facts", "latest"),
    "ratios": ("additive",),
    "key": ("latest",),
    "newest_by": ("latest",),
}


def _only_for(keys: _Mapping, kind: str) -> None:
    for key, kinds in ONLY_FOR.items():
        if key in keys.data and kind not in kinds:
            raise keys.fail(key, f"a key only for a table of kind {' or '.join(kinds)}")
    if "deduplication_window" in keys.data and "deduplicate" not in keys.data:
        raise keys.fail("deduplication_window", "a key only beside `deduplicate`")


def _sums(keys: _Mapping, kind: str, columns: tuple[Column, ...]) -> tuple[str, ...]:
    names = tuple(column.name for column in columns)
    sums = keys.columns("sums", names)
    if (kind == "additive") != bool(sums):
        raise keys.fail("sums", "the columns that add up, for a table of kind additive and only there")
    if not set(sums) <= set(_columns_that(columns, lambda row: row.sum)):
        raise keys.fail("sums", f"columns of type {', '.join(types_that(lambda row: row.sum))}")
    if set(sums) == set(names):
        raise keys.fail("sums", "at least one column that is not summed")
    if kind == "additive":
        _check_keys([column for column in columns if column.name not in sums], keys)
    return sums


def _check_keys(columns: Sequence[Column], keys: _Mapping) -> None:
    """Checks the columns that are not summed: the view groups rows by them, so they must be comparable."""
    incomparable = [column.name for column in columns if not column.type.row.compares]
    if incomparable:
        message = f"expected columns that are summed or can be compared, found {', '.join(incomparable)}"
        raise DeclarationError(message, keys.at("columns"))


def _ratios(keys: _Mapping, names: tuple[str, ...]) -> tuple[Ratio, ...]:
    """Parses entries such as `click_through_rate: clicks / views`."""
    if "ratios" not in keys.data:
        return ()
    section, sums = keys.mapping("ratios"), keys.columns("sums", names)
    return section.each(COLUMN, lambda name: _ratio(name, section, names, sums))


def _ratio(name: str, section: _Mapping, names: tuple[str, ...], sums: tuple[str, ...]) -> Ratio:
    _refuse_system_column(name, section)
    operands = tuple(operand.strip() for operand in section.text(name, "").split("/"))
    if name in names or len(operands) != 2 or not set(operands) <= set(sums):
        raise section.fail(name, f"a new column as a quotient of two sums ({', '.join(sums)}), such as a / b")
    return Ratio(name, *operands)


def _day(keys: _Mapping, columns: tuple[Column, ...]) -> Optional[str]:
    """The declared day column, or the partition column if that is a date."""
    dates = _columns_that(columns, lambda row: row.family is Family.DATE)
    if "day" in keys.data:
        return keys.column("day", dates)
    return next((name for name in dates if keys.data.get("partition") in (name, [name])), None)


FORMATS = ("json", "csv", "tsv", "parquet", "orc", "avro")
DELIMITED = ("csv", "tsv")


def _format(keys: _Mapping) -> Format:
    optional = ("type", "compression", "header", "delimiter", "encoding", "nulls", "trim", "records")
    section, default = keys.section("format", optional), Format()
    type_ = section.choice("type", FORMATS, default.type)
    for key in optional[2:-1]:
        if key in section.data and type_ not in DELIMITED:
            raise section.fail(key, f"a key only for the types {' and '.join(DELIMITED)}")
    delimiter = section.text("delimiter", "\t" if type_ == "tsv" else default.delimiter)
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0':
        raise section.fail("delimiter", "one ASCII character that is neither quote nor line break nor a zero byte")
    if delimiter == " " and section.data.get("trim") is True:
        raise section.fail("delimiter", "another character than the blanks that `trim` takes away")
    return Format(
        type=type_,
        compression=section.choice("compression", ("auto",), default.compression),
        header=section.flag("header", default.header),
        delimiter=delimiter,
        encoding=_encoding(section),
        nulls=section.texts("nulls", default.nulls),
        trim=section.flag("trim", default.trim),
        records=_records(section, type_),
    )


def _records(section: _Mapping, type_: str) -> Path:
    if "records" not in section.data:
        return ()
    if type_ != "json":
        raise section.fail("records", "a key only for the type json")
    try:
        return parse_path(section.text("records", ""))
    except ValueError as error:
        raise DeclarationError(str(error), section.at("records")) from None


def _encoding(section: _Mapping) -> str:
    name = section.text("encoding", "utf-8")
    try:
        encoding = codecs.lookup(name).name
        if encoding in _NO_FILE_ENCODINGS:
            raise LookupError(name)
        "".encode(name)  # raises LookupError for codecs that do not encode text, such as base64
        return encoding
    except LookupError:
        raise section.fail("encoding", "the name of an encoding, such as utf-8 or latin-1") from None


def _batch(keys: _Mapping) -> BatchPolicy:
    section, default = (
        keys.section("batch", ("max_files", "max_bytes", "max_wait", "max_running")),
        BatchPolicy(),
    )
    return BatchPolicy(
        max_files=section.count("max_files", default.max_files),
        max_bytes=section.size("max_bytes", default.max_bytes),
        max_wait=section.duration("max_wait", default.max_wait),
        max_running=section.count("max_running", default.max_running),
    )


def _load(keys: _Mapping) -> LoadPolicy:
    return LoadPolicy(every=keys.section("load", ("every",)).duration("every", LoadPolicy().every))


def _hint(key: object) -> str:
    """A hint for a key that YAML has probably read differently than it was meant."""
    if isinstance(key, str) and re.fullmatch(r"\d+\)", key):
        return ' (between braces, quote a type that has a comma: "decimal(12,2)")'
    return " (quote it, or YAML takes it for no text)" if isinstance(key, bool) or key is None else ""


def _show(value: object) -> str:
    return "nothing" if value is None else repr(value) if isinstance(value, (str, int, float)) else _list(value)


def _list(value: Any) -> str:
    return f"the keys {', '.join(map(str, value))}" if isinstance(value, Mapping) and value else str(value)
