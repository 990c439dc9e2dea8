"""Reads Parquet and ORC files: Arrow tables of valid records, and rejected records with row number and reason.

Both formats have their metadata at the end, so an object is spooled before it is read in batches of rows. No Spark, no
S3.
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

ROWS = 8_192  # per batch
ROWS_MAX = 1 << 40  # per group
SPOOL_BYTES = 64 << 20  # objects up to this size stay in memory; larger ones go to disk

_NAMES = {"parquet": "Parquet", "orc": "ORC"}
_MAGIC = {"parquet": b"PAR1", "orc": b"ORC"}

_UNREADABLE = (pa.ArrowException, OSError, ValueError)

#: A group of rows and its declared size; damage affects only its own group.
_Group = tuple[int, Iterator[pa.RecordBatch]]
#: A file's declared number of rows, and its groups.
_Opened = tuple[int, list[_Group]]


class ColumnarReader:
    """Reads files of one declared shape; stateless between files."""

    def __init__(self, type_: str, fields: Sequence[Field]) -> None:
        self._type, self._name = type_, _NAMES[type_]
        self._fields = tuple(fields)
        self.schema = record_schema(fields)

    def read(self, parts: Iterable[bytes]) -> Iterator[Piece]:
        """All content of an object's bytes in order; whatever cannot be read is reported."""
        return read_members(parts, None, self.read_member)

    def read_member(self, parts: Iterable[bytes]) -> Iterator[Piece]:
        """The same for one file within the object, which may itself be several concatenated files."""
        # Unbuffered, because a child process seeks in the same open file, which a buffer would not notice.
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
            declared_rows, groups = self._groups(file)
        except DamagedError as error:
            truncation = last and state.damage
            yield state.rejected(truncation or str(error), _head(file))
            return
        first = state.row
        for count, batches in groups:
            end = state.row + count
            try:
                for batch in _guarded(batches):
                    yield from rows.pieces(_columns(batch), batch.num_rows, state.row, self._fields)
                    state.row += batch.num_rows
                if state.row < end:
                    raise DamagedError("fewer rows than the file declares")
            except DamagedError as error:
                yield state.rejected(f"{self._name} damaged in rows {state.row + 1} to {end}: {error}", "")
            state.row = end
        if state.row - first != declared_rows:
            yield state.rejected(f"{self._name} damaged: expected {declared_rows} rows, found {state.row - first}", "")

    def _groups(self, file: Any) -> _Opened:
        """The file's number of rows and its groups; `DamagedError` if it has another format or lacks columns."""
        file.seek(0)
        head = file.read(decompression.HEAD)
        if not head.startswith(_MAGIC[self._type]):
            raise DamagedError(f"not {self._name} but {decompression.foreign(head) or 'something else'}")
        opened = {"parquet": _parquet, "orc": _orc}[self._type]
        try:
            names, contents = opened(pa.PythonFile(file, "r"))
        except (*_UNREADABLE, LookupError) as error:
            raise DamagedError(f"{self._name} damaged: {_brief(error)}") from None
        rows.same_names(names, self._fields)
        return contents


class _State:
    """The reading position within a member, and its problems."""

    def __init__(self, damage: Optional[str]) -> None:
        self.damage = damage  # of the container around it
        self.row = 0
        self.problems = [damage] if damage else []

    def rejected(self, reason: str, raw: str) -> list[Rejected]:
        """One rejected record that represents everything unreadable from this row on."""
        if reason not in self.problems:
            self.problems.append(reason)
        return [Rejected(self.row, self.row + 1, reason, raw)]


def _spooled(parts: Iterable[bytes], spool: Any) -> Optional[str]:
    """Write the parts to the spool up to any damage; a description of the damage, or None."""
    try:
        for part in parts:
            spool.write(part)
    except DamagedError as error:
        return str(error)
    return None


def _parquet(source: pa.NativeFile) -> tuple[list[str], _Opened]:
    # INT96 timestamps of old writers would otherwise be read as nanoseconds, which end in 2262.
    file = ParquetFile(source, coerce_int96_timestamp_unit="us", page_checksum_verification=True)
    meta = file.metadata
    groups = [
        (_count(meta.row_group(group).num_rows), file.iter_batches(ROWS, row_groups=[group], use_threads=False))
        for group in range(meta.num_row_groups)
    ]
    return file.schema_arrow.names, (meta.num_rows, groups)


def _orc(source: pa.NativeFile) -> tuple[list[str], _Opened]:
    try:
        names, declared_rows, is_beyond = answered(lambda: _orc_footer(source))
    except DamagedError as error:
        raise pa.ArrowInvalid(str(error)) from None
    if is_beyond:
        raise DamagedError("timestamps before 1677 or after 2262, which cannot be read from ORC")
    count = _count(declared_rows)
    return names, (count, [(count, isolated(lambda: _stripes(source)))])


def _orc_footer(source: pa.NativeFile) -> tuple[list[str], int, bool]:
    """The column names, the number of rows, and whether there are timestamps outside the range of nanoseconds."""
    file = ORCFile(source)
    return file.schema.names, file.nrows, beyond_nanoseconds(file, source)


def _count(declared_rows: int) -> int:
    """The declared number of rows, limited to a plausible range because it may be damaged."""
    return min(max(0, declared_rows), ROWS_MAX)


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
    """The first line of a library's error message."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _head(file: Any) -> str:
    """The first bytes, enough for a person to recognize the content."""
    file.seek(0)
    return str(file.read(64).decode("utf-8", "backslashreplace"))
