"""reconcile: lists the raw bucket and records files that the ledger lacks as pending segments, without any event.

A page of the listing (1,000 versions) costs one LIST and ten reads of the ledger; a million keys cost about $0.07
(docs/operations.md). However old a missing file is, the next pass over its folder finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from tidemark.adapters.s3_documents import VersionPage
from tidemark.adapters.world import World
from tidemark.clock import from_iso, iso
from tidemark.core.dataset import Dataset
from tidemark.core.files import FileVersion
from tidemark.core.passes import DuePass, PassHistory, daily_passes, whole_passes
from tidemark.core.walk import Part, Place, closed, divides, listed, next_parts, opened, opens
from tidemark.observability import logger
from tidemark.service.collect import record_pending

LOOKUP_MAX = 100  # keys per BatchGetItem
AT_ONCE = 8  # parallel calls, to S3 or to the ledger; a client's connection pool has ten
#: The event of a younger file is probably still on its way.
SETTLED_AFTER = timedelta(minutes=15)
RECONCILED = "RECONCILED#"  # prefix of the controls that record a dataset's complete passes


@dataclass(frozen=True)
class Pass:
    """The progress of one pass over a prefix."""

    seen: int  # keys compared with the ledger
    missing: int  # file versions recorded as pending, by this call
    done: bool


def reconcile(
    world: World,
    dataset: Dataset,
    prefix: str,
    go_on: Callable[[], bool],
    settled_after: timedelta = SETTLED_AFTER,
    background: bool = False,
    since: datetime | None = None,
) -> Iterator[Pass]:
    """Lists the raw bucket below `prefix` and records missing files, in steps, as long as `go_on` returns True.

    Yields the progress after each step. The ledger records the pass's place after each step, so that the next call
    continues an interrupted pass.

    prefix:        the dataset's prefix, or a deeper one
    settled_after: skips files that are younger
    background:    records the files as backfilled ones, which leave slots for fresh files, and lists one page per step
    since:         skips folders whose names are times that ended before it
    """
    name, missing = f"{'RECENT' if since else 'RECONCILE'}#{prefix}", 0
    place = _place(world, name) or Place(world.clock.now(), (Part(prefix),), since)
    while place.parts and go_on():
        files, place = _step(world, dataset, place, 1 if background else AT_ONCE)
        missing += record_pending(world, _missing(world, dataset, files, settled_after), background)
        if not place.parts and prefix == dataset.prefix:
            _record_pass(world, dataset.name, place)
        world.ledger.controls.set(name, place.packed() if place.parts else {})
        yield Pass(place.seen, missing, done=not place.parts)


def reconcile_all(world: World, go_on: Callable[[], bool], eager: bool = False) -> int:
    """Continues the passes that are due, as long as `go_on` returns True. Returns the number of files recorded.

    A pass is due if the dataset's last one began `reconcile_hours` ago (a setting), or at once if `eager`. The dataset
    whose last pass is the oldest comes first, and the next call continues an interrupted pass, so no dataset blocks
    another. Passes over all folders, which may take days, come last.
    """
    every = timedelta(hours=0 if eager else world.settings.reconcile_hours)
    files = _continue_passes(world, daily_passes(passes(world), every, world.clock.now()), go_on)
    return files + _continue_passes(world, whole_passes(passes(world), world.clock.now()), go_on)


def _continue_passes(world: World, due: Sequence[DuePass], go_on: Callable[[], bool]) -> int:
    files = 0
    for due_pass in due:
        dataset = world.datasets[due_pass.dataset]
        steps = reconcile(world, dataset, dataset.prefix, go_on, since=due_pass.since)
        missing = max((step.missing for step in steps), default=0)
        files += missing
        if missing:
            logger.warning("files had been missed", dataset=due_pass.dataset, files=missing)
    return files


def passes(world: World) -> dict[str, PassHistory]:
    """Returns dataset → its complete passes, for each declared dataset that reads raw files."""
    recorded = world.ledger.controls.with_prefix(RECONCILED)
    return {
        name: _passed(recorded.get(f"{RECONCILED}{name}", {}))
        for name, dataset in world.datasets.items()
        if not dataset.nightly
    }


def tracked_passes(world: World) -> dict[str, PassHistory]:
    """Returns what `passes` does, and records when each new dataset was first seen.

    Until its first pass, a dataset's age counts from then.
    """
    by_dataset, now = passes(world), world.clock.now()
    for name, passed in by_dataset.items():
        if not (passed.known or passed.began):
            world.ledger.controls.set_once(f"{RECONCILED}{name}", {"known": iso(now)})
    return by_dataset


def _passed(value: dict[str, Any]) -> PassHistory:
    times = {name: from_iso(value[name]) for name in ("known", "began", "whole") if name in value}
    return PassHistory(**times, keys=value.get("keys", 0))


def _record_pass(world: World, dataset: str, place: Place) -> None:
    """Records a complete pass. A pass over all folders may have begun before later daily ones that are recorded."""
    name = f"{RECONCILED}{dataset}"
    before, began = world.ledger.controls.get(name), iso(place.began)
    whole = {} if place.narrowed else {"whole": began, "keys": place.seen}
    world.ledger.controls.set(name, {**before, "began": max(began, before.get("began", "")), **whole})


def _place(world: World, name: str) -> Place | None:
    value = world.ledger.controls.get(name)
    return Place.unpacked(value) if "parts" in value else None


def _step(world: World, dataset: Dataset, place: Place, at_once: int) -> tuple[list[FileVersion], Place]:
    """Lists a page of each of the next parts. Returns the files on the pages, and the place after them."""
    parts, root = next_parts(place, dataset.prefix, at_once), dataset.prefix
    folders = opens(parts[0], root)
    pages = _pages(world, dataset, parts, folders)
    first = pages[0]
    if folders and not divides(parts[0], root, first.folders, more=bool(first.marker)):
        return [], closed(place)
    files = [file for page in pages for file in page.files]
    if folders:
        place = opened(place, root, first.folders, first.marker)
    else:
        place = listed(place, [page.marker for page in pages])
    return files, replace(place, seen=place.seen + len(files))


def _pages(world: World, dataset: Dataset, parts: Sequence[Part], folders: bool) -> list[VersionPage]:
    store, bucket, every = world.store, world.settings.raw_bucket, dataset.on_overwrite == "append"
    return world.map(lambda part: store.versions(bucket, part.prefix, part.marker, every, folders), parts, AT_ONCE)


def _missing(
    world: World, dataset: Dataset, files: Sequence[FileVersion], settled_after: timedelta
) -> list[FileVersion]:
    """Returns the settled versions that the ledger does not know and the dataset's policy would read."""
    settled_before = world.clock.now() - settled_after
    candidates = [file for file in files if from_iso(file.landed_at or "") <= settled_before]
    lookups = [candidates[start : start + LOOKUP_MAX] for start in range(0, len(candidates), LOOKUP_MAX)]
    unknown = world.map(lambda lookup: _unknown(world, dataset, lookup), lookups, AT_ONCE)
    return [file for chunk in unknown for file in chunk]


def _unknown(world: World, dataset: Dataset, files: Sequence[FileVersion]) -> list[FileVersion]:
    """Returns those of up to 100 versions that the ledger does not know; under `ignore`, those of unknown keys."""
    latest = world.ledger.files.known_versions(files)
    unknown = [file for file in files if latest.get((file.bucket, file.key)) != file.version]
    if dataset.on_overwrite == "ignore":
        return [file for file in unknown if (file.bucket, file.key) not in latest]
    if dataset.on_overwrite == "append" and unknown:
        older = world.ledger.files.older_versions(unknown)
        return [file for file in unknown if file.identity not in older]
    return unknown
