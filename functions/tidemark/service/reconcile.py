"""reconcile: what lies in the bucket and the ledger has not seen → pending segments. Events are not needed.

A page of the listing (1,000 versions) costs one LIST and ten reads of the ledger; a million keys about $0.07 (docs/
operations.md). A file may be missing for years, and is found by the next pass over its folder.
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
from tidemark.core.passes import DuePass, Passed, daily_passes, whole_passes
from tidemark.core.walk import Part, Place, closed, divides, listed, next_parts, opened, opens
from tidemark.observability import logger
from tidemark.service.collect import remember

LOOKUP_MAX = 100  # keys per BatchGetItem
AT_ONCE = 8  # calls to S3, and then to the ledger: of one connection pool's ten
#: A younger file is probably on its way; its event deserves the chance.
SETTLED_AFTER = timedelta(minutes=15)
RECONCILED = "RECONCILED#"  # the control that remembers a dataset's complete passes


@dataclass(frozen=True)
class Pass:
    """How far one pass over a prefix has come."""

    seen: int  # keys looked at
    missing: int  # file versions brought in, by this call
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
    """Walk the raw bucket below `prefix` step by step, bringing in what is missing, while `go_on` says so.

    The prefix is the dataset's, or a deeper one. The place is remembered in the ledger after each step, so a pass that
    is cut short goes on where it was. `background`: what is brought in leaves room for fresh files, and comes page by
    page. `since`: folders named after times that ended before it are left out.
    """
    name, missing = f"{'RECENT' if since else 'RECONCILE'}#{prefix}", 0
    place = _place(world, name) or Place(world.clock.now(), (Part(prefix),), since)
    while place.parts and go_on():
        files, place = _step(world, dataset, place, 1 if background else AT_ONCE)
        missing += remember(world, _missing(world, dataset, files, settled_after), background)
        if not place.parts and prefix == dataset.prefix:
            _remember_pass(world, dataset.name, place)
        world.ledger.controls.set(name, place.packed() if place.parts else {})
        yield Pass(place.seen, missing, done=not place.parts)


def reconcile_all(world: World, go_on: Callable[[], bool], eager: bool = False) -> int:
    """Go on with the passes that are due, the dataset first whose last pass is the oldest, while `go_on` says so.

    A pass is due when the last one began longer ago than the settings' `reconcile_hours`; `eager`, at once. One that
    was cut short goes on at the next call: no dataset keeps another from its pass. Passes over everything that take
    days come after all others.

    Returns the number of file versions brought in.
    """
    every = timedelta(hours=0 if eager else world.settings.reconcile_hours)
    brought = _see_through(world, daily_passes(passes(world), every, world.clock.now()), go_on)
    return brought + _see_through(world, whole_passes(passes(world), world.clock.now()), go_on)


def _see_through(world: World, due: Sequence[DuePass], go_on: Callable[[], bool]) -> int:
    brought = 0
    for one in due:
        dataset = world.datasets[one.dataset]
        walk = reconcile(world, dataset, dataset.prefix, go_on, since=one.since)
        missing = max((part.missing for part in walk), default=0)
        brought += missing
        if missing:
            logger.warning("files had been missed", dataset=one.dataset, files=missing)
    return brought


def passes(world: World) -> dict[str, Passed]:
    """Dataset → what is known of its passes, for each declared one that reads raw files."""
    known = world.ledger.controls.with_prefix(RECONCILED)
    return {
        name: _passed(known.get(f"{RECONCILED}{name}", {}))
        for name, dataset in world.datasets.items()
        if not dataset.nightly
    }


def noted_passes(world: World) -> dict[str, Passed]:
    """`passes`; of a dataset that is new it is remembered since when it is known, for its age counts from then."""
    found, now = passes(world), world.clock.now()
    for name, passed in found.items():
        if not (passed.known or passed.began):
            world.ledger.controls.set_once(f"{RECONCILED}{name}", {"known": iso(now)})
    return found


def _passed(value: dict[str, Any]) -> Passed:
    times = {name: from_iso(value[name]) for name in ("known", "began", "whole") if name in value}
    return Passed(**times, keys=value.get("keys", 0))


def _remember_pass(world: World, dataset: str, place: Place) -> None:
    """That a pass is complete. A whole one may have begun long before the daily ones that were complete meanwhile."""
    name = f"{RECONCILED}{dataset}"
    before, began = world.ledger.controls.get(name), iso(place.began)
    whole = {} if place.narrowed else {"whole": began, "keys": place.seen}
    world.ledger.controls.set(name, {**before, "began": max(began, before.get("began", "")), **whole})


def _place(world: World, name: str) -> Place | None:
    remembered = world.ledger.controls.get(name)
    return Place.unpacked(remembered) if "parts" in remembered else None


def _step(world: World, dataset: Dataset, place: Place, at_once: int) -> tuple[list[FileVersion], Place]:
    """A page of the next parts: the files on it, and the place after it."""
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
    """Versions that the ledger does not know, and that would count."""
    settled_before = world.clock.now() - settled_after
    candidates = [file for file in files if from_iso(file.landed_at or "") <= settled_before]
    lookups = [candidates[start : start + LOOKUP_MAX] for start in range(0, len(candidates), LOOKUP_MAX)]
    unknown = world.map(lambda lookup: _unknown(world, dataset, lookup), lookups, AT_ONCE)
    return [file for part in unknown for file in part]


def _unknown(world: World, dataset: Dataset, files: Sequence[FileVersion]) -> list[FileVersion]:
    """Of up to 100 versions those that the ledger does not know; under `ignore` one version of a key is enough."""
    latest = world.ledger.files.known_versions(files)
    unknown = [file for file in files if latest.get((file.bucket, file.key)) != file.version]
    if dataset.on_overwrite == "ignore":
        return [file for file in unknown if (file.bucket, file.key) not in latest]
    if dataset.on_overwrite == "append" and unknown:
        older = world.ledger.files.older_versions(unknown)
        return [file for file in unknown if file.identity not in older]
    return unknown
