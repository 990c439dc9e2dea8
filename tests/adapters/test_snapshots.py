"""Pins: the files that a nightly attempt is to read."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from tests.adapters import test_iceberg
from tests.adapters.test_iceberg import wrote
from tidemark.adapters.iceberg import Lake
from tidemark.adapters.snapshots import Snapshots, shown_name
from tidemark.core.files import split_uri

SALES = replace(test_iceberg.SALES, day="day")
FIRST, SECOND, THIRD = date(2026, 11, 20), date(2026, 11, 21), date(2026, 11, 22)


@pytest.fixture
def uris(lake: Lake, s3: Any) -> list[str]:
    """A file with two rows of the first day, and one with a row of the second."""
    uris = [wrote(s3, "web.t.1", 1, ["1", "2"], f"{FIRST}"), wrote(s3, "web.t.2", 1, ["3"], f"{SECOND}")]
    lake.publish(SALES, "web.t.1", 1, uris[:1], 2)
    lake.publish(SALES, "web.t.2", 1, uris[1:], 1)
    return uris


def test_a_pin_names_the_files_of_the_snapshot(lake: Lake, uris: list[str]) -> None:
    """With sizes and rows, so that the job can tell whether it has read them all."""
    snapshot = Snapshots(lake).current(SALES, None)
    assert [(file.bucket, file.key) for file in snapshot.files] == sorted(map(split_uri, uris))
    assert sorted(file.rows for file in snapshot.files) == [1, 2]
    assert min(file.size for file in snapshot.files) > 0
    assert (snapshot.table, snapshot.sequence, snapshot.days) == (SALES.name, 2, None)


def test_a_pin_of_days_leaves_out_files_of_other_days(lake: Lake, uris: list[str]) -> None:
    """From the first to before the second."""
    snapshot = Snapshots(lake).current(SALES, (SECOND, THIRD))
    assert [(file.bucket, file.key) for file in snapshot.files] == [split_uri(uris[1])]
    assert (snapshot.day, snapshot.days) == (SALES.day, (SECOND, THIRD))


def test_a_pin_stays_as_it_is_while_the_table_changes(lake: Lake, s3: Any, uris: list[str]) -> None:
    """The next one has a later sequence number and other files."""
    before = Snapshots(lake).current(SALES, None)
    lake.publish(SALES, "web.t.1", 2, [wrote(s3, "web.t.1", 2, ["9"], f"{FIRST}")], 1)
    after = Snapshots(lake).current(SALES, None)
    assert (before.sequence, after.sequence > before.sequence) == (2, True)
    assert {file.key for file in after.files} != {file.key for file in before.files}


def test_a_table_that_was_never_made_has_no_files(lake: Lake) -> None:
    """Nothing has been published yet."""
    snapshot = Snapshots(lake).current(replace(SALES, name="unknown"), None)
    assert (snapshot.snapshot, snapshot.sequence, snapshot.files) == (None, 0, ())


@pytest.mark.parametrize(("kind", "shown"), [("facts", "sales"), ("additive", "sales_by_batch"), ("latest", "sales")])
def test_sums_are_read_from_what_they_sum(kind: str, shown: str) -> None:
    """The latest rows are read as readers see them."""
    assert shown_name(replace(SALES, kind=kind)) == shown
