"""Sample traffic through the whole job: what comes out is what the traffic was made with."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from pyspark.sql import SparkSession

from local.sample_data.generate import Expected, generate
from tests.spark_jobs.test_run_batch import Job

START = datetime(2026, 11, 20, 23, 58, tzinfo=UTC)
FACTS = {
    "web_logs": "web_events",
    "transactions": "transactions",
    "content": "content_events",
    "customers": "customers",
}


@pytest.mark.parametrize("name", FACTS)
def test_the_totals_are_those_of_the_generator(job: Job, name: str) -> None:
    """Good records are kept, dirt of every kind is rejected, copies are dropped where the declaration says so."""
    landed = list(generate(name, 5, 900, START, dirt=0.1, duplicates=0.05, late=0.02))
    expected = Expected.total(landed)
    assert job.run(name, *(job.raw.put(each.key, each.body) for each in landed)) == 0
    once = any(table.deduplicate for table in job.declared[name].tables)
    kept, repeated = (expected.clean, expected.duplicates) if once else (expected.clean + expected.duplicates, 0)
    assert job.result["totals"] == {
        "read": expected.records,
        "kept": kept,
        "rejected": expected.dirty,
        "duplicate_records": repeated,
    }
    assert len(job.rows(FACTS[name])) == kept
    assert sum(expected.dirt.values()) == expected.dirty > 60


def test_an_event_of_a_third_kind_is_rejected_with_both_others_named(job: Job) -> None:
    """Neither views nor clicks count it, and the reason lists the declared values."""
    (landed,) = generate("content", 5, 40, START, separator="newline", compression="none")
    body, hovers = re.subn(rb'"event_type": "view"', b'"event_type": "hover"', landed.body, count=3)
    assert job.run("content", job.raw.put("content/hover", body)) == 0
    shown = job.rows("content_performance")
    clicks = body.count(b'"click"')
    assert (sum(row["views"] for row in shown), sum(row["clicks"] for row in shown)) == (37 - clicks, clicks)
    assert [row["reason"] for row in job.rejected()] == ["event_type: 'hover' is not one of view, click"] * hovers


def test_an_exported_row_keeps_its_place(spark: SparkSession, job: Job) -> None:
    """The file's landing time and the row's ordinal determine a household's latest row."""
    header, row = b"household_id,age,income\r\n", b'"household-00001","45-54",\r\n'
    file = job.raw.put("customers/export.csv", header + row + row.replace(b"45", b"55"))
    assert job.run("customers", file | {"landed_at": "2026-11-20T23:58:00+00:00"}) == 0
    found = [(one["age"], one["income"], one["_landed_at"], one["_ordinal"]) for one in job.rows("customers")]
    landed_at = datetime(2026, 11, 20, 23, 58, tzinfo=UTC)
    assert [one[:3] for one in found] == [("45-54", None, landed_at), ("55-54", None, landed_at)]
    assert found[0][3] < found[1][3]
