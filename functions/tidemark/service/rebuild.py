"""rebuild: makes lost or dropped warehouse tables anew from the lake's tables. Its SQL is made in core/rebuilding."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from tidemark.adapters.redshift import Warehouse
from tidemark.adapters.world import World
from tidemark.core.dataset import Table
from tidemark.core.errors import Terminal, TidemarkError
from tidemark.core.naming import load_manifest_key, rebuild_id
from tidemark.core.rebuilding import Stage, StoredFile, missing_relations, rebuild_statements, stages
from tidemark.core.warehouse_ddl import HISTORY, SHARDS, history_of, relations
from tidemark.core.warehouse_grant import acting_as
from tidemark.service.load import ensure_tables

PUBLIC, OWN = "public", "tidemark"  # schemas of the tables and of the load history


@dataclass(frozen=True)
class Lost:
    """A declared table, and what the warehouse lacks of it."""

    dataset: str
    table: Table
    missing: tuple[str, ...]  # relations


@dataclass(frozen=True)
class Rebuilder:
    """The warehouse as the loader, or as its administrator, who acts as the loader: the loader owns what is made."""

    warehouse: Warehouse
    loader: str = ""  # as whom the administrator acts

    def apply(self, name: str, statements: Sequence[str]) -> None:
        """Runs DDL as the loader."""
        self.warehouse.apply(name, self.as_loader(statements))

    def as_loader(self, statements: Sequence[str]) -> list[str]:
        """The statements of one transaction, run as the loader."""
        return acting_as(self.loader, list(statements)) if self.loader else list(statements)


def look(world: World, warehouse: Warehouse, datasets: Iterable[str]) -> list[Lost]:
    """Returns all tables of the datasets, with the relations that the warehouse lacks of each.

    A table that was never published or loaded lacks nothing: its first load makes it.
    """
    existing = warehouse.relations(PUBLIC)
    tables = [(name, table) for name in datasets for table in world.datasets[name].tables]
    return [Lost(name, table, _missing(world, table, existing)) for name, table in tables]


def _missing(world: World, table: Table, existing: set[str]) -> tuple[str, ...]:
    missing = tuple(missing_relations(table, existing))
    name = table.physical_name
    was_made = missing and (world.ledger.warehouse_tables.columns(name) is not None or world.lake.sequence(name) > 0)
    return missing if was_made else ()


def stored(world: World, lost: Lost) -> list[StoredFile]:
    """Returns the lake's files from which the table is filled. Raises `TidemarkError` if COPY cannot read them."""
    files = world.snapshots.stored(lost.table.physical_name)
    stages(lost.table, files)
    return files


def rebuild(world: World, rebuilder: Rebuilder, lost: Lost) -> int:
    """Makes the table's missing relations, and fills the table with all rows of the lake's. Returns their number.

    May be repeated, and may run while batches are loaded. Raises `TidemarkError` if the warehouse refuses, or if it has
    copied another number of rows than the lake has.
    """
    _make(world, rebuilder, lost)
    # The files are listed only now: what is loaded from here on finds the table, and is kept.
    files = stored(world, lost)
    rows = sum(file.rows for file in files)
    copied = _fill(world, rebuilder, lost, files) if rows else 0
    if copied != rows:
        raise TidemarkError(f"{lost.table.name}: the lake has {rows} rows, and COPY has read {copied}: run it again")
    return rows


def _make(world: World, rebuilder: Rebuilder, lost: Lost) -> None:
    """Makes what is missing, in the ledger's record as well as in the warehouse."""
    if lost.missing:
        for relation in relations(lost.table):
            world.ledger.warehouse_tables.forget(relation)
    if not _has_history(rebuilder.warehouse):
        world.ledger.warehouse_tables.forget(HISTORY)
    ensure_tables(world, [lost.table], rebuilder.apply)


def _has_history(warehouse: Warehouse) -> bool:
    needed = {name.rpartition(".")[2] for name in (HISTORY, *map(history_of, SHARDS))}
    return needed <= warehouse.relations(OWN)


def _fill(world: World, rebuilder: Rebuilder, lost: Lost, files: Sequence[StoredFile]) -> int:
    name = rebuild_id(lost.table.physical_name, world.clock.now())
    staged = list(_with_manifests(world, name, lost.table, stages(lost.table, files)))
    statements = rebuild_statements(name, lost.dataset, lost.table, staged, world.settings.copy_role_arn)
    try:
        rows = rebuilder.warehouse.transact(name, rebuilder.as_loader(statements))
    except Terminal as error:
        raise TidemarkError(f"{lost.table.name}: {error}") from error
    return int(rows[0][0])


def _with_manifests(world: World, name: str, table: Table, staged: Iterable[Stage]) -> Iterator[Stage]:
    bucket = world.settings.control_bucket
    for stage in staged:
        entries = [{"url": file.uri, "mandatory": True, "meta": {"content_length": file.bytes}} for file in stage.files]
        key = load_manifest_key(name, f"{table.physical_name}-{stage.number}")
        world.store.put(bucket, key, json.dumps({"entries": entries}, indent=1))
        yield replace(stage, manifest=f"s3://{bucket}/{key}")
