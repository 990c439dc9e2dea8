from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.core.files import PACKED_BYTES_MAX, FileVersion, is_newer, pack, parcels, settle_versions, unpack

KEYS = st.text(min_size=1, max_size=40)
FILES = st.builds(
    FileVersion,
    bucket=st.just("raw"),
    key=KEYS,
    version=KEYS,
    size=st.integers(0, 1 << 40),
    landed_at=st.none() | st.just("2026-03-01T12:00:00Z"),
    sequencer=st.none() | st.text("0123456789ABCDEFabcdef", min_size=1, max_size=24),
)
#: Few keys and versions, so that they repeat.
REPEATING = st.lists(
    st.builds(
        FileVersion,
        bucket=st.just("raw"),
        key=st.sampled_from("ab"),
        version=st.sampled_from("123"),
        size=st.just(1),
        sequencer=st.sampled_from(["1", "0A", "FF"]),
    ),
    max_size=8,
)
OLD = FileVersion("raw", "a.json", "v1", 1, "2026-03-01T12:00:00Z", "9F")
NEW = FileVersion("raw", "a.json", "v2", 1, "2026-03-01T12:00:01Z", "0100")


@given(st.lists(FILES))
def test_what_is_packed_unpacks_the_same(files: list[FileVersion]) -> None:
    """A segment gives back the very files that were seen, in their order."""
    assert unpack(pack(files)) == files


@given(st.lists(FILES), st.integers(1, 5), st.integers(1, 1 << 41))
def test_parcels_hold_every_file_once(files: list[FileVersion], files_max: int, bytes_max: int) -> None:
    """Cutting loses nothing, repeats nothing and keeps the order."""
    cut = list(parcels(files, files_max, bytes_max))
    assert [file for parcel in cut for file in parcel] == files
    assert all(cut)


@given(st.lists(FILES), st.integers(1, 5), st.integers(1, 1 << 41))
def test_parcels_keep_to_both_limits(files: list[FileVersion], files_max: int, bytes_max: int) -> None:
    """Only a single file may be larger than a parcel."""
    for parcel in parcels(files, files_max, bytes_max):
        assert len(parcel) <= files_max
        assert len(parcel) == 1 or sum(file.size for file in parcel) <= bytes_max


def test_a_parcel_fits_a_ledger_item() -> None:
    """Names that do not compress are cut further, however many files the policy allows."""
    files = [replace(OLD, key=hashlib.sha512(b"%d" % number).hexdigest() * 4) for number in range(3_000)]
    cut = list(parcels(files, 10_000, 1 << 40))
    assert len(cut) > 1
    assert max(len(pack(parcel)) for parcel in cut) <= PACKED_BYTES_MAX
    assert [file for parcel in cut for file in parcel] == files


@pytest.mark.parametrize(
    ("candidate", "known", "newer"),
    [
        ("0100", "9F", True),  # longer after padding
        ("9F", "0100", False),
        ("ff", "FE", True),  # case means nothing
        ("00FF", "FF", False),  # equal
    ],
)
def test_sequencers_are_padded_before_they_are_compared(candidate: str, known: str, newer: bool) -> None:
    """Sequencers are hex numbers of varying length, so text order would be wrong."""
    assert is_newer(replace(NEW, sequencer=candidate), replace(OLD, sequencer=known)) is newer


@given(st.integers(0, 1 << 96), st.integers(0, 1 << 96))
def test_sequencers_order_as_numbers(one: int, other: int) -> None:
    """Padding gives the order of the numbers that the sequencers write."""
    assert is_newer(replace(NEW, sequencer=f"{one:X}"), replace(OLD, sequencer=f"{other:x}")) is (one > other)


@pytest.mark.parametrize(
    ("landed_at", "newer"), [("2026-03-01T11:59:59Z", False), ("2026-03-01T12:00:01Z", True), (None, True)]
)
def test_without_sequencers_the_landing_decides(landed_at: str | None, newer: bool) -> None:
    """An inventory knows no sequencer; where nothing tells, the version seen later is the newer."""
    assert is_newer(replace(NEW, sequencer=None, landed_at=landed_at), OLD) is newer


@pytest.mark.parametrize(
    ("policy", "kept", "dropped"),
    [("append", [NEW, OLD], []), ("supersede", [NEW], [OLD]), ("ignore", [OLD], [NEW])],
)
def test_the_policy_says_which_version_stays(policy: str, kept: list[FileVersion], dropped: list[FileVersion]) -> None:
    """`append` keeps both versions of a key, `supersede` the newer, `ignore` the older, whichever was seen first."""
    assert settle_versions([NEW, OLD, NEW], policy) == (kept, dropped)
    assert settle_versions([OLD, NEW], policy) == (sorted(kept, key=lambda file: file.version), dropped)


@given(REPEATING, st.sampled_from(["append", "supersede", "ignore"]))
def test_no_version_is_lost_or_counted_twice(files: list[FileVersion], policy: str) -> None:
    """Kept and dropped together are the distinct versions."""
    kept, dropped = settle_versions(files, policy)
    assert Counter(file.identity for file in kept + dropped) == Counter({file.identity for file in files})


@given(REPEATING, st.sampled_from(["supersede", "ignore"]))
def test_one_version_a_key_stays(files: list[FileVersion], policy: str) -> None:
    """Under both policies that choose, every key keeps exactly one version."""
    kept, _ = settle_versions(files, policy)
    assert sorted(file.key for file in kept) == sorted({file.key for file in files})


def test_one_key_in_two_buckets_is_two_files() -> None:
    """The bucket belongs to the identity."""
    moved = replace(NEW, bucket="other")
    assert settle_versions([OLD, moved], "supersede") == ([OLD, moved], [])
    assert moved.uri == "s3://other/a.json"
