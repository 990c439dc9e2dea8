"""Reading a declaration: plain data (what YAML or JSON gives) → a `Dataset`, or an error that says where.

Every error names the place, what was expected and what was found; the caller that knows the file adds the line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Optional

from tidemark.core.dataset import BatchPolicy, Column, ColumnType, Dataset, Field, Format, LoadPolicy, Table
from tidemark.core.errors import DeclarationError

NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
COLUMN = re.compile(r"[a-z][a-z0-9_]{0,126}")
SIZE = re.compile(r"(?P<number>\d+)\s*(?P<unit>[KMGT]?B)?")
DURATION = re.compile(r"(?P<number>\d+)\s*(?P<unit>[smhd])")
SUMMABLE = ("int", "bigint", "double", "decimal")
UNITS = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
#: All tables of a batch are loaded in one transaction of at most 40 statements (warehouse_sql).
TABLES_MAX = 8


def parse_dataset(declared: object) -> Dataset:
    """Plain data → a dataset, or a `DeclarationError` that says where, expected and found."""
    keys = _Mapping(
        declared,
        (),
        required=("name", "prefix", "record", "tables"),
        optional=(
            "description", "format", "transform", "batch", "load", "on_overwrite", "tolerance",
        ),
    )  # fmt: skip
    name = keys.name("name", NAME)
    tables = keys.mapping("tables")
    return Dataset(
        name=name,
        prefix=_prefix(keys),
        record=tuple(_field(key, keys.mapping("record")) for key in keys.mapping("record").names(COLUMN)),
        transform=keys.name("transform", NAME) if "transform" in keys.data else name,
        tables=_tables(tables),
        description=keys.text("description", ""),
        format=_format(keys),
        batch=_batch(keys),
        load=_load(keys),
        on_overwrite=keys.choice("on_overwrite", ("supersede", "append", "ignore"), "supersede"),
        tolerance=keys.share("tolerance", 0.0),
        declared=dict(keys.data),
    )


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

    def flag(self, key: str) -> bool:
        value = self.data.get(key, False)
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
    keys = record.mapping(name, required=("type",), optional=("required",))
    return Field(name, ColumnType.parse(keys.data["type"], keys.at("type")), keys.flag("required"))


def _tables(keys: _Mapping) -> tuple[Table, ...]:
    tables = tuple(_table(name, keys.mapping(name)) for name in keys.names(NAME))
    if len(tables) > TABLES_MAX:
        raise DeclarationError(f"expected at most {TABLES_MAX} tables, found {len(tables)}", keys.where)
    stored = {table.physical_name: table.name for table in tables if table.kind == "additive"}
    for table in tables:
        if stored.get(table.name, table.name) != table.name:
            message = f"expected a name of its own, found the one under which {stored[table.name]} is stored"
            raise DeclarationError(message, keys.at(table.name))
    return tables


def _table(name: str, data: _Mapping) -> Table:
    keys = _Mapping(
        data.data,
        data.where,
        required=("columns",),
        optional=("kind", "partition", "deduplicate", "sums", "sort", "dist"),
    )
    declared = keys.mapping("columns")
    columns = tuple(
        Column(key, ColumnType.parse(declared.data[key], declared.at(key))) for key in declared.names(COLUMN)
    )
    names = tuple(column.name for column in columns)
    kind = keys.choice("kind", ("facts", "additive"), "facts")
    sums = keys.columns("sums", names)
    if (kind == "additive") != bool(sums):
        raise keys.fail("sums", "the columns that add up, for a table of kind additive and only there")
    numbers = tuple(column.name for column in columns if column.type.kind in SUMMABLE)
    if not set(sums) <= set(numbers):
        raise keys.fail("sums", f"columns of type {', '.join(SUMMABLE)}")
    if set(sums) == set(names):
        raise keys.fail("sums", "at least one column that is not summed")
    deduplicate = keys.column("deduplicate", names)
    if deduplicate and kind != "facts":
        raise keys.fail("deduplicate", "a key only for a table of kind facts")
    return Table(
        name=name,
        kind=kind,
        columns=columns,
        partition=keys.column("partition", names),
        deduplicate=deduplicate,
        sums=sums,
        sort=keys.columns("sort", names),
        dist=keys.column("dist", names),
    )


def _format(keys: _Mapping) -> Format:
    section = keys.section("format", ("type", "compression"))
    return Format(
        type=section.choice("type", ("json",), "json"),
        compression=section.choice("compression", ("auto",), "auto"),
    )


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
