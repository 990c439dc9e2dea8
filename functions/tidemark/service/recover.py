"""recover: a ledger that was set back or lost → whole again, from manifests, results and tables.

Every write is safe twice, and the batch is written last: after a crash anywhere the next recovery finds the same work,
less what is done. At the end everything is looked at again; only where nothing is left to be put back, and ledger, lake
and warehouse agree, does the ledger get its seal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from tidemark.adapters.world import World
from tidemark.clock import from_iso
from tidemark.core.errors import TidemarkError
from tidemark.core.lifecycle import Batch, State
from tidemark.core.recovery import Held, files_of, held_twice, left_out, missing_child, rebuilt
from tidemark.core.traces import Trace, children_of, differences
from tidemark.service.evidence import READS_AT_ONCE, Evidence, Rows, gather
from tidemark.service.putback import put_back

#: The longest timeout of the template, and a minute: whoever began before the seal was broken has ended by then.
HANDLERS_END_AFTER = timedelta(minutes=16)
#: Controls by which reconcile would pass over files that landed in the time that the ledger has lost.
PLACES = ("RECONCILE#", "RECONCILED#")
#: States in which the lake has all rows of the batch's present attempt.
SHOWN = (State.PUBLISHED, State.LOADING, State.LOADED)


@dataclass(frozen=True)
class Findings:
    """What is to be put back, and what a person must look at."""

    batches: tuple[Batch, ...]  # as they are to be, with the children that are formed anew
    left_out: tuple[str, ...]  # batches that came to nothing
    disagreements: tuple[str, ...]


def stop(world: World) -> datetime:
    """Break the seal, so that nothing begins any more; answers since when that is so."""
    found, own = world.ledger.seal(), world.ledger.identity()
    if found.get("broken") == own:
        return from_iso(found["since"])
    # A restored table bears another's seal or none: nothing has begun by it since it was made.
    since = world.clock.now() if found.get("whole") == own else world.ledger.made_at()
    world.ledger.break_seal(since)
    return since


def look(world: World) -> Findings:
    """What `recover` would put back, and what disagrees; writes nothing."""
    return _findings(world, gather(world))


def recover(world: World, accept: bool = False) -> Findings:
    """Put back what is missing; seal the ledger if nothing disagrees, or if that is to be accepted.

    Answers what was put back, and what disagrees. Nothing is written while something disagrees.
    """
    seen = gather(world)
    found = _findings(world, seen)
    if found.disagreements and not accept:
        return found
    origin = roots(seen)
    for batch in found.batches:
        put_back(world, seen, batch, origin.get(batch.batch_id, batch.batch_id))
    for prefix in PLACES:
        for name in world.ledger.controls(prefix):
            world.ledger.set_control(name, {})
    _check(found, look(world), accept)
    world.ledger.put_seal()
    return found


def _check(found: Findings, after: Findings, accept: bool) -> None:
    """Raise where the look after the work finds anything that the one before it did not leave so."""
    left = [f"{batch.batch_id} is still to be put back" for batch in after.batches]
    left += [line for line in after.disagreements if not accept or line not in found.disagreements]
    if left:
        raise TidemarkError(f"the ledger is not whole yet, run it again: {left[0]} (and {len(left) - 1} more)")


# ── what is found ───────────────────────────────────────────────────────────────────────────────────────────


def _findings(world: World, seen: Evidence) -> Findings:
    origin = roots(seen)
    owners = {held.file.identity: held.batch_id for held in _holders(world, seen.traces.values())}
    dropped = left_out(seen.traces, seen.known, owners, origin)
    traces = {batch_id: trace for batch_id, trace in seen.traces.items() if batch_id not in dropped}
    batches = _batches(seen, traces, world.clock.now())
    lines = [*seen.unreadable, *held_twice(traces, owners, origin), *_strange_rows(seen), *_unequal(seen, batches)]
    return Findings(tuple(batches), tuple(sorted(dropped)), tuple(lines))


def roots(seen: Evidence) -> dict[str, str]:
    """Batch → the one that it was split from in the end, or itself."""
    parents = {
        child: one for one in seen.left for child in children_of(one) if child in seen.left or child in seen.known
    }
    parents |= {batch.batch_id: batch.parent for batch in seen.known.values() if batch.parent}

    def root(batch_id: str) -> str:
        while batch_id in parents:
            batch_id = parents[batch_id]
        return batch_id

    return {batch_id: root(batch_id) for batch_id in {*seen.left, *seen.known}}


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
    """A line for each attempt that readers see, and of which nothing else knows."""
    lines = []
    for where, tables in (("lake", seen.lake), ("warehouse", seen.warehouse)):
        for table, rows in tables.items():
            for batch_id, attempts in rows.items():
                if max(attempts) > _latest_known(seen, batch_id):
                    told = f"rows of {batch_id}, attempt {max(attempts)}"
                    lines.append(f"{where}, {table}: {told}, which is in neither the ledger nor any document")
    return lines


def _latest_known(seen: Evidence, batch_id: str) -> int:
    left, known = seen.left.get(batch_id), seen.known.get(batch_id)
    return max(left.latest if left else 0, known.attempt if known else 0)


def _unequal(seen: Evidence, batches: Iterable[Batch]) -> list[str]:
    """A line for each table that does not show what a batch has in it."""
    now = {**seen.known, **{batch.batch_id: batch for batch in batches}}
    lines = []
    for batch in (one for one in now.values() if one.state in SHOWN):
        for where, tables in _places(seen, batch):
            shown = {table: rows[batch.batch_id] for table, rows in tables.items() if batch.batch_id in rows}
            unequal = differences(where, seen.datasets[batch.dataset], batch.rows, batch.attempt, shown)
            lines += [f"{batch.batch_id}: {line}" for line in unequal]
    return lines


def _places(seen: Evidence, batch: Batch) -> list[tuple[str, Mapping[str, Rows]]]:
    """Where the rows of a published batch have to be: in the lake, and once they are loaded in the warehouse, too."""
    is_loaded = batch.state is State.LOADED or batch.attempt in seen.loads.get(batch.batch_id, {})
    return [("lake", seen.lake), *([("warehouse", seen.warehouse)] if is_loaded else [])]


def _holders(world: World, traces: Iterable[Trace]) -> list[Held]:
    keys = sorted({(file.bucket, file.key) for trace in traces for file in files_of(trace)})
    found = world.map(lambda key: world.ledger.holders(*key), keys, READS_AT_ONCE)
    return [Held(one.file, one.batch_id) for holders in found for one in holders]
