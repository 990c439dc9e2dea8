"""Which folders of the raw bucket are listed by themselves, which are left out, and that a place remembers it all."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tidemark.core.walk import (
    FOLDERS_BYTES_MAX,
    Part,
    Place,
    Span,
    closed,
    divides,
    listed,
    next_parts,
    opened,
    opens,
    span_of,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def at(year: int, month: int = 1, day: int = 1, hour: int = 0) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("path", "end", "is_fine"),
    [
        ("2026/", at(2027), False),
        ("2026/11/", at(2026, 12), False),
        ("2026/12/", at(2027), False),
        ("2026/11/20/", at(2026, 11, 21), True),
        ("2026/11/20/23/", at(2026, 11, 21), True),
        ("2026/02/28/", at(2026, 3, 1), True),
        ("year=2026/month=11/", at(2026, 12), False),
        ("year=2026/month=11/day=30/hour=07/", at(2026, 11, 30, 8), True),
        ("dt=2026-11-20/", at(2026, 11, 21), True),
        ("2026-11-20T07/", at(2026, 11, 20, 8), True),
        ("20261120/", at(2026, 11, 21), True),
        ("eu/2026/11/", at(2026, 12), False),
        ("region=eu/dt=2026-11-20/", at(2026, 11, 21), True),
        ("2013/2026/11/20/", at(2026, 11, 21), True),  # a shop's number
    ],
)
def test_a_folder_is_named_after_a_time(path: str, end: datetime, is_fine: bool) -> None:
    """Years, months, days and hours, as Firehose and Hive name them, perhaps below one other folder."""
    assert span_of(path) == Span(end, is_fine)


@pytest.mark.parametrize(
    "path",
    ["", "eu/", "2026", "2026/1/", "2026/1/1/", "2026/13/", "2026/02/30/", "1026/", "eu/de/2026/", "2026/11/20/07/30/",
     "x2026/", "2026/11/20/a/", "99999999/"],
)  # fmt: skip
def test_any_other_name_is_no_time(path: str) -> None:
    """A month of one digit could be read in two ways: such folders are listed in every pass."""
    assert span_of(path) is None


@pytest.mark.parametrize(
    ("prefix", "does"),
    [("web/", True), ("web/2026/", True), ("web/2026/11/", True), ("web/2026/11/20/", False), ("web/eu/", True),
     ("web/eu/de/", False), ("web/eu/2026/", True), ("web/dt=2026-11-20/", False)],
)  # fmt: skip
def test_what_is_coarser_than_a_day_opens(prefix: str, does: bool) -> None:
    """And a folder that may have times below it; a part that was found not to divide opens no more."""
    assert opens(Part(prefix), "web/") is does
    assert not opens(Part(prefix, whole=True), "web/")


@pytest.mark.parametrize(
    ("prefix", "folders", "more", "do"),
    [
        ("web/", ["web/2025/", "web/2026/"], True, True),
        ("web/", ["web/2026/", "web/test/"], False, True),
        ("web/", ["web/2026/", "web/test/"], True, False),
        ("web/eu/", ["web/eu/2026/"], False, True),
        ("web/eu/", ["web/eu/2026/", "web/eu/test/"], False, False),
        ("web/eu/", [], False, True),
        ("web/", [f"web/{number:0100}/" for number in range(FOLDERS_BYTES_MAX // 100)], False, False),
    ],
)
def test_folders_become_parts_where_that_is_cheap(prefix: str, folders: list[str], more: bool, do: bool) -> None:
    """Times always; others only directly below the dataset, up to a page of them, and as far as a place has room."""
    assert divides(Part(prefix), "web/", folders, more) is do


def test_folders_of_times_long_over_are_left_out() -> None:
    """The year that `since` is in is opened, as is what bears no time; keys beside folders go on at the marker."""
    place = Place(NOW, (Part("web/"), Part("app/")), since=at(2026, 11, 20))
    after = opened(place, "web/", ["web/2025/", "web/2026/", "web/test/"], {"KeyMarker": "web/test/"})
    assert after.parts == (Part("web/2026/"), Part("web/test/"), Part("web/", {"KeyMarker": "web/test/"}), Part("app/"))
    assert after.narrowed
    days = opened(
        Place(NOW, (Part("web/2026/11/"),), at(2026, 11, 20)), "web/", [f"web/2026/11/{n}/" for n in (18, 19, 20)], {}
    )
    assert [part.prefix for part in days.parts] == ["web/2026/11/19/", "web/2026/11/20/"]


def test_a_pass_over_everything_leaves_out_nothing() -> None:
    """Nor does one that found only folders of late."""
    for since in (None, at(2026, 11, 20)):
        after = opened(Place(NOW, (Part("web/"),), since), "web/", ["web/2026/", "web/test/"], {})
        assert [part.prefix for part in after.parts] == ["web/2026/", "web/test/"]
        assert not after.narrowed


def test_parts_that_do_not_open_are_listed_side_by_side() -> None:
    """One that opens is looked into alone, and first."""
    days = tuple(Part(f"web/2026/11/{day}/") for day in range(10, 20))
    assert next_parts(Place(NOW, (*days, Part("web/2026/12/"))), "web/", 8) == days[:8]
    assert next_parts(Place(NOW, (days[0], Part("web/2026/12/"), days[1])), "web/", 8) == days[:1]
    assert next_parts(Place(NOW, (Part("web/2026/12/"), *days)), "web/", 8) == (Part("web/2026/12/"),)


def test_a_part_ends_with_its_last_page() -> None:
    """The others go on where they are, before those that are not begun."""
    place = Place(NOW, (Part("a/"), Part("b/"), Part("c/")))
    assert listed(place, [{"KeyMarker": "a/9"}, {}]).parts == (Part("a/", {"KeyMarker": "a/9"}), Part("c/"))


def test_a_page_that_does_not_divide_is_listed_again_from_its_beginning() -> None:
    """With all that lies below it, so no key on it is missed."""
    place = Place(NOW, (Part("web/", {"KeyMarker": "web/2026/"}), Part("app/")))
    assert closed(place).parts == (Part("web/", {"KeyMarker": "web/2026/"}, whole=True), Part("app/"))


@pytest.mark.parametrize("since", [None, at(2026, 11, 20)])
def test_a_place_is_remembered_as_it_is(since: datetime | None) -> None:
    """A pass of many invocations is one pass."""
    parts = (Part("web/ü/", {"KeyMarker": "web/ü/1", "VersionIdMarker": "v"}, whole=True), Part("web/2026/"))
    place = Place(NOW, parts, since, narrowed=True, seen=7)
    assert Place.unpacked(place.packed()) == place
