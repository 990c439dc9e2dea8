"""The progress of a pass over the raw bucket: which prefixes are still to be listed, and from which marker. Pure.

A prefix is split into its folders where these are named after times, as by Firehose and Hive: `2026/11/20/07/`,
`year=2026/month=11/`, `dt=2026-11-20/`, `20261120/`, optionally below one other folder, as in `eu/2026/11/20/`. So days
are listed in parallel, and a pass may skip those that ended long ago. Any other prefix is listed whole.
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

#: The most bytes of folder names that one page may add to a place, which must fit a ledger item.
FOLDERS_BYTES_MAX = 64 * 1024
_KEY = "(?:[^/=]+=)?"  # `month=`
_TIME = re.compile(rf"{_KEY}(20\d\d)(?:[-/]?{_KEY}(\d\d)(?:[-/]?{_KEY}(\d\d)(?:[-/T]?{_KEY}(\d\d))?)?)?/")


@dataclass(frozen=True)
class Span:
    """The span of time that a folder is named after."""

    end: datetime  # exclusive; read as UTC, though the name may be in another time zone
    is_fine: bool  # whether it is a day or an hour, not a month or a year


@dataclass(frozen=True)
class Part:
    """A prefix that is still to be listed."""

    prefix: str
    marker: Mapping[str, str] = field(default_factory=dict)  # where to go on; empty at the beginning
    whole: bool = False  # list all keys below it, although its name would allow to list it folder by folder


@dataclass(frozen=True)
class Place:
    """The progress of a pass."""

    began: datetime
    parts: tuple[Part, ...]  # still to be listed, in this order
    since: Optional[datetime] = None  # skips folders named after times that ended before it
    narrowed: bool = False  # whether any folder was skipped
    seen: int = 0  # keys looked at

    def packed(self) -> dict[str, Any]:
        """The place as a value for the ledger."""
        parts = [[part.prefix, dict(part.marker), part.whole] for part in self.parts]
        since = {"since": self.since.isoformat()} if self.since else {}
        return {
            "began": self.began.isoformat(),
            "narrowed": self.narrowed,
            "seen": self.seen,
            **since,
            "parts": zlib.compress(json.dumps(parts).encode()),
        }

    @classmethod
    def unpacked(cls, value: Mapping[str, Any]) -> Place:
        """The inverse of `packed`."""
        parts = tuple(Part(*listed) for listed in json.loads(zlib.decompress(value["parts"])))
        since = datetime.fromisoformat(value["since"]) if "since" in value else None
        return cls(datetime.fromisoformat(value["began"]), parts, since, value["narrowed"], value["seen"])


def span_of(path: str) -> Optional[Span]:
    """The span of time that a folder is named after, with or without one other folder above; None if there is none.

    `path` is the folder's path below the dataset's prefix.
    """
    matches = map(_TIME.fullmatch, (path, path.partition("/")[2]))
    return next(filter(None, (_span(match) for match in matches if match)), None)


def opens(part: Part, root: str) -> bool:
    """Whether the part is listed folder by folder, instead of with all keys below it."""
    path = part.prefix[len(root) :]
    span = span_of(path)
    return not part.whole and (not span.is_fine if span else path.count("/") <= 1)


def next_parts(place: Place, root: str, at_once: int) -> tuple[Part, ...]:
    """The parts to list next: one that opens, or up to `at_once` that do not."""
    if opens(place.parts[0], root):
        return place.parts[:1]
    return tuple(takewhile(lambda part: not opens(part, root), place.parts[:at_once]))


def divides(part: Part, root: str, folders: Sequence[str], more: bool) -> bool:
    """Whether the folders on a page become parts of their own, instead of listing the prefix whole.

    They do if all are named after times, or if they are all the folders of the dataset's prefix (`more` is false).
    Otherwise listing each of them would cost more than it saves.
    """
    are_times = all(span_of(folder[len(root) :]) for folder in folders)
    are_few = part.prefix == root and not more
    return sum(len(folder.encode()) for folder in folders) <= FOLDERS_BYTES_MAX and (are_times or are_few)


def opened(place: Place, root: str, folders: Sequence[str], marker: Mapping[str, str]) -> Place:
    """The place after a page whose folders become parts: they replace the first part, and old ones are skipped."""
    part = place.parts[0]
    kept = [folder for folder in folders if not _is_over(folder[len(root) :], place.since)]
    rest = (replace(part, marker=marker),) if marker else ()
    narrowed = place.narrowed or len(kept) < len(folders)
    return replace(place, parts=(*map(Part, kept), *rest, *place.parts[1:]), narrowed=narrowed)


def closed(place: Place) -> Place:
    """The place after a page whose folders do not become parts: the first part is listed whole from there on."""
    return replace(place, parts=(replace(place.parts[0], whole=True), *place.parts[1:]))


def listed(place: Place, markers: Sequence[Mapping[str, str]]) -> Place:
    """The place after one page of each of its first parts; an empty marker means that the part is finished."""
    unfinished = [replace(part, marker=marker) for part, marker in zip(place.parts, markers) if marker]
    return replace(place, parts=(*unfinished, *place.parts[len(markers) :]))


def _span(match: re.Match[str]) -> Optional[Span]:
    numbers = [int(group) for group in match.groups() if group]
    year, month, day, hour = numbers + [1, 1, 0][len(numbers) - 1 :]
    try:
        start = datetime(year, month, day, hour, tzinfo=timezone.utc)
    except ValueError:
        return None
    return Span(_end(start, len(numbers)), len(numbers) >= 3)


def _end(start: datetime, precision: int) -> datetime:
    """The end of the year, month, day or hour (precision 1 to 4) that begins at `start`."""
    if precision >= 3:
        return start + (timedelta(days=1) if precision == 3 else timedelta(hours=1))
    months = start.month + (12 if precision == 1 else 1) - 1
    return start.replace(year=start.year + months // 12, month=months % 12 + 1)


def _is_over(path: str, since: Optional[datetime]) -> bool:
    span = span_of(path)
    return bool(span and since and span.end < since)
