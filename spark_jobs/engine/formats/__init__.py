"""Readers for the file formats."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import pyarrow as pa

from spark_jobs.engine.formats.delimited import DelimitedReader
from spark_jobs.engine.formats.records import Piece, RecordReader
from tidemark.core.dataset import Field, Format


class FileReader(Protocol):
    """Reads files one after the other, without state between them."""

    schema: pa.Schema  # the declared fields that are in the file, in order, then `_rescued`

    def read(self, parts: Iterable[bytes]) -> Iterator[Piece]:
        """All content of an object's bytes in order, followed by its `End`."""
        ...


def reader_for(format_: Format, fields: Sequence[Field]) -> FileReader:
    """The reader for files in this format with those of these fields that are in a file, and not in its key."""
    fields = [field for field in fields if not field.from_key]
    if format_.type in ("csv", "tsv"):
        return DelimitedReader(format_, fields)
    if format_.type in ("parquet", "orc"):
        from spark_jobs.engine.formats.columnar import ColumnarReader

        return ColumnarReader(format_.type, fields)
    if format_.type == "avro":
        from spark_jobs.engine.formats.avro import AvroReader

        return AvroReader(fields)
    return RecordReader(fields, format_.records)
