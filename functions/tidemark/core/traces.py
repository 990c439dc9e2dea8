"""What is left of a batch outside of the ledger: documents in S3, rows in the tables, a run that EMR knows. Pure.

The ledger alone says how a batch stands. But each step leaves something behind before the ledger says that it was
made: a manifest before PLANNED, a job spec before a run, a result before rows, rows in the lake before any in the
warehouse. So a ledger that is older than the world can be told by what lies there.
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
#: Physical table → attempt → rows, as readers see them.
Shown = Mapping[str, Mapping[int, int]]


@dataclass(frozen=True)
class Documents:
    """Which documents of a batch lie in the control bucket; known from the listing alone."""

    batch_id: str
    dataset: str
    since: datetime  # when the first of them was written
    manifests: frozenset[int] = frozenset()  # attempts with a manifest of their own
    specs: frozenset[int] = frozenset()  # attempts of which a run may have been started

    @property
    def latest(self) -> int:
        """The latest attempt that anything tells of."""
        return max(self.manifests | self.specs)


def documents(listed: Iterable[tuple[str, datetime]]) -> dict[str, Documents]:
    """Batch id → its documents, of keys with their times; other keys are passed over."""
    found: dict[str, list[tuple[int, str, datetime]]] = {}
    owner: dict[str, str] = {}
    for key, when in listed:
        named = DOCUMENT.fullmatch(key)
        if named:
            dataset, batch_id, attempt, kind = named.groups()
            owner[batch_id] = dataset
            found.setdefault(batch_id, []).append((int(attempt), kind, when))
    return {
        batch_id: Documents(
            batch_id,
            owner[batch_id],
            min(when for _, _, when in parts),
            frozenset(attempt for attempt, kind, _ in parts if kind == "manifest"),
            frozenset(attempt for attempt, kind, _ in parts if kind == "job_spec"),
        )
        for batch_id, parts in found.items()
    }


def children_of(batch_id: str) -> tuple[str, str]:
    """The ids that its children have, if it was split."""
    return child_id(batch_id, 0), child_id(batch_id, 1)


def is_behind(known: Optional[Batch], left: Documents, split: bool) -> bool:
    """Whether the ledger knows less of a batch than its documents tell.

    `split`: a child of it has documents. A batch that is under way with the latest attempt is not behind, whatever
    became of it since: the function whose step is due asks EMR, lake and warehouse, and finds it done.
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
    """All that is found of a batch, read."""

    left: Documents
    manifests: Mapping[int, AnyManifest]  # by the attempt for which they were written
    by: int  # of these, the one that the latest attempt works by: a retry uses that of the attempt before it
    dataset: Dataset  # as the latest job spec has it
    results: Mapping[int, Result] = field(default_factory=dict)
    failures: Mapping[int, RunFailure] = field(default_factory=dict)
    run_id: str = ""  # of the latest attempt, if EMR knows one
    lake: Shown = field(default_factory=dict)
    warehouse: Shown = field(default_factory=dict)
    loads: Mapping[int, str] = field(default_factory=dict)  # attempt → its load, by the warehouse's own record

    @property
    def batch_id(self) -> str:
        """Whose trace it is."""
        return self.left.batch_id

    @property
    def created_at(self) -> datetime:
        """When the batch began; the id of a nightly one tells of its period instead."""
        return self.left.since if isinstance(self.manifest, NightlyManifest) else born_at(self.batch_id)

    @property
    def manifest(self) -> AnyManifest:
        """What the latest attempt works by."""
        return self.manifests[self.by]

    @property
    def key(self) -> str:
        """Where that lies in the control bucket."""
        return attempt_prefix(self.left.dataset, self.left.batch_id, self.by) + "manifest.json"

    @property
    def is_shown(self) -> bool:
        """Whether readers of the lake or of the warehouse may have seen any attempt of it."""
        return bool(self.loads) or any(rows for shown in (self.lake, self.warehouse) for rows in shown.values())

    def has_all(self, place: Shown) -> bool:
        """Whether lake or warehouse show the latest attempt, whole and nothing else."""
        result = self.results.get(self.left.latest)
        return result is not None and not differences("", self.dataset, result.rows, self.left.latest, place)


def differences(where: str, dataset: Dataset, rows: Mapping[str, int], attempt: int, place: Shown) -> list[str]:
    """A line for each table that does not show exactly these rows of this attempt."""
    found = []
    for table in dataset.tables:
        if table.name in rows:
            expected = {attempt: rows[table.name]} if rows[table.name] else {}
            shown = dict(place.get(table.physical_name, {}))
            if shown != expected:
                found.append(f"{where}, {table.physical_name}: expected {_told(expected)}, found {_told(shown)}")
    return found


def _told(rows: Mapping[int, int]) -> str:
    return " and ".join(f"{count} rows of attempt {attempt}" for attempt, count in sorted(rows.items())) or "no rows"
