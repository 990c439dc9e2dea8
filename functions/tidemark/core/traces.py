"""The traces of a batch outside the ledger: documents in S3, rows in the tables, a run that EMR knows. Pure.

Each step leaves its trace before the ledger records the step: a manifest before PLANNED, a job spec before a run, a
result before rows, and rows in the lake before rows in the warehouse. So the traces show whether the ledger is older
than they are, as it is after a restore from a backup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Optional, Union

from tidemark.core.dataset import Dataset
from tidemark.core.job import Result, RunFailure
from tidemark.core.lifecycle import Batch, State
from tidemark.core.manifest import Manifest, NightlyManifest
from tidemark.core.naming import attempt_prefix, born_at, child_id

DOCUMENT = re.compile(r"batches/([^/]+)/([^/]+)/(\d{4,})/(manifest|job_spec)\.json")

AnyManifest = Union[Manifest, NightlyManifest]
#: Physical table → attempt → number of rows that readers see.
Shown = Mapping[str, Mapping[int, int]]


@dataclass(frozen=True)
class Documents:
    """The documents of a batch in the control bucket, as a listing of the bucket shows them."""

    batch_id: str
    dataset: str
    since: datetime  # when the first of them was written
    manifests: frozenset[int] = frozenset()  # attempts with a manifest of their own
    specs: frozenset[int] = frozenset()  # attempts with a job spec, whose run may have been started

    @property
    def latest(self) -> int:
        """The latest attempt with a document."""
        return max(self.manifests | self.specs)


def documents(listed: Iterable[tuple[str, datetime]]) -> dict[str, Documents]:
    """Batch id → its documents, from (key, time written) pairs; other keys are ignored."""
    by_batch: dict[str, list[tuple[int, str, datetime]]] = {}
    datasets: dict[str, str] = {}
    for key, written_at in listed:
        match = DOCUMENT.fullmatch(key)
        if match:
            dataset, batch_id, attempt, kind = match.groups()
            datasets[batch_id] = dataset
            by_batch.setdefault(batch_id, []).append((int(attempt), kind, written_at))
    return {
        batch_id: Documents(
            batch_id,
            datasets[batch_id],
            min(written_at for _, _, written_at in entries),
            frozenset(attempt for attempt, kind, _ in entries if kind == "manifest"),
            frozenset(attempt for attempt, kind, _ in entries if kind == "job_spec"),
        )
        for batch_id, entries in by_batch.items()
    }


def children_of(batch_id: str) -> tuple[str, str]:
    """The ids that the batch's children have if it is split."""
    return child_id(batch_id, 0), child_id(batch_id, 1)


def is_behind(known: Optional[Batch], left: Documents, split: bool) -> bool:
    """Whether a batch in the ledger (`known`) is behind its documents.

    `split` says whether one of its children has documents. A batch whose next step is due for the latest attempt is not
    behind, even if that step was already made: the step's function asks EMR, lake and warehouse, and finds it made.
    """
    if known is None:
        return True
    if known.state is State.SPLIT:
        return False
    if split or left.latest > known.attempt:
        return True
    is_latest = left.latest == known.attempt
    is_formed = known.state is State.FORMING and known.attempt in left.manifests
    was_started = known.state is State.PLANNED and known.attempt in left.specs
    return is_latest and (is_formed or was_started)


@dataclass(frozen=True)
class Trace:
    """All traces of a batch, with its documents read."""

    left: Documents
    manifests: Mapping[int, AnyManifest]  # attempt → the manifest that was written for it
    by: int  # the attempt whose manifest the latest attempt uses: a retry uses that of an earlier attempt
    dataset: Dataset  # as declared in the latest job spec
    results: Mapping[int, Result] = field(default_factory=dict)  # by attempt
    failures: Mapping[int, RunFailure] = field(default_factory=dict)  # by attempt
    run_id: str = ""  # the latest attempt's run, if EMR knows one
    lake: Shown = field(default_factory=dict)
    warehouse: Shown = field(default_factory=dict)
    loads: Mapping[int, str] = field(default_factory=dict)  # attempt → its load id, from the warehouse's load history

    @property
    def batch_id(self) -> str:
        """The batch's id."""
        return self.left.batch_id

    @property
    def created_at(self) -> datetime:
        """When the batch was created; the id of a nightly batch has the start of its period instead."""
        return self.left.since if isinstance(self.manifest, NightlyManifest) else born_at(self.batch_id)

    @property
    def manifest(self) -> AnyManifest:
        """The manifest that the latest attempt uses."""
        return self.manifests[self.by]

    @property
    def key(self) -> str:
        """That manifest's key in the control bucket."""
        return attempt_prefix(self.left.dataset, self.left.batch_id, self.by) + "manifest.json"

    @property
    def is_shown(self) -> bool:
        """Whether readers of the lake or of the warehouse may have seen rows of any of its attempts."""
        return bool(self.loads) or any(rows for shown in (self.lake, self.warehouse) for rows in shown.values())

    def has_all(self, shown: Shown) -> bool:
        """Whether the lake's or the warehouse's tables show all rows of the latest attempt, and none of another."""
        result = self.results.get(self.left.latest)
        return result is not None and not differences("", self.dataset, result.rows, self.left.latest, shown)


def differences(where: str, dataset: Dataset, rows: Mapping[str, int], attempt: int, shown: Shown) -> list[str]:
    """A line for each table that does not show exactly `rows` (table → number) of this attempt.

    `where`, "lake" or "warehouse", begins each line.
    """
    lines = []
    for table in dataset.tables:
        if table.name in rows:
            expected = {attempt: rows[table.name]} if rows[table.name] else {}
            actual = dict(shown.get(table.physical_name, {}))
            if actual != expected:
                lines.append(f"{where}, {table.physical_name}: expected {_listed(expected)}, found {_listed(actual)}")
    return lines


def _listed(rows: Mapping[int, int]) -> str:
    return " and ".join(f"{count} rows of attempt {attempt}" for attempt, count in sorted(rows.items())) or "no rows"
