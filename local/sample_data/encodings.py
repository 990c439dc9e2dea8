"""How the records of the sample traffic are written down, and how they are spoilt: JSON objects, or lines of CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Record = dict[str, Any]
Separator = Literal["none", "newline"]


class Form(Protocol):
    """A way to write records; the names of dirt are those of `Expected.dirt`."""

    @property
    def unreadable(self) -> tuple[str, ...]:
        """Dirt that is no record at all."""
        ...

    @property
    def unfit(self) -> tuple[str, ...]:
        """Dirt that is a record, but not as declared."""
        ...

    def text(self, record: Record, fate: str) -> str:
        """The record as sent; spoilt if its fate is a kind of dirt."""
        ...

    def body(self, names: Iterable[str], texts: Iterable[str], separator: Separator, /) -> str:
        """A file's content: its records, all of the same fields."""
        ...


@dataclass(frozen=True)
class JsonObjects:
    """Objects one behind the other, as Firehose joins what producers send."""

    required: str  # a field that dirt takes away
    number: str  # a field that dirt turns into text
    unreadable: tuple[str, ...] = ("cut_off", "not_json")
    unfit: tuple[str, ...] = ("wrong_type", "missing_field")

    def text(self, record: Record, fate: str) -> str:
        if fate == "not_json":
            return "<html><h1>502 Bad Gateway</h1></html>"
        if fate == "wrong_type":
            return json.dumps({**record, self.number: "n/a"})
        if fate == "missing_field":
            return json.dumps({name: value for name, value in record.items() if name != self.required})
        text = json.dumps(record)
        return text[: len(text) // 2] if fate == "cut_off" else text

    def body(self, _names: Iterable[str], texts: Iterable[str], separator: Separator, /) -> str:
        joint = "\n" if separator == "newline" else ""
        return "".join(text + joint for text in texts)


@dataclass(frozen=True)
class CsvLines:
    """A header line and quoted fields, as exports have them; their lines always end."""

    required: str
    unreadable: tuple[str, ...] = ("cut_off", "too_many")
    unfit: tuple[str, ...] = ("missing_field",)

    def text(self, record: Record, fate: str) -> str:
        values = list((record | {self.required: None} if fate == "missing_field" else record).values())
        if fate == "cut_off":
            values = values[: len(values) // 2]
        if fate == "too_many":
            values.append("of another export")
        return line(values)

    def body(self, names: Iterable[str], texts: Iterable[str], _separator: Separator, /) -> str:
        return line(names) + "".join(texts)


def line(values: Iterable[Any]) -> str:
    """One line as RFC 4180 has it, every field in quotes."""
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL).writerow(values)
    return written.getvalue()
