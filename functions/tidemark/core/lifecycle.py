"""The lifecycle of a batch: all states, all events, and every transition in one table.

Theory of operation
-------------------
A batch is a value: a list of file versions that is processed and committed as one unit. Each try is an *attempt*,
numbered from 1. The attempt is the fencing token: an event of an older attempt raises `Stale` and changes nothing.

`advance(batch, event, now)` looks up the transition in `TRANSITIONS` and returns the next batch and its effects, as
data. It is pure: no AWS, no clock, no randomness. The shell saves the next batch on the condition that its item has not
been written since it was read (`version`), and only then performs the effects, which are idempotent.

A file that is overwritten during an attempt does not stop the attempt: the change is recorded (`changes`), and the next
attempt, which begins when this one ends, applies it. So a key that is overwritten every minute costs runs, and never
delays the other files of its batch.

Each state that is not at rest names the function that takes the next step (`STEP`). That function asks EMR, Redshift or
S3 for the facts; an event only says when to look. If the event is lost, sweep repeats it once `due_at` has passed.

    FORMING      its files are being claimed and its manifest is being written          (plan)
    PLANNED      this attempt's manifest is written; a job run is to be started          (submit)
    RUNNING      a job run is working on it, or its result is to be published            (publish)
    PUBLISHED    the lake shows this attempt; the warehouse does not show it yet         (load)
    LOADING      a warehouse transaction is loading it                                   (settle)
    LOADED       at rest: lake and warehouse show this attempt
    EMPTY        at rest: every file was a duplicate
    SPLIT        at rest: its children took over its files
    QUARANTINED  at rest until a person releases or discards it, or a newer version of a file arrives

The diagram in docs/lifecycle.md is generated from `TRANSITIONS` and `MEANING`. The tests try every event in each state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Union

from tidemark.core import retry
from tidemark.core.errors import IllegalMove


class State(str, Enum):
    FORMING = "FORMING"
    PLANNED = "PLANNED"
    RUNNING = "RUNNING"
    PUBLISHED = "PUBLISHED"
    LOADING = "LOADING"
    LOADED = "LOADED"
    EMPTY = "EMPTY"
    SPLIT = "SPLIT"
    QUARANTINED = "QUARANTINED"

    def __str__(self) -> str:
        return self.value


#: No step is due until something new happens.
AT_REST = frozenset({State.LOADED, State.EMPTY, State.SPLIT, State.QUARANTINED})
#: The attempt is not published yet.
TO_BE_PUBLISHED = frozenset({State.FORMING, State.PLANNED, State.RUNNING})


class Stale(IllegalMove):
    """The event belongs to an attempt or load that is no longer the batch's current one."""


@dataclass(frozen=True)
class Counts:
    """Record counts of an attempt: read = kept + rejected + duplicate_records."""

    read: int = 0
    kept: int = 0
    rejected: int = 0
    duplicate_records: int = 0  #: dropped because a record with their key is already kept
    rows: Mapping[str, int] = field(default_factory=dict)  #: by table
    problems: int = 0  #: files that could not be read to their end

    @property
    def is_blemished(self) -> bool:
        """Whether a record was rejected or a file could not be read to its end."""
        return bool(self.rejected or self.problems)


@dataclass(frozen=True)
class Failures:
    """How many times in a row each step of a batch has failed."""

    runs: int = 0
    unexplained: int = 0  #: runs that failed for an unknown reason
    enlarged: int = 0  #: runs after which the next one got larger workers
    loads: int = 0
    vanished: int = 0  #: attempts whose files were gone from the lake before they were loaded


@dataclass(frozen=True)
class Batch:
    batch_id: str
    dataset: str
    created_at: datetime
    updated_at: datetime
    state: State = State.FORMING
    attempt: int = 1
    began_at: datetime | None = None  #: when this attempt began; None for the first, which began with the batch
    because: str = ""  #: why this attempt followed the previous one; unlike `reason`, it stays for the whole attempt
    version: int = 0  #: of the ledger item; each save requires the version that was read, and adds one
    due_at: datetime | None = None  #: when sweep repeats the hint for the next step; None at rest
    not_before: datetime | None = None  #: PLANNED, PUBLISHED: end of the backoff; the next step does not start earlier
    background: bool = False  #: replayed or backfilled; uses the slots of background work
    segments: tuple[str, ...] = ()  #: FORMING: ids of the pending segments that the batch has taken
    changes: int = 0  #: number of changes to its files recorded so far; the next change gets the next number
    formed: int = 0  #: number of the last change that this attempt's manifest includes
    base_manifest: str = ""  #: FORMING: control-bucket key of the manifest from which this attempt's one is made
    file_range: tuple[int, int] | None = None  #: FORMING: the files [from, to) of the base manifest that a child takes
    period: str = ""  #: nightly: the first day of the period, YYYY-MM-DD
    inputs: Mapping[str, int] = field(default_factory=dict)  #: nightly: table → sequence number of the snapshot read
    manifest: str = ""  #: control-bucket key of this attempt's manifest
    files: int = 0
    bytes: int = 0
    duplicate_files: int = 0  #: files dropped because another batch holds them
    run_id: str = ""  #: EMR Serverless job run of this attempt
    code: str = ""  #: hash of the job code of this attempt's run; PLANNED: of the run that is to be repeated
    published: int = 0  #: the attempt whose rows the lake shows; 0 for none
    waiting_since: datetime | None = None  #: when the first attempt was published that the warehouse does not show yet
    maybe_visible: bool = False  #: readers may have seen rows of an attempt, so the batch must not be split
    load_id: str = ""
    company: int = 0  #: the most batches, this one included, that its next load may have; 0 for no limit
    counts: Counts = Counts()  #: of the last published attempt
    failures: Failures = Failures()
    reason: str = ""  #: of the last failure or of the quarantine
    discarded: int = 0  #: number of the last change before a person discarded its files; only later changes apply
    acknowledged: int = 0  #: the attempt whose rejected records a person has acknowledged
    parent: str = ""
    children: tuple[str, ...] = ()
    unknown: Mapping[str, Any] = field(default_factory=dict)  #: what a newer release wrote into the item; saves keep it

    @property
    def at_rest(self) -> bool:
        """Whether no step is due until something new happens."""
        return self.state in AT_REST

    @property
    def outdated(self) -> bool:
        """Whether changes have been recorded that this attempt's manifest does not include."""
        return self.changes > self.formed

    def took(self, now: datetime) -> timedelta:
        """How long this attempt took, or has taken so far."""
        return (self.updated_at if self.at_rest else now) - (self.began_at or self.created_at)


# ── What can happen ─────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Formed:
    """The attempt's manifest is written; it includes the first `changes` changes of the batch."""

    attempt: int
    manifest: str
    files: int
    bytes: int
    duplicate_files: int = 0
    changes: int = 0
    inputs: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Emptied:
    """The batch has no file: all were duplicates, and no earlier attempt has published rows.

    Holds for the first `changes` changes of the batch; stale if there are more.
    """

    attempt: int
    duplicate_files: int
    changes: int = 0


@dataclass(frozen=True)
class RunStarted:
    """EMR Serverless has accepted the attempt's run, or had accepted it before."""

    attempt: int
    run_id: str
    code: str = ""  # hash of the job code; "" for code from before there were hashes


@dataclass(frozen=True)
class Published:
    """The run's result is verified and committed to every table of the lake."""

    attempt: int
    counts: Counts


@dataclass(frozen=True)
class RunRetried:
    """The run failed, and a retry may succeed."""

    attempt: int
    reason: str
    unknown: bool = False  # the cause of the failure is unknown
    outdated: bool = False  # the job's code is older than its documents
    larger: bool = False  # the next run gets larger workers


@dataclass(frozen=True)
class FileRefused:
    """The run failed because of one file: that file is quarantined, and the others go on at once."""

    attempt: int
    reason: str


@dataclass(frozen=True)
class Bisected:
    """The run failed again for an unknown reason: two children take half of the files each."""

    attempt: int
    children: tuple[str, str]
    reason: str


@dataclass(frozen=True)
class Poisoned:
    """A retry will not help: a person must act."""

    attempt: int
    reason: str


@dataclass(frozen=True)
class LoadStarted:
    """The batch is part of a load."""

    attempt: int
    load_id: str


@dataclass(frozen=True)
class Loaded:
    """The load is committed in the warehouse, and the row counts agree."""

    attempt: int
    load_id: str


@dataclass(frozen=True)
class LoadRetried:
    """The load failed: the batch is loaded again."""

    attempt: int
    load_id: str
    reason: str
    company: int = 0  # the most batches that the next load may have; 0 leaves the limit as it is


@dataclass(frozen=True)
class LoadRefused:
    """The warehouse refuses the batch's rows: a person must act."""

    attempt: int
    load_id: str
    reason: str


@dataclass(frozen=True)
class Vanished:
    """Files of the attempt were deleted from the lake, or replaced, before they were loaded.

    The next attempt writes them anew.
    """

    attempt: int
    load_id: str
    reason: str


@dataclass(frozen=True)
class Changed:
    """A file was overwritten, quarantined or released during the attempt, which goes on."""

    attempt: int
    reason: str


@dataclass(frozen=True)
class Renewed:
    """The attempt has ended, successfully or not, and changes wait: the next attempt applies them."""

    attempt: int
    reason: str
    load_id: str = ""  # the load that completed the attempt; "" if it failed


@dataclass(frozen=True)
class Superseded:
    """A file was overwritten, quarantined or released while the batch was at rest: the next attempt applies the change.

    For a nightly batch: rows that it has read were changed after it was published.
    """

    attempt: int
    reason: str


@dataclass(frozen=True)
class Replayed:
    """A person replays or releases the batch: the next attempt processes the same files."""

    attempt: int


@dataclass(frozen=True)
class Discarded:
    """A person discards the batch: the next attempt has no files, and so removes the rows of earlier attempts."""

    attempt: int
    reason: str


Event = Union[
    Formed, Emptied, RunStarted, Published, RunRetried, FileRefused, Bisected, Poisoned,
    LoadStarted, Loaded, LoadRetried, LoadRefused, Vanished, Changed, Renewed, Superseded, Replayed, Discarded,
]  # fmt: skip

#: State → event → next state. What is not in this table cannot happen.
TRANSITIONS: Mapping[State, Mapping[type, State]] = {
    State.FORMING: {
        Formed:      State.PLANNED,
        Emptied:     State.EMPTY,
        Changed:     State.FORMING,
    },
    State.PLANNED: {
        RunStarted:  State.RUNNING,
        Poisoned:    State.QUARANTINED,
        Changed:     State.PLANNED,
        Renewed:     State.FORMING,
    },
    State.RUNNING: {
        Published:   State.PUBLISHED,
        RunRetried:  State.PLANNED,
        FileRefused: State.FORMING,
        Bisected:    State.SPLIT,
        Poisoned:    State.QUARANTINED,
        Changed:     State.RUNNING,
        Renewed:     State.FORMING,
    },
    State.PUBLISHED: {
        LoadStarted: State.LOADING,
        Poisoned:    State.QUARANTINED,
        Replayed:    State.FORMING,
        Changed:     State.PUBLISHED,
        Renewed:     State.FORMING,
        Superseded:  State.FORMING,
    },
    State.LOADING: {
        Loaded:      State.LOADED,
        LoadRetried: State.PUBLISHED,
        LoadRefused: State.QUARANTINED,
        Vanished:    State.FORMING,
        Poisoned:    State.QUARANTINED,
        Changed:     State.LOADING,
        Renewed:     State.FORMING,
        Superseded:  State.FORMING,
    },
    State.LOADED: {
        Superseded:  State.FORMING,
        Replayed:    State.FORMING,
    },
    State.EMPTY: {
        Superseded:  State.FORMING,
    },
    State.SPLIT: {},
    State.QUARANTINED: {
        Superseded:  State.FORMING,
        Replayed:    State.FORMING,
        Discarded:   State.FORMING,
    },
}  # fmt: skip

#: Each event's label in the diagram.
MEANING: Mapping[type, str] = {
    Formed: "manifest written",
    Emptied: "all duplicates",
    RunStarted: "run accepted",
    Published: "committed to the lake",
    RunRetried: "run failed, retry",
    FileRefused: "bad file quarantined",
    Bisected: "failed again, split",
    Poisoned: "retry cannot help",
    LoadStarted: "load started",
    Loaded: "counts agree",
    LoadRetried: "load failed, retry",
    LoadRefused: "rows refused",
    Vanished: "lake files gone",
    Changed: "file overwritten, recorded",
    Renewed: "attempt ended, changes wait",
    Superseded: "file overwritten",
    Replayed: "replay, release",
    Discarded: "discard",
}

# ── What follows from an event ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Alarm:
    """A person must act."""

    batch_id: str
    reason: str


Effect = Alarm

#: State → the function that takes the next step. An event invokes it; sweep sends a hint if the event was lost.
STEP: Mapping[State, str] = {
    State.FORMING:   "plan",
    State.PLANNED:   "submit",
    State.RUNNING:   "publish",
    State.PUBLISHED: "load",
    State.LOADING:   "settle",
}  # fmt: skip

#: State → time until sweep sends the first hint for the next step. Not a limit on how long the state may last.
PATIENCE: Mapping[State, timedelta] = {
    State.FORMING:   timedelta(minutes=2),
    State.PLANNED:   timedelta(minutes=2),
    State.RUNNING:   timedelta(minutes=5),
    State.PUBLISHED: timedelta(minutes=15),
    State.LOADING:   timedelta(minutes=2),
}  # fmt: skip


def advance(batch: Batch, event: Event, now: datetime) -> tuple[Batch, tuple[Effect, ...]]:
    """The batch after `event`, and the effects to perform.

    Raises `Stale` for an event of another attempt or load, and `IllegalMove` for one that the state does not allow.
    """
    _check_fence(batch, event)
    if isinstance(event, Changed) and Changed in TRANSITIONS[batch.state]:
        # The attempt goes on undisturbed: the change affects neither its times nor its next step.
        return _with_next_change(batch), ()
    target = TRANSITIONS[batch.state].get(type(event))
    if target is None:
        raise IllegalMove(f"batch {batch.batch_id}: no {type(event).__name__} in state {batch.state}")
    moved = replace(RULES[type(event)](batch, event, now), state=target, updated_at=now)
    moved = replace(moved, due_at=_due_at(moved, now))
    return moved, _effects(moved)


def changed(batch: Batch, reason: str) -> Changed | Superseded:
    """The event for a change to the batch's files; the change waits until a current attempt has ended."""
    return Superseded(batch.attempt, reason) if batch.at_rest else Changed(batch.attempt, reason)


def loaded(batch: Batch) -> Loaded | Renewed:
    """The event for a batch whose load is committed, with row counts that agree."""
    if batch.outdated:
        return Renewed(batch.attempt, "files were overwritten meanwhile", batch.load_id)
    return Loaded(batch.attempt, batch.load_id)


def failed_for_good(batch: Batch, event: Poisoned | LoadRefused) -> Poisoned | LoadRefused | Renewed:
    """`event`, which quarantines the batch, or `Renewed` if changes wait: the next attempt may succeed with them."""
    return Renewed(batch.attempt, event.reason) if batch.outdated else event


def _check_fence(batch: Batch, event: Event) -> None:
    if event.attempt != batch.attempt:
        raise Stale(f"batch {batch.batch_id} is at attempt {batch.attempt}, the event at {event.attempt}")
    load_id = getattr(event, "load_id", "") or batch.load_id
    if load_id != batch.load_id and not isinstance(event, LoadStarted):
        raise Stale(f"batch {batch.batch_id} is in load {batch.load_id or 'none'}, the event in {load_id}")
    if isinstance(event, Emptied) and event.changes != batch.changes:
        raise Stale(f"batch {batch.batch_id} has {batch.changes} changes, the event knows {event.changes}")
    if isinstance(event, Loaded) and batch.outdated:
        raise Stale(f"batch {batch.batch_id} has changes that attempt {batch.attempt} does not know")


def _due_at(batch: Batch, now: datetime) -> datetime | None:
    if batch.at_rest:
        return None
    if batch.state is State.FORMING:
        return now  # the next plan takes it up
    return batch.not_before if batch.not_before and batch.not_before > now else now + PATIENCE[batch.state]


def _effects(moved: Batch) -> tuple[Effect, ...]:
    return (Alarm(moved.batch_id, moved.reason),) if moved.state is State.QUARANTINED else ()


def _with_next_change(batch: Batch) -> Batch:
    return replace(batch, changes=batch.changes + 1)


def _formed(batch: Batch, event: Formed, now: datetime) -> Batch:
    return replace(
        batch,
        manifest=event.manifest,
        files=event.files,
        bytes=event.bytes,
        duplicate_files=batch.duplicate_files + event.duplicate_files,
        inputs=dict(event.inputs),
        segments=(),
        formed=event.changes,
    )


def _emptied(batch: Batch, event: Emptied, now: datetime) -> Batch:
    return replace(batch, duplicate_files=event.duplicate_files, segments=(), files=0, bytes=0, formed=event.changes)


def _run_started(batch: Batch, event: RunStarted, now: datetime) -> Batch:
    return replace(batch, run_id=event.run_id, code=event.code, not_before=None)


def _published(batch: Batch, event: Published, now: datetime) -> Batch:
    return replace(
        batch,
        published=event.attempt,
        waiting_since=batch.waiting_since or now,
        counts=event.counts,
        failures=Failures(vanished=batch.failures.vanished),
        company=0,
        maybe_visible=True,
        reason="",
    )


def _bisected(batch: Batch, event: Bisected, now: datetime) -> Batch:
    return replace(batch, children=event.children, reason=event.reason)


def _quarantined(batch: Batch, event: Poisoned | LoadRefused, now: datetime) -> Batch:
    # A publisher that failed midway may have committed the attempt to some of the tables.
    return replace(batch, reason=event.reason, maybe_visible=batch.maybe_visible or batch.state is State.RUNNING)


def _load_started(batch: Batch, event: LoadStarted, now: datetime) -> Batch:
    return replace(batch, load_id=event.load_id, not_before=None)


def _loaded(batch: Batch, event: Loaded, now: datetime) -> Batch:
    return replace(_in_warehouse(batch), reason="", background=False)


def _load_retried(batch: Batch, event: LoadRetried, now: datetime) -> Batch:
    failures = replace(batch.failures, loads=batch.failures.loads + 1)
    # Another batch of the load may have caused the failure, so a smaller load is tried at once.
    wait = timedelta(0) if event.company else retry.backoff(batch.batch_id, failures.loads)
    company = event.company or batch.company
    return replace(batch, company=company, failures=failures, not_before=now + wait, reason=event.reason)


def _in_warehouse(batch: Batch) -> Batch:
    failures = replace(batch.failures, loads=0, vanished=0)
    return replace(batch, failures=failures, company=0, waiting_since=None)


def _run_retried(batch: Batch, event: RunRetried, now: datetime) -> Batch:
    runs, unexplained = batch.failures.runs + 1, batch.failures.unexplained + event.unknown
    return replace(
        _next_attempt(batch, now, event.reason),
        failures=replace(
            batch.failures, runs=runs, unexplained=unexplained, enlarged=batch.failures.enlarged + event.larger, loads=0
        ),
        not_before=now + retry.backoff(batch.batch_id, runs),
        manifest=batch.manifest,
        base_manifest=batch.base_manifest,
        file_range=batch.file_range,
        # A passing fault is repeated as it was. If the code may be to blame, the next run takes the current code.
        code="" if event.unknown or event.outdated else batch.code,
    )


def _file_refused(batch: Batch, event: FileRefused, now: datetime) -> Batch:
    return _next_attempt(_with_next_change(batch), now, event.reason)


def _vanished(batch: Batch, event: Vanished, now: datetime) -> Batch:
    fresh = _next_attempt(batch, now, event.reason)
    return replace(fresh, failures=replace(fresh.failures, vanished=fresh.failures.vanished + 1))


def _renewed(batch: Batch, event: Renewed, now: datetime) -> Batch:
    ended = _in_warehouse(batch) if event.load_id else batch
    return replace(
        _next_attempt(ended, now, event.reason),
        # Failed runs still count: a job that fails for every version must end in quarantine.
        failures=replace(ended.failures, loads=0),
        # A publisher may have committed this run and crashed before it saved PUBLISHED.
        maybe_visible=batch.maybe_visible or batch.state is State.RUNNING,
    )


def _superseded(batch: Batch, event: Superseded, now: datetime) -> Batch:
    return replace(_next_attempt(_with_next_change(batch), now, event.reason), background=False)


def _replayed(batch: Batch, event: Replayed, now: datetime) -> Batch:
    fresh = _next_attempt(batch, now, "")
    return replace(fresh, because=MEANING[Replayed], background=True, failures=Failures())


def _discarded(batch: Batch, event: Discarded, now: datetime) -> Batch:
    return replace(_next_attempt(batch, now, event.reason), base_manifest="", discarded=batch.changes)


def _next_attempt(batch: Batch, now: datetime, reason: str) -> Batch:
    """The next attempt, without run, load or manifest: events of earlier attempts are stale from here on."""
    return replace(
        batch,
        attempt=batch.attempt + 1,
        began_at=now,
        because=reason,
        reason=reason,
        run_id="",
        code="",
        load_id="",
        manifest="",
        base_manifest=batch.manifest or batch.base_manifest,
        # The range refers to the parent's manifest. Once the child has a manifest of its own, it takes all of that.
        file_range=None if batch.manifest else batch.file_range,
        failures=Failures(vanished=batch.failures.vanished),
        company=0,
        not_before=None,
    )


#: Event → the rule that computes the batch's other fields; `advance` sets the state. `Changed` has none: see `advance`.
RULES: Mapping[type, Callable[[Batch, Any, datetime], Batch]] = {
    Formed: _formed,
    Emptied: _emptied,
    RunStarted: _run_started,
    Published: _published,
    RunRetried: _run_retried,
    FileRefused: _file_refused,
    Bisected: _bisected,
    Poisoned: _quarantined,
    LoadStarted: _load_started,
    Loaded: _loaded,
    LoadRetried: _load_retried,
    LoadRefused: _quarantined,
    Vanished: _vanished,
    Renewed: _renewed,
    Superseded: _superseded,
    Replayed: _replayed,
    Discarded: _discarded,
}
