"""Small files of every format and packing, as their writers make them: what the fuzzer begins with and damages."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet

from tests.fuzz.choices import Choices
from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Field, Format

Row = dict[str, Any]

#: The first is needed in every record; the sample rows have one field more, which nobody declared.
FIELDS = (
    Field("id", ColumnType.parse("string(64)"), required=True),
    Field("n", ColumnType.parse("bigint")),
    Field("price", ColumnType.parse("decimal(12,2)")),
    Field("at", ColumnType.parse("timestamp")),
    Field("ok", ColumnType.parse("boolean")),
    Field("day", ColumnType.parse("date")),
    Field("share", ColumnType.parse("double")),
)
NAMES = (*(field.name for field in FIELDS), "more")
NASTY = ("", "é", 'say "hi"', "a,b;c\td", "two\nlines", "\ufeff", "{", "}{", "null", "id,n", "🌊")


def row(number: int, more: str = "") -> Row:
    """A record with two texts that no other has, `k0001` and `x0001`, by which it is found again."""
    return {
        "id": f"k{number:04d}",
        "n": number,
        "price": Decimal("2.50"),
        "at": datetime(2026, 11, 20, 8, number % 60, tzinfo=UTC),
        "ok": number % 2 == 0,
        "day": date(2026, 11, 20),
        "share": number / 4,
        "more": f"x{number:04d}{more}",
    }


def plain(rows: Sequence[Row]) -> list[Row]:
    """The rows as JSON has them."""
    return [{**one, "price": float(one["price"]), "at": one["at"].isoformat(), "day": str(one["day"])} for one in rows]


def json_file(rows: Sequence[Row], choices: Choices, _: Format) -> bytes:
    objects, style = plain(rows), choices.number(5)
    if style == 4:
        return json.dumps(objects, indent=1).encode()
    between = ("\n", "", "\r\n", ",\n")[style]
    texts = [json.dumps(one, ensure_ascii=choices.rarely()) for one in objects]
    return between.join([*texts, ""] if style != 3 else [f"[{between.join(texts)}]"]).encode()


def envelope_file(rows: Sequence[Row], choices: Choices, _: Format) -> bytes:
    """Records where `Records[*].body` finds them, in a text of JSON or as they are."""
    bodies: list[Any] = [json.dumps(one) if choices.rarely() else one for one in plain(rows)]
    return json.dumps({"about": "x", "Records": [{"body": body} for body in bodies]}).encode() if bodies else b""


def delimited_file(rows: Sequence[Row], choices: Choices, format_: Format) -> bytes:
    sink = io.StringIO()
    names = list(NAMES[: None if format_.header else len(FIELDS)])
    if format_.header and choices.rarely():
        names.reverse()
    end = choices.one_of(("\n", "\r\n", "\r"))
    # The writer quotes a line break only if its own lines end so.
    quoting = choices.one_of((csv.QUOTE_MINIMAL, csv.QUOTE_ALL)) if end != "\r" else csv.QUOTE_ALL
    writer = csv.DictWriter(
        sink, names, extrasaction="ignore", delimiter=format_.delimiter, lineterminator=end, quoting=quoting
    )
    if format_.header:
        writer.writeheader()
    writer.writerows(plain(rows))
    return sink.getvalue().encode(format_.encoding, "replace")


def _table(rows: Sequence[Row]) -> pa.Table:
    types = (
        pa.string(), pa.int64(), pa.decimal128(12, 2), pa.timestamp("us", tz="UTC"), pa.bool_(), pa.date32(),
        pa.float64(), pa.string(),
    )  # fmt: skip
    return pa.Table.from_pylist(list(rows), pa.schema(list(zip(NAMES, types, strict=True))))


def parquet_file(rows: Sequence[Row], choices: Choices, _: Format) -> bytes:
    sink = io.BytesIO()
    pa.parquet.write_table(
        _table(rows),
        sink,
        compression=choices.one_of(("snappy", "none", "zstd", "gzip")),
        row_group_size=choices.one_of((100, 2)),
        use_dictionary=choices.one_of((True, False)),
        data_page_version=choices.one_of(("1.0", "2.0")),
        write_page_checksum=choices.rarely(),
        use_deprecated_int96_timestamps=choices.rarely(),
    )
    return sink.getvalue()


def orc_file(rows: Sequence[Row], choices: Choices, _: Format) -> bytes:
    sink = io.BytesIO()
    codec = choices.one_of(("uncompressed", "zlib", "snappy", "zstd", "lz4"))
    pa.orc.write_table(_table(rows), sink, compression=codec)
    return sink.getvalue()


_AVRO = {
    "type": "record",
    "name": "Row",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "n", "type": ["null", "long"]},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "ok", "type": "boolean"},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "share", "type": "double"},
        {"name": "more", "type": ["null", "string"]},
    ],
}
_AVRO_NESTED = {
    **_AVRO,
    "fields": [
        *_AVRO["fields"],
        {"name": "list", "type": {"type": "array", "items": ["null", "Row"]}, "default": []},
        {"name": "map", "type": {"type": "map", "values": "null"}, "default": {}},
    ],
}


def avro_file(rows: Sequence[Row], choices: Choices, _: Format) -> bytes:
    sink = io.BytesIO()
    schema = choices.one_of((_AVRO, _AVRO_NESTED))
    nested = [{**one, "list": [None], "map": {"a": None}} for one in rows]
    codec = choices.one_of(("null", "deflate", "bzip2", "xz"))
    fastavro.writer(sink, schema, nested, codec=codec, sync_interval=choices.one_of((16_000, 10)))
    return sink.getvalue()


Write = Callable[[Sequence[Row], Choices, Format], bytes]
WRITERS: dict[str, Write] = {
    "json": json_file,
    "csv": delimited_file,
    "tsv": delimited_file,
    "parquet": parquet_file,
    "orc": orc_file,
    "avro": avro_file,
}


# ---------------------------------------------------------------------------------------------- packings


def _by_arrow(codec: str) -> Callable[[bytes], bytes]:
    def pack(body: bytes) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, codec) as stream:
            stream.write(body)
        return bytes(sink.getvalue().to_pybytes())

    return pack


def raw_snappy(body: bytes) -> bytes:
    return bytes(pa.Codec("snappy").compress(body, asbytes=True))


def xerial(body: bytes) -> bytes:
    chunk = raw_snappy(body)
    return b"\x82SNAPPY\0\0\0\0\1\0\0\0\1" + len(chunk).to_bytes(4, "big") + chunk


def hadoop(body: bytes) -> bytes:
    """One block; Hadoop's own writer packs nothing as a block's length and no chunk."""
    if not body:
        return bytes(4)
    chunk = raw_snappy(body)
    return len(body).to_bytes(4, "big") + len(chunk).to_bytes(4, "big") + chunk


def framed(body: bytes) -> bytes:
    """Chunks of at most 64 KB, whose checksums are not looked at."""
    chunks = [raw_snappy(body[at : at + 65_536]) for at in range(0, len(body), 65_536)]
    return b"\xff\x06\0\0sNaPpY" + b"".join(
        b"\0" + (len(chunk) + 4).to_bytes(3, "little") + bytes(4) + chunk for chunk in chunks
    )


def zipped(*entries: bytes, stored: bool = False) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED) as archive:
        for number, entry in enumerate(entries):
            archive.writestr(zipfile.ZipInfo(f"{number}.txt"), entry)
    return sink.getvalue()


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, 6, mtime=0)


#: Packings that hold a stream each, and of those the ones that see by a checksum when a byte is another.
STREAMS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": _gzip,
    "bzip2": bz2.compress,
    "zip": zipped,
    "zip, stored": lambda body: zipped(body, stored=True),
    "zstd": _by_arrow("zstd"),
    "lz4": _by_arrow("lz4"),
    "xerial": xerial,
    "hadoop": hadoop,
    "framed": framed,
}
SUMMED = frozenset({"gzip", "bzip2", "zip", "zip, stored"})
