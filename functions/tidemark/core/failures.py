"""What to do about a run or a load that failed: facts in, the event to advance with out. Pure.

transient (throttled, capacity, time-out)   retry after backoff
a file named in the job's report            set the file aside, go on with the rest at once
unknown, for the first time                 retry after backoff
unknown, again                              bisect, until the bad file stands alone
beyond what the batch's files are to blame  a person
a single file, a batch already shown,       a person
or a nightly one
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tidemark.core.files import FileVersion
from tidemark.core.lifecycle import (
    Batch,
    Bisected,
    FileRefused,
    LoadRefused,
    LoadRetried,
    Poisoned,
    RunRetried,
)
from tidemark.core.naming import child_id

#: Runs that fail for an unknown reason before the batch is split.
UNKNOWN_MAX = 2
#: Runs that fail for a passing reason before a person is asked.
TRANSIENT_MAX = 50
LOADS_MAX = 50  # a day of outage, at the longest backoff

TRANSIENT_RUN = re.compile(
    r"throttl|rate exceeded|slow ?down|capacity|quota|timed? ?out|timeout|cancel|internal ?(server ?)?(error|exception)"
    r"|service unavailable|connection (reset|refused|aborted)|lost executor|preempt",
    re.IGNORECASE,
)
#: Redshift's own words; a serializable isolation violation is its error 1023 (aws-facts §5).
TRANSIENT_LOAD = re.compile(
    r"throttl|rate exceeded|serializable isolation|deadlock|timed? ?out|timeout|aborted|cancel(led|ed) (by|on|due)"
    r"|resum|unavailable|connection|internal ?(server ?)?(error|exception)|disk full|out of memory|too many",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class RunFailure:
    """What is known of a failed run: the job's own report, or EMR's words."""

    message: str
    kind: str = "unknown"  # file | transient | beyond | unknown
    file: FileVersion | None = None


def engine_failure(state: str, details: str) -> RunFailure:
    """What EMR's own words on a run without a report tell."""
    passing = state == "CANCELLED" or TRANSIENT_RUN.search(details)
    return RunFailure(details or f"the run ended {state}", "transient" if passing else "unknown")


def after_run_failure(batch: Batch, failure: RunFailure) -> RunRetried | FileRefused | Bisected | Poisoned:
    """The event for a failed run of the batch's present attempt."""
    attempt, failures, reason = batch.attempt, batch.run_failures + 1, failure.message
    if failure.kind == "file" and failure.file and not batch.period:
        uri = failure.file.uri
        return FileRefused(attempt, reason if uri in reason else f"{uri}: {reason}")
    if failure.kind == "transient":
        return RunRetried(attempt, reason) if failures < TRANSIENT_MAX else Poisoned(attempt, reason)
    if failure.kind == "beyond":
        return Poisoned(attempt, reason)  # no other try and no half of the batch would do better
    if batch.unknown_failures + 1 < UNKNOWN_MAX:
        return RunRetried(attempt, reason, unknown=True)
    if batch.files > 1 and not batch.exposed and not batch.period:
        return Bisected(attempt, (child_id(batch.batch_id, 0), child_id(batch.batch_id, 1)), reason)
    return Poisoned(attempt, reason)


def after_load_failure(batch: Batch, message: str, company: int) -> LoadRetried | LoadRefused:
    """The event for a failed load of `company` batches, for one of them."""
    if company > 1:
        return LoadRetried(batch.attempt, batch.load_id, message)
    if TRANSIENT_LOAD.search(message) and batch.load_failures + 1 < LOADS_MAX:
        return LoadRetried(batch.attempt, batch.load_id, message)
    return LoadRefused(batch.attempt, batch.load_id, message)
