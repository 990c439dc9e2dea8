"""reconcile: what lies in the bucket and the ledger has not seen → pending segments. Events are not needed.

Each page of the listing (1,000 keys) costs one LIST and ten reads of the ledger; a million keys about $0.07 (docs/
operations.md). There is no window: a file may be missing for years and is found by the next pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tidemark.clock import from_iso, iso
from tidemark.core.dataset import Dataset
from tidemark.core.files import FileVersion
from tidemark.observability import logger
from tidemark.service.collect import remember
from tidemark.wiring import World

LOOKUP_MAX = 100  # keys per BatchGetItem
#: A younger file is probably on its way; its event deserves the chance.
SETTLED_AFTER = timedelta(minutes=15)
RECONCILED = "RECONCILED#"  # the control that remembers when a dataset's last complete pass ended
NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Pass:
    """How far one pass over a prefix has come."""

    seen: int  # keys looked at
    missing: int  # file versions brought in
    done: bool


def reconcile(
    world: World,
    dataset: Dataset,
    prefix: str,
    go_on: Callable[[], bool],
    settled_after: timedelta = SETTLED_AFTER,
    background: bool = False,
) -> Iterator[Pass]:
    """Walk the raw bucket below `prefix` page by page, bringing in what is missing, while `go_on` says so.

    The prefix is the dataset's, or a deeper one. The place is remembered in the ledger after each page, so a pass that
    is cut short goes on where it was. `background`: what is brought in leaves room for fresh files.
    """
    name, seen, missing = f"RECONCILE#{prefix}", 0, 0
    marker = world.ledger.control(name)
    while go_on():
        page = world.store.versions(world.settings.raw_bucket, prefix, marker, dataset.on_overwrite == "append")
        parts = (page.files[start : start + LOOKUP_MAX] for start in range(0, len(page.files), LOOKUP_MAX))
        found = [file for part in parts for file in _missing(world, dataset, part, settled_after)]
        missing += remember(world, found, background)
        seen, marker = seen + len(page.files), page.marker
        world.ledger.set_control(name, marker)
        if not marker and prefix == dataset.prefix:
            world.ledger.set_control(f"{RECONCILED}{dataset.name}", {"finished": iso(world.clock.now())})
        yield Pass(seen, missing, done=not marker)
        if not marker:
            return


def reconcile_all(world: World, go_on: Callable[[], bool], eager: bool = False) -> int:
    """Go on with the passes that are due, the dataset first whose last pass is the oldest, while `go_on` says so.

    A pass is due when the last one ended longer ago than the settings' `reconcile_hours`; `eager`, at once. One that
    was cut short goes on at the next call: no dataset keeps another from its pass.

    Returns the number of file versions brought in.
    """
    now, every = world.clock.now(), timedelta(hours=0 if eager else world.settings.reconcile_hours)
    finished = finished_passes(world)
    due = [name for name, when in finished.items() if now - when >= every]
    brought = 0
    for name in sorted(due, key=lambda name: (finished[name], name)):
        dataset = world.datasets[name]
        missing = max((part.missing for part in reconcile(world, dataset, dataset.prefix, go_on)), default=0)
        brought += missing
        if missing:
            logger.warning("files had been missed", dataset=name, files=missing)
    return brought


def finished_passes(world: World) -> dict[str, datetime]:
    """Dataset → when its last complete pass ended; long ago for one that never had any."""
    known = {name.removeprefix(RECONCILED): value for name, value in world.ledger.controls(RECONCILED).items()}
    return {
        name: from_iso(known[name]["finished"]) if name in known else NEVER
        for name, dataset in world.datasets.items()
        if not dataset.nightly
    }


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
