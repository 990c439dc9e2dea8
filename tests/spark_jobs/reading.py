"""What the tests of every file reader do: read one file, and sort what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from spark_jobs.engine.formats import FileReader
from spark_jobs.engine.formats.records import End
from tidemark.core.job import Rejected

Read = tuple[list[dict[str, Any]], list[Rejected], End]


def sorted_out(reader: FileReader, body: bytes | Iterable[bytes]) -> Read:
    """The rows, rejected records and the file's end; checks that every table has the reader's schema."""
    rows: list[dict[str, Any]] = []
    rejected: list[Rejected] = []
    *pieces, end = reader.read([body] if isinstance(body, bytes) else body)
    assert isinstance(end, End)
    for piece in pieces:
        if isinstance(piece, pa.Table):
            assert piece.schema == reader.schema
            rows += piece.to_pylist()
        else:
            assert isinstance(piece, list)
            rejected += piece
    return rows, rejected, end
