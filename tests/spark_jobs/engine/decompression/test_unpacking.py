"""What a container holds, file by file: entries, streams in other encodings, what is packed within, what is wrong."""

from __future__ import annotations

import gc
import gzip
from collections.abc import Callable

import pyarrow as pa
import pytest

from spark_jobs.engine import decompression
from spark_jobs.engine.decompression import unpacking
from tests.spark_jobs.engine.decompression.packing import archive, archive_of, told, zstd


def packed(text: str, encoding: str = "utf-8") -> bytes:
    return gzip.compress(text.encode(encoding), mtime=0)


def test_an_object_that_is_not_packed_is_one_member() -> None:
    """Also when nothing is in it."""
    assert told(b"x") == [("", b"x", "")]
    assert told(b"") == [("", b"", "")]
    assert told(archive()) == [("", b"", "")]


def test_what_is_packed_within_is_unpacked() -> None:
    """Under the names of all that is around it."""
    body = archive_of(a_gz=gzip.compress(b"A"), b_zip=archive_of(c_csv=b"C", d_zst=zstd(b"D")))
    expected = [("a.gz", b"A", ""), ("b.zip!c.csv", b"C", ""), ("b.zip!d.zst", b"D", "")]
    assert told(body) == told(gzip.compress(body)) == expected


def test_what_is_packed_too_deeply_is_a_problem() -> None:
    """An archive may hold itself."""
    body = b"x"
    for _ in range(unpacking.DEPTH_MAX):
        body = gzip.compress(body)
    assert told(body) == [("", b"x", "")]
    assert told(gzip.compress(body)) == [("", b"", f"packed more than {unpacking.DEPTH_MAX} times")]


@pytest.mark.parametrize("pack", [gzip.compress, zstd, lambda plain: archive(("a", plain), ("b", b"more"))])
def test_what_unpacks_to_too_much_is_read_up_to_there(
    pack: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small object may be made to unpack to terabytes."""
    monkeypatch.setattr(unpacking, "UNPACKED_MAX", 3 << 20)
    ((_, read, damage),) = told(pack(bytes(10 << 20)), part=1 << 20)
    assert len(read) <= 3 << 20
    assert damage == f"unpacks to more than {3 << 20} bytes"


def test_what_a_reader_leaves_of_a_member_counts_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is refused at its first line may still hold terabytes."""
    monkeypatch.setattr(unpacking, "UNPACKED_MAX", 3 << 20)
    assert [member.name for member in decompression.members([archive_of(a=bytes(10 << 20), b=b"x")])] == ["a"]


def test_what_is_not_packed_may_be_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is one of unpacking."""
    monkeypatch.setattr(unpacking, "UNPACKED_MAX", 1)
    assert told(b"large") == [("", b"large", "")]


# ---------------------------------------------------------------------------------------------- streams


# ---------------------------------------------------------------------------------------------- what is wrong


def test_a_damaged_entry_costs_no_other() -> None:
    """Its size is known, so the next one is found."""
    body = bytearray(archive_of(a_csv=b"a" * 50, b_csv=b"b"))
    body[37] ^= 0xFF
    (name, _, damage), *others = told(bytes(body))
    assert (name, bool(damage)) == ("a.csv", True)
    assert others == [("b.csv", b"b", "")]


def test_an_entry_that_cannot_be_unpacked_costs_no_other() -> None:
    """The error names it, and the entries after it are read."""
    body = bytearray(archive_of(a_csv=b"a", b_csv=b"b"))
    body[6] |= 1
    assert told(bytes(body)) == [("a.csv", b"", "encrypted"), ("b.csv", b"b", "")]


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
def test_a_stream_that_is_torn_anywhere_says_so(pack: Callable[[bytes], bytes]) -> None:
    """Also where the second of two is."""
    first, second = pack(b"first"), pack(b"second")
    cuts = [at for at in range(4, len(first + second)) if at != len(first)]
    assert [at for at in cuts if not any(damage for *_, damage in told((first + second)[:at]))] == []


def test_what_the_finder_of_macos_leaves_is_passed_over() -> None:
    """Its metadata files contain no records; other files in their folder are read."""
    body = archive(("__MACOSX/._a.csv", b"\0\5\x16\7"), ("d/.DS_Store", b"Bud1"), ("a.csv", b"A"), ("__MACOSX/b", b"B"))
    assert told(body) == [("a.csv", b"A", ""), ("__MACOSX/b", b"B", "")]


def test_a_name_is_shown_on_one_line() -> None:
    """Its writer may have put anything into it."""
    assert told(archive(("a\n\x1b[2J.csv", b"A")))[0][0] == "a\\n\\x1b[2J.csv"


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
def test_a_torn_stream_leaves_nothing_in_memory(codec: str) -> None:
    """A worker reads many files; each such stream would keep a megabyte."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, codec) as stream:
        stream.write(bytes(range(256)))
    torn = sink.getvalue().to_pybytes()[:-9]
    told(torn)
    gc.collect()
    before = pa.total_allocated_bytes()
    for _ in range(3):
        told(torn)
    gc.collect()
    assert pa.total_allocated_bytes() <= before
