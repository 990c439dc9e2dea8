"""Evidence outside of the ledger: documents in both buckets, rows in lake and warehouse, and EMR's runs."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from tidemark.adapters.world import World
from tidemark.core.dataset import Dataset
from tidemark.core.errors import Terminal, TidemarkError
from tidemark.core.job import FAILURE, JOB_SPEC, JobSpec, Result, RunFailure
from tidemark.core.lifecycle import Batch
from tidemark.core.manifest import Manifest, NightlyManifest
from tidemark.core.naming import attempt_prefix, run_name
from tidemark.core.traces import DOCUMENT, AnyManifest, Documents, Trace, children_of, documents, is_behind
from tidemark.core.warehouse_ddl import HISTORY, quoted
from tidemark.core.warehouse_sql import LoadBatch
from tidemark.service.documents import read_result
from tidemark.service.seal import BATCHES
from tidemark.service.transitions import known_datasets

READS_AT_ONCE = 8
#: What the warehouse says of a table that nothing was ever loaded into; a missing column is another matter.
NO_TABLE = re.compile(r'(?<!of )(relation|schema) "[^"]+" does not exist')

Rows = dict[str, dict[int, int]]  # batch → attempt → number of rows, in one table


@dataclass(frozen=True)
class Evidence:
    """All evidence, gathered at one time. Tables are named by their physical names."""

    left: Mapping[str, Documents]  # by batch
    known: Mapping[str, Batch]  # the ledger's batches, by id
    datasets: Mapping[str, Dataset]  # by the declaration, or else by the latest job spec
    lake: Mapping[str, Rows]  # by table
    warehouse: Mapping[str, Rows]
    loads: Mapping[str, Mapping[int, str]]  # batch → attempt → load, as recorded in the warehouse
    traces: Mapping[str, Trace]  # of the batches that the ledger lacks, or has in an older state
    unreadable: tuple[str, ...]  # a line for each document that cannot be read


def gather(world: World) -> Evidence:
    """Lists everything, and reads the documents of those batches that the ledger lacks or has in an older state."""
    left = documents(world.store.keys(world.settings.control_bucket, BATCHES))
    datasets = _datasets(world, left)
    tables = [table.physical_name for dataset in datasets.values() for table in dataset.tables]
    known = _known(world, left, datasets)
    lake = {table: world.lake.shown(table) for table in tables}
    warehouse = {table: _in_warehouse(world, table) for table in tables}
    loads = _loads(world)
    behind = [entry for key, entry in left.items() if is_behind(known.get(key), entry, _is_split(key, left))]
    runs = _runs(world, behind)
    lines: list[str] = []
    read = partial(_trace, world, datasets, lake, warehouse, loads, runs, lines)
    traces = {trace.batch_id: trace for trace in world.map(read, behind, READS_AT_ONCE) if trace}
    return Evidence(left, known, datasets, lake, warehouse, loads, traces, tuple(sorted(lines)))


def _is_split(batch_id: str, left: Mapping[str, Documents]) -> bool:
    return any(child in left for child in children_of(batch_id))


def _datasets(world: World, left: Mapping[str, Documents]) -> dict[str, Dataset]:
    """Returns every dataset with documents; one that is no longer declared, by its latest job spec."""
    known = known_datasets(world)
    latest: dict[str, Documents] = {}
    for entry in sorted(left.values(), key=lambda entry: entry.since):
        if entry.dataset not in world.datasets and entry.specs:
            latest[entry.dataset] = entry
    for name, entry in latest.items():
        known[name] = _spec(world, entry, max(entry.specs)).dataset
    return known


def _known(world: World, left: Mapping[str, Documents], datasets: Iterable[str]) -> dict[str, Batch]:
    """Returns every batch of the ledger, by consistent reads: the index may lag, so it only provides ids.

    Raises `NewerRelease` if there is a batch that only a newer release may act on.
    """
    listed = {batch.batch_id for name in datasets for batch in world.ledger.batches.all(name)}
    found = {batch.batch_id: batch for batch in world.ledger.batches.named(sorted(listed | set(left)))}
    for batch_id in sorted(set(left) - set(found)):
        world.ledger.batches.get(batch_id)  # raises for a batch of a newer release, which is not lost
    return found


def _in_warehouse(world: World, table: str) -> Rows:
    rows: Rows = defaultdict(dict)
    columns = '"_batch_id", "_attempt"'
    for batch_id, attempt, count in _read(world, f"SELECT {columns}, COUNT(*) FROM {quoted(table)} GROUP BY {columns}"):
        rows[batch_id][attempt] = count
    return dict(rows)


def _loads(world: World) -> dict[str, dict[int, str]]:
    loads: dict[str, dict[int, str]] = defaultdict(dict)
    for batch_id, attempt, load_id in _read(world, f"SELECT DISTINCT batch_id, attempt, load_id FROM {HISTORY}"):
        loads[batch_id][attempt] = max(load_id, loads[batch_id].get(attempt, ""))
    return dict(loads)


def _read(world: World, sql: str) -> list[tuple[Any, ...]]:
    try:
        return world.warehouse.read(sql)
    except Terminal as error:
        if NO_TABLE.search(str(error)):
            return []
        raise


def _runs(world: World, behind: Iterable[Documents]) -> dict[str, str]:
    """Returns run name → id of the latest run of that name, for the latest attempts of these batches."""
    wanted = {run_name(left.batch_id, left.latest) for left in behind if left.latest in left.specs}
    since = min((left.since for left in behind), default=None)
    runs: dict[str, str] = {}
    if wanted and since:
        for name, run_id in world.engine.named(since):
            if name in wanted:
                runs.setdefault(name, run_id)
    return runs


# ── one batch ───────────────────────────────────────────────────────────────────────────────────────────────


def _trace(
    world: World,
    datasets: Mapping[str, Dataset],
    lake: Mapping[str, Rows],
    warehouse: Mapping[str, Rows],
    loads: Mapping[str, Mapping[int, str]],
    runs: Mapping[str, str],
    lines: list[str],
    left: Documents,
) -> Trace | None:
    """Returns all evidence of a batch; None if its documents cannot be read, which adds a line to `lines`."""
    try:
        manifests = {attempt: _manifest(world, left, attempt) for attempt in left.manifests}
        specs = {attempt: _spec(world, left, attempt) for attempt in left.specs}
        by = _worked_by(left, specs)
        dataset = specs[max(specs)].dataset if specs else datasets[left.dataset]
        if by not in manifests:
            raise KeyError(f"manifest of attempt {by}")
    except (ValueError, KeyError, TypeError, TidemarkError) as error:
        lines.append(f"{left.batch_id}: its manifests and job specs cannot be read: {error!r}")
        return None
    return Trace(
        left,
        manifests,
        by,
        dataset,
        results=_results(world, left),
        failures=_failures(world, left),
        run_id=runs.get(run_name(left.batch_id, left.latest), ""),
        lake={table: rows[left.batch_id] for table, rows in lake.items() if left.batch_id in rows},
        warehouse={table: rows[left.batch_id] for table, rows in warehouse.items() if left.batch_id in rows},
        loads=loads.get(left.batch_id, {}),
    )


def _manifest(world: World, left: Documents, attempt: int) -> AnyManifest:
    text = _document(world, left, attempt, "manifest.json")
    return NightlyManifest.loads(text) if "period" in json.loads(text) else Manifest.loads(text)


def _spec(world: World, left: Documents, attempt: int) -> JobSpec:
    return JobSpec.loads(_document(world, left, attempt, JOB_SPEC))


def _document(world: World, left: Documents, attempt: int, name: str) -> bytes:
    key = attempt_prefix(left.dataset, left.batch_id, attempt) + name
    return world.store.get(world.settings.control_bucket, key) or b""


def _worked_by(left: Documents, specs: Mapping[int, JobSpec]) -> int:
    """Returns the attempt whose manifest the latest attempt uses, by its job spec if it has one."""
    if left.latest in specs:
        manifest = DOCUMENT.search(specs[left.latest].manifest)
        if manifest:
            return int(manifest[3])
    return max(left.manifests)


def _results(world: World, left: Documents) -> dict[int, Result]:
    results = {}
    for attempt in left.specs:
        with suppress(ValueError, KeyError, TypeError):  # a result that publish would refuse too
            result = read_result(world, LoadBatch(left.dataset, left.batch_id, attempt))
            if result:
                results[attempt] = result
    return results


def _failures(world: World, left: Documents) -> dict[int, RunFailure]:
    prefix = {attempt: attempt_prefix(left.dataset, left.batch_id, attempt) for attempt in left.specs}
    texts = {attempt: world.store.get(world.settings.lake_bucket, f"{prefix[attempt]}{FAILURE}") for attempt in prefix}
    return {attempt: RunFailure.loads(text) for attempt, text in texts.items() if text}
