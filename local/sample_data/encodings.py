"""Encodings of sample records, valid or deliberately malformed: JSON objects and CSV lines."""

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
    """An encoding of records; its kinds of dirt are the keys of `Expected.dirt`."""

    @property
    def unreadable(self) -> tuple[str, ...]:
        """Kinds of dirt that cannot be parsed as a record."""
        ...

    @property
    def unfit(self) -> tuple[str, ...]:
        """Kinds of dirt that can be parsed, but do not match the declared schema."""
        ...

    def text(self, record: Record, fate: str) -> str:
        """The record as sent, malformed if its fate is a kind of dirt."""
        ...

    def body(self, names: Iterable[str], texts: Iterable[str], separator: Separator, /) -> str:
        """A file's content from its records' texts; all records have the fields `names`."""
        ...


@dataclass(frozen=True)
class JsonObjects:
    """Concatenated JSON objects, as Firehose joins the records that producers send."""

    required: str  # the field that "missing_field" removes
    number: str  # the field that "wrong_type" replaces by text
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
        delimiter = "\n" if separator == "newline" else ""
        return "".join(text + delimiter for text in texts)


@dataclass(frozen=True)
class CsvLines:
    """CSV with a header line and quoted fields, as in exports; the last line ends with a line break, too."""

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
    """One line in the format of RFC 4180, with every field quoted."""
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL).writerow(values)
    return written.getvalue()
