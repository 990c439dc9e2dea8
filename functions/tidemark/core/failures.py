"""Decides what follows from a failed run or load: facts in, the event for `advance` out. Pure.

kind of failure                                 response
----------------------------------------------  ----------------------------------------------------------------
transient: throttled, no capacity, network      retry after backoff
file: the job's report names a file             quarantine that file, and go on with the rest at once
unknown, for the first time                     retry after backoff
unknown, again                                  split the batch, until the bad file is alone in its batch
slow: the run reached its time limit            as unknown; but a half that is still too slow is split without a retry
beyond: no file is to blame                     quarantine the batch: a person must act

A batch that must not be split (a single file, rows that readers may have seen, a nightly batch) is quarantined instead.
"""

from __future__ import annotations

import re

from tidemark.core.job import RunFailure
from tidemark.core.lifecycle import (
    Batch,
    Bisected,
    FileRefused,
    LoadRefused,
    LoadRetried,
    Poisoned,
    RunRetried,
    Vanished,
)
from tidemark.core.naming import child_id

#: Failures for an unknown reason after which the batch is split.
UNKNOWN_MAX = 2
#: Transient run failures in a row after which the batch is quarantined.
TRANSIENT_MAX = 50
#: The same for loads: about a day of outage at the longest backoff.
LOADS_MAX = 50
#: Attempts in a row that follow because files of the lake were gone before they were loaded.
VANISHED_MAX = 3
#: Seconds before the time limit from which a run counts as ended by it: EMR's own figures are rounded.
LIMIT_SLACK = 60

#: What EMR puts before the job's own exceptions in its details; what follows describes the job, not the service.
JOB_EXCEPTIONS = "Last few exceptions:"
#: A time-out of the whole run. AWS does not document its message, so the duration of the run counts as well.
TIME_LIMIT = re.compile(r"execution ?time-?out|\bjob ?(run )?(has )?timed out\b|\bthe run timed out\b", re.IGNORECASE)
#: Code that cannot be imported and access that is denied: the next try fails as well, whatever the files are.
BEYOND_RUN = re.compile(
    r"\b(Import|ModuleNotFound|Syntax|Indentation|Tab)Error\b|\bAccess ?Denied|not authori[sz]ed to perform"
    r"|\bNoSuchBucket\b|ClassNotFoundException|NoClassDefFoundError"
    r"|\bjobs/\S+.{0,80}(not exist|not found|no such)|(not exist|not found|no such|NoSuchKey).{0,80}\bjobs/",
    re.IGNORECASE,
)
#: Too much data for the workers: half the files may fit, the same files again will not.
UNKNOWN_RUN = re.compile(
    r"OutOfMemory|\bMemoryError\b|java heap space|GC overhead|no space left|disk (is )?full|exit ?code:? 137\b"
    r"|caused by one of the running tasks|task .* failed \d+ times",
    re.IGNORECASE,
)
#: Only exact phrases: a run may also fail because of a column `cancelled` or a module `timeout`.
TRANSIENT_RUN = re.compile(
    r"throttl|rate exceeded|slow ?down\b|reduce your request rate|capacity|\bv?cpu quota|quota ?exceeded"
    r"|internal ?(server ?)?(error|exception)|service ?unavailable|connection (reset|refused|aborted)"
    r"|(connect|connection|read|socket|request) ?timed ?out|(Socket|Connect|Read|Request|Queue) ?time-?out"
    r"|lost executor|unrelated to the running tasks|preempt|\bcancell?ed\b",
    re.IGNORECASE,
)
#: The phrases that also count as transient in the job's own exceptions.
TRANSIENT_JOB = re.compile(
    r"\bThrottling(Exception)?\b|\bSlowDown\b|reduce your request rate|\bServiceUnavailable\b|503 Service Unavailable"
    r"|\bconnection reset\b|\b(Socket|Read|Connect)Timeout(Error|Exception)\b|unrelated to the running tasks",
    re.IGNORECASE,
)
#: Names in a message of Redshift: a column that is called `connection` says nothing about the warehouse.
QUOTED_NAME = re.compile(r'"[^"]*"')
#: Redshift's own words. Conflicts have a text for each isolation level, and one for two loads that create one table
#: (docs/aws-facts.md#serializable-conflicts-in-redshift). A missing grant, a dropped table, a paused warehouse and a
#: usage limit are no batch's fault: the load is repeated, and an alarm rings, until somebody acts.
TRANSIENT_LOAD = re.compile(
    r"throttl|rate exceeded|serializable isolation|concurrent transaction|deadlock"
    r"|timed? ?out|timeout|aborted|cancel(led|ed) (by|on|due)|resum|unavailable|connection|too many"
    r"|(warehouse|workgroup|cluster) .{0,80}paused"
    r"|internal ?(server ?)?(error|exception)|disk full|out of memory|usage limit|insufficient ?capacity|slow ?down"
    r"|permission denied|access ?denied|not authori[sz]ed|(?<!of )(relation|schema) .{0,200}does not exist"
    # Each load writes its manifest anew.
    r"|problem reading manifest",
    re.IGNORECASE,
)


def time_limit(state: str, details: str, seconds: float, minutes_max: int) -> RunFailure | None:
    """The failure of a run that EMR ended after `minutes_max` minutes; None if it ended for another reason.

    `seconds` is its duration by EMR's own figures. A run that times out ends CANCELLED, like one that a person stops.
    """
    used_all_its_time = state == "CANCELLED" and minutes_max > 0 and seconds >= minutes_max * 60 - LIMIT_SLACK
    if used_all_its_time or TIME_LIMIT.search(_without_job_exceptions(details)):
        return RunFailure(f"the run did not finish within {minutes_max} minutes", "slow")
    return None


def engine_failure(state: str, details: str, seconds: float = 0, minutes_max: int = 0) -> RunFailure:
    """The failure of a run that left no report, from EMR's state, details and duration (s)."""
    return time_limit(state, details, seconds, minutes_max) or RunFailure(
        details or f"the run ended {state}", "transient" if state == "CANCELLED" else _kind(details)
    )


def _kind(details: str) -> str:
    """The kind of failure that EMR's details show; a lasting cause wins, as EMR lists it together with its effects."""
    if BEYOND_RUN.search(details):
        return "beyond"
    if UNKNOWN_RUN.search(details):
        return "unknown"
    transient = TRANSIENT_RUN.search(_without_job_exceptions(details)) or TRANSIENT_JOB.search(details)
    return "transient" if transient else "unknown"


def _without_job_exceptions(details: str) -> str:
    return details.partition(JOB_EXCEPTIONS)[0]


def after_run_failure(batch: Batch, failure: RunFailure) -> RunRetried | FileRefused | Bisected | Poisoned:
    """The event for a failed run of the batch's current attempt."""
    attempt, failures, reason = batch.attempt, batch.failures.runs + 1, failure.message
    if failure.kind == "file" and failure.file and not batch.period:
        uri = failure.file.uri
        return FileRefused(attempt, reason if uri in reason else f"{uri}: {reason}")
    if failure.kind == "transient":
        return RunRetried(attempt, reason) if failures < TRANSIENT_MAX else Poisoned(attempt, reason)
    if failure.kind == "beyond":
        return Poisoned(attempt, reason)
    if batch.failures.unexplained + 1 < UNKNOWN_MAX and not _is_slow_half(batch, failure):
        return RunRetried(attempt, reason, unknown=True)
    if _can_be_halved(batch):
        return Bisected(attempt, (child_id(batch.batch_id, 0), child_id(batch.batch_id, 1)), reason)
    return Poisoned(attempt, reason)


def _can_be_halved(batch: Batch) -> bool:
    return batch.files > 1 and not batch.maybe_visible and not batch.period


def _is_slow_half(batch: Batch, failure: RunFailure) -> bool:
    """Whether to split a half again without a retry: a retry costs hours and shows nothing that its halves do not."""
    return failure.kind == "slow" and bool(batch.parent) and _can_be_halved(batch)


def may_pass(message: str) -> bool:
    """Whether the warehouse's message describes a passing fault of its own, not a fault of the rows or files."""
    return bool(TRANSIENT_LOAD.search(QUOTED_NAME.sub("", message)))


def after_vanished(batch: Batch, file: str) -> Vanished | LoadRefused:
    """The event for a batch in a failed load whose `file` the lake no longer holds as the attempt wrote it."""
    reason = f"{file} was gone from the lake, or another, before the warehouse had copied it"
    if batch.failures.vanished < VANISHED_MAX:
        return Vanished(batch.attempt, batch.load_id, reason)
    before = f"as of {batch.failures.vanished} attempts before"
    return LoadRefused(
        batch.attempt, batch.load_id, f"{reason}, {before}: something deletes files that are not yet loaded"
    )


def after_others_vanished(batch: Batch, message: str, company: int) -> LoadRetried:
    """The event for a batch whose load failed because files of another batch had vanished: a new load at once."""
    return LoadRetried(batch.attempt, batch.load_id, message, company)


def after_load_failure(batch: Batch, message: str, company: int) -> LoadRetried | LoadRefused:
    """The event for one batch of a failed load of `company` batches.

    A transient failure leaves the size of the next load alone, so that an outage does not leave every batch to be
    loaded by itself. Any other failure halves it, until the batch that causes the failure is loaded by itself.
    """
    if may_pass(message) and batch.failures.loads + 1 < LOADS_MAX:
        return LoadRetried(batch.attempt, batch.load_id, message)
    if company > 1:
        return LoadRetried(batch.attempt, batch.load_id, message, company=(company + 1) // 2)
    return LoadRefused(batch.attempt, batch.load_id, message)
