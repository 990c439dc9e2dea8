"""Which kind of failure AWS's own words show, text by text."""

from __future__ import annotations

import pytest

from tidemark.core.error_texts import (
    DENIED_CODES,
    JOB_EXCEPTIONS,
    LOAD_TEXTS,
    RUN_TEXTS,
    SLOW,
    TRANSIENT_CODES,
    ErrorText,
    call_kind,
    job_kind,
    load_kind,
    run_kind,
    says_slow,
)

JOB = f"Job failed, please check complete logs in configured logging destination. ExitCode: 1. {JOB_EXCEPTIONS} "


@pytest.mark.parametrize("row", RUN_TEXTS, ids=lambda row: row.example[-60:])
def test_each_text_of_a_run_is_of_its_kind(row: ErrorText) -> None:
    """No row before it takes the example away."""
    assert run_kind(row.example) == row.kind


@pytest.mark.parametrize("row", LOAD_TEXTS, ids=lambda row: row.example[-60:])
def test_each_text_of_a_load_is_of_its_kind(row: ErrorText) -> None:
    """No row before it takes the example away."""
    assert load_kind(row.example) == row.kind


@pytest.mark.parametrize("row", [*RUN_TEXTS, *LOAD_TEXTS, SLOW], ids=lambda row: row.example[-60:])
def test_each_row_matches_its_own_example_and_says_where_it_is_from(row: ErrorText) -> None:
    """A row whose pattern does not match what AWS prints would be of no use."""
    assert row.found_in(row.example)
    assert not row.source or row.source.startswith("https://")


#: Further texts, and those that only look like one of AWS's.
RUNS = {
    "transient": [
        "SlowDown: Please reduce your request rate",
        "worker could not be allocated: insufficient capacity",
        "ServiceQuotaExceededException: vCPU quota",
        "Internal Server Error",
        "503 Service Unavailable",
        "java.net.SocketTimeoutException: Read timed out",
        "connect timed out",
        "Task 0 in stage 1.0 failed 4 times, most recent failure: lost executor 3",
        "Job failed due to Worker could not be allocated as the application has exceeded maximumCapacity.",
        "Job failed as application has exceeded maximumCapacity settings.",
    ],
    "denied": [
        JOB + "com.amazonaws.services.s3.model.AmazonS3Exception: Access Denied (Status Code: 403)",
        JOB + "AccessDeniedException: s3a://lake/batches/x: getFileStatus: Forbidden",
    ],
    "small": [
        "Job failed, please check complete logs. ExitCode: 137.",
        JOB + "java.lang.OutOfMemoryError: GC overhead limit exceeded",
        JOB + "ExecutorLostFailure (executor 1 exited caused by one of the running tasks) Reason: The executor with id"
        " 1 exited with exit code 137(SIGKILL, possible container OOM).",
        JOB + "MemoryError: Unable to allocate 2.00 GiB",
        "disk full",
    ],
    "beyond": [
        JOB + "ImportError: cannot import name 'transform'",
        JOB + "SyntaxError: invalid syntax (web_logs.py, line 3)",
        "NoSuchKey: s3://control/jobs/spark_jobs.zip",
        JOB + "NoRegionError: You must specify a region.",
    ],
    "unknown": [
        JOB + "Task 0 in stage 1.0 failed 4 times, most recent failure: ExecutorLostFailure (executor 3 exited caused"
        " by one of the running tasks) Reason: lost executor",
        JOB + "java.util.concurrent.TimeoutException: Futures timed out after [300 seconds]",
        JOB + "AttributeError: module 'timeout' has no attribute 'quota'",
        JOB + "KeyError: 'cancelled'",
        "KeyError: 'user_id'",
        "exit code 1",
        "",
    ],
}
LOADS = {
    "denied": [
        "ERROR: permission denied for database warehouse",
        'ERROR: permission denied for relation "web_events"',
        "ERROR: User arn:aws:redshift:us-east-1:123456789012:dbuser:w/IAMR:Load is not authorized to assume IAM Role",
        "ERROR: S3ServiceException:Access Denied,Status 403,Error AccessDenied",
    ],
    "transient": [
        'ERROR: schema "tidemark" does not exist',
        "The workgroup is paused",
        "the workgroup is resuming",
        "the statement was ABORTED",
        "Internal error",
    ],
    "unknown": [
        'ERROR: column "colour" of relation "web_events" has another type',
        'ERROR: column "colour" of relation "web_events" does not exist',
        'ERROR: value too long for column "connection_timeout" of type character varying(8)',
        'ERROR: column "paused_at" is of type date but expression is of type bigint',
        "8001 DETAIL: The combined length of columns processed exceeded the query-processing limit of 65535 characters",
        "ERROR: String length exceeds DDL length",
        "Spectrum Scan Error code 15007: incompatible Parquet schema",
        "S3ServiceException:The specified key does not exist.,Status 404,Error NoSuchKey",
    ],
}


@pytest.mark.parametrize(("kind", "details"), [(kind, details) for kind in RUNS for details in RUNS[kind]])
def test_emrs_words_tell_what_the_batch_is_owed(kind: str, details: str) -> None:
    """Only what passes by itself is worth fifty tries; what is wrong with the code is no file's fault."""
    assert run_kind(details) == kind


@pytest.mark.parametrize(("kind", "message"), [(kind, message) for kind in LOADS for message in LOADS[kind]])
def test_redshifts_words_tell_whether_the_batch_is_to_blame(kind: str, message: str) -> None:
    """Names in quotes are the user's, and a column that is missing is the batch's trouble."""
    assert load_kind(message) == kind


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("S3Exception: Please reduce your request rate. (Service: S3, Status Code: 503)", "transient"),
        ("ClientError: An error occurred (AccessDenied) when calling the PutObject operation: Access Denied", "denied"),
        ("OutOfMemoryError: Java heap space", "small"),
        ("KeyError: 'capacity'", "unknown"),
        ("ValueError: cancelled", "unknown"),
    ],
)
def test_an_exception_of_the_job_counts_only_if_no_record_could_have_named_it(message: str, kind: str) -> None:
    """The service's words about capacity and time are common words in data."""
    assert job_kind(message) == kind


@pytest.mark.parametrize(
    ("details", "slow"),
    [
        ("the run timed out", True),
        ("executionTimeoutMinutes: timeout", True),
        ("Job run was cancelled: execution timeout", True),
        (JOB + "the run timed out", False),
        ("connect timed out", False),
    ],
)
def test_only_emr_itself_says_that_the_time_is_over(details: str, slow: bool) -> None:
    """A job that waits for something else may use the same words."""
    assert says_slow(details) is slow


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ThrottlingException", "transient"),  # EMR, Glue, the Data API
        ("TooManyRequestsException", "transient"),
        ("ServiceQuotaExceededException", "transient"),  # EMR: StartJobRun
        ("ConcurrentModificationException", "transient"),  # Glue: UpdateTable
        ("ActiveStatementsExceededException", "transient"),  # Data API: 500 statements
        ("ActiveSessionsExceededException", "transient"),  # Data API: 500 sessions
        ("SlowDown", "transient"),  # S3, with status 503
        ("503", "transient"),  # S3: HeadObject has no body
        ("InternalError", "transient"),
        ("AccessDenied", "denied"),  # S3
        ("AccessDeniedException", "denied"),  # all others
        ("403", "denied"),  # S3: HeadObject has no body
        ("ValidationException", "unknown"),
        ("NoSuchKey", "unknown"),
    ],
)
def test_the_code_of_a_refused_call_says_whether_it_passes(code: str, kind: str) -> None:
    """What is refused for the moment, or for lack of a permission, says nothing about the files."""
    assert call_kind(code) == kind


def test_no_code_is_of_two_kinds() -> None:
    """A call is refused for the moment, or for lack of a permission."""
    assert not TRANSIENT_CODES & DENIED_CODES
