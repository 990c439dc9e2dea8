"""Reads CSV and TSV files: Arrow tables of valid records, and rejected records with position and reason.

A file is split by RFC 4180 (`splitting`) and typed column by column (`columns`). Quotes do not change a field's
meaning: if the format's `nulls` include the empty text, `""` is null, too. No Spark, no S3.
"""

from __future__ import annotations

import io
from collections.abc import Generator, Iterable, Iterator, Sequence
from functools import partial
from itertools import accumulate
from typing import Any, Optional

import pyarrow as pa
import pyarrow.compute as pc

from spark_jobs.engine import decompression
from spark_jobs.engine.decompression.decoding import NO_TEXT, Decoding, readable
from spark_jobs.engine.formats.columns import Values, record_schema, typed
from spark_jobs.engine.formats.headers import MARK, Headers, column_names, unfit
from spark_jobs.engine.formats.members import read_members
from spark_jobs.engine.formats.records import RAW_MAX, RECORD_MAX, End, Piece
from spark_jobs.engine.formats.scanner import Budget
from spark_jobs.engine.formats.splitting import GLUED, HEADER, SplitRecord, dialect, split
from spark_jobs.engine.formats.texts import read_as
from tidemark.core.dataset import Field, Format
from tidemark.core.job import Rejected

_BLANKS = " \t"
_CUT_OFF = "record cut off"


class DelimitedReader:
    """Reads files of one declared shape; stateless between files."""

    def __init__(self, format_: Format, fields: Sequence[Field]) -> None:
        self._format, self._fields = format_, tuple(fields)
        self.schema = record_schema(fields)

    def read(self, parts: Iterable[bytes]) -> Iterator[Piece]:
        """All content of an object's bytes in order; whatever cannot be read is reported.

        Ignored because they have no content: empty lines, empty fields after the last column, and repetitions of the
        header, which concatenated files have.
        """
        return read_members(parts, self._format.encoding, partial(self.read_member, budget=Budget()))

    def read_member(self, parts: Iterable[bytes], budget: Budget) -> Iterator[Piece]:
        """The same for one file within the object, which may itself be several concatenated files.

        `budget` limits the work on unclosed quotes; all files of the object share it.
        """
        file: Optional[_File] = None
        for block, final, damage in decompression.with_last_flag(decompression.plain_blocks(parts)):
            if file is None:
                kind = decompression.foreign(block[: decompression.HEAD])
                if kind:
                    reason = f"not {self._format.type.upper()} but {kind}"
                    yield [Rejected(0, 1, reason, block[: RAW_MAX // 4].decode("utf-8", "backslashreplace"))]
                    yield End(len(block), reason)
                    return
                file = _File(block, self._format, self._fields, budget)
            yield from file.more(block, final=final, damaged=damage is not None)
            if file.refused or final:
                yield End(file.read, file.refused or damage)
                return


class _File:
    """The state of reading one file: the unsettled text, its position, and the header's columns."""

    def __init__(self, head: bytes, format_: Format, fields: Sequence[Field], budget: Budget) -> None:
        self.read = 0  # bytes
        self.refused = ""  # the reason why the rest is not read
        self._format, self._fields, self._how = format_, fields, dialect(format_)
        self._decoding = Decoding(head, format_.encoding)
        self._position, self._line = 0, 1
        self._text, self._enough = "", 0
        self._done = 0  # settled characters of the text
        self._budget = budget
        self._headers: Optional[Headers] = None  # detects further headers among the records
        self._rejected_header: list[Rejected] = []
        self._names = [] if format_.header else [field.raw for field in fields]
        self._skipping = False  # whether the text begins within a line that was rejected for its length

    def more(self, block: bytes, *, final: bool, damaged: bool) -> Iterator[Piece]:
        """The pieces that the next block completes."""
        text = self._decoding.text(block, final=final)
        if not self.read and text.startswith(MARK):
            self._position, text = self._decoding.size(text[0]), text[1:]
        self.read += len(block)
        self._text += text
        if not final and len(self._text) < self._enough:
            return
        before = self._position
        yield from self._settled(final=final, damaged=damaged)
        # Avoids splitting a long record again for every block.
        self._enough = 0 if self._position > before else 2 * len(self._text)

    def _settled(self, *, final: bool, damaged: bool) -> Iterator[Piece]:
        if self._skipping:
            self._skip()
        overlong = len(self._text) > RECORD_MAX
        whole = len(self._text) if final and not damaged else _lines_end(self._text)
        lines = list(io.StringIO(self._text[:whole], newline=""))
        marked, at = MARK in self._text, 0
        while at < len(lines) and not self.refused:
            at = yield from self._one_file(lines, at, marked=marked, final=final, overlong=overlong)
        self._cut()
        if self.refused:
            yield self._rejected_header
        elif self._text and (final or (overlong and not whole)):
            reason = _CUT_OFF if final else f"a line of more than {RECORD_MAX} bytes"
            yield [Rejected(self._position, self._line, reason, _shown(self._text))]
            self._skipping = not final
            self._advance([self._text], lines=0)
            self._cut()

    def _one_file(
        self, lines: list[str], at: int, *, marked: bool, final: bool, overlong: bool
    ) -> Generator[Piece, None, int]:
        """The pieces from line `at` up to the next header; returns the line where that header begins."""
        how: dict[str, Any] = {"marked": marked, "final": final, "overlong": overlong}
        if not self._names:
            at = self._past_header(lines, at, how)
        if not self._names:
            return len(lines)
        width = len(self._names)
        records, done = split(lines, self._how, width, self._budget, start=at, headers=self._headers, **how)
        ends = records.pop() if records and records[-1].reason in (HEADER, GLUED) else None
        yield from self._pieces(lines, range(at, done), records)
        self._advance(lines[at:done])
        if ends is None:
            return len(lines)
        if ends.reason == GLUED:
            done = yield from self._glued(lines, ends)
        self._names = []
        return done

    def _glued(self, lines: list[str], ends: SplitRecord) -> Generator[Piece, None, int]:
        """The last record of a file whose last line does not end; the next file's header stays in `lines`."""
        assert self._headers  # GLUED is found only with headers
        last = lines[ends.end - 1]
        at = self._headers.glued_at(last)
        record = [*lines[ends.first : ends.end - 1], last[:at]]
        records, _ = split(record, self._how, len(self._names), self._budget, final=True, marked=True)
        yield from self._pieces(record, range(len(record)), records)
        self._advance(record, lines=len(record) - 1)
        lines[ends.end - 1] = last[at:]
        return ends.end - 1

    def _skip(self) -> None:
        """Skip the rest of a line that was rejected for its length."""
        line = next(io.StringIO(self._text, newline=""), "")
        ended = line.endswith(("\n", "\r")) and len(line) < len(self._text)
        self._advance([line], lines=int(ended))
        self._cut()
        self._skipping = not ended

    def _advance(self, done: Sequence[str], *, lines: Optional[int] = None) -> None:
        passed = "".join(done)
        self._position += self._decoding.size(passed)
        self._line += len(done) if lines is None else lines
        self._done += len(passed)

    def _cut(self) -> None:
        """Drop the settled text."""
        self._text, self._done = self._text[self._done :], 0

    def _past_header(self, lines: list[str], at: int, how: dict[str, Any]) -> int:
        """Read the header if it is complete, and set the columns or refuse the file; the line after it."""
        records, done = split(lines, self._how, None, self._budget, start=at, most=1, **how)
        if not records:
            self._advance(lines[at:done])
            return done
        (header,) = records
        self._advance(lines[at : header.first])
        written = "".join(lines[header.first : header.end])
        names = column_names(header.fields)
        problem = header.reason or (f"invalid {self._decoding.name.upper()}" if NO_TEXT.search(written) else "")
        problem = problem or unfit(names, self._fields)
        if problem:
            self.refused = f"header: {problem}"
            self._rejected_header = [Rejected(self._position, self._line, self.refused, _shown(written))]
            return len(lines)
        self._names, self._headers = names, Headers(header.fields, self._fields, self._format.delimiter)
        self._advance(lines[header.first : header.end])
        return header.end

    def _pieces(self, lines: Sequence[str], stretch: range, records: Sequence[SplitRecord]) -> Iterator[Piece]:
        """The typed rows and the rejected records of a stretch of lines, which begins at the file's position."""
        good, bad = [], []
        noise = any(map(_unreadable, lines[stretch.start : stretch.stop]))
        for one in records:
            reason = (self._noise(lines[one.first : one.end]) if noise else "") or one.reason
            if reason:
                bad.append((one, reason))
            else:
                good.append(one)
        if good:
            table, reasons = typed(self._columns(good), len(good), self._fields)
            bad += [(good[row], reason) for row, reason in reasons.items()]
            if reasons:
                table = table.filter(pa.array([row not in reasons for row in range(len(good))]))
            if table.num_rows:
                yield table
        if bad:
            yield self._rejected(lines, stretch, sorted(bad, key=lambda one: one[0].first))

    def _noise(self, lines: Sequence[str]) -> str:
        text = "".join(lines)
        if NO_TEXT.search(text):
            return f"invalid {self._decoding.name.upper()}"
        return "a zero byte" if "\0" in text else ""

    def _columns(self, good: Sequence[SplitRecord]) -> dict[str, Values]:
        """The records' fields by column, as nullable text or already typed."""
        nulls = pa.array(self._format.nulls, pa.string())
        columns: dict[str, Values] = {}
        for name, values in zip(self._names, zip(*(one.fields for one in good))):
            column = pa.array(values, pa.string())
            if self._format.trim:
                column = pc.utf8_trim(column, _BLANKS)
            column = pc.if_else(pc.is_in(column, nulls), None, column)
            fields = [field for field in self._fields if field.raw == name]
            columns[name] = read_as(column, fields) if fields else column
        return columns

    def _rejected(self, lines: Sequence[str], stretch: range, bad: Iterable[tuple[SplitRecord, str]]) -> list[Rejected]:
        sizes = map(self._decoding.size, lines[stretch.start : stretch.stop])
        starts, line = list(accumulate(sizes, initial=self._position)), self._line
        placed = ((one, one.first - stretch.start, reason) for one, reason in bad)
        return [
            Rejected(starts[number], line + number, reason, _shown("".join(lines[one.first : one.end])))
            for one, number, reason in placed
        ]


def _lines_end(text: str) -> int:
    """The end of the last complete line; a carriage return at the very end may be followed by a line feed."""
    end = len(text) - text.endswith("\r")
    return max(text.rfind("\n", 0, end), text.rfind("\r", 0, end)) + 1


def _unreadable(line: str) -> Any:
    return "\0" in line or (not line.isascii() and NO_TEXT.search(line))


def _shown(text: str) -> str:
    return readable(text[:RAW_MAX].rstrip("\r\n"))[:RAW_MAX]
