"""reconcile: what lies in the bucket and the ledger has not seen → pending segments. Events are not needed.

Each page of the listing (1,000 keys) costs one LIST and ten reads of the ledger; a million keys about $0.07 (docs/
operations.md). There is no window: a file may be missing for years and is found by the next pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from tidemark.clock import from_iso
from tidemark.core.dataset import Dataset
from tidemark.core.files import FileVersion
from tidemark.observability import logger
from tidemark.service.collect import remember
from tidemark.wiring import World

LOOKUP_MAX = 100  # keys per BatchGetItem
#: A younger file is probably on its way; its event deserves the chance.
SETTLED_AFTER = timedelta(minutes=15)


@dataclass(frozen=True)
class Pass:
    """How far one pass over a prefix has come."""

    seen: int  # keys looked at
    missing: int  # file versions brought in
    done: bool


def reconcile(
    world: World, dataset: Dataset, prefix: str, go_on: Callable[[], bool], settled_after: timedelta = SETTLED_AFTER
) -> Iterator[Pass]:
    """Walk the raw bucket below `prefix` page by page, bringing in what is missing, while `go_on` says so.

    The prefix is the dataset's, or a deeper one. The place is remembered in the ledger after each page, so a pass that
    is cut short goes on where it was.
    """
    name, seen, missing = f"RECONCILE#{prefix}", 0, 0
    marker = world.ledger.control(name)
    while go_on():
        page = world.store.versions(world.settings.raw_bucket, prefix, marker, dataset.on_overwrite == "append")
        parts = (page.files[start : start + LOOKUP_MAX] for start in range(0, len(page.files), LOOKUP_MAX))
        found = [file for part in parts for file in _missing(world, dataset, part, settled_after)]
        missing += remember(world, found)
        seen, marker = seen + len(page.files), page.marker
        world.ledger.set_control(name, marker)
        yield Pass(seen, missing, done=not marker)
        if not marker:
            return


def reconcile_all(world: World, go_on: Callable[[], bool]) -> int:
    """One pass over every dataset's prefix; returns the number of file versions brought in."""
    brought = 0
    for dataset in (found for found in world.datasets.values() if not found.nightly):
        missing = max((part.missing for part in reconcile(world, dataset, dataset.prefix, go_on)), default=0)
        brought += missing
        if missing:
            logger.warning("files had been missed", dataset=dataset.name, files=missing)
    return brought


def _missing(
    world: World, dataset: Dataset, files: tuple[FileVersion, ...], settled_after: timedelta
) -> list[FileVersion]:
    """Versions that the ledger does not know, and that would count: under `ignore` one version of a key is enough."""
    settled_before = world.clock.now() - settled_after
    candidates = [file for file in files if from_iso(file.landed_at or "") <= settled_before]
    newest = world.ledger.known_versions(candidates) if candidates else {}
    unknown = [file for file in candidates if newest.get((file.bucket, file.key)) != file.version]
    if dataset.on_overwrite == "ignore":
        return [file for file in unknown if (file.bucket, file.key) not in newest]
    if dataset.on_overwrite == "append" and unknown:
        older = world.ledger.older_versions(unknown)
        return [file for file in unknown if file.identity not in older]
    return unknown
