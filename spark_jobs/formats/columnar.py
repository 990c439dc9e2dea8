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

from spark_jobs import content
from spark_jobs.content import compression
from spark_jobs.content.source import DamagedError
from spark_jobs.formats import rows
from spark_jobs.formats.columns import schema_of
from spark_jobs.formats.orc_moments import beyond_nanoseconds
from spark_jobs.formats.records import End, Piece, Rejected
from tidemark.core.dataset import Field

ROWS = 8_192  # in a batch
SPOOL_BYTES = 64 << 20  # of an object stay in memory; a larger one goes to disk

_NAMES = {"parquet": "Parquet", "orc": "ORC"}
_MAGIC = {"parquet": b"PAR1", "orc": b"ORC"}

_UNREADABLE = (pa.ArrowException, OSError, ValueError)

#: How many rows belong together, and the rows: damage costs its own group alone.
_Group = tuple[int, Iterator[pa.RecordBatch]]


class ColumnarReader:
    """Reads files of one declared shape; stateless between files."""

    def __init__(self, type_: str, fields: Sequence[Field]) -> None:
        self._type, self._name = type_, _NAMES[type_]
        self._fields = tuple(fields)
        self.schema = schema_of(fields)

    def read(self, parts: Iterable[bytes]) -> Iterator[Piece]:
        """Everything that an object's bytes hold, in order; nothing is skipped in silence."""
        with SpooledTemporaryFile(SPOOL_BYTES) as spool:
            problem: Optional[str] = None
            try:
                for part in compression.plain(parts):
                    spool.write(part)
                groups = self._groups(spool) if spool.tell() else []
            except DamagedError as error:
                problem, groups = str(error), []
                yield [Rejected(0, 1, problem, _head(spool))]
            first = 0
            for count, batches in groups:
                done = first
                try:
                    for batch in _guarded(batches):
                        yield from rows.pieces(_columns(batch), batch.num_rows, done, self._fields)
                        done += batch.num_rows
                    if done < first + count:
                        raise DamagedError("fewer rows than the file says")
                except DamagedError as error:
                    reason = f"{self._name} damaged in rows {done + 1} to {first + count}: {error}"
                    problem = problem or reason
                    yield [Rejected(done, done + 1, reason, "")]
                first += count
            spool.seek(0, 2)
            yield End(spool.tell(), problem)

    def _groups(self, spool: Any) -> list[_Group]:
        """What the file holds; `DamagedError` when it is no such file, or another than the declaration expects."""
        spool.seek(0)
        head = spool.read(16)
        if not head.startswith(_MAGIC[self._type]):
            raise DamagedError(f"not {self._name} but {content.foreign(head) or 'something else'}")
        opened = {"parquet": _parquet, "orc": _orc}[self._type]
        try:
            names, groups = opened(pa.PythonFile(spool, "r"))
        except (*_UNREADABLE, LookupError) as error:
            raise DamagedError(f"{self._name} damaged: {_brief(error)}") from None
        rows.same_names(names, self._fields)
        return groups


def _parquet(source: pa.NativeFile) -> tuple[list[str], list[_Group]]:
    # What old writers call INT96 would else be read as nanoseconds, which end in 2262.
    file = ParquetFile(source, coerce_int96_timestamp_unit="us", page_checksum_verification=True)
    meta = file.metadata
    groups = [
        (meta.row_group(group).num_rows, file.iter_batches(ROWS, row_groups=[group], use_threads=False))
        for group in range(meta.num_row_groups)
    ]
    return file.schema_arrow.names, groups


def _orc(source: pa.NativeFile) -> tuple[list[str], list[_Group]]:
    file = ORCFile(source)
    if beyond_nanoseconds(file, source):
        raise DamagedError("moments before 1677 or after 2262, which cannot be read from ORC")
    stripes = (file.read_stripe(number) for number in range(file.nstripes))
    parts = (stripe.slice(start, ROWS) for stripe in stripes for start in range(0, stripe.num_rows, ROWS))
    return file.schema.names, [(file.nrows, parts)]


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


def _head(spool: Any) -> str:
    """Enough for a person to see what it is."""
    spool.seek(0)
    return str(spool.read(64).decode("utf-8", "backslashreplace"))
