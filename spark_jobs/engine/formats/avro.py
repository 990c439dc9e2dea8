"""Reads Avro object container files: Arrow tables of valid records, and rejected records with number and reason.

This module itself parses the container, so that damage affects only its own block, and uses the codecs of Python and
pyarrow. fastavro reads a block's records. No Spark, no S3.
"""

from __future__ import annotations

import bz2
import io
import json
import lzma
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple, Union

import fastavro
import pyarrow as pa

from spark_jobs.engine import decompression
from spark_jobs.engine.decompression import snappy
from spark_jobs.engine.decompression.source import DamagedError, Source
from spark_jobs.engine.formats import logical, rows
from spark_jobs.engine.formats.avro_shape import read_deep, shape_of
from spark_jobs.engine.formats.columns import Values, record_schema
from spark_jobs.engine.formats.members import read_members
from spark_jobs.engine.formats.records import End, Piece
from tidemark.core.dataset import Field
from tidemark.core.job import Rejected

BLOCK_MAX = 256 << 20  # bytes of a block, compressed or not; writers make blocks of 16 KB to a few MB

_MAGIC = b"Obj\x01"
_SYNC_BYTES = 16
_PART_BYTES = 1 << 16  # incoming parts are cut to this size
_ROWS = 8_192
_ADDRESS = re.compile(r" from <[^<>]* at 0x[0-9a-f]+>")


class _Header(NamedTuple):
    names: list[str]  # of a record's fields
    schema: Any  # of a record, as parsed by fastavro
    read: Callable[..., Any]  # fastavro's reader of a record
    unpack: Callable[[bytes], bytes]
    sync: bytes  # the marker after every block


class _Block(NamedTuple):
    at: int  # byte in the file
    records: int
    data: bytes  # compressed


class AvroReader:
    """Reads files of one declared shape; stateless between files."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self._fields = tuple(fields)
        self.schema = record_schema(fields)

    def read(self, parts: Iterable[bytes]) -> Iterator[Piece]:
        """All content of an object's bytes in order; whatever cannot be read is reported."""
        return read_members(parts, None, self.read_member)

    def read_member(self, parts: Iterable[bytes]) -> Iterator[Piece]:
        """The same for one file within the object; other Avro files may be concatenated to it."""
        source = Source(_cut(parts))
        first, problem = 0, None
        try:
            while source.peek(1):
                header = _header(source)
                rows.same_names(header.names, self._fields)
                for block in _blocks(source, header.sync):
                    records, damage = _records(block, header)
                    yield from self._pieces(records, header.names, first)
                    if damage:
                        read, first = first + len(records), first + block.records
                        reason = f"Avro damaged at byte {block.at}, in records {read + 1} to {first}: {damage}"
                        problem = problem or reason
                        yield [Rejected(read, read + 1, reason, "")]
                    else:
                        first += block.records
        except DamagedError as error:
            problem = problem or str(error)
            yield [Rejected(first, first + 1, str(error), "")]
        yield End(source.position, problem)

    def _pieces(self, records: Sequence[dict[str, Any]], names: Sequence[str], first: int) -> Iterator[Piece]:
        for start in range(0, len(records), _ROWS):
            some = records[start : start + _ROWS]
            columns = {name: _column([record[name] for record in some]) for name in names}
            yield from rows.pieces(columns, len(some), first + start, self._fields)


def _cut(parts: Iterable[bytes]) -> Iterator[bytes]:
    return (part[start : start + _PART_BYTES] for part in parts for start in range(0, len(part), _PART_BYTES))


def _header(source: Source) -> _Header:
    if source.peek(len(_MAGIC)) != _MAGIC:
        raise DamagedError(f"not Avro but {decompression.foreign(source.peek(decompression.HEAD)) or 'something else'}")
    source.take(len(_MAGIC))
    try:
        meta: Any = fastavro.schemaless_reader(_Lengths(source), {"type": "map", "values": "bytes"}, None)  # type: ignore[arg-type]
        schema = fastavro.parse_schema(logical.renamed(json.loads(meta["avro.schema"])))
    except Exception as error:  # libraries raise many kinds of errors for damaged bytes
        if source.failed:
            raise
        raise source.damage or DamagedError(f"Avro damaged in its header: {_brief(error)}") from None
    codec = meta.get("avro.codec", b"null").decode("utf-8", "replace")
    if codec not in _CODECS:
        raise DamagedError(f"expected an Avro codec ({', '.join(_CODECS)}), found {codec}")
    if not isinstance(schema, dict) or schema.get("type") != "record":
        raise DamagedError("expected Avro records, found values of another type")
    shape = shape_of(schema)
    if shape.unbounded:
        raise DamagedError("expected an Avro array's items to take bytes, as it could otherwise have any length")
    names = [field["name"] for field in schema["fields"]]
    read = read_deep if shape.recursive else fastavro.schemaless_reader
    return _Header(names, schema, read, _CODECS[codec], source.exactly(_SYNC_BYTES, "Avro"))


def _blocks(source: Source, sync: bytes) -> Iterator[_Block]:
    # A block cannot begin with the magic bytes of a file, because its number of records would be negative.
    while source.peek(1) and source.peek(len(_MAGIC)) != _MAGIC:
        at = source.position
        count, size = _long(source), _long(source)
        if count < 0 or size < 0:
            raise DamagedError(f"Avro damaged at byte {at}: a block of {count} records in {size} bytes")
        if size > BLOCK_MAX:
            raise DamagedError(f"Avro damaged at byte {at}: a block of more than {BLOCK_MAX} bytes")
        data = source.exactly(size, "Avro")
        if source.exactly(_SYNC_BYTES, "Avro") != sync:
            raise DamagedError(f"Avro damaged at byte {at}: no sync marker after the block")
        yield _Block(at, min(count, BLOCK_MAX + 1), data)  # a record takes at least a byte


class _Lengths:
    """A source that rejects implausible lengths, so that a damaged header does not read all that follows."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def read(self, count: int) -> bytes:
        """Required by fastavro."""
        if not 0 <= count <= BLOCK_MAX:
            raise DamagedError(f"a length of {count} bytes")
        return self._source.read(count)


def _long(source: Source) -> int:
    """A long in Avro's encoding: a varint with zigzag sign."""
    value = 0
    for at, byte in enumerate(source.peek(10)):
        value |= (byte & 0x7F) << 7 * at
        if byte < 0x80:
            source.take(at + 1)
            return (value >> 1) ^ -(value & 1)
    raise source.damage or DamagedError(f"Avro truncated at byte {source.position}")


def _records(block: _Block, header: _Header) -> tuple[list[dict[str, Any]], str]:
    """The block's records before any damage, and a description of the damage or ""."""
    records: list[dict[str, Any]] = []
    try:
        data = _bounded(header.unpack(block.data))
        if block.records > len(data):
            return [], f"{len(data)} bytes"
        stream = io.BytesIO(data)
        for _ in range(block.records):
            record = header.read(stream, header.schema, None, handle_unicode_errors="surrogateescape")
            records.append(record)
        left = len(data) - stream.tell()
    except Exception as error:  # noqa: BLE001 -- libraries raise many kinds of errors for damaged bytes
        return records, _brief(error)
    return (records, "") if not left else ([], f"{left} bytes left after the records")


def _brief(error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    # fastavro's messages contain the memory address of the stream, which is useless.
    line = _ADDRESS.sub("", str(error).strip().partition("\n")[0])
    return line or type(error).__name__


def _column(values: list[Any]) -> Values:
    """An Arrow column if all values have one type, else the values themselves."""
    types = {type(value) for value in values} - {type(None)}
    if not types:
        return pa.nulls(len(values))
    if len(types) == 1 and types <= _SIMPLE:
        try:
            return pa.array(values)
        except (pa.ArrowInvalid, UnicodeEncodeError, OverflowError):
            pass
    return [_undecoded(value) if isinstance(value, str) else value for value in values]


_SIMPLE = {bool, int, float, str, bytes, date, datetime, Decimal}


def _undecoded(text: str) -> Union[str, bytes]:
    """The text, or its bytes if it was not valid UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape")
    return text


def _bounded(data: bytes) -> bytes:
    if len(data) > BLOCK_MAX:
        raise DamagedError(f"more than {BLOCK_MAX} bytes")
    return data


def _snappy(data: bytes) -> bytes:
    """Decompresses a raw block that is followed by the checksum of its content."""
    packed, checksum = data[:-4], data[-4:]
    unpacked = snappy.unpacked(packed, 0)
    if zlib.crc32(unpacked).to_bytes(4, "big") != checksum:
        raise DamagedError("a wrong checksum")
    return unpacked


def _whole(unpack: Any, data: bytes, spare: int = 0) -> bytes:
    """Decompresses a stream that ends with the data, except for at most `spare` bytes."""
    unpacked: bytes = unpack.decompress(data, BLOCK_MAX + 1)
    if len(unpacked) <= BLOCK_MAX and not unpack.eof:
        raise DamagedError("the compressed block is truncated")
    if len(unpack.unused_data) > spare:
        raise DamagedError(f"{len(unpack.unused_data)} bytes left after the compressed data")
    return unpacked


def _zstandard(data: bytes) -> bytes:
    unpacked: bytes = pa.CompressedInputStream(pa.BufferReader(data), "zstd").read(BLOCK_MAX + 1)
    return unpacked


_CODECS: dict[str, Callable[[bytes], bytes]] = {
    "null": bytes,
    # fastavro writes a part of the zlib format's checksum after the stream.
    "deflate": lambda data: _whole(zlib.decompressobj(-15), data, spare=4),
    "snappy": _snappy,
    "zstandard": _zstandard,
    "bzip2": lambda data: _whole(bz2.BZ2Decompressor(), data),
    "xz": lambda data: _whole(lzma.LZMADecompressor(), data),
}
