"""Reads JSON files: Arrow tables of valid records, and rejected records with position and reason. No Spark, no S3.

The fast path is vectorised: pyarrow parses a block with the declared schema. Only a block with a problem goes to the
exact scanner. The scanner reads everything that the vectorised parser accepts to the same values, so the treatment of a
record does not depend on its neighbours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial, reduce
from json import JSONDecodeError
from typing import Any, NamedTuple, Optional, Union

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from spark_jobs.engine import decompression
from spark_jobs.engine.formats.checks import MissingError, UnfitError, row_check
from spark_jobs.engine.formats.columns import fits, record_schema
from spark_jobs.engine.formats.envelopes import Element, elements, hint, names, salvaged
from spark_jobs.engine.formats.members import read_members
from spark_jobs.engine.formats.paths import are_apart, follow, left_of, nested_schema, taken
from spark_jobs.engine.formats.rescue import rescued, rescued_of_objects
from spark_jobs.engine.formats.scanner import Budget, Shape, Stretch, scan
from tidemark.core.column_types import Family
from tidemark.core.dataset import Field
from tidemark.core.job import Rejected
from tidemark.core.path import Path

RAW_MAX = 4_096  # characters of a rejected record that are kept
#: A record longer than this many bytes is rejected in pieces instead of being gathered in memory.
RECORD_MAX = 64 << 20

#: A null without a following comma or bracket is at the top level, and pyarrow would make it a row of nulls. At the
#: very beginning, it crashes pyarrow 21's parser.
_LEADING_NULL = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*null")
_TOP_LEVEL_NULL = re.compile(rb"null[ \t\r\n]*(?:[^ \t\r\n,}\]]|\Z)")
#: Unpaired surrogates that do not represent an undecodable byte; they can come from escapes in nested JSON text.
_LONE = re.compile("[\ud800-\udc7f\udd00-\udfff]")
#: Ends of records at which to cut a block; a wrong guess only prevents the fast path, and never loses a record.
_ENDS = (b"}\n{", b"}\r\n{", b"}{", b"} {")
_TAIL = 1 << 16


class End(NamedTuple):
    """The end of a file."""

    bytes: int  # of decompressed content that was read
    problem: Optional[str]  # the reason why the file could not be read to its end


Piece = Union[pa.Table, list[Rejected], End]


class RecordReader:
    """Reads files of one declared shape; stateless between files."""

    def __init__(self, fields: Sequence[Field], path: Path = ()) -> None:
        """`path` selects the records in each object; without a path, the object is the record."""
        self._path = path
        self._fields = tuple(fields)
        self.schema = record_schema(fields)
        self._known = frozenset(str(field.steps[0]) for field in fields)
        self._shape = Shape(frozenset(str(field.steps[0]) for field in fields if field.required), self._known)
        self._inner = tuple((field.raw, field.path) for field in fields if field.path)
        self._taken = taken(fields)
        self._row = row_check(fields)
        # The parser scales a decimal without checking whether 38 digits suffice.
        exact = all(sum(field.type.arguments) <= 38 for field in fields if field.type.family is Family.DECIMAL)
        self._vectorised = exact and not path and are_apart(fields)
        self._outer = Shape(frozenset(path[:1]), frozenset(path[:1])) if path else self._shape  # type: ignore[arg-type]
        # pyarrow reads dates only from numbers of days, so they are read as text and converted afterwards.
        types = [pa.string() if type_ == pa.date32() else type_ for type_ in self.schema.types[:-1]]
        self._parsed = nested_schema(fields, types) if self._vectorised else pa.schema([])

    def read(self, parts: Iterable[bytes]) -> Iterator[Piece]:
        """All content of an object's bytes in order; whatever cannot be read is reported."""
        return read_members(parts, "utf-8", partial(self.read_member, budget=Budget()))

    def read_member(self, parts: Iterable[bytes], budget: Budget) -> Iterator[Piece]:
        """The same for one file within the object; all its files share the `budget` for scanning."""
        place, buffer, enough = _Position(), b"", 0
        for number, (block, final, damage) in enumerate(decompression.with_last_flag(decompression.blocks(parts))):
            kind = "" if number else decompression.foreign(block[: decompression.HEAD])
            if kind:
                yield _foreign(block, kind)
                yield End(len(block), f"not JSON but {kind}")
                return
            buffer += block
            if final or len(buffer) >= enough:
                done, pieces = self._some(buffer, place, budget, final=final or len(buffer) > RECORD_MAX)
                yield from pieces
                buffer = buffer[done:]
                # Unsettled text is scanned again only once it has doubled, not for every block.
                enough = min(2 * len(buffer), RECORD_MAX + 1)
            if final:
                yield End(place.position, damage or place.unsearched)

    def _some(self, buffer: bytes, place: _Position, budget: Budget, *, final: bool) -> tuple[int, list[Piece]]:
        """Read from the beginning of the buffer: the number of settled bytes, and their pieces."""
        cut = len(buffer) if final else _last_end(buffer)
        table = self._parse(buffer[:cut]) if cut else None
        if table is not None:
            place.advance(buffer, cut)
            budget.settle(cut)
            return cut, [table] if table.num_rows else []
        text = buffer.decode("utf-8", "surrogateescape")
        stretches, end = scan(text, self._outer, final=final, budget=budget)
        pieces = self._checked(text, stretches, place)
        done = len(buffer) if end == len(text) else _size(text[:end])
        place.advance(buffer, done)
        return done, pieces

    def _parse(self, data: bytes) -> Optional[pa.Table]:
        """The vectorised fast path; None if anything in the data is out of the ordinary."""
        if not self._vectorised or _LEADING_NULL.match(data) or _TOP_LEVEL_NULL.search(data):
            return None
        try:
            text = None if data.isascii() else data.decode()  # pyarrow accepts invalid UTF-8 in unknown fields
            try:
                columns = self._columns(data, unexpected="error")
                rest = pa.nulls(columns[0].length() if columns else 0, pa.string())
            except pa.ArrowInvalid:
                columns = self._columns(data, unexpected="ignore")
                decoded = data.decode() if text is None else text
                kept = rescued_of_objects(decoded, self._taken, strangers=bool(self._shape.required))
                rest = pa.array(kept, pa.string())
            table = pa.table([*columns, rest], schema=self.schema)
        except (pa.ArrowInvalid, UnicodeDecodeError, JSONDecodeError, UnfitError):
            return None
        return table

    def _columns(self, data: bytes, *, unexpected: str) -> list[pa.ChunkedArray]:
        """The declared columns in their types; `ArrowInvalid` if a value does not fit or a field is unexpected."""
        table = pj.read_json(
            pa.py_buffer(data),
            read_options=pj.ReadOptions(use_threads=False, block_size=len(data) + 64),
            parse_options=pj.ParseOptions(
                explicit_schema=self._parsed, newlines_in_values=True, unexpected_field_behavior=unexpected
            ),
        )
        columns = []
        for field, type_ in zip(self._fields, self.schema.types):
            column = _column(table, field).cast(type_)
            if (field.required and column.null_count) or not fits(field, column):
                raise pa.ArrowInvalid(f"{field.raw} does not fit")
            columns.append(column)
        if unexpected == "error" and not self._shape.required and _has_empty(columns):
            raise pa.ArrowInvalid("a record of nulls, which may have no declared field")
        return columns

    def _checked(self, text: str, stretches: Sequence[Stretch], place: _Position) -> list[Piece]:
        """The typed rows and the rejected records of scanned stretches."""
        rows: list[list[Any]] = []
        rejected: list[Rejected] = []
        locate = _locator(text, place)
        for one in stretches:
            for value, reason, raw in self._elements(text, one):
                row = reason if value is None else self._typed(value)
                if not isinstance(row, str):
                    rows.append(row)
                    continue
                position, line = locate(one.start)
                rejected.append(
                    Rejected(position, line, row, _readable(raw or text[one.start : min(one.end, one.start + RAW_MAX)]))
                )
            if not one.searched and not place.unsearched:
                _, line = locate(one.start)
                place.unsearched = (
                    f"too much broken JSON from line {line} on: lines of it were not searched for records"
                )
        pieces: list[Piece] = []
        if rows:
            arrays = [pa.array(list(values), field.type) for values, field in zip(zip(*rows), self.schema)]
            pieces.append(pa.Table.from_arrays(arrays, schema=self.schema))
        return [*pieces, rejected] if rejected else pieces

    def _elements(self, text: str, one: Stretch) -> Iterable[Element]:
        """The records in a scanned stretch, which is itself the record if no path is declared."""
        if not self._path:
            return (Element(one.value, one.reason, ""),)
        whole = text[one.start : one.end]
        if one.value is None:
            return salvaged(whole, one.reason, self._path, self._shape)
        return elements(whole, one.value, self._path, self._shape)

    def _typed(self, record: dict[str, Any]) -> Union[list[Any], str]:
        """The record's row, or the reason for its rejection."""
        try:
            if not self._shape.required and self._known.isdisjoint(record):
                raise MissingError(f"no declared field, found {names(record) or 'an empty object'}")
            inner = {raw: follow(record, path) for raw, path in self._inner}
            return [*self._row({**record, **inner} if inner else record), rescued(left_of(record, self._taken) or {})]
        except MissingError as error:
            return f"{error}{hint(record, self._known, self._path)}"
        except UnfitError as error:
            return str(error)


def _column(table: pa.Table, field: Field) -> pa.ChunkedArray:
    """The field's column of a parsed table, out of the columns that it lies in."""
    first, *names = field.steps
    return pc.struct_field(table[first], names) if names else table[first]


def _foreign(head: bytes, kind: str) -> list[Rejected]:
    raw = head[: RAW_MAX // 4].decode("utf-8", "backslashreplace")
    return [Rejected(0, 1, f"not JSON but {kind}", raw)]


class _Position:
    """The buffer's position in the file, and the problem if some broken text was not searched."""

    def __init__(self) -> None:
        self.position, self.line = 0, 1
        self.unsearched: Optional[str] = None  # the file's problem

    def advance(self, buffer: bytes, count: int) -> None:
        self.position += count
        self.line += buffer.count(b"\n", 0, count)


def _last_end(buffer: bytes) -> int:
    """The beginning of the last record, guessed without parsing; 0 if there is no guess."""
    for start in (max(0, len(buffer) - _TAIL), 0):  # searching the whole buffer backwards is slow if nothing matches
        end = max(buffer.rfind(end, start) for end in _ENDS)
        if end >= 0 or not start:
            break
    return end + 1


def _locator(text: str, place: _Position) -> Callable[[int], tuple[int, int]]:
    """A function from increasing character offsets to (byte position, line) in the file."""
    at, position, line = 0, place.position, place.line

    def locate(offset: int) -> tuple[int, int]:
        nonlocal at, position, line
        passed = text[at:offset]
        at, position, line = offset, position + _size(passed), line + passed.count("\n")
        return position, line

    return locate


def _size(text: str) -> int:
    """The size in bytes of a text that was decoded with `surrogateescape`."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))


def _has_empty(columns: Sequence[pa.ChunkedArray]) -> bool:
    """Whether a row has only nulls."""
    if not all(column.null_count for column in columns):
        return False
    return bool(pc.any(reduce(pc.and_, (column.is_null() for column in columns))).as_py())


def _readable(text: str) -> str:
    """A rejected record in readable form: invalid UTF-8 and unpaired surrogates are shown as escapes."""
    shown = text[:RAW_MAX].rstrip()
    if shown.isascii():
        return shown
    bytes_ = _LONE.sub(lambda lone: f"\\u{ord(lone[0]):04x}", shown).encode("utf-8", "surrogateescape")
    return bytes_.decode("utf-8", "backslashreplace")[:RAW_MAX]
