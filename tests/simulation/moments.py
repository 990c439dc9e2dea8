"""Saves, restores and compares states of a simulation; restoring is cheaper than playing again."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Hashable, Iterator, Mapping
from typing import Any

from tests.simulation.iceberg import Contents, SimTable
from tests.simulation.invariants import Invariants
from tests.simulation.simulation import Simulation

CONTAINERS = (dict, list, set, deque)
DATABASES = ("main", "tidemark")
MEMORY_MAX = 20_000  #: values; when there are more, all are dropped


class Moment:
    """The saved state of a simulation and its invariants, at a time when no worker is stopped."""

    def __init__(self, simulation: Simulation, invariants: Invariants) -> None:
        assert not simulation.standing, "a handler is in the midst of something"
        assert not simulation.messages, "messages change in place"
        self.simulation = simulation
        self.parts = [(one, _all_kept(vars(one))) for one in _parts(simulation, invariants)]
        self.random = simulation.rng.getstate()
        database = simulation.redshift.database
        for name in DATABASES:
            database.execute(f"PRAGMA {name}.user_version = 1")  # an empty one could not be serialized
        self.rows = {name: database.serialize(name=name) for name in DATABASES}
        self.changes = simulation.redshift.changes

    def restore(self) -> None:
        """Restore the saved state; stopped workers are killed."""
        self.simulation.discard()
        touched = self.simulation.redshift.changes != self.changes
        for one, values in self.parts:
            vars(one).clear()
            vars(one).update(_all_kept(values))
        self.simulation.rng.setstate(self.random)
        if touched:
            for name, rows in self.rows.items():
                self.simulation.redshift.database.deserialize(rows, name=name)
            self.simulation.redshift.database.execute("PRAGMA writable_schema = RESET")  # what tables there are


def _parts(simulation: Simulation, invariants: Invariants) -> Iterator[Any]:
    """Every object that changes as the simulation goes on."""
    yield from (simulation, simulation.stage, simulation.faults, simulation.data)
    yield from (simulation.dynamodb, simulation.s3, simulation.emr, simulation.redshift, simulation.catalog)
    yield from (*simulation.emr.runs, *simulation.redshift.statements)
    yield from (invariants, invariants.readers, invariants.readers.latest, invariants.nights)


def _all_kept(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _kept(value) for name, value in values.items()}


def _kept(value: Any) -> Any:
    """A copy of a container, two levels deep; deeper values are never changed in place."""
    if isinstance(value, dict):
        inner = {name: one.copy() for name, one in value.items() if isinstance(one, CONTAINERS)}
        kept = value.copy()
        kept.update(inner)
        return kept
    return value.copy() if isinstance(value, CONTAINERS) else value


class Fingerprints:
    """Distinguishes states of one simulation by all that handlers, services and invariants can see."""

    def __init__(self) -> None:
        self.known: dict[int, tuple[Any, int]] = {}

    def world(self, simulation: Simulation) -> Hashable:
        """The fingerprint of ledger, buckets, tables, runs, statements and future events."""
        items, seen = simulation.dynamodb.items, simulation.dynamodb.seen
        emr, redshift, catalog, stage = simulation.emr, simulation.redshift, simulation.catalog, simulation.stage
        return hash(
            (
                frozenset((pk, sk, self._of(item)) for pk, under in items.items() for sk, item in under.items()),
                frozenset((key, self._of(item)) for key, item in seen.items()),
                tuple((when, key, self._of(item)) for when, key, item in simulation.dynamodb.late),
                (tuple(simulation.s3.raw), frozenset(simulation.s3.objects.items())),
                frozenset((uri, self._of(file)) for uri, file in simulation.data.files.items()),
                frozenset((name, _contents(table)) for name, table in catalog.tables.items()),
                (tuple(catalog.deleted), catalog.commits, catalog.written),
                repr((emr.runs, emr.tokens, emr.script, emr.doubled, emr.state)),
                repr((redshift.statements, redshift.tokens, redshift.changes, redshift.own_tokens)),
                (stage.time, tuple((when, what) for when, _, what, _ in sorted(stage.heap, key=lambda one: one[:2]))),
                (len(simulation.received), len(simulation.messages), simulation.night_news, simulation.night_seen),
                simulation.rng.getstate(),
            )
        )

    def promises(self, invariants: Invariants) -> Hashable:
        """The fingerprint of what the invariants have recorded of earlier states."""
        readers, nights = invariants.readers, invariants.nights
        ever = frozenset((table, row) for table, rows in readers.latest.ever.items() for row in rows)
        return hash((frozenset(readers.attempts.items()), ever, repr(nights.under_way), nights.pointer))

    def reply(self, operation: str, reply: object) -> int:
        """The fingerprint of a reply to a handler."""
        if isinstance(reply, SimTable):
            return hash((operation, reply.name, _contents(reply.contents)))
        if isinstance(reply, dict) and isinstance(reply.get("Body"), io.BytesIO):
            return hash((operation, reply["Body"].getvalue()))
        return hash((operation, repr(reply), repr(getattr(reply, "response", ""))))

    def _of(self, value: Any) -> int:
        """The number of a value that is never changed in place."""
        found = self.known.get(id(value))
        if found is None:
            if len(self.known) > MEMORY_MAX:
                self.known.clear()
            found = self.known[id(value)] = (value, hash(repr(value)))
        return found[1]


def _contents(table: Contents) -> Hashable:
    return (table.version, table.files, table.commits, repr((table.snapshots, table.schema.column_names)))
