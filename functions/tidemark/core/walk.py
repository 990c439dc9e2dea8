"""Where a pass over the raw bucket is: which folders it has yet to list, and how far each of these has come. Pure.

A prefix is taken apart where its folders are named after times, as Firehose and Hive name them: `2026/11/20/07/`,
`year=2026/month=11/`, `dt=2026-11-20/`, `20261120/`, perhaps below one other folder, `eu/2026/11/20/`. So days are
listed side by side, and a pass may leave out those that ended long ago. Whatever is not named so is listed whole.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from itertools import takewhile
from typing import Any, Optional

#: Names of folders, in bytes, that one page may add to a place: a place must fit a ledger item.
FOLDERS_BYTES_MAX = 64 * 1024
_KEY = "(?:[^/=]+=)?"  # `month=`
_TIME = re.compile(rf"{_KEY}(20\d\d)(?:[-/]?{_KEY}(\d\d)(?:[-/]?{_KEY}(\d\d)(?:[-/T]?{_KEY}(\d\d))?)?)?/")


@dataclass(frozen=True)
class Span:
    """The time after which a folder is named."""

    end: datetime  # exclusive; in UTC, though the name may be of another zone
    is_fine: bool  # a day or an hour, not a month or a year


@dataclass(frozen=True)
class Part:
    """A prefix yet to be listed, or to be listed from a marker on."""

    prefix: str
    marker: Mapping[str, str] = field(default_factory=dict)
    whole: bool = False  # with all that lies below it, though it could be opened by its name


@dataclass(frozen=True)
class Place:
    """How far a pass has come."""

    began: datetime
    parts: tuple[Part, ...]  # what is left, in the order of the listing
    since: Optional[datetime] = None  # folders of times that ended before it are left out
    narrowed: bool = False  # some have been
    seen: int = 0  # keys looked at

    def packed(self) -> dict[str, Any]:
        """As a value of the ledger's."""
        parts = [[part.prefix, dict(part.marker), part.whole] for part in self.parts]
        told = {"began": self.began.isoformat(), "narrowed": self.narrowed, "seen": self.seen}
        since = {"since": self.since.isoformat()} if self.since else {}
        return {**told, **since, "parts": zlib.compress(json.dumps(parts).encode())}

    @classmethod
    def unpacked(cls, value: Mapping[str, Any]) -> Place:
        """The inverse of `packed`."""
        parts = tuple(Part(*listed) for listed in json.loads(zlib.decompress(value["parts"])))
        since = datetime.fromisoformat(value["since"]) if "since" in value else None
        return cls(datetime.fromisoformat(value["began"]), parts, since, value["narrowed"], value["seen"])


def span_of(path: str) -> Optional[Span]:
    """The time after which the folder is named, below at most one that is not; None where there is none.

    `path` is the folder's, below the dataset's prefix.
    """
    spans = (_span(found) for found in map(_TIME.fullmatch, (path, path.partition("/")[2])) if found)
    return next(filter(None, spans), None)


def opens(part: Part, root: str) -> bool:
    """Whether the part is to be looked into, folder by folder, instead of being listed with all that lies below it."""
    path = part.prefix[len(root) :]
    span = span_of(path)
    return not part.whole and (not span.is_fine if span else path.count("/") <= 1)


def next_parts(place: Place, root: str, at_once: int) -> tuple[Part, ...]:
    """What is to be listed next: one part that opens, or up to `at_once` that do not."""
    if opens(place.parts[0], root):
        return place.parts[:1]
    return tuple(takewhile(lambda part: not opens(part, root), place.parts[:at_once]))


def divides(part: Part, root: str, folders: Sequence[str], more: bool) -> bool:
    """Whether the folders of a page become parts of their own; else listing each costs more than it spares.

    All of them are named after times; or they are those of the dataset's prefix itself, on its last page.
    """
    are_times = all(span_of(folder[len(root) :]) for folder in folders)
    are_few = part.prefix == root and not more
    return sum(len(folder.encode()) for folder in folders) <= FOLDERS_BYTES_MAX and (are_times or are_few)


def opened(place: Place, root: str, folders: Sequence[str], marker: Mapping[str, str]) -> Place:
    """The place after a page of its first part's folders that divides: they come in the part's stead."""
    part = place.parts[0]
    kept = [folder for folder in folders if not _is_over(folder[len(root) :], place.since)]
    rest = (replace(part, marker=marker),) if marker else ()
    narrowed = place.narrowed or len(kept) < len(folders)
    return replace(place, parts=(*map(Part, kept), *rest, *place.parts[1:]), narrowed=narrowed)


def closed(place: Place) -> Place:
    """The place after a page of its first part that does not divide: from that page on it is listed whole."""
    return replace(place, parts=(replace(place.parts[0], whole=True), *place.parts[1:]))


def listed(place: Place, markers: Sequence[Mapping[str, str]]) -> Place:
    """The place after a page of each of its first parts; an empty marker ends one."""
    gone_on = [replace(part, marker=marker) for part, marker in zip(place.parts, markers) if marker]
    return replace(place, parts=(*gone_on, *place.parts[len(markers) :]))


def _span(found: re.Match[str]) -> Optional[Span]:
    given = [int(part) for part in found.groups() if part]
    year, month, day, hour = given + [1, 1, 0][len(given) - 1 :]
    try:
        start = datetime(year, month, day, hour, tzinfo=timezone.utc)
    except ValueError:
        return None
    return Span(_end(start, len(given)), len(given) >= 3)


def _end(start: datetime, precision: int) -> datetime:
    """Of the year, month, day or hour (1 to 4) that begins then."""
    if precision >= 3:
        return start + (timedelta(days=1) if precision == 3 else timedelta(hours=1))
    months = start.month + (12 if precision == 1 else 1) - 1
    return start.replace(year=start.year + months // 12, month=months % 12 + 1)


def _is_over(path: str, since: Optional[datetime]) -> bool:
    span = span_of(path)
    return bool(span and since and span.end < since)
