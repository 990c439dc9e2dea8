from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.core.files import (
    PACKED_BYTES_MAX,
    Change,
    FileVersion,
    changed_files,
    child_share,
    is_newer,
    pack,
    parcels,
    resolve_versions,
    undecided_keys,
    unpack,
)

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


@pytest.mark.parametrize("landed_at", ["2026-03-01T11:59:59Z", "2026-03-01T12:00:01Z", None])
def test_without_sequencers_only_the_bucket_can_tell(landed_at: str | None) -> None:
    """A multipart upload bears the time at which it began, so times order nothing."""
    assert is_newer(replace(NEW, sequencer=None, landed_at=landed_at), OLD) is None
    assert is_newer(NEW, replace(OLD, sequencer=None)) is None


def test_only_keys_with_versions_that_do_not_tell_are_looked_up() -> None:
    """One version, the same version twice, or sequencers everywhere: none of these costs a call."""
    listed = replace(NEW, sequencer=None)
    assert undecided_keys([OLD, listed]) == {(OLD.bucket, OLD.key)}
    assert undecided_keys([OLD, NEW]) == undecided_keys([listed]) == undecided_keys([NEW, listed]) == set()


@pytest.mark.parametrize(("latest", "kept"), [(NEW, NEW), (OLD, OLD)])
@pytest.mark.parametrize("first", [True, False])
def test_what_the_bucket_shows_is_the_latest(latest: FileVersion, kept: FileVersion, first: bool) -> None:
    """Whichever of the two was seen first, and whatever their times say."""
    listed = [replace(NEW, sequencer=None), OLD][:: 1 if first else -1]
    found, _ = resolve_versions(listed, "supersede", {(OLD.bucket, OLD.key): latest.version})
    assert [file.version for file in found] == [kept.version]


@pytest.mark.parametrize(
    ("policy", "kept", "dropped"),
    [("append", [NEW, OLD], []), ("supersede", [NEW], [OLD]), ("ignore", [OLD], [NEW])],
)
def test_the_policy_says_which_version_stays(policy: str, kept: list[FileVersion], dropped: list[FileVersion]) -> None:
    """`append` keeps both versions of a key, `supersede` the newer, `ignore` the older, whichever was seen first."""
    assert resolve_versions([NEW, OLD, NEW], policy, {}) == (kept, dropped)
    assert resolve_versions([OLD, NEW], policy, {}) == (sorted(kept, key=lambda file: file.version), dropped)


@given(REPEATING, st.sampled_from(["append", "supersede", "ignore"]))
def test_no_version_is_lost_or_counted_twice(files: list[FileVersion], policy: str) -> None:
    """Kept and dropped together are the distinct versions."""
    kept, dropped = resolve_versions(files, policy, {})
    assert Counter(file.identity for file in kept + dropped) == Counter({file.identity for file in files})


@given(REPEATING, st.sampled_from(["supersede", "ignore"]))
def test_one_version_a_key_stays(files: list[FileVersion], policy: str) -> None:
    """Under both policies that choose, every key keeps exactly one version."""
    kept, _ = resolve_versions(files, policy, {})
    assert sorted(file.key for file in kept) == sorted({file.key for file in files})


def test_one_key_in_two_buckets_is_two_files() -> None:
    """The bucket belongs to the identity."""
    moved = replace(NEW, bucket="other")
    assert resolve_versions([OLD, moved], "supersede", {}) == ([OLD, moved], [])
    assert moved.uri == "s3://other/a.json"


def test_changes_are_made_in_their_order() -> None:
    """A file that was taken out and then released is there; the other way round it is not."""
    out, back = Change("raw", "a.json", None, OLD.version), Change("raw", "a.json", OLD, OLD.version)
    assert list(changed_files([OLD], [out, back]).values()) == [OLD]
    assert list(changed_files([OLD], [back, out]).values()) == []


def test_a_newer_version_takes_the_place_of_every_older_one() -> None:
    """A change without a version means the key."""
    assert list(changed_files([OLD], [Change("raw", "a.json", NEW)]).values()) == [NEW]


@given(st.integers(1, 6), st.integers(1, 5), st.sets(st.integers(0, 7)))
def test_children_share_files_and_changes_without_loss(files: int, half: int, keys: set[int]) -> None:
    """Each file, and each change that waited when the batch was split, goes to exactly one of the two."""
    listed = [replace(OLD, key=f"{number}.json") for number in range(files + 1)]
    half = min(half, files)
    changes = [Change("raw", f"{number}.json", replace(NEW, key=f"{number}.json")) for number in sorted(keys)]
    parts = [child_share(listed, part, changes) for part in ((0, half), (half, len(listed)))]
    assert [file for mine, _ in parts for file in mine] == listed
    assert sorted(change.key for _, mine in parts for change in mine) == [change.key for change in changes]
    whole = changed_files(listed, changes)
    assert {**changed_files(*parts[0]), **changed_files(*parts[1])} == whole
