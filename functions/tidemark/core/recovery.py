"""How the ledger is made whole again, after it was set back or lost: from what is left of each batch. Pure.

A batch of which the ledger knows less than its documents tell is put where its traces say that it is:

    a child has documents                           SPLIT; a child without any is formed anew
    the warehouse has recorded the latest attempt   LOADED
    it has a manifest, and no job spec              PLANNED: no run was ever started
    EMR knows its run                               RUNNING: publish looks how it ended, and repeats what is missing
    else                                            PLANNED, as the next attempt: whatever still runs is fenced off

Numbers are never used twice: the next attempt comes after all that left a document, and the changes that a manifest
has are not applied again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Optional

from tidemark.core.dataset_lock import needs_lock
from tidemark.core.files import FileVersion, is_newer
from tidemark.core.lifecycle import (
    Batch,
    Bisected,
    Failures,
    Formed,
    LoadStarted,
    RunStarted,
    State,
    advance,
    loaded,
)  # fmt: skip
from tidemark.core.manifest import Manifest, NightlyManifest
from tidemark.core.traces import AnyManifest, Trace, children_of
from tidemark.core.verification import published_as

BECAUSE = "the ledger was recovered"


@dataclass(frozen=True)
class Held:
    """A version of a key, and the batch that holds it."""

    file: FileVersion
    batch_id: str


# ── The batches ─────────────────────────────────────────────────────────────────────────────────────────────


def rebuilt(trace: Trace, known: Optional[Batch], split: bool, parent: str, now: datetime) -> Batch:
    """The batch as its traces tell it; `known` is what the ledger has of it, `parent` the batch it is a child of."""
    attempt = trace.left.latest
    if split:
        return _split(_running(trace, known, attempt, parent, now), now)
    if is_loaded(trace):
        return _loaded(trace, _running(trace, known, attempt, parent, now), now)
    if attempt not in trace.left.specs:
        return _planned(trace, known, attempt, parent, now)
    if trace.run_id and not _may_show_keys_twice(trace):
        return _running(trace, known, attempt, parent, now)
    return _planned(trace, known, attempt + 1, parent, now)


def missing_child(parent: Batch, half: int, now: datetime) -> Batch:
    """A child of a batch that was split, which has left no trace: it is formed of its part of the parent's files."""
    middle = parent.files // 2
    part = (0, middle) if half == 0 else (middle, parent.files)
    return Batch(
        parent.children[half], parent.dataset, now, now, due_at=now, background=parent.background,
        base_manifest=parent.manifest, file_range=part, parent=parent.batch_id,
    )  # fmt: skip


def is_loaded(trace: Trace) -> bool:
    """A load begins when the lake is complete, so the warehouse's record of the latest attempt tells of both.

    Whether they show it whole is another question: where they do not, a person has to look.
    """
    latest = trace.left.latest
    return max(trace.loads, default=0) == latest and latest in trace.results


def _may_show_keys_twice(trace: Trace) -> bool:
    """Whether the run may work beside another one's turn: it was told of the keys of its own day."""
    return needs_lock(trace.dataset) and not trace.has_all(trace.lake)


def _planned(trace: Trace, known: Optional[Batch], attempt: int, parent: str, now: datetime) -> Batch:
    manifest = trace.manifest
    batch = known or Batch(trace.batch_id, trace.left.dataset, trace.created_at, now)
    batch = replace(
        batch,
        state=State.FORMING,
        attempt=attempt,
        began_at=now if attempt > 1 else None,
        because=BECAUSE if attempt > 1 else "",
        segments=(),
        changes=max(batch.changes, manifest.changes),
        # What the manifest has is not applied to it again: the ledger may only know older changes of the same keys.
        discarded=max(batch.discarded, manifest.changes),
        base_manifest="", file_range=None, not_before=None, run_id="", load_id="", reason="",
        failures=Failures(), company=0,
        published=0, waiting_since=None, maybe_visible=trace.is_shown,
        parent=parent or batch.parent,
        period=manifest.period.name if isinstance(manifest, NightlyManifest) else "",
    )  # fmt: skip
    return advance(batch, _formed(trace.key, manifest, attempt), now)[0]


def _formed(key: str, manifest: AnyManifest, attempt: int) -> Formed:
    inputs = manifest.sequences if isinstance(manifest, NightlyManifest) else {}
    return Formed(attempt, key, _files(manifest), manifest.total_bytes, changes=manifest.changes, inputs=inputs)


def _files(manifest: AnyManifest) -> int:
    return len(manifest.files) if isinstance(manifest, Manifest) else manifest.total_files


def _running(trace: Trace, known: Optional[Batch], attempt: int, parent: str, now: datetime) -> Batch:
    return advance(_planned(trace, known, attempt, parent, now), RunStarted(attempt, trace.run_id), now)[0]


def _loaded(trace: Trace, running: Batch, now: datetime) -> Batch:
    result = trace.results[running.attempt]
    published = advance(running, published_as(running, result), now)[0]
    loading = advance(published, LoadStarted(running.attempt, trace.loads[running.attempt]), now)[0]
    return advance(loading, loaded(loading), now)[0]


def _split(running: Batch, now: datetime) -> Batch:
    return advance(running, Bisected(running.attempt, children_of(running.batch_id), BECAUSE), now)[0]


# ── The claims ──────────────────────────────────────────────────────────────────────────────────────────────


def files_of(trace: Trace) -> list[FileVersion]:
    """Every version that any manifest of the batch ever had, in the order of attempts; none of a nightly batch."""
    listed = (trace.manifests[attempt] for attempt in sorted(trace.manifests))
    return [file for manifest in listed if isinstance(manifest, Manifest) for file in manifest.files]


def in_order(known: Iterable[Held], found: Iterable[Held], shown: Optional[str]) -> list[Held]:
    """All versions of one key that are held, the latest last; what the ledger `known` of a version stays.

    `shown` is the version that the bucket shows: where no sequencer tells, it is the latest, else a later manifest's.
    """
    held: dict[str, Held] = {}
    for one in (*known, *found):
        held.setdefault(one.file.version, one)
    ordered: list[Held] = []
    for one in held.values():
        if ordered and not _is_newer(one.file, ordered[-1].file, shown):
            ordered.insert(-1, one)
        else:
            ordered.append(one)
    return ordered


def _is_newer(file: FileVersion, other: FileVersion, shown: Optional[str]) -> bool:
    told = is_newer(file, other)
    return shown != other.version if told is None else told


def set_aside(trace: Trace) -> dict[FileVersion, str]:
    """Files that a run blamed and the next manifest went without, with the reason; less those that came back."""
    attempts = sorted(trace.manifests)
    latest = {file.identity for file in listed(trace.manifest)}
    found = {}
    for attempt, following in zip(attempts, attempts[1:]):
        kept = {file.identity for file in listed(trace.manifests[following])} | latest
        blamed = {
            failure.file.identity: failure.message
            for number, failure in trace.failures.items()
            if attempt <= number < following and failure.file
        }
        gone = (file for file in listed(trace.manifests[attempt]) if file.identity not in kept)
        found.update({file: blamed[file.identity] for file in gone if file.identity in blamed})
    return found


def listed(manifest: AnyManifest) -> tuple[FileVersion, ...]:
    """The raw files of a manifest; none of a nightly one."""
    return manifest.files if isinstance(manifest, Manifest) else ()


def left_out(
    traces: Mapping[str, Trace],
    known: Mapping[str, Batch],
    owners: Mapping[tuple[str, str, str], str],
    roots: Mapping[str, str],
) -> set[str]:
    """Batches that came to nothing: unknown to the ledger, never shown, and with a file that is another's.

    A planner that outlived its ledger may have written the manifest of such a batch. `owners` are the batches that hold
    a version by the ledger; `roots` lead from a child to the batch from which it was split.
    """
    holder = dict(owners)
    dropped = set()
    sure = sorted(traces.values(), key=lambda one: (not one.is_shown, one.batch_id not in known, one.created_at))
    for trace in sure:
        root = roots.get(trace.batch_id, trace.batch_id)
        files = {file.identity for file in files_of(trace)}
        is_foreign = any(holder.get(identity, root) != root for identity in files)
        if is_foreign and not trace.is_shown and trace.batch_id not in known:
            dropped.add(trace.batch_id)
        else:
            for identity in files:
                holder.setdefault(identity, root)
    return dropped


def held_twice(
    traces: Mapping[str, Trace], owners: Mapping[tuple[str, str, str], str], roots: Mapping[str, str]
) -> list[str]:
    """A line for each version in two batches of which readers may have seen both."""
    holder, lines = dict(owners), []
    for trace in sorted(traces.values(), key=lambda one: one.created_at):
        root = roots.get(trace.batch_id, trace.batch_id)
        for file in files_of(trace):
            other = holder.setdefault(file.identity, root)
            if other != root:
                lines.append(f"{file.uri} version {file.version} is in {other} and in {root}")
    return lines
