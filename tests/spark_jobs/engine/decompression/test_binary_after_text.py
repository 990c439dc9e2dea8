"""Binary or compressed content after text is found wherever it begins, and never in text itself."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Iterator

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spark_jobs.engine.decompression.binary_after_text import packed_in, text_before_binary
from spark_jobs.engine.decompression.source import DamagedError
from spark_jobs.engine.formats import reader_for
from tests.spark_jobs.reading import sorted_out
from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Field, Format

ROWS = [{"id": number} for number in range(200)]
MORE = "".join(f"{json.dumps(row)}\n" for row in ROWS).encode()
FIELDS = (Field("id", ColumnType("int"), required=True),)


def archive() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("more.json", MORE)
    return sink.getvalue()


def by_arrow(codec: str) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, codec) as stream:
        stream.write(MORE)
    return bytes(sink.getvalue().to_pybytes())


def parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), sink)
    return sink.getvalue()


def avro() -> bytes:
    sink = io.BytesIO()
    fastavro.writer(sink, {"type": "record", "name": "r", "fields": [{"name": "id", "type": "long"}]}, ROWS)
    return sink.getvalue()


BEHIND = {
    "gzip": gzip.compress(MORE),
    "bzip2": bz2.compress(MORE),
    "zstd": by_arrow("zstd"),
    "lz4": by_arrow("lz4"),
    "a ZIP archive": archive(),
    "xz": lzma.compress(MORE),
    "snappy": b"\xff\x06\x00\x00sNaPpY" + b"\x01\x05\x00\x00\x00\x00\x00\x00x",
    "a Parquet file": parquet(),
    "an Avro file": avro(),
}


@pytest.mark.parametrize("kind", BEHIND)
@pytest.mark.parametrize(
    ("type_", "text", "end"),
    [("json", b'{"id": 1}\n{"id": 2}', b"\n"), ("csv", b"id\n1\n2", b"\n"), ("csv", b"id\n1\n2\n3", b"")],
)
def test_what_stands_before_is_read_and_the_rest_is_a_problem(kind: str, type_: str, text: bytes, end: bytes) -> None:
    """A line that does not end may have been cut by it; nothing of what is packed becomes a row."""
    rows, rejected, last = sorted_out(reader_for(Format(type_), FIELDS), text + end + BEHIND[kind])
    assert [row["id"] for row in rows] == [1, 2]
    assert last.problem == f"{kind} from byte {len(text + end)} on, after text"
    assert [one.reason for one in rejected] == ([] if end else ["record cut off"])


@pytest.mark.parametrize("size", [1, 7, 69, 80, 4096])
@pytest.mark.parametrize("kind", BEHIND)
def test_it_is_found_however_the_bytes_are_cut(kind: str, size: int) -> None:
    """The text before it is whole, and not a byte of what is packed comes along, even after a single letter."""
    for text in (b"B", b'{"id": 1}\n' * 20):
        data = text + BEHIND[kind]
        parts = text_before_binary(data[start : start + size] for start in range(0, len(data), size))
        read = []
        with pytest.raises(DamagedError, match=f"^{kind} from byte {len(text)} on, after text$"):
            read.extend(parts)
        assert b"".join(read) == text


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_damage_of_the_text_itself_follows_all_of_it(size: int) -> None:
    """Text that was held back for following bytes is yielded before the damage is raised."""
    text = b'{"id": 1}\n' * 20

    def damaged() -> Iterator[bytes]:
        yield from (text[start : start + size] for start in range(0, len(text), size))
        raise DamagedError("cut off")

    read = []
    with pytest.raises(DamagedError, match=r"^cut off$"):
        read.extend(text_before_binary(damaged()))
    assert b"".join(read) == text


@pytest.mark.parametrize(
    "text",
    [
        "BZh91AY&SY is how bzip2 begins, PK\\x03 a zip, PAR1 Parquet and Obj Avro: ünïcödé".encode(),
        "謟ࠀЀ̀Ā and other letters, \x01\x04\x15\x1f".encode("utf-16"),
        b"\x01\x02\x1f\x8b\x07\x04\x15 (\xb5/",
    ],
)
def test_text_that_only_looks_so_is_text(text: bytes) -> None:
    """Also with control characters in it."""
    assert packed_in(text * 50) is None


def test_how_the_text_begins_is_not_asked() -> None:
    """What is packed from its first byte on has been unpacked before, or is named as a foreign format."""
    assert b"".join(text_before_binary([BEHIND["xz"]])) == BEHIND["xz"]
