"""The documents between Lambda and Spark: what one side writes, the other side reads."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tidemark.core.dataset import Dataset
from tidemark.core.errors import DeclarationError
from tidemark.core.files import FileVersion
from tidemark.core.job import (
    REASON_MAX,
    DataFile,
    FileCount,
    JobSpec,
    Rejected,
    RejectedRecord,
    Result,
    RunFailure,
    rows_of,
)

KEYS = (DataFile("s3://lake/k", 3, 90),)
COUNTS = (
    FileCount(("raw", "a", "v1"), read=5, kept=3, rejected=1, duplicate_records=1),
    FileCount(("raw", "c", "v1"), read=2, kept=2, rejected=0, duplicate_records=0, problem="gzip truncated at byte 17"),
)
RESULT = Result(
    batch_id="b", attempt=2, dataset="web", files=COUNTS,
    tables={"web_events": (DataFile("s3://lake/1", 5, 50),), "user_activity": ()},
    rejected=(DataFile("s3://lake/r", 1, 9),),
    days={"web_events": ("2026-07-01",), "user_activity": ()},
    keys=KEYS, seconds={"read": 1.5}, versions={"spark": "3.5.8"},
)  # fmt: skip
NIGHT = Result(
    batch_id="n", attempt=1, dataset="sums", files=(), tables={"sums": (DataFile("s3://lake/n", 4, 40),)}, rejected=(),
    days={"sums": ()}, inputs={"web_events": 7, "sales": 0}, artifacts={"model.json": "s3://lake/m"},
)  # fmt: skip


@pytest.mark.parametrize("seen", [None, (), KEYS])
def test_a_job_spec_is_read_as_it_was_written(dataset: Dataset, seen: tuple[DataFile, ...] | None) -> None:
    """The declaration comes along as it was written; no key files are not the same as none to remember."""
    spec = JobSpec("b", 2, dataset, "s3://control/m", "s3://lake/b/", seen)
    assert JobSpec.loads(spec.dumps()) == spec
    assert JobSpec.loads(spec.dumps()).dataset.declared == dataset.declared


def test_an_output_prefix_ends_in_a_slash(dataset: Dataset) -> None:
    """Nothing is written beside it."""
    document = json.loads(JobSpec("b", 2, dataset, "s3://control/m", "s3://lake/b").dumps())
    assert JobSpec.parse(document).output == "s3://lake/b/"


def test_a_spec_without_a_declaration_says_so(dataset: Dataset) -> None:
    """The job's report then names what is wrong with it."""
    document = json.loads(JobSpec("b", 2, dataset, "s3://control/m", "s3://lake/b/").dumps())
    with pytest.raises(DeclarationError, match="expected a key `prefix`"):
        JobSpec.parse({**document, "dataset": {"name": "web"}})


@pytest.mark.parametrize("result", [RESULT, NIGHT], ids=["batch", "night"])
def test_a_result_is_read_as_it_was_written(result: Result) -> None:
    """Files, tables, days, keys, inputs and artifacts."""
    assert Result.loads(result.dumps()) == result


@pytest.mark.parametrize(
    ("result", "totals", "rows"),
    [
        (RESULT, {"read": 7, "kept": 5, "rejected": 1, "duplicate_records": 1}, 5),
        (NIGHT, {"read": 7, "kept": 7, "rejected": 0, "duplicate_records": 0}, 4),
    ],
    ids=["batch", "night"],
)
def test_a_result_shows_people_its_sums(result: Result, totals: dict[str, int], rows: int) -> None:
    """Nobody adds up a thousand files by hand."""
    document = json.loads(result.dumps())
    assert document["totals"] == totals
    assert next(iter(document["tables"].values()))["rows"] == rows == sum(map(rows_of, result.tables.values()))


@pytest.mark.parametrize("file", [None, FileVersion("raw", 'k"1', "v", 0)])
def test_a_failure_is_read_as_it_was_written(file: FileVersion | None) -> None:
    """The traceback is for people alone."""
    failure = RunFailure("it's gone", "file", file)
    text = failure.dumps("b", 2, "Traceback …")
    assert RunFailure.loads(text) == failure
    document: dict[str, Any] = json.loads(text)
    assert (document["batch_id"], document["attempt"], document["traceback"]) == ("b", 2, "Traceback …")


FAILURE = {"batch_id": "b", "attempt": 1, "kind": "file", "file": None, "message": "not JSON"}
BAD = FileVersion("raw", "web/ü.json", "v1", 0)
NAMED = {"bucket": "raw", "key": "web/ü.json", "version": "v1"}


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        (json.dumps(FAILURE), RunFailure("not JSON", "file")),
        (json.dumps({**FAILURE, "file": NAMED}), RunFailure("not JSON", "file", BAD)),
        (json.dumps({**FAILURE, "kind": "transient"}).encode(), RunFailure("not JSON", "transient")),
    ],
)  # fmt: skip
def test_the_jobs_own_report_is_read(text: str | bytes, failure: RunFailure) -> None:
    """Kind, words and the bad file's identity arrive."""
    assert RunFailure.loads(text) == failure


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "7", "null", "{}", b"\xff\xfe", '{"kind": "file"}', json.dumps({**FAILURE, "file": "x"})]
)
def test_an_unreadable_report_is_an_unknown_failure(text: str | bytes) -> None:
    """A job that died while writing its report still has failed."""
    failure = RunFailure.loads(text)
    assert (failure.kind, failure.file) == ("unknown", None)
    assert failure.message.startswith("the job failed with an unreadable report: ")


def test_an_unreadable_report_is_quoted_in_short() -> None:
    """The reason goes into the ledger, whose items are small."""
    assert len(RunFailure.loads("x" * 100_000).message) < 300
    assert len(RunFailure.loads(RunFailure("x" * 9_000).dumps("b", 1, "")).message) == REASON_MAX


def test_a_rejected_record_says_which_file_version_and_where_in_it() -> None:
    """A line of rejected/*.json, as Spark writes it."""
    line = '{"file":"s3://raw/a","version":"v1","position":12,"line":3,"reason":"n is missing","raw":"{\\"m\\": "}'
    rejected = Rejected(position=12, line=3, reason="n is missing", raw='{"m": ')
    assert RejectedRecord.loads(line) == RejectedRecord("s3://raw/a", "v1", rejected)
