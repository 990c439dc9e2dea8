"""Entries of a ZIP archive."""

from __future__ import annotations

import gzip
import zipfile

import pytest

from spark_jobs.engine import decompression
from spark_jobs.engine.decompression.source import DamagedError
from tests.spark_jobs.engine.decompression.packing import archive, archive_of, told, unpacked, zipped


def test_a_wrong_checksum_in_a_zip_is_a_problem() -> None:
    """The stored entry itself shows nothing of it."""
    body = zipped(b"a,b\n1,2\n", method=zipfile.ZIP_STORED).replace(b"1,2", b"1,3")
    found, problem = unpacked(body)
    assert found == b"a,b\n1,3\n"
    assert problem.startswith("expected the checksum ")


def with_flag(body: bytes, flag: int) -> bytes:
    return body[:6] + bytes([body[6] | flag]) + body[7:]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (with_flag(zipped(b"x"), 1), "encrypted"),
        (zipped(b"x", method=zipfile.ZIP_BZIP2), "expected method 0 or 8, found 12"),
        (with_flag(zipped(b"x", method=zipfile.ZIP_STORED), 8), "stored without a size"),
    ],
    ids=["encrypted", "method", "no size"],
)
def test_an_entry_that_cannot_be_read_says_why(body: bytes, problem: str) -> None:
    """The reason helps the sender to fix it."""
    first, *_ = decompression.members([body])
    with pytest.raises(DamagedError, match=f"^{problem}$"):
        list(first.parts)
    assert first.name == "0.json"


def test_each_entry_of_a_zip_is_a_file() -> None:
    """With its own end: nothing runs together."""
    assert told(archive_of(a_csv=b"1,2", b_csv=b"3,4")) == [("a.csv", b"1,2", ""), ("b.csv", b"3,4", "")]


def test_archives_may_follow_one_another() -> None:
    """The second archive begins after the directory of the first."""
    assert told(archive_of(a=b"A") + archive_of(b=b"B")) == [("a", b"A", ""), ("b", b"B", "")]


@pytest.mark.parametrize("behind", [b"x", b"a,b\n1,2\n", gzip.compress(b"hidden", mtime=0)])
def test_what_stands_behind_an_archive_is_a_problem(behind: bytes) -> None:
    """It may be anything, records as well."""
    body = archive_of(a=b"A")
    assert told(body + behind) == [("a", b"A", ""), ("", b"", f"no zip from byte {len(body)} on")]


def test_an_archive_that_is_torn_anywhere_says_so() -> None:
    """Truncation is reported within an entry, between two entries, and in the directory."""
    body = archive_of(a=b"A" * 9, b=b"B" * 9)
    assert [at for at in range(4, len(body)) if not any(damage for *_, damage in told(body[:at]))] == []


def test_an_archive_that_lacks_entries_of_which_it_knows_says_so() -> None:
    """Its end states the number of entries, so a truncated beginning is noticed."""
    body = archive(("a", b"A"), ("b", b"B"), ("c", b"C"))
    second, end = body.index(b"PK\x03\x04", 4), body.index(b"PK\x05\x06")
    assert told(body[second:]) == [("b", b"B", ""), ("c", b"C", ""), ("", b"", "zip: expected 3 entries, found 2")]
    assert told(body[end:]) == [("", b"", "zip: expected 3 entries, found 0")]
