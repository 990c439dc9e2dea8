"""Packed content of foreign writers and of bytes built from the formats' own words, whole, joined, torn and damaged."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import struct
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from spark_jobs.engine import decompression
from tests.spark_jobs.engine.decompression.packing import (
    CONTENT,
    RECORDS,
    XERIAL_HEADER,
    by_arrow,
    chunks,
    framed,
    plain,
    raw_snappy,
    unpacked,
    zipped,
)

HALF = len(CONTENT) // 2


def sized(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def xerial(plain: bytes) -> bytes:
    """As snappy-java's SnappyOutputStream writes it: 32 KB in a chunk."""
    return XERIAL_HEADER + b"".join(sized(raw_snappy(chunk)) for chunk in chunks(plain, 32 << 10))


def hadoop(plain: bytes, block: int = 256 << 10, chunk: int = 64 << 10) -> bytes:
    """As Hadoop's BlockCompressorStream writes it; a block has one chunk or more."""
    packed = b""
    for part in chunks(plain, block):
        packed += struct.pack(">I", len(part)) + b"".join(sized(raw_snappy(piece)) for piece in chunks(part, chunk))
    return packed


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "zstd": by_arrow("zstd"),
    "lz4": by_arrow("lz4"),
    "snappy framed": framed,
    "snappy xerial": xerial,
    "snappy hadoop": hadoop,
    "snappy raw": raw_snappy,
    "zip": zipped,
    "zip stored": lambda plain: zipped(plain, method=zipfile.ZIP_STORED),
    "zip with descriptor": lambda plain: zipped(plain, seekable=False),
    "zip64": lambda plain: zipped(plain, zip64=True),
    "zip64 stored": lambda plain: zipped(plain, method=zipfile.ZIP_STORED, zip64=True),
    "zip64 with descriptor": lambda plain: zipped(plain, seekable=False, zip64=True),
}
#: Those of which one stream may stand behind another.
JOINED = ("gzip", "bzip2", "zstd", "lz4", "snappy framed", "snappy xerial", "snappy hadoop")


# ---------------------------------------------------------------------------------------------- whole


@pytest.mark.parametrize("name", PACKERS)
@pytest.mark.parametrize("plain", [CONTENT, b'{"id":1}'], ids=["large", "small"])
def test_content_comes_out_as_it_went_in(name: str, plain: bytes) -> None:
    """Content is unchanged by every compression."""
    assert unpacked(PACKERS[name](plain)) == (plain, "")


@pytest.mark.parametrize("name", [name for name in PACKERS if name != "snappy raw"])
def test_nothing_may_be_packed_too(name: str) -> None:
    """A created but unwritten object; a raw block of nothing is a zero byte, which may be anything."""
    assert unpacked(PACKERS[name](b"")) == (b"", "")


@pytest.mark.parametrize("name", JOINED)
def test_streams_may_follow_one_another(name: str) -> None:
    """Files that were joined byte by byte are one file."""
    pack = PACKERS[name]
    assert unpacked(pack(CONTENT[:HALF]) + pack(b"") + pack(CONTENT[HALF:])) == (CONTENT, "")


@given(
    st.sampled_from(sorted(PACKERS)), st.lists(st.sampled_from(RECORDS), min_size=1, max_size=30), st.integers(1, 50)
)
def test_where_the_parts_are_cut_does_not_matter(name: str, records: list[bytes], part: int) -> None:
    """Any header, length or mark may be torn apart by the network."""
    plain = b"".join(records)
    assert unpacked(PACKERS[name](plain), part) == (plain, "")


# ---------------------------------------------------------------------------------------------- foreign writers


@pytest.mark.parametrize(
    "command", [["bzip2", "-c"], ["zstd", "-c", "-q"], ["lz4", "-c", "-q"], ["gzip", "-c"], ["zip", "-q", "-", "-"]]
)
def test_what_the_tools_of_the_system_pack_is_unpacked(command: list[str]) -> None:
    """They use other levels, checksums and trailing sizes than pyarrow and Python."""
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not here")
    body = subprocess.run(command, input=CONTENT, capture_output=True, check=True).stdout
    assert unpacked(body) == (CONTENT, "")


@pytest.mark.parametrize("codec", ["gzip", "bzip2", "snappy"])
def test_what_spark_writes_is_unpacked(spark: SparkSession, tmp_path: Path, codec: str) -> None:
    """Hadoop's codecs, including Snappy in the blocks that Firehose calls HADOOP_SNAPPY."""
    records = spark.createDataFrame([(record.decode().rstrip(),) for record in RECORDS], "value string")
    records.coalesce(1).write.option("compression", codec).text(str(tmp_path / "out"))
    (file,) = (tmp_path / "out").glob("part-*")
    assert unpacked(file.read_bytes()) == (CONTENT, "")


# ---------------------------------------------------------------------------------------------- damage


@pytest.mark.parametrize("name", [name for name in PACKERS if name not in ("none", "snappy raw")])
def test_of_a_torn_file_all_that_is_readable_comes_out(name: str) -> None:
    """And the damage says what the content was packed with."""
    body = PACKERS[name](CONTENT)
    found, problem = unpacked(body[: len(body) * 9 // 10])
    kind = name.partition(" ")[0].replace("zip64", "zip")
    assert problem.startswith(f"{kind} truncated at byte ")
    assert CONTENT.startswith(found)
    assert name == "bzip2" or len(found) > len(CONTENT) // 2


@pytest.mark.parametrize("name", JOINED)
def test_what_follows_and_is_none_is_a_problem_and_costs_nothing_before_it(name: str) -> None:
    """To the last byte: a record that is whole is not torn by what follows it."""
    found, problem = unpacked(PACKERS[name](CONTENT) + b"\x07oops, no archive")
    assert found == CONTENT
    assert problem


@pytest.mark.parametrize("name", ["gzip", "bzip2", "lz4", "snappy xerial", "snappy hadoop", "zip"])
def test_of_a_damaged_file_what_stands_before_comes_out(name: str) -> None:
    """Noise in the middle is a problem of the file, never an error of the job."""
    body = PACKERS[name](CONTENT)
    middle = len(body) * 2 // 3
    found, problem = unpacked(body[:middle] + b"\xff" * 64 + body[middle + 64 :])
    assert problem
    # Compressors that do not check each block may give out some noise before they notice.
    assert found[: len(found) // 2] == CONTENT[: len(found) // 2]


@pytest.mark.parametrize("name", ["gzip", "bzip2", "zstd", "lz4", "zip"])
def test_a_bomb_is_unpacked_in_pieces(name: str) -> None:
    """Content that unpacks to a thousand times its size is never in memory as a whole."""
    body = PACKERS[name](bytes(100 << 20))
    assert len(body) < 1 << 20
    sizes = [len(piece) for piece in plain([body])]
    assert sum(sizes) == 100 << 20
    assert max(sizes) <= 70 << 20
    assert max(len(block) for block in decompression.plain_blocks(plain([body]))) <= 2 * decompression.BLOCK


# ---------------------------------------------------------------------------------------------- what is not packed


@pytest.mark.parametrize(
    "text",
    [
        b"BZh9 is how a header may begin\n",
        b"ORCID,name\n0000-0001,x\n",
        b"PK,name\n1,x\n",
        b"i,d\n" * 3,
        "é,è\n1,2\n".encode("latin-1"),
        "ß\n".encode("latin-1"),
        b"\xef\xbb\xbfid,name\n1,x\n",
        '{"id":1}'.encode("utf-16-be"),
        '{"id":1}'.encode("utf-16-le"),
        "id,name\n1,x\n".encode("utf-16"),
        b"\x00\x00\x00\x05\x00\x00\x00",
    ],
)
def test_text_is_taken_for_nothing_else(text: bytes) -> None:
    """A text may begin with the letters of a mark."""
    assert unpacked(text, part=3) == (text, "")
    assert decompression.foreign(text[:64]) == ""


@given(st.text(max_size=200), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "latin-1", "cp1252"]))
def test_no_text_is_taken_for_packed(text: str, encoding: str) -> None:
    """Control characters aside, which no text in the field has at its beginning."""
    printable = "".join(character for character in text if character.isprintable() or character in "\r\n\t")
    body = printable.encode(encoding, "replace")
    assert unpacked(body) == (body, "")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (lzma.compress(b"{}"), "xz"),
        (b"7z\xbc\xaf\x27\x1c\x00\x04", "a 7z archive"),
        (b"Rar!\x1a\x07\x01\x00", "a RAR archive"),
        (b"a.csv".ljust(257, b"\0") + b"ustar\x0000", "a tar archive"),
    ],
)
def test_what_is_not_unpacked_is_named(body: bytes, kind: str) -> None:
    """A person who reads the name knows what to send instead."""
    assert decompression.foreign(body) == kind
