"""recover: completes a ledger that was restored or lost, from manifests, results and tables.

Every write can be repeated, and the batch is written last: after a crash, the next recovery does the remaining work.
At the end, all evidence is gathered again. The ledger is sealed only if nothing is left to be put back, and if ledger,
lake and warehouse agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from tidemark.adapters.world import World
from tidemark.clock import from_iso
from tidemark.core.errors import TidemarkError
from tidemark.core.files import Holder
from tidemark.core.lifecycle import Batch, State
from tidemark.core.recovery import abandoned_batches, claimed_twice, files_of, missing_child, rebuilt
from tidemark.core.traces import Trace, children_of, differences
from tidemark.service.evidence import READS_AT_ONCE, Evidence, Rows, gather
from tidemark.service.putback import put_back

#: The longest timeout in the template, and a minute: every handler that began before the seal was broken has ended.
HANDLERS_END_AFTER = timedelta(minutes=16)
#: Controls with which reconcile would skip files that landed in the time that the ledger has lost.
PLACES = ("RECONCILE#", "RECONCILED#")
#: States in which the lake has all rows of the batch's present attempt.
SHOWN = (State.PUBLISHED, State.LOADING, State.LOADED)


@dataclass(frozen=True)
class Findings:
    """What recovery puts back, and what a person must decide."""

    batches: tuple[Batch, ...]  # to be written, with children of split batches that must be formed again
    left_out: tuple[str, ...]  # batches that never took effect, which are not put back
    disagreements: tuple[str, ...]


def stop(world: World) -> datetime:
    """Breaks the seal, so that no function begins work. Returns since when no function has begun any."""
    seal, own = world.ledger.recovery.seal(), world.ledger.table.identity()
    if seal.get("broken") == own:
        return from_iso(seal["since"])
    # A restored table has another table's seal or none, so no function has begun work since its creation.
    since = world.clock.now() if seal.get("whole") == own else world.ledger.table.made_at()
    world.ledger.recovery.break_seal(since)
    return since


def look(world: World) -> Findings:
    """Returns what `recover` would put back, and what disagrees; writes nothing."""
    return _findings(world, gather(world))


def recover(world: World, accept: bool = False) -> Findings:
    """Puts back what is missing and seals the ledger, unless there are disagreements that are not accepted.

    Returns what was put back, and what disagrees. If that is not accepted, nothing is written. Raises `TidemarkError`
    if another recovery is needed, and `Conflict` if one has begun or ended meanwhile, or if the seal was not broken.
    """
    recoverer = world.ledger.recovery.begin()
    seen = gather(world)
    findings = _findings(world, seen)
    if findings.disagreements and not accept:
        return findings
    origin = roots(seen)
    for batch in findings.batches:
        put_back(world, recoverer, seen, batch, origin.get(batch.batch_id, batch.batch_id))
    for prefix in PLACES:
        for name in world.ledger.controls.with_prefix(prefix):
            world.ledger.controls.set(name, {})
    _check(findings, look(world), accept)
    recoverer.seal()
    return findings


def _check(before: Findings, after: Findings, accept: bool) -> None:
    """Raises if, after the recovery, a batch is still to be put back or a disagreement was not accepted."""
    left = [f"{batch.batch_id} is still to be put back" for batch in after.batches]
    left += [line for line in after.disagreements if not accept or line not in before.disagreements]
    if left:
        raise TidemarkError(f"the ledger is not whole yet, run it again: {left[0]} (and {len(left) - 1} more)")


# ── what is found ───────────────────────────────────────────────────────────────────────────────────────────


def _findings(world: World, seen: Evidence) -> Findings:
    origin = roots(seen)
    owners = {held.file.identity: held.batch_id for held in _holders(world, seen.traces.values())}
    dropped = abandoned_batches(seen.traces, seen.known, owners, origin)
    traces = {batch_id: trace for batch_id, trace in seen.traces.items() if batch_id not in dropped}
    batches = _batches(seen, traces, world.clock.now())
    lines = [*seen.unreadable, *claimed_twice(traces, owners, origin), *_strange_rows(seen), *_unequal(seen, batches)]
    return Findings(tuple(batches), tuple(sorted(dropped)), tuple(lines))


def roots(seen: Evidence) -> dict[str, str]:
    """Returns batch → the first ancestor that it was split from, or the batch itself."""
    existing = {*seen.left, *seen.known}
    parents = {child: parent for parent in seen.left for child in children_of(parent) if child in existing}
    parents |= {batch.batch_id: batch.parent for batch in seen.known.values() if batch.parent}

    def root(batch_id: str) -> str:
        while batch_id in parents:
            batch_id = parents[batch_id]
        return batch_id

    return {batch_id: root(batch_id) for batch_id in existing}


def _batches(seen: Evidence, traces: Mapping[str, Trace], now: datetime) -> list[Batch]:
    """The batches as they are to be, and children that are formed anew.

    The ledger may have a SPLIT batch without its child: a recovery may have died between the two, and a backup may hold
    only a part of a transaction.
    """
    parents = {child: one for one in seen.left for child in children_of(one)}
    found = []
    for trace in sorted(traces.values(), key=lambda one: one.created_at):
        split = any(child in seen.left for child in children_of(trace.batch_id))
        known = seen.known.get(trace.batch_id)
        found.append(rebuilt(trace, known, split, parents.get(trace.batch_id, ""), now))
    everything = {**seen.known, **{batch.batch_id: batch for batch in found}}
    for parent in (batch for batch in everything.values() if batch.state is State.SPLIT):
        gone = [child not in seen.left and child not in everything for child in parent.children]
        found += [missing_child(parent, half, now) for half, is_gone in enumerate(gone) if is_gone]
    return found


def _strange_rows(seen: Evidence) -> list[str]:
    """Returns a line for each attempt that readers see and that neither the ledger nor any document has."""
    lines = []
    for where, tables in (("lake", seen.lake), ("warehouse", seen.warehouse)):
        for table, rows in tables.items():
            for batch_id, attempts in rows.items():
                if max(attempts) > _latest_known(seen, batch_id):
                    attempt = f"rows of {batch_id}, attempt {max(attempts)}"
                    lines.append(f"{where}, {table}: {attempt}, which is in neither the ledger nor any document")
    return lines


def _latest_known(seen: Evidence, batch_id: str) -> int:
    left, known = seen.left.get(batch_id), seen.known.get(batch_id)
    return max(left.latest if left else 0, known.attempt if known else 0)


def _unequal(seen: Evidence, batches: Iterable[Batch]) -> list[str]:
    """Returns a line for each table that does not show what a batch has in it."""
    recovered = {**seen.known, **{batch.batch_id: batch for batch in batches}}
    lines = []
    for batch in (batch for batch in recovered.values() if batch.state in SHOWN):
        for where, tables in _places(seen, batch):
            shown = {table: rows[batch.batch_id] for table, rows in tables.items() if batch.batch_id in rows}
            unequal = differences(where, seen.datasets[batch.dataset], batch.counts.rows, batch.attempt, shown)
            lines += [f"{batch.batch_id}: {line}" for line in unequal]
    return lines


def _places(seen: Evidence, batch: Batch) -> list[tuple[str, Mapping[str, Rows]]]:
    """Where the rows of a published batch have to be: in the lake, and once they are loaded in the warehouse, too."""
    is_loaded = batch.state is State.LOADED or batch.attempt in seen.loads.get(batch.batch_id, {})
    return [("lake", seen.lake), *([("warehouse", seen.warehouse)] if is_loaded else [])]


def _holders(world: World, traces: Iterable[Trace]) -> list[Holder]:
    keys = sorted({(file.bucket, file.key) for trace in traces for file in files_of(trace)})
    by_key = world.map(lambda key: world.ledger.files.holders(*key), keys, READS_AT_ONCE)
    return [holder for holders in by_key for holder in holders]
