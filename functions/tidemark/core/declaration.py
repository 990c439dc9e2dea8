"""Reading a declaration: plain data (what YAML or JSON gives) → a `Dataset`, or an error that says where.

Every error names the place, what was expected and what was found; the caller that knows the file adds the line.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Optional

from tidemark.core.dataset import (
    EPOCH_UNITS,
    BatchPolicy,
    Column,
    ColumnType,
    Dataset,
    Field,
    Format,
    LoadPolicy,
    Nightly,
    Ratio,
    Read,
    Table,
)
from tidemark.core.errors import DeclarationError
from tidemark.core.path import Path, parse_path
from tidemark.core.warehouse_sql import STATEMENTS_MAX, statements_needed

NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
COLUMN = re.compile(r"[a-z][a-z0-9_]{0,126}")
SIZE = re.compile(r"(?P<number>\d+)\s*(?P<unit>[KMGT]?B)?")
DURATION = re.compile(r"(?P<number>\d+)\s*(?P<unit>[smhd])")
SUMMABLE = ("int", "bigint", "double", "decimal")
UNITS = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def parse_dataset(declared: object) -> Dataset:
    """Plain data → a dataset or a nightly job, or a `DeclarationError` that says where, expected and found."""
    if isinstance(declared, Mapping) and "every" in declared:
        return _nightly_job(declared)
    keys = _Mapping(
        declared,
        (),
        required=("name", "prefix", "record", "tables"),
        optional=(
            "description", "format", "transform", "batch", "load", "on_overwrite", "tolerance",
        ),
    )  # fmt: skip
    record, format_ = keys.mapping("record"), _format(keys)
    return Dataset(
        prefix=_prefix(keys),
        record=tuple(_field(key, record) for key in record.names(COLUMN)),
        format=format_,
        batch=_batch(keys),
        on_overwrite=keys.choice("on_overwrite", ("supersede", "append", "ignore"), "supersede"),
        tolerance=keys.share("tolerance", 0.0),
        **_shared(keys, ("facts", "latest", "additive")),
    )


def _nightly_job(declared: Mapping[str, Any]) -> Dataset:
    keys = _Mapping(
        declared,
        (),
        required=("name", "every", "reads", "tables"),
        optional=("description", "after", "parameters", "transform", "load"),
    )
    reads = keys.mapping("reads")
    nightly = Nightly(
        every=keys.choice("every", ("day", "week", "month"), "day"),
        reads=tuple(_read(name, reads) for name in reads.names(NAME)),
        after=keys.words("after"),
        parameters=dict(_Mapping(keys.data.get("parameters", {}), keys.at("parameters")).data),
    )
    return Dataset(prefix="", record=(), nightly=nightly, **_shared(keys, ("report", "latest")))


def _shared(keys: _Mapping, kinds: tuple[str, ...]) -> dict[str, Any]:
    """What datasets and nightly jobs declare alike."""
    name = keys.name("name", NAME)
    return {
        "name": name,
        "transform": keys.name("transform", NAME) if "transform" in keys.data else name,
        "tables": _tables(keys.mapping("tables"), kinds),
        "description": keys.text("description", ""),
        "load": _load(keys),
        "declared": dict(keys.data),
    }


class _Mapping:
    """A mapping of the declaration that knows where it stands, so that every error can say so."""

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
        for key in required:
            if key not in data:
                raise DeclarationError(f"expected a key `{key}`, found {_list(data)}", where)
        if optional is not None:
            for key in data:
                if key not in required + optional:
                    known = ", ".join(required + optional)
                    raise DeclarationError(f"expected one of {known}, found `{key}`", (*where, key))

    def at(self, key: str) -> tuple[object, ...]:
        return (*self.where, key)

    def fail(self, key: str, expected: str) -> DeclarationError:
        return DeclarationError(f"expected {expected}, found {_show(self.data.get(key))}", self.at(key))

    def mapping(self, key: str, **shape: tuple[str, ...]) -> _Mapping:
        return _Mapping(self.data.get(key), self.at(key), **shape)

    def section(self, key: str, optional: tuple[str, ...]) -> _Mapping:
        return _Mapping(self.data.get(key, {}), self.at(key), optional=optional)

    def names(self, pattern: re.Pattern[str]) -> list[str]:
        if not self.data:
            raise DeclarationError("expected at least one entry, found none", self.where)
        for key in self.data:
            if not isinstance(key, str) or not pattern.fullmatch(key):
                raise DeclarationError(
                    f"expected a name of lower-case letters, digits and _, found {key!r}", self.at(str(key))
                )
        return list(self.data)

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
            raise self.fail(key, " or ".join(choices))
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
        found = SIZE.fullmatch(str(self.data[key]).strip().upper())
        if not found or not int(found["number"]):
            raise self.fail(key, "a size such as 256MB")
        return int(found["number"]) * UNITS[found["unit"] or "B"]

    def duration(self, key: str, default: timedelta) -> timedelta:
        if key not in self.data:
            return default
        found = DURATION.fullmatch(str(self.data[key]).strip())
        if not found:
            raise self.fail(key, "a duration such as 60s, 5m, 1h")
        return timedelta(seconds=int(found["number"]) * SECONDS[found["unit"]])

    def columns(self, key: str, known: tuple[str, ...]) -> tuple[str, ...]:
        value = self.data.get(key, [])
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list) or any(column not in known for column in listed):
            raise self.fail(key, f"columns of the table ({', '.join(known)})")
        return tuple(listed)

    def words(self, key: str) -> tuple[str, ...]:
        value = self.data.get(key, [])
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list) or not all(isinstance(word, str) and NAME.fullmatch(word) for word in listed):
            raise self.fail(key, "a list of names")
        return tuple(listed)

    def column(self, key: str, known: tuple[str, ...]) -> Optional[str]:
        found = self.columns(key, known)
        if len(found) > 1:
            raise self.fail(key, "one column")
        return found[0] if found else None


def _prefix(keys: _Mapping) -> str:
    prefix = keys.text("prefix", "")
    if not prefix.endswith("/") or prefix.startswith("/"):
        raise keys.fail("prefix", "a key prefix that ends with / and does not begin with it")
    return prefix


def _field(name: str, record: _Mapping) -> Field:
    declared = record.data[name]
    if isinstance(declared, str):
        return Field(name, ColumnType.parse(declared, record.at(name)))
    keys = record.mapping(name, required=("type",), optional=("required", "from", "values", "unit"))
    type_ = ColumnType.parse(keys.data["type"], keys.at("type"))
    source, required = keys.text("from", ""), keys.flag("required")
    return Field(name, type_, required, source, _values(keys, type_), _unit(keys, type_))


def _values(keys: _Mapping, type_: ColumnType) -> tuple[str, ...]:
    if "values" not in keys.data:
        return ()
    if type_.kind != "string":
        raise keys.fail("values", "a key only for a field of type string")
    values = keys.texts("values", ())
    if not values or len(set(values)) < len(values):
        raise keys.fail("values", "at least one text, each once")
    return values


def _unit(keys: _Mapping, type_: ColumnType) -> str:
    if "unit" not in keys.data:
        return ""
    if type_.kind != "timestamp":
        raise keys.fail("unit", "a key only for a field of type timestamp")
    return keys.choice("unit", tuple(EPOCH_UNITS), "")


def _read(table: str, reads: _Mapping) -> Read:
    declared = reads.data[table]
    if isinstance(declared, str):
        return Read(table, whole=reads.choice(table, ("period", "whole"), "period") == "whole")
    back = reads.mapping(table, required=("back",), optional=()).duration("back", timedelta(0))
    if not back or back % timedelta(days=1):
        raise _Mapping(declared, reads.at(table)).fail("back", "whole days, such as 28d")
    return Read(table, back=back.days)


def _tables(keys: _Mapping, kinds: tuple[str, ...]) -> tuple[Table, ...]:
    tables = tuple(_table(name, keys.mapping(name), kinds) for name in keys.names(NAME))
    needed = statements_needed(tables)
    if needed > STATEMENTS_MAX:  # all tables of a batch are loaded in one transaction
        rule = "5, and 4 for each table, 7 for one of kind latest"
        message = f"expected tables that {STATEMENTS_MAX} statements load ({rule}), found {needed} for {len(tables)}"
        raise DeclarationError(message, keys.where)
    stored = {table.physical_name: table.name for table in tables if table.physical_name != table.name}
    for table in tables:
        if stored.get(table.name, table.name) != table.name:
            message = f"expected a name of its own, found the one under which {stored[table.name]} is stored"
            raise DeclarationError(message, keys.at(table.name))
    return tables


def _table(name: str, data: _Mapping, kinds: tuple[str, ...]) -> Table:
    keys = _Mapping(
        data.data,
        data.where,
        required=("columns",),
        optional=(
            "kind", "partition", "day", "deduplicate", "remember", "sums", "ratios", "key", "newest_by", "sort", "dist",
        ),
    )  # fmt: skip
    declared = keys.mapping("columns")
    columns = tuple(
        Column(key, ColumnType.parse(declared.data[key], declared.at(key))) for key in declared.names(COLUMN)
    )
    names = tuple(column.name for column in columns)
    kind = keys.choice("kind", kinds, kinds[0])
    _only_for(keys, kind)
    partition = keys.column("partition", names)
    sums = _sums(keys, kind, columns)
    key = keys.column("key", names)
    if kind == "latest" and not key:
        raise keys.fail("key", "the column of which the newest row is shown, for a table of kind latest")
    return Table(
        name=name,
        kind=kind,
        columns=columns,
        partition=partition,
        day=_day(keys, columns, partition),
        deduplicate=keys.column("deduplicate", names),
        remember=keys.duration("remember", timedelta(0)) or None,
        sums=sums,
        ratios=_ratios(keys, names, sums),
        key=key,
        newest_by=keys.column("newest_by", names),
        sort=keys.columns("sort", names),
        dist=keys.column("dist", names),
    )


#: Keys that only some kinds of table have.
ONLY_FOR: Mapping[str, tuple[str, ...]] = {
    "deduplicate": ("facts", "latest"),
    "remember": ("facts", "latest"),
    "ratios": ("additive",),
    "key": ("latest",),
    "newest_by": ("latest",),
}


def _only_for(keys: _Mapping, kind: str) -> None:
    for key, kinds in ONLY_FOR.items():
        if key in keys.data and kind not in kinds:
            raise keys.fail(key, f"a key only for a table of kind {' or '.join(kinds)}")
    if "remember" in keys.data and "deduplicate" not in keys.data:
        raise keys.fail("remember", "a key only beside `deduplicate`")


def _sums(keys: _Mapping, kind: str, columns: tuple[Column, ...]) -> tuple[str, ...]:
    names = tuple(column.name for column in columns)
    sums = keys.columns("sums", names)
    if (kind == "additive") != bool(sums):
        raise keys.fail("sums", "the columns that add up, for a table of kind additive and only there")
    if not set(sums) <= {column.name for column in columns if column.type.kind in SUMMABLE}:
        raise keys.fail("sums", f"columns of type {', '.join(SUMMABLE)}")
    if set(sums) == set(names):
        raise keys.fail("sums", "at least one column that is not summed")
    return sums


def _ratios(keys: _Mapping, names: tuple[str, ...], sums: tuple[str, ...]) -> tuple[Ratio, ...]:
    """`click_through_rate: clicks / views`."""
    if "ratios" not in keys.data:
        return ()
    section = keys.mapping("ratios")
    ratios = []
    for name in section.names(COLUMN):
        parts = section.text(name, "").split("/")
        over = tuple(part.strip() for part in parts)
        if name in names or len(over) != 2 or not set(over) <= set(sums):
            raise section.fail(name, f"a new column as a quotient of two sums ({', '.join(sums)}), such as a / b")
        ratios.append(Ratio(name, *over))
    return tuple(ratios)


def _day(keys: _Mapping, columns: tuple[Column, ...], partition: Optional[str]) -> Optional[str]:
    """The declared column, or the partition where that is a date."""
    dates = tuple(column.name for column in columns if column.type.kind == "date")
    if "day" in keys.data:
        return keys.column("day", dates)
    return partition if partition in dates else None


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
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n':
        raise section.fail("delimiter", "one ASCII character that is neither quote nor line break")
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
        "".encode(name)  # which also refuses codecs that are not of text, such as base64
        return codecs.lookup(name).name
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


def _show(value: object) -> str:
    return "nothing" if value is None else repr(value) if isinstance(value, (str, int, float)) else _list(value)


def _list(value: Any) -> str:
    return f"the keys {', '.join(map(str, value))}" if isinstance(value, Mapping) and value else str(value)
