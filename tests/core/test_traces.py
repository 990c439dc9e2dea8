"""What documents in the control bucket tell of a batch, beside what the ledger says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tidemark.core.dataset import Dataset
from tidemark.core.dataset_parser import parse_dataset
from tidemark.core.lifecycle import Batch, State
from tidemark.core.traces import Documents, differences, documents, is_behind

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ONE = "web.20260301T110000.aaaaaaaa"
BATCH = Batch(ONE, "web", NOON, NOON, State.LOADED, attempt=2)
WEB: Dataset = parse_dataset(
    {
        "name": "web",
        "prefix": "web/",
        "record": {"user": "string(8)"},
        "tables": {
            "hits": {"columns": {"user": "string(8)"}},
            "totals": {"kind": "additive", "columns": {"user": "string(8)", "n": "bigint"}, "sums": ["n"]},
        },
    }
)


def left(manifests: set[int], specs: set[int]) -> Documents:
    """What lies there of the batch."""
    return Documents(ONE, "web", NOON, frozenset(manifests), frozenset(specs))


def test_a_listing_tells_which_attempts_have_a_manifest_and_a_job_spec() -> None:
    """Other objects of the bucket are passed over, and the first document tells since when the batch has been."""
    prefix = f"batches/web/{ONE}"
    listed = [
        (f"{prefix}/0001/manifest.json", NOON),
        (f"{prefix}/0001/job_spec.json", NOON + timedelta(minutes=1)),
        (f"{prefix}/0003/job_spec.json", NOON + timedelta(minutes=9)),
        (f"{prefix}/0003/tables/hits/part-0.parquet", NOON),
        ("jobs/spark_jobs.zip", NOON),
        ("batches/web/manifest.json", NOON),
    ]
    assert documents(listed) == {ONE: left({1}, {1, 3})}
    assert documents(listed)[ONE].latest == 3


@pytest.mark.parametrize(
    ("known", "found", "split", "behind"),
    [
        (None, left({1}, set()), False, True),
        (BATCH, left({1, 2}, {1, 2}), False, False),
        (BATCH, left({1, 2}, {1, 3}), False, True),
        (BATCH, left({1, 2, 3}, {1, 2}), False, True),
        (BATCH, left({1}, {1}), False, False),
        (replace(BATCH, state=State.FORMING), left({1, 2}, {1}), False, True),
        (replace(BATCH, state=State.FORMING), left({1}, {1}), False, False),
        (replace(BATCH, state=State.PLANNED), left({1, 2}, {1}), False, False),
        (replace(BATCH, state=State.PLANNED), left({1, 2}, {1, 2}), False, True),
        (replace(BATCH, state=State.RUNNING), left({1, 2}, {1, 2}), False, False),
        (replace(BATCH, state=State.LOADING), left({1, 2}, {1, 2}), False, False),
        (replace(BATCH, state=State.RUNNING), left({1, 2}, {1, 2}), True, True),
        (replace(BATCH, state=State.SPLIT), left({1, 2}, {1, 2}), True, False),
    ],
    ids=[
        "unknown",
        "as known",
        "a newer run",
        "a newer manifest",
        "the ledger is ahead",
        "formed",
        "to be formed",
        "planned",
        "perhaps started",
        "running",
        "loading",
        "its children have begun",
        "split as known",
    ],
)
def test_the_ledger_is_behind_where_a_document_tells_more(
    known: Batch | None, found: Documents, split: bool, behind: bool
) -> None:
    """Under way with the latest attempt is not behind: the function whose step is due asks the world."""
    assert is_behind(known, found, split) is behind


def test_each_table_has_to_show_exactly_the_attempts_rows() -> None:
    """Rows of another attempt beside them, too few, or rows where there are to be none: a line each."""
    rows = {"hits": 5, "totals": 0}
    assert differences("lake", WEB, rows, 2, {"hits": {2: 5}}) == []
    assert differences("lake", WEB, rows, 2, {"hits": {1: 1, 2: 5}}) == [
        "lake, hits: expected 5 rows of attempt 2, found 1 rows of attempt 1 and 5 rows of attempt 2"
    ]
    stored = WEB.tables[1].physical_name
    assert differences("lake", WEB, rows, 2, {stored: {2: 3}}) == [
        "lake, hits: expected 5 rows of attempt 2, found no rows",
        f"lake, {stored}: expected no rows, found 3 rows of attempt 2",
    ]


def test_a_table_that_the_attempt_did_not_know_is_not_asked_of_it() -> None:
    """It was declared since."""
    assert differences("lake", WEB, {"hits": 5}, 1, {"hits": {1: 5}}) == []
