"""From a Parquet or ORC file to Arrow tables of good records, and rejected ones with row and reason.

Both have their table of contents at the end, so an object is spooled before it is read, by batches of rows. No Spark,
no S3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from tempfile import SpooledTemporaryFile
from typing import Any, Optional

import pyarrow as pa
from pyarrow.orc import ORCFile
from pyarrow.parquet import ParquetFile

from spark_jobs.engine import decompression
from spark_jobs.engine.decompression.source import DamagedError
from spark_jobs.engine.formats import joined, rows
from spark_jobs.engine.formats.columns import record_schema
from spark_jobs.engine.formats.isolated import answered, isolated
from spark_jobs.engine.formats.members import one_line, read_members
from spark_jobs.engine.formats.orc_moments import beyond_nanoseconds
from spark_jobs.engine.formats.records import End, Piece
from tidemark.core.dataset import Field
from tidemark.core.job import Rejected

ROWS = 8_192  # in a batch
ROWS_MAX = 1 << 40  # in a group
SPOOL_BYTES = 64 << 20  # of an object stay in memory; a larger one goes to disk

_NAMES = {"parquet": "Parquet", "orc": "ORC"}
_MAGIC = {"parquet": b"PAR1", "orc": b"ORC"}

_UNREADABLE = (pa.ArrowException, OSError, ValueError)

#: How many rows belong together, and the rows: damage costs its own group alone.
_Group = tuple[int, Iterator[pa.RecordBatch]]
#: How many rows a file says that it has, and its groups.
_Opened = tuple[int, list[_Group]]


class ColumnarReader:
    """Reads files of one declared shape; stateless between files."""

    def __init__(self, type_: str, fields: Sequence[Field]) -> None:
        self._type, self._name = type_, _NAMES[type_]
        self._fields = tuple(fields)
        self.schema = record_schema(fields)

    def read(self, parts: Iterable[bytes]) -> Iterator[Piece]:
        """Everything that an object's bytes hold, in order; nothing is skipped in silence."""
        return read_members(parts, None, self.read_member)

    def read_member(self, parts: Iterable[bytes]) -> Iterator[Piece]:
        """The same of the content of one file within the object; it may be several, joined by hand."""
        # Without a buffer, for a process of its own moves in the same file, behind a buffer's back.
        with SpooledTemporaryFile(SPOOL_BYTES, buffering=0) as spool:
            damage = _spooled(parts, spool)
            files = joined.files(spool, self._type)
            state = _State(damage)
            if damage and not files:
                yield state.rejected(damage, "")
            for number, file in enumerate(files, 1):
                yield from self._file(file, state, last=number == len(files))
            yield End(spool.seek(0, 2), one_line(state.problems))

    def _file(self, file: Any, state: _State, *, last: bool) -> Iterator[Piece]:
        try:
            rows_said, groups = self._groups(file)
        except DamagedError as error:
            torn = last and state.damage
            yield state.rejected(torn or str(error), _head(file))
            return
        first = state.row
        for count, batches in groups:
            end = state.row + count
            try:
                for batch in _guarded(batches):
                    yield from rows.pieces(_columns(batch), batch.num_rows, state.row, self._fields)
                    state.row += batch.num_rows
                if state.row < end:
                    raise DamagedError("fewer rows than the file says")
            except DamagedError as error:
                yield state.rejected(f"{self._name} damaged in rows {state.row + 1} to {end}: {error}", "")
            state.row = end
        if state.row - first != rows_said:
            yield state.rejected(f"{self._name} damaged: expected {rows_said} rows, found {state.row - first}", "")

    def _groups(self, file: Any) -> _Opened:
        """What the file says it holds; `DamagedError` when it is no such file, or not the declared one."""
        file.seek(0)
        head = file.read(decompression.HEAD)
        if not head.startswith(_MAGIC[self._type]):
            raise DamagedError(f"not {self._name} but {decompression.foreign(head) or 'something else'}")
        opened = {"parquet": _parquet, "orc": _orc}[self._type]
        try:
            names, found = opened(pa.PythonFile(file, "r"))
        except (*_UNREADABLE, LookupError) as error:
            raise DamagedError(f"{self._name} damaged: {_brief(error)}") from None
        rows.same_names(names, self._fields)
        return found


class _State:
    """How far a member is read, and what was wrong with it."""

    def __init__(self, damage: Optional[str]) -> None:
        self.damage = damage  # of what it is packed in
        self.row = 0
        self.problems = [damage] if damage else []

    def rejected(self, reason: str, raw: str) -> list[Rejected]:
        """The record that stands for what cannot be read from here on."""
        if reason not in self.problems:
            self.problems.append(reason)
        return [Rejected(self.row, self.row + 1, reason, raw)]


def _spooled(parts: Iterable[bytes], spool: Any) -> Optional[str]:
    """What is wrong with the rest of the parts, all others of which are in the spool."""
    try:
        for part in parts:
            spool.write(part)
    except DamagedError as error:
        return str(error)
    return None


def _parquet(source: pa.NativeFile) -> tuple[list[str], _Opened]:
    # What old writers call INT96 would else be read as nanoseconds, which end in 2262.
    file = ParquetFile(source, coerce_int96_timestamp_unit="us", page_checksum_verification=True)
    meta = file.metadata
    groups = [
        (_count(meta.row_group(group).num_rows), file.iter_batches(ROWS, row_groups=[group], use_threads=False))
        for group in range(meta.num_row_groups)
    ]
    return file.schema_arrow.names, (meta.num_rows, groups)


def _orc(source: pa.NativeFile) -> tuple[list[str], _Opened]:
    try:
        names, said, is_beyond = answered(lambda: _orc_footer(source))
    except DamagedError as error:
        raise pa.ArrowInvalid(str(error)) from None
    if is_beyond:
        raise DamagedError("moments before 1677 or after 2262, which cannot be read from ORC")
    count = _count(said)
    return names, (count, [(count, isolated(lambda: _stripes(source)))])


def _orc_footer(source: pa.NativeFile) -> tuple[list[str], int, bool]:
    """Names, number of rows, and whether there are moments that nanoseconds cannot tell."""
    file = ORCFile(source)
    return file.schema.names, file.nrows, beyond_nanoseconds(file, source)


def _count(said: int) -> int:
    """How many rows belong together, as far as that can be: the number may be damaged."""
    return min(max(0, said), ROWS_MAX)


def _stripes(source: pa.NativeFile) -> Iterator[pa.RecordBatch]:
    file = ORCFile(source)
    for number in range(file.nstripes):
        stripe = file.read_stripe(number)
        yield from (stripe.slice(start, ROWS) for start in range(0, stripe.num_rows, ROWS))


def _columns(batch: pa.RecordBatch) -> dict[str, pa.Array]:
    return dict(zip(batch.schema.names, batch.columns))


def _guarded(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    try:
        yield from batches
    except _UNREADABLE as error:
        raise DamagedError(_brief(error)) from None


def _brief(error: BaseException) -> str:
    """The first line of what a library says."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _head(file: Any) -> str:
    """Enough for a person to see what it is."""
    file.seek(0)
    return str(file.read(64).decode("utf-8", "backslashreplace"))
