from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tidemark.core.failures import (
    LOADS_MAX,
    TRANSIENT_MAX,
    VANISHED_MAX,
    RunFailure,
    after_load_failure,
    after_others_vanished,
    after_run_failure,
    after_vanished,
    engine_failure,
    may_pass,
)
from tidemark.core.files import FileVersion
from tidemark.core.lifecycle import (
    Batch,
    Bisected,
    Failures,
    FileRefused,
    LoadRefused,
    LoadRetried,
    Poisoned,
    RunRetried,
    State,
    Vanished,
)
from tidemark.core.naming import child_id

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BAD = FileVersion("raw", "web/bad.json", "v1", 5)


def batch(**changes: Any) -> Batch:
    fields: dict[str, Any] = {"state": State.RUNNING, "attempt": 2, "files": 4, "load_id": "load.1", **changes}
    return Batch("web.20260301T120000.00000000", "web", NOW, NOW, **fields)


JOB = "Job failed, please check complete logs in configured logging destination. ExitCode: 1. Last few exceptions: "
#: EMR's words on a run without a report → what the batch is owed.
WORDS = {
    "transient": [
        "ThrottlingException: Rate exceeded",
        "SlowDown: Please reduce your request rate",
        "worker could not be allocated: insufficient capacity",
        "ServiceQuotaExceededException: vCPU quota",
        "the run waited too long in the queue: queue timeout",
        "InternalServerException",
        "Internal Server Error",
        "503 Service Unavailable",
        "java.net.SocketException: Connection reset",
        "java.net.SocketTimeoutException: Read timed out",
        "connect timed out",
        "lost executor 3",
        JOB + "software.amazon.awssdk.services.s3.model.S3Exception: Please reduce your request rate. SlowDown",
        JOB + "ExecutorLostFailure (executor 3 exited unrelated to the running tasks) Reason: decommissioned",
    ],
    "slow": [
        "the run timed out",
        "Job run timed out after 120 minutes",
        "executionTimeoutMinutes: timeout",
        "Job run was cancelled: execution timeout",
    ],
    "unknown": [
        "java.lang.OutOfMemoryError: Java heap space",
        JOB + "java.lang.OutOfMemoryError: GC overhead limit exceeded",
        JOB + "java.io.IOException: No space left on device",
        "disk full",
        "Job failed, please check complete logs. ExitCode: 137.",
        JOB
        + "Task 0 in stage 1.0 failed 4 times, most recent failure: ExecutorLostFailure (executor 3 exited caused by "
        "one of the running tasks) Reason: lost executor",
        JOB + "java.util.concurrent.TimeoutException: Futures timed out after [300 seconds]",
        JOB + "AttributeError: module 'timeout' has no attribute 'quota'",
        JOB + "KeyError: 'cancelled'",
        "KeyError: 'user_id'",
        "exit code 1",
        "",
    ],
    "beyond": [
        JOB + "ModuleNotFoundError: No module named 'capacity_planner'",
        JOB + "ImportError: cannot import name 'transform'",
        JOB + "SyntaxError: invalid syntax (web_logs.py, line 3)",
        "User: arn:aws:sts::1:assumed-role/job is not authorized to perform: s3:GetObject",
        JOB + "com.amazonaws.services.s3.model.AmazonS3Exception: Access Denied (Status Code: 403)",
        "cannot read s3://control/jobs/run_batch.py: An error occurred (404): Not Found",
        "NoSuchKey: s3://control/jobs/spark_jobs.zip",
    ],
}
PASSING, UNKNOWN = WORDS["transient"], WORDS["unknown"]


@pytest.mark.parametrize(("kind", "message"), [(kind, message) for kind in WORDS for message in WORDS[kind]])
def test_emrs_words_tell_what_the_batch_is_owed(kind: str, message: str) -> None:
    """Only what passes by itself is worth fifty tries; what is wrong with the code is no file's fault."""
    assert engine_failure("FAILED", message).kind == kind


@pytest.mark.parametrize("kind", ["unknown", "slow", "beyond"])
def test_what_does_not_pass_is_tried_twice_at_most(kind: str) -> None:
    """However the words read, the second failure of a file on its own goes to a person."""
    assert isinstance(
        after_run_failure(batch(files=1, failures=Failures(unexplained=1)), RunFailure("", kind)), Poisoned
    )


@pytest.mark.parametrize(
    ("state", "seconds", "kind"),
    [
        ("CANCELLED", 7_200, "slow"),
        ("CANCELLED", 7_170, "slow"),
        ("CANCELLED", 7_300, "slow"),
        ("CANCELLED", 600, "transient"),
        ("CANCELLED", 0, "transient"),
        ("FAILED", 7_200, "unknown"),
    ],
)
def test_a_run_that_was_ended_after_its_whole_time_is_slow_whatever_emr_says(
    state: str, seconds: float, kind: str
) -> None:
    """AWS documents no words for a time-out, only that it ends CANCELLED; its figures tell it from a person's stop."""
    assert engine_failure(state, "", seconds, 120).kind == kind


def test_the_reason_of_a_slow_run_says_how_long_it_was_given() -> None:
    """A person who reads it in quarantine needs no log for it."""
    failure = engine_failure("CANCELLED", "Job run was cancelled", 7_201, 120)
    assert failure == RunFailure("the run did not finish within 120 minutes", "slow")


def test_a_slow_batch_is_tried_once_more_and_then_its_halves_are_halved_at_once() -> None:
    """Each try costs the whole time limit: of 8 files the slow one is alone after 6 slow runs."""
    slow, runs = RunFailure("the run did not finish within 120 minutes", "slow"), 0
    found = batch(files=8, attempt=1)
    while True:
        runs += 1
        event = after_run_failure(found, slow)
        if isinstance(event, RunRetried):
            assert event.unknown
            found = replace(found, attempt=found.attempt + 1, failures=Failures(unexplained=1, runs=1))
        elif isinstance(event, Bisected):
            child = {"parent": found.batch_id, "files": found.files // 2, "attempt": 1}
            found = replace(found, batch_id=event.children[0], failures=Failures(unexplained=0, runs=0), **child)
        else:
            break
    assert (runs, found.files, event) == (6, 1, Poisoned(2, slow.message))


@pytest.mark.parametrize("changes", [{"maybe_visible": True}, {"period": "2026-03-01"}])
def test_a_slow_batch_that_cannot_be_halved_goes_to_a_person(changes: dict[str, Any]) -> None:
    """After the second try: rows that readers saw, and nights, are replaced whole or not at all."""
    slow = RunFailure("the run did not finish within 120 minutes", "slow")
    assert after_run_failure(batch(**changes), slow) == RunRetried(2, slow.message, unknown=True)
    assert after_run_failure(batch(failures=Failures(unexplained=1), **changes), slow) == Poisoned(2, slow.message)


@pytest.mark.parametrize("message", PASSING)
@pytest.mark.parametrize("failures", [0, TRANSIENT_MAX - 2])
def test_what_passes_by_itself_is_tried_again(message: str, failures: int) -> None:
    """Capacity, throttles and lost machines say nothing about the files."""
    failed = batch(failures=Failures(runs=failures))
    assert after_run_failure(failed, engine_failure("FAILED", message)) == RunRetried(2, message)


def test_the_words_of_a_job_are_no_reason_to_wait() -> None:
    """Only EMR's own words tell of capacity: a job may complain of a column `cancelled`."""
    assert RunFailure("no such column: cancelled").kind == "unknown"
    assert engine_failure("CANCELLED", "").kind == "transient"


def test_the_job_may_say_itself_that_it_passes() -> None:
    """The kind that the job reports counts as much as EMR's words."""
    assert after_run_failure(batch(), RunFailure("wait", "transient")) == RunRetried(2, "wait")


def test_patience_has_an_end() -> None:
    """After fifty tries a person is asked."""
    failed = batch(failures=Failures(runs=TRANSIENT_MAX - 1))
    assert after_run_failure(failed, RunFailure("throttled", "transient")) == Poisoned(2, "throttled")


@pytest.mark.parametrize("message", UNKNOWN)
def test_the_unknown_is_tried_once_more(message: str) -> None:
    """A first failure may be chance."""
    assert after_run_failure(batch(), RunFailure(message)) == RunRetried(2, message, unknown=True)


@pytest.mark.parametrize("message", UNKNOWN)
def test_the_unknown_is_bisected_when_it_repeats(message: str) -> None:
    """Halving finds the bad file without knowing what is wrong."""
    failed = batch(failures=Failures(runs=5, unexplained=1))
    children = (child_id(failed.batch_id, 0), child_id(failed.batch_id, 1))
    assert after_run_failure(failed, RunFailure(message)) == Bisected(2, children, message)


@pytest.mark.parametrize("changes", [{"files": 1}, {"files": 0}, {"maybe_visible": True}])
def test_what_cannot_be_halved_goes_to_a_person(changes: dict[str, Any]) -> None:
    """A single file stands alone already, and rows that were shown must be replaced by the batch that showed them."""
    failed = batch(failures=Failures(runs=1, unexplained=1), **changes)
    assert after_run_failure(failed, RunFailure("exit code 1")) == Poisoned(2, "exit code 1")


@pytest.mark.parametrize("message", ["not JSON", "connection reset while reading"])
def test_a_named_file_is_set_aside_at_once(message: str) -> None:
    """The job knows better than its words: a name goes before every guess."""
    expected = FileRefused(2, f"s3://raw/web/bad.json: {message}")
    assert after_run_failure(batch(failures=Failures(runs=5)), RunFailure(message, "file", BAD)) == expected


def test_a_bad_file_without_a_name_is_unknown() -> None:
    """Nothing can be set aside then."""
    assert after_run_failure(batch(), RunFailure("not JSON", "file")) == RunRetried(2, "not JSON", unknown=True)


@pytest.mark.parametrize("changes", [{}, {"failures": Failures(unexplained=1)}, {"maybe_visible": True}])
def test_what_no_try_and_no_half_would_cure_goes_to_a_person(changes: dict[str, Any]) -> None:
    """The keys of another batch are gone: a thousand halves would fail one by one."""
    failed = batch(**changes)
    assert after_run_failure(failed, RunFailure("no keys", "beyond")) == Poisoned(2, "no keys")


LOAD_PASSING = [
    "ERROR: 1023 DETAIL: Serializable isolation violation on table",
    "ERROR: Could not complete because of conflict with concurrent transaction [SQLState: XX000]",
    'ERROR: duplicate key violates unique constraint "pg_class_i" (possibly caused by concurrent transaction conflict)',
    "ERROR: permission denied for database warehouse",
    "ERROR: permission denied for schema public",
    "ERROR: User arn:aws:redshift:us-east-1:123456789012:dbuser:w/IAMR:Load is not authorized to assume IAM Role",
    "ERROR: S3ServiceException:Access Denied,Status 403,Error AccessDenied",
    "ERROR: S3ServiceException:Please reduce your request rate.,Status 503,Error SlowDown",
    'ERROR: relation "public.web_events" does not exist',
    'ERROR: schema "tidemark" does not exist',
    "ERROR: Query reached usage limit",
    "The workgroup is paused",
    "InsufficientCapacityException: not enough capacity to run the query",
    "deadlock detected",
    "ThrottlingException",
    "the statement was ABORTED",
    "the workgroup is resuming",
    "Disk Full",
    "Internal error",
    "InternalServerException",
    "Problem reading manifest file - S3ServiceException:NoSuchKey s3://control/loads/load.1/events.manifest",
]
LOAD_LASTING = [
    'ERROR: column "colour" of relation "web_events" has another type',
    'ERROR: column "colour" of relation "web_events" does not exist',
    'ERROR: value too long for column "connection_timeout" of type character varying(8)',
    'ERROR: column "paused_at" is of type date but expression is of type bigint',
    "ERROR: String length exceeds DDL length",
    "Spectrum Scan Error code 15007: incompatible Parquet schema",
    "S3ServiceException:The specified key does not exist.,Status 404,Error NoSuchKey",
]


@pytest.mark.parametrize(("company", "half"), [(45, 23), (3, 2), (2, 1)])
@pytest.mark.parametrize("message", LOAD_LASTING)
def test_a_refused_load_is_tried_in_halves(message: str, company: int, half: int) -> None:
    """The batch that is to blame stands alone after six loads of forty-five, and the others are loaded meanwhile."""
    assert after_load_failure(batch(), message, company) == LoadRetried(2, "load.1", message, half)


@pytest.mark.parametrize("message", LOAD_PASSING)
def test_an_outage_marks_nobody(message: str) -> None:
    """What passes is no batch's fault: all are tried again as they were, until that has lasted for a day."""
    assert after_load_failure(batch(), message, company=45) == LoadRetried(2, "load.1", message)
    tired = batch(failures=Failures(loads=LOADS_MAX - 1))
    assert after_load_failure(tired, message, company=45) == LoadRetried(2, "load.1", message, 23)


@pytest.mark.parametrize("message", LOAD_PASSING)
def test_a_lonely_load_is_tried_again_if_that_may_help(message: str) -> None:
    """The warehouse's own troubles are not the batch's."""
    assert after_load_failure(batch(), message, company=1) == LoadRetried(2, "load.1", message)
    tired = batch(failures=Failures(loads=LOADS_MAX - 1))
    assert after_load_failure(tired, message, company=1) == LoadRefused(2, "load.1", message)


@pytest.mark.parametrize("message", LOAD_LASTING)
def test_rows_that_the_warehouse_refuses_go_to_a_person(message: str) -> None:
    """Repeating would not make them fit."""
    assert after_load_failure(batch(), message, company=1) == LoadRefused(2, "load.1", message)


@pytest.mark.parametrize(("message", "passes"), [(LOAD_PASSING[0], True), (LOAD_LASTING[-1], False)])
def test_a_file_that_is_not_there_is_no_trouble_of_the_warehouse(message: str, passes: bool) -> None:
    """Waiting would not bring it back, so the lake is looked at."""
    assert may_pass(message) is passes


def test_files_gone_from_the_lake_are_made_anew_three_times() -> None:
    """A neighbour tidied up too soon, which need not happen again; a rule that deletes them all is for a person."""
    file = "s3://lake/batches/web/b/0002/tables/events/part-0.parquet"
    for vanished in range(VANISHED_MAX):
        event = after_vanished(batch(failures=Failures(vanished=vanished)), file)
        assert isinstance(event, Vanished)
        assert event.reason == f"{file} was gone from the lake, or another, before the warehouse had copied it"
    refused = after_vanished(batch(failures=Failures(vanished=VANISHED_MAX)), file)
    assert isinstance(refused, LoadRefused)
    assert refused.reason.endswith("as of 3 attempts before: something deletes files that are not yet loaded")


def test_those_beside_a_batch_whose_files_are_gone_are_loaded_at_once() -> None:
    """It is known who is to blame, so their company need not shrink."""
    assert after_others_vanished(batch(), "no such key", 45) == LoadRetried(2, "load.1", "no such key", 45)


def test_a_night_that_fails_is_neither_split_nor_robbed_of_a_file() -> None:
    """Its files are a snapshot: the lake does not lose one of them, and half a snapshot is no table."""
    named = RunFailure("not a Parquet file", "file", BAD)
    assert after_run_failure(batch(period="2026-03-01"), named) == RunRetried(2, named.message, unknown=True)
    again = batch(period="2026-03-01", failures=Failures(unexplained=1))
    assert after_run_failure(again, named) == Poisoned(2, named.message)
