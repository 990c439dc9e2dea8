"""Rebuilds batches after the ledger was restored from a backup or lost, from the traces that each has left. Pure.

Where the ledger is behind a batch's documents, the batch gets the state that its traces show:

    trace                                           state
    a child has documents                           SPLIT; a child without documents is formed anew
    the warehouse has recorded the latest attempt   LOADED
    the latest attempt has no job spec              PLANNED: no run of it was started
    EMR knows the latest attempt's run              RUNNING: publish asks how it ended, and goes on from there
    none of these                                   PLANNED, with the next attempt, which fences off any earlier run

No number is used twice: the next attempt follows the latest one that left a document, and changes that a manifest
already includes are not applied again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Optional

from tidemark.core.dataset_lock import needs_lock
from tidemark.core.files import FileVersion, Holder, is_newer
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

# ── The batches ─────────────────────────────────────────────────────────────────────────────────────────────


def rebuilt(trace: Trace, known: Optional[Batch], split: bool, parent: str, now: datetime) -> Batch:
    """The batch as its traces show it.

    `known` is the batch in the ledger, `split` whether one of its children has documents, and `parent` the id of the
    batch from which it was split, "" if there is none.
    """
    attempt = trace.left.latest
    if split:
        return _split(_running(trace, known, attempt, parent, now), now)
    if is_loaded(trace):
        return _loaded(trace, _running(trace, known, attempt, parent, now), now)
    if attempt not in trace.left.specs:
        return _planned(trace, known, attempt, parent, now)
    if trace.run_id and not _lacks_lock(trace):
        return _running(trace, known, attempt, parent, now)
    return _planned(trace, known, attempt + 1, parent, now)


def missing_child(parent: Batch, half: int, now: datetime) -> Batch:
    """The child (half 0 or 1) of a split batch that has left no trace: it is formed from its half of the files."""
    middle = parent.files // 2
    file_range = (0, middle) if half == 0 else (middle, parent.files)
    return Batch(
        parent.children[half], parent.dataset, now, now, due_at=now, background=parent.background,
        base_manifest=parent.manifest, file_range=file_range, parent=parent.batch_id,
    )  # fmt: skip


def is_loaded(trace: Trace) -> bool:
    """Whether the warehouse has recorded a load of the latest attempt, which also proves that it was published.

    Lake and warehouse may show fewer rows by now; recovery reports that as a disagreement for a person.
    """
    latest = trace.left.latest
    return max(trace.loads, default=0) == latest and latest in trace.results


def _lacks_lock(trace: Trace) -> bool:
    """Whether the run needs the dataset lock, which was lost: its list of seen keys may be incomplete."""
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
        # Changes that the manifest includes are not applied again: the ledger may know only older ones of these keys.
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
    return Formed(attempt, key, _file_count(manifest), manifest.total_bytes, changes=manifest.changes, inputs=inputs)


def _file_count(manifest: AnyManifest) -> int:
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
    """Every version in any manifest of the batch, in the order of attempts; empty for a nightly batch."""
    return [file for attempt in sorted(trace.manifests) for file in listed(trace.manifests[attempt])]


def versions_in_order(
    in_ledger: Iterable[Holder], in_manifests: Iterable[Holder], shown: Optional[str]
) -> list[Holder]:
    """The holders of all versions of one key, the latest version last; the ledger's holder of a version wins.

    `shown` is the version that the bucket shows. Where two versions have no sequencers to compare, it is the later one;
    if it is neither of them, the later one is that of the later manifest.
    """
    holders: dict[str, Holder] = {}
    for holder in (*in_ledger, *in_manifests):
        holders.setdefault(holder.file.version, holder)
    ordered: list[Holder] = []
    for holder in holders.values():
        if ordered and not _is_newer(holder.file, ordered[-1].file, shown):
            ordered.insert(-1, holder)
        else:
            ordered.append(holder)
    return ordered


def _is_newer(file: FileVersion, other: FileVersion, shown: Optional[str]) -> bool:
    by_sequencer = is_newer(file, other)
    return shown != other.version if by_sequencer is None else by_sequencer


def refused_files(trace: Trace) -> dict[FileVersion, str]:
    """The quarantined files of the batch, with the reason: a run blamed them, and no later manifest lists them."""
    attempts = sorted(trace.manifests)
    latest = {file.identity for file in listed(trace.manifest)}
    refused = {}
    for attempt, following in zip(attempts, attempts[1:]):
        kept = {file.identity for file in listed(trace.manifests[following])} | latest
        blamed = {
            failure.file.identity: failure.message
            for number, failure in trace.failures.items()
            if attempt <= number < following and failure.file
        }
        removed = (file for file in listed(trace.manifests[attempt]) if file.identity not in kept)
        refused.update({file: blamed[file.identity] for file in removed if file.identity in blamed})
    return refused


def listed(manifest: AnyManifest) -> tuple[FileVersion, ...]:
    """The raw files of a manifest; empty for a nightly one."""
    return manifest.files if isinstance(manifest, Manifest) else ()


def abandoned_batches(
    traces: Mapping[str, Trace],
    known: Mapping[str, Batch],
    owners: Mapping[tuple[str, str, str], str],
    roots: Mapping[str, str],
) -> set[str]:
    """The batches to leave out: unknown to the ledger, never shown to readers, with a file that another batch holds.

    A planner that still ran after its ledger was lost may have written the manifest of such a batch. `owners` maps a
    version's identity to the batch that holds it by the ledger, `roots` a batch to the one from which it descends.
    """
    holders = dict(owners)
    abandoned = set()
    surest_first = sorted(
        traces.values(), key=lambda trace: (not trace.is_shown, trace.batch_id not in known, trace.created_at)
    )
    for trace in surest_first:
        root = roots.get(trace.batch_id, trace.batch_id)
        identities = {file.identity for file in files_of(trace)}
        has_foreign_file = any(holders.get(identity, root) != root for identity in identities)
        if has_foreign_file and not trace.is_shown and trace.batch_id not in known:
            abandoned.add(trace.batch_id)
        else:
            for identity in identities:
                holders.setdefault(identity, root)
    return abandoned


def claimed_twice(
    traces: Mapping[str, Trace], owners: Mapping[tuple[str, str, str], str], roots: Mapping[str, str]
) -> list[str]:
    """A line for each version in two batches that readers may both have seen."""
    holders, lines = dict(owners), []
    for trace in sorted(traces.values(), key=lambda trace: trace.created_at):
        root = roots.get(trace.batch_id, trace.batch_id)
        for file in files_of(trace):
            holder = holders.setdefault(file.identity, root)
            if holder != root:
                lines.append(f"{file.uri} version {file.version} is in {holder} and in {root}")
    return lines
