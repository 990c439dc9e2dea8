"""Decides what follows from a failed run or load: facts in, the event for `advance` out. Pure.

kind of failure                                 response
----------------------------------------------  ----------------------------------------------------------------
transient: throttled, no capacity, network      retry after backoff
denied: a permission is missing                 as transient, and an alarm rings
file: the job's report names a file             quarantine that file, and go on with the rest at once
small: too little memory or disk                retry with larger workers, LARGER_MAX times; then quarantine the batch
slow: the run reached its time limit            retry once, with more cores if there are more; then split the batch; a
                                                half that is still too slow is split without a retry
unknown, for the first time                     retry after backoff
unknown, again                                  split the batch, until the bad file is alone in its batch
beyond: no file is to blame                     quarantine the batch: a person must act

A batch that must not be split (a single file, rows that readers may have seen, a nightly batch) is quarantined instead.
`tidemark.core.error_texts` lists AWS's texts of each kind.
"""

from __future__ import annotations

from tidemark.core.error_texts import load_kind, run_kind, says_slow
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
from tidemark.core.sizing import LARGER_MAX, is_faster_larger

#: Kinds of failures that pass by themselves, or once a person has granted a permission.
PASSING = ("transient", "denied", "outdated")
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


def time_limit(state: str, details: str, seconds: float, minutes_max: int) -> RunFailure | None:
    """The failure of a run that EMR ended after `minutes_max` minutes; None if it ended for another reason.

    `seconds` is its duration by EMR's own figures. A run that times out ends CANCELLED, like one that a person stops.
    """
    used_all_its_time = state == "CANCELLED" and minutes_max > 0 and seconds >= minutes_max * 60 - LIMIT_SLACK
    if used_all_its_time or says_slow(details):
        return RunFailure(f"the run did not finish within {minutes_max} minutes", "slow")
    return None


def engine_failure(state: str, details: str, seconds: float = 0, minutes_max: int = 0) -> RunFailure:
    """The failure of a run that left no report, from EMR's state, details and duration (s)."""
    return time_limit(state, details, seconds, minutes_max) or RunFailure(
        details or f"the run ended {state}", "transient" if state == "CANCELLED" else run_kind(details)
    )


def after_run_failure(batch: Batch, failure: RunFailure) -> RunRetried | FileRefused | Bisected | Poisoned:
    """The event for a failed run of the batch's current attempt."""
    attempt, failures, reason = batch.attempt, batch.failures.runs + 1, failure.message
    if failure.kind == "file" and failure.file and not batch.period:
        uri = failure.file.uri
        return FileRefused(attempt, reason if uri in reason else f"{uri}: {reason}")
    if failure.kind in PASSING:
        retried = RunRetried(attempt, reason, outdated=failure.kind == "outdated")
        return retried if failures < TRANSIENT_MAX else _given_up(batch, failure)
    if failure.kind == "beyond":
        return Poisoned(attempt, reason)
    if failure.kind == "small":
        return _after_small(batch, reason)
    if failure.kind == "slow":
        return _after_slow(batch, reason)
    if batch.failures.unexplained + 1 < UNKNOWN_MAX:
        return RunRetried(attempt, reason, unknown=True)
    return _halved(batch, reason)


def _given_up(batch: Batch, failure: RunFailure) -> FileRefused | Poisoned:
    """A file to which access is denied is set aside, because the permission may be missing for it alone."""
    if failure.kind == "denied" and failure.file and not batch.period:
        return FileRefused(batch.attempt, failure.message)
    return Poisoned(batch.attempt, failure.message)


def _after_small(batch: Batch, reason: str) -> RunRetried | Poisoned:
    if batch.failures.enlarged < LARGER_MAX:
        return RunRetried(batch.attempt, reason, larger=True)
    return Poisoned(batch.attempt, f"the largest workers were too small: {reason}")


def _after_slow(batch: Batch, reason: str) -> RunRetried | Bisected | Poisoned:
    if batch.failures.enlarged or batch.failures.unexplained or _is_slow_half(batch):
        return _halved(batch, reason)
    faster = is_faster_larger(batch.bytes)
    return RunRetried(batch.attempt, reason, unknown=not faster, larger=faster)


def _halved(batch: Batch, reason: str) -> Bisected | Poisoned:
    if _can_be_halved(batch):
        return Bisected(batch.attempt, (child_id(batch.batch_id, 0), child_id(batch.batch_id, 1)), reason)
    return Poisoned(batch.attempt, reason)


def _can_be_halved(batch: Batch) -> bool:
    return batch.files > 1 and not batch.maybe_visible and not batch.period


def _is_slow_half(batch: Batch) -> bool:
    """Whether to split a half again without a retry: a retry costs hours and shows nothing that its halves do not."""
    return bool(batch.parent) and _can_be_halved(batch)


def may_pass(message: str) -> bool:
    """Whether the warehouse's message describes a passing fault of its own, not a fault of the rows or files.

    A permission that is missing, a table that was dropped, a paused warehouse and a usage limit are no batch's fault
    either: the load is repeated, and an alarm rings, until a person acts.
    """
    return load_kind(message) in PASSING


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


def after_unprepared(batch: Batch, message: str, company: int) -> LoadRetried:
    """The event for one batch of a load of `company` batches whose tables the warehouse did not take.

    No batch is to blame, so none is ever quarantined: each is loaded again until a person has acted, and an alarm rings
    meanwhile. Smaller loads show which dataset's tables are meant, and let the others pass.
    """
    return LoadRetried(batch.attempt, batch.load_id, message, (company + 1) // 2 if company > 1 else 0)


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
