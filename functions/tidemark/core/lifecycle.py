"""The life of a batch, whole: every state, every event, every move, in the one table below.

Theory of operation
-------------------
A batch is a value: its file versions, worked off and committed as one unit. Each try is an *attempt*, numbered
from 1, and the attempt is the fence: an event that belongs to an older attempt raises `Stale` and changes nothing.

`advance(batch, event, now)` looks the move up in `TRANSITIONS` and returns the next batch and what follows from
it, as data. It is pure: no AWS, no clock, no chance. The shell saves the next batch on the condition that nobody
else has written it since it was read (`version`), and only then performs the effects; each is safe twice.

A file that is overwritten while an attempt is under way does not stop it: the change is recorded (`changes`), and the
next attempt begins when this one is through. So a key that is overwritten every minute costs runs, but never keeps the
other files of its batch from readers.

A state names the function that takes the next step (`STEP`), and that function asks the world what is so: an
event only says when to look. A batch not at rest has `due_at`, the time at which sweep says so again, should no
event have come. States at rest need nobody, except QUARANTINED, which waits for a person.

    FORMING      its files are being claimed and its manifest written           (plan)
    PLANNED      the manifest of this attempt stands; a job run is to be started (submit)
    RUNNING      a job run works on it, or its result is to be published        (publish)
    PUBLISHED    the lake shows this attempt; the warehouse does not yet        (load)
    LOADING      one warehouse transaction is bringing it in                    (settle)
    LOADED       at rest: lake and warehouse show this attempt
    EMPTY        at rest: every file was a duplicate
    SPLIT        at rest: its children took over
    QUARANTINED  at rest until a person releases or discards it, or a newer version of a file arrives

The diagram in docs/lifecycle.md is generated from `TRANSITIONS` and `MEANING`; the tests walk states × events.
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


#: Nothing more is due without a new fact.
AT_REST = frozenset({State.LOADED, State.EMPTY, State.SPLIT, State.QUARANTINED})
#: The attempt is still to be published: the lake shows none of its rows yet.
TO_BE_PUBLISHED = frozenset({State.FORMING, State.PLANNED, State.RUNNING})


class Stale(IllegalMove):
    """The event belongs to an attempt, run or load that is no longer the batch's own."""


@dataclass(frozen=True)
class Counts:
    """What an attempt made of its records: read = kept + rejected + duplicate_records."""

    read: int = 0
    kept: int = 0
    rejected: int = 0
    duplicate_records: int = 0  #: dropped because their key was kept already
    rows: Mapping[str, int] = field(default_factory=dict)  #: by table
    problems: int = 0  #: files that could not be read to their end

    @property
    def is_blemished(self) -> bool:
        """Whether a record was rejected, or a file not read to its end."""
        return bool(self.rejected or self.problems)


@dataclass(frozen=True)
class Failures:
    """How often in a row each step of a batch has failed."""

    runs: int = 0
    unexplained: int = 0  #: runs whose failure has no known cause
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
    because: str = ""  #: why this attempt followed the one before it; unlike `reason` it stays
    version: int = 0  #: of the ledger item: each save adds one, on the condition that it was the one read
    due_at: datetime | None = None  #: when sweep looks at it; None at rest
    not_before: datetime | None = None  #: PLANNED, PUBLISHED: backoff, nothing is started earlier
    background: bool = False  #: replayed or backfilled: leaves room for fresh files, and has a share of its own
    segments: tuple[str, ...] = ()  #: FORMING: ids of the pending segments that it is made of
    changes: int = 0  #: changes to its files recorded so far; each has the next number
    formed: int = 0  #: of these, the ones that this attempt's manifest has
    base_manifest: str = ""  #: FORMING: control-bucket key of the manifest that this attempt's one starts from
    file_range: tuple[int, int] | None = None  #: FORMING: a child takes files [from, to) of its base
    period: str = ""  #: nightly: the first day of the period, YYYY-MM-DD
    inputs: Mapping[str, int] = field(default_factory=dict)  #: nightly: table → sequence number of the snapshot read
    manifest: str = ""  #: control-bucket key of this attempt's manifest
    files: int = 0
    bytes: int = 0
    duplicate_files: int = 0  #: files dropped because another batch holds them
    run_id: str = ""  #: EMR Serverless job run of this attempt
    published: int = 0  #: the attempt whose rows the lake shows; 0 for none
    waiting_since: datetime | None = None  #: first publication that the warehouse has not seen yet
    maybe_visible: bool = False  #: an earlier attempt's rows may be in the lake, so it must not be split
    load_id: str = ""
    company: int = 0  #: most batches that it is loaded with, itself included; 0 for no limit
    counts: Counts = Counts()  #: of this attempt, once it is published
    failures: Failures = Failures()
    reason: str = ""  #: of the last failure, or of the quarantine
    discarded: int = 0  #: number of the last change before a person gave its files up; only later ones count
    acknowledged: int = 0  #: the attempt of which a person has seen the rejected records
    parent: str = ""
    children: tuple[str, ...] = ()

    @property
    def at_rest(self) -> bool:
        """Whether nothing more is due without a new fact."""
        return self.state in AT_REST

    @property
    def outdated(self) -> bool:
        """Whether changes wait for its next attempt."""
        return self.changes > self.formed

    def took(self, now: datetime) -> timedelta:
        """How long this attempt has taken, or takes so far."""
        return (self.updated_at if self.at_rest else now) - (self.began_at or self.created_at)


# ── What can happen ─────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Formed:
    """The manifest of the attempt is written; it has the first `changes` changes of the batch."""

    attempt: int
    manifest: str
    files: int
    bytes: int
    duplicate_files: int = 0
    changes: int = 0
    inputs: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Emptied:
    """No file is left to claim: all were duplicates, and no earlier attempt has shown rows.

    That is so of the first `changes` changes of the batch; stale once there are more.
    """

    attempt: int
    duplicate_files: int
    changes: int = 0


@dataclass(frozen=True)
class RunStarted:
    """EMR Serverless has accepted, or already had, the attempt's run."""

    attempt: int
    run_id: str


@dataclass(frozen=True)
class Published:
    """The run's result was verified and is committed to every table of the lake."""

    attempt: int
    counts: Counts


@dataclass(frozen=True)
class RunRetried:
    """The run failed in a way that another try may cure."""

    attempt: int
    reason: str
    unknown: bool = False  # nobody can explain the failure


@dataclass(frozen=True)
class FileRefused:
    """The run failed and named the file; the file is set aside and the rest goes on at once."""

    attempt: int
    reason: str


@dataclass(frozen=True)
class Bisected:
    """The run failed again and nobody knows why: two children take half the files each."""

    attempt: int
    children: tuple[str, str]
    reason: str


@dataclass(frozen=True)
class Poisoned:
    """Trying again will not help: a person must look."""

    attempt: int
    reason: str


@dataclass(frozen=True)
class LoadStarted:
    """The batch is part of a load that the ledger holds."""

    attempt: int
    load_id: str


@dataclass(frozen=True)
class Loaded:
    """The load is committed in the warehouse, and its counts agree."""

    attempt: int
    load_id: str


@dataclass(frozen=True)
class LoadRetried:
    """The load failed; the batch is loaded again, in company of at most so many (0: as before)."""

    attempt: int
    load_id: str
    reason: str
    company: int = 0


@dataclass(frozen=True)
class LoadRefused:
    """The warehouse refuses the batch's rows; a person must look."""

    attempt: int
    load_id: str
    reason: str


@dataclass(frozen=True)
class Vanished:
    """Files of the attempt are gone from the lake, or others now, and the warehouse has not had them.

    The next attempt writes them anew.
    """

    attempt: int
    load_id: str
    reason: str


@dataclass(frozen=True)
class Changed:
    """One of its files was written again, taken out or released while an attempt is under way, which goes on."""

    attempt: int
    reason: str


@dataclass(frozen=True)
class Renewed:
    """The attempt is through, well or not, and changes wait: the next one has them."""

    attempt: int
    reason: str
    load_id: str = ""  # of the load that brought the attempt in; "" where it came to nothing


@dataclass(frozen=True)
class Superseded:
    """One of its files was written again, or released, while it was at rest: the next attempt has another manifest.

    Of a nightly batch, rows that it has read: what it has published gives way to the next attempt at once.
    """

    attempt: int
    reason: str


@dataclass(frozen=True)
class Replayed:
    """A person runs it again as the next attempt."""

    attempt: int


@dataclass(frozen=True)
class Discarded:
    """A person gives its files up: the next attempt has none, and so replaces what was shown by nothing."""

    attempt: int
    reason: str


Event = Union[
    Formed, Emptied, RunStarted, Published, RunRetried, FileRefused, Bisected, Poisoned,
    LoadStarted, Loaded, LoadRetried, LoadRefused, Vanished, Changed, Renewed, Superseded, Replayed, Discarded,
]  # fmt: skip

#: THE table: in a state, an event leads to a state. What is not in it cannot happen.
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

#: What each event means, in the words of the diagram.
MEANING: Mapping[type, str] = {
    Formed: "manifest written",
    Emptied: "all duplicates",
    RunStarted: "run accepted",
    Published: "committed to the lake",
    RunRetried: "run failed, retry",
    FileRefused: "bad file named",
    Bisected: "failed again, split",
    Poisoned: "beyond repair",
    LoadStarted: "in a load",
    Loaded: "counts agree",
    LoadRetried: "load failed, retry",
    LoadRefused: "rows refused",
    Vanished: "lake files gone",
    Changed: "file overwritten, noted",
    Renewed: "through, changes wait",
    Superseded: "file overwritten",
    Replayed: "replay, release",
    Discarded: "discard",
}

# ── What follows from it ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Alarm:
    """A person is needed."""

    batch_id: str
    reason: str


Effect = Alarm

#: Which function takes the next step in a state. Each is brought by an event; sweep's hint makes up for a lost one.
STEP: Mapping[State, str] = {
    State.FORMING:   "plan",
    State.PLANNED:   "submit",
    State.RUNNING:   "publish",
    State.PUBLISHED: "load",
    State.LOADING:   "settle",
}  # fmt: skip

#: How long a state may take before sweep looks; not a limit, only the time until the next look.
PATIENCE: Mapping[State, timedelta] = {
    State.FORMING:   timedelta(minutes=2),
    State.PLANNED:   timedelta(minutes=2),
    State.RUNNING:   timedelta(minutes=5),
    State.PUBLISHED: timedelta(minutes=15),
    State.LOADING:   timedelta(minutes=2),
}  # fmt: skip


def advance(batch: Batch, event: Event, now: datetime) -> tuple[Batch, tuple[Effect, ...]]:
    """The batch after `event`, and what is due because of it.

    Raises `Stale` for an event of another attempt or load, `IllegalMove` for one that the state does not allow;
    in both cases nothing has changed.
    """
    _check_fence(batch, event)
    if isinstance(event, Changed) and Changed in TRANSITIONS[batch.state]:
        # The attempt goes on as if nothing had happened: neither its times nor what is due depend on the change.
        return _with_next_change(batch), ()
    target = TRANSITIONS[batch.state].get(type(event))
    if target is None:
        raise IllegalMove(f"batch {batch.batch_id}: no {type(event).__name__} in state {batch.state}")
    moved = replace(RULES[type(event)](batch, event, now), state=target, updated_at=now)
    moved = replace(moved, due_at=_due_at(moved, now))
    return moved, _effects(moved)


def changed(batch: Batch, reason: str) -> Changed | Superseded:
    """The event for a change to the batch's files: it waits for the attempt that is under way, if there is one."""
    return Superseded(batch.attempt, reason) if batch.at_rest else Changed(batch.attempt, reason)


def loaded(batch: Batch) -> Loaded | Renewed:
    """The event for a batch whose load is in the warehouse, with the right counts."""
    if batch.outdated:
        return Renewed(batch.attempt, "files were overwritten meanwhile", batch.load_id)
    return Loaded(batch.attempt, batch.load_id)


def failed_for_good(batch: Batch, event: Poisoned | LoadRefused) -> Poisoned | LoadRefused | Renewed:
    """The event for a batch that another try cannot help, unless changes wait that may."""
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
        return now  # nobody is at it yet: the next plan takes it up
    return batch.not_before if batch.not_before and batch.not_before > now else now + PATIENCE[batch.state]


def _effects(moved: Batch) -> tuple[Effect, ...]:
    """What entering `moved`'s state calls for."""
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
    return replace(batch, run_id=event.run_id, not_before=None)


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


def _given_to_a_person(batch: Batch, event: Poisoned | LoadRefused, now: datetime) -> Batch:
    # A publish that failed midway may have committed the attempt to some of the tables.
    return replace(batch, reason=event.reason, maybe_visible=batch.maybe_visible or batch.state is State.RUNNING)


def _load_started(batch: Batch, event: LoadStarted, now: datetime) -> Batch:
    return replace(batch, load_id=event.load_id, not_before=None)


def _loaded(batch: Batch, event: Loaded, now: datetime) -> Batch:
    return replace(_in_warehouse(batch), reason="", background=False)


def _load_retried(batch: Batch, event: LoadRetried, now: datetime) -> Batch:
    failures = replace(batch.failures, loads=batch.failures.loads + 1)
    # The fault may lie with another batch of the load: a smaller load is tried at once.
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
        failures=replace(batch.failures, runs=runs, unexplained=unexplained, loads=0),
        not_before=now + retry.backoff(batch.batch_id, runs),
        manifest=batch.manifest,
        base_manifest=batch.base_manifest,
        file_range=batch.file_range,
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
        # Failures go on counting: a job that fails for every version must come to a person's notice.
        failures=replace(ended.failures, loads=0),
        # A publisher may have committed this run and died before it said so.
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
    """The next attempt, without run, load or manifest: the results of the last attempt's are stale from here on."""
    return replace(
        batch,
        attempt=batch.attempt + 1,
        began_at=now,
        because=reason,
        reason=reason,
        run_id="",
        load_id="",
        manifest="",
        base_manifest=batch.manifest or batch.base_manifest,
        # The range counts in the parent's manifest. Once the child has its own, that one counts whole.
        file_range=None if batch.manifest else batch.file_range,
        failures=Failures(vanished=batch.failures.vanished),
        company=0,
        not_before=None,
    )


#: What each event changes beside the state. `Changed` is not here: it only counts (see `advance`).
RULES: Mapping[type, Callable[[Batch, Any, datetime], Batch]] = {
    Formed: _formed,
    Emptied: _emptied,
    RunStarted: _run_started,
    Published: _published,
    RunRetried: _run_retried,
    FileRefused: _file_refused,
    Bisected: _bisected,
    Poisoned: _given_to_a_person,
    LoadStarted: _load_started,
    Loaded: _loaded,
    LoadRetried: _load_retried,
    LoadRefused: _given_to_a_person,
    Vanished: _vanished,
    Renewed: _renewed,
    Superseded: _superseded,
    Replayed: _replayed,
    Discarded: _discarded,
}
