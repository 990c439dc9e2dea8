"""What to do about a run or a load that failed: facts in, the event to advance with out. Pure.

transient (throttled, capacity, network)    retry after backoff
a file named in the job's report            set the file aside, go on with the rest at once
unknown, for the first time                 retry after backoff
unknown, again                              bisect, until the bad file stands alone
slow: ended by the run's own time limit     like unknown; but half of a slow batch, if still too slow, is halved at once
beyond what the batch's files are to blame  a person
a single file, a batch already shown,       a person
or a nightly one
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

#: Runs that fail for an unknown reason before the batch is split.
UNKNOWN_MAX = 2
#: Runs that fail for a passing reason before a person is asked.
TRANSIENT_MAX = 50
LOADS_MAX = 50  # a day of outage, at the longest backoff
#: Attempts in a row that are made anew because their files were gone from the lake too soon.
VANISHED_MAX = 3
#: Seconds by which EMR may end a run before its time limit, in its own rounded figures.
LIMIT_SLACK = 60

#: EMR's sentence before the words of a job that ended by itself: what follows tells of the job, not of the moment.
JOBS_OWN_WORDS = "Last few exceptions:"
#: A time-out of the whole run. AWS does not document its words, so the time that the run took counts as well.
TIME_LIMIT = re.compile(r"execution ?time-?out|\bjob ?(run )?(has )?timed out\b|\bthe run timed out\b", re.IGNORECASE)
#: Code that cannot be imported and doors that are shut are so for every file, and for the next try.
BEYOND_RUN = re.compile(
    r"\b(Import|ModuleNotFound|Syntax|Indentation|Tab)Error\b|\bAccess ?Denied|not authori[sz]ed to perform"
    r"|\bNoSuchBucket\b|ClassNotFoundException|NoClassDefFoundError"
    r"|\bjobs/\S+.{0,80}(not exist|not found|no such)|(not exist|not found|no such|NoSuchKey).{0,80}\bjobs/",
    re.IGNORECASE,
)
#: Too much for the machine: half the files may fit, the same ones again will not.
UNKNOWN_RUN = re.compile(
    r"OutOfMemory|\bMemoryError\b|java heap space|GC overhead|no space left|disk (is )?full|exit ?code:? 137\b"
    r"|caused by one of the running tasks|task .* failed \d+ times",
    re.IGNORECASE,
)
#: Exact words only: a run may fail over a column `cancelled` or a module `timeout`.
TRANSIENT_RUN = re.compile(
    r"throttl|rate exceeded|slow ?down\b|reduce your request rate|capacity|\bv?cpu quota|quota ?exceeded"
    r"|internal ?(server ?)?(error|exception)|service ?unavailable|connection (reset|refused|aborted)"
    r"|(connect|connection|read|socket|request) ?timed ?out|(Socket|Connect|Read|Request|Queue) ?time-?out"
    r"|lost executor|unrelated to the running tasks|preempt|\bcancell?ed\b",
    re.IGNORECASE,
)
#: What of it a job's own exceptions are believed to tell.
TRANSIENT_JOB = re.compile(
    r"\bThrottling(Exception)?\b|\bSlowDown\b|reduce your request rate|\bServiceUnavailable\b|503 Service Unavailable"
    r"|\bconnection reset\b|\b(Socket|Read|Connect)Timeout(Error|Exception)\b|unrelated to the running tasks",
    re.IGNORECASE,
)
#: Redshift's own words; error 1023 is a conflict (docs/aws-facts.md#serializable-conflicts-in-redshift).
TRANSIENT_LOAD = re.compile(
    r"throttl|rate exceeded|serializable isolation|deadlock|timed? ?out|timeout|aborted|cancel(led|ed) (by|on|due)"
    r"|resum|unavailable|connection|internal ?(server ?)?(error|exception)|disk full|out of memory|too many"
    # The manifest of a load is written anew for the next.
    r"|problem reading manifest",
    re.IGNORECASE,
)


def time_limit(state: str, details: str, seconds: float, minutes_max: int) -> RunFailure | None:
    """The failure of a run that EMR ended because it took `minutes_max`; None when it ended for another reason.

    `seconds` is how long it ran by EMR's own figures. A time-out ends CANCELLED, as does a run that a person stops.
    """
    took_it_all = state == "CANCELLED" and minutes_max > 0 and seconds >= minutes_max * 60 - LIMIT_SLACK
    if took_it_all or TIME_LIMIT.search(_words_of_emr(details)):
        return RunFailure(f"the run did not finish within {minutes_max} minutes", "slow")
    return None


def engine_failure(state: str, details: str, seconds: float = 0, minutes_max: int = 0) -> RunFailure:
    """What EMR's own words and figures on a run without a report tell."""
    return time_limit(state, details, seconds, minutes_max) or RunFailure(
        details or f"the run ended {state}", "transient" if state == "CANCELLED" else _kind(details)
    )


def _kind(details: str) -> str:
    """The kind that the words tell; the lasting reason wins, for EMR lists it beside the losses that followed."""
    if BEYOND_RUN.search(details):
        return "beyond"
    if UNKNOWN_RUN.search(details):
        return "unknown"
    passing = TRANSIENT_RUN.search(_words_of_emr(details)) or TRANSIENT_JOB.search(details)
    return "transient" if passing else "unknown"


def _words_of_emr(details: str) -> str:
    return details.partition(JOBS_OWN_WORDS)[0]


def after_run_failure(batch: Batch, failure: RunFailure) -> RunRetried | FileRefused | Bisected | Poisoned:
    """The event for a failed run of the batch's present attempt."""
    attempt, failures, reason = batch.attempt, batch.failures.runs + 1, failure.message
    if failure.kind == "file" and failure.file and not batch.period:
        uri = failure.file.uri
        return FileRefused(attempt, reason if uri in reason else f"{uri}: {reason}")
    if failure.kind == "transient":
        return RunRetried(attempt, reason) if failures < TRANSIENT_MAX else Poisoned(attempt, reason)
    if failure.kind == "beyond":
        return Poisoned(attempt, reason)  # no other try and no half of the batch would do better
    if batch.failures.unexplained + 1 < UNKNOWN_MAX and not _is_slow_half(batch, failure):
        return RunRetried(attempt, reason, unknown=True)
    if _can_be_halved(batch):
        return Bisected(attempt, (child_id(batch.batch_id, 0), child_id(batch.batch_id, 1)), reason)
    return Poisoned(attempt, reason)


def _can_be_halved(batch: Batch) -> bool:
    return batch.files > 1 and not batch.maybe_visible and not batch.period


def _is_slow_half(batch: Batch, failure: RunFailure) -> bool:
    """A second try of each half would double hours of running, and tell nothing that the halves' halves do not."""
    return failure.kind == "slow" and bool(batch.parent) and _can_be_halved(batch)


def may_pass(message: str) -> bool:
    """Whether the warehouse's words tell of its own troubles, and not of a batch's rows or files."""
    return bool(TRANSIENT_LOAD.search(message))


def after_vanished(batch: Batch, file: str) -> Vanished | LoadRefused:
    """The event for a batch whose `file` is not in the lake as it was written, when the warehouse came for it."""
    reason = f"{file} was gone from the lake, or another, before the warehouse had copied it"
    if batch.failures.vanished < VANISHED_MAX:
        return Vanished(batch.attempt, batch.load_id, reason)
    before = f"as of {batch.failures.vanished} attempts before"
    return LoadRefused(
        batch.attempt, batch.load_id, f"{reason}, {before}: something deletes files that are not yet loaded"
    )


def beside_vanished(batch: Batch, message: str, company: int) -> LoadRetried:
    """The event for a batch whose load failed because of another's files: it is loaded again at once."""
    return LoadRetried(batch.attempt, batch.load_id, message, company)


def after_load_failure(batch: Batch, message: str, company: int) -> LoadRetried | LoadRefused:
    """The event for a failed load of `company` batches, for one of them.

    A failure that passes marks no batch, for all would be marked in an outage, and each would then be loaded alone. Any
    other halves the company, until the batch that is to blame stands alone.
    """
    if may_pass(message) and batch.failures.loads + 1 < LOADS_MAX:
        return LoadRetried(batch.attempt, batch.load_id, message)
    if company > 1:
        return LoadRetried(batch.attempt, batch.load_id, message, company=(company + 1) // 2)
    return LoadRefused(batch.attempt, batch.load_id, message)
