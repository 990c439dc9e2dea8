"""Sample traffic: raw files as Firehose writes them, generated from a seed, with the expected totals.

`generate` is pure: the same arguments give the same bytes. Each landed object carries its expected counts and sums, so
that a test or demo can compare the tables exactly with `Expected.total(objects)`.

Keys and contents follow Firehose (AWS documentation: "Amazon S3 object name format", "data delivery format"): the time
in prefix and name is the arrival of the oldest record, and records are concatenated without a separator unless the
producer sends one. Exports are CSV files. Dirt is what real producers send: truncated records, text that is not JSON,
wrong types, missing fields. `local.sample_data.records` generates the records, `local.sample_data.encodings` encodes
them.
"""

from __future__ import annotations

import gzip
import itertools
import random
import uuid
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Literal, TypeVar

from local.sample_data.encodings import Record, Separator
from local.sample_data.records import SOURCES, Arrival, Source
from tidemark.core.errors import TidemarkError

Number = TypeVar("Number", int, Decimal)
Compression = Literal["gzip", "none"]

CLEAN, DUPLICATE = "clean", "duplicate"
#: The maximum age of a file's oldest record when the file is closed: Firehose's longest buffer, or that of an archive.
BUFFER, BUFFER_OF_HISTORY = timedelta(minutes=15), timedelta(hours=6)


class UnknownDatasetError(TidemarkError):
    """There is no generator for this dataset's records."""


@dataclass(frozen=True)
class Expected:
    """The expected counts and sums for landed objects; `+` adds two of them."""

    clean: int = 0  # valid records, each counted once
    dirt: Mapping[str, int] = field(default_factory=dict)  # kind → number of records that must be rejected
    duplicates: int = 0  # further copies of valid records
    sums: Mapping[str, Decimal] = field(default_factory=dict)  # field → sum over valid records, each counted once
    duplicate_sums: Mapping[str, Decimal] = field(default_factory=dict)  # field → sum over the further copies

    @property
    def dirty(self) -> int:
        return sum(self.dirt.values())

    @property
    def records(self) -> int:
        """All records in the files."""
        return self.clean + self.dirty + self.duplicates

    def __add__(self, other: Expected) -> Expected:
        return Expected(
            clean=self.clean + other.clean,
            dirt=added(self.dirt, other.dirt, 0),
            duplicates=self.duplicates + other.duplicates,
            sums=added(self.sums, other.sums, Decimal(0)),
            duplicate_sums=added(self.duplicate_sums, other.duplicate_sums, Decimal(0)),
        )

    @classmethod
    def total(cls, objects: Iterable[LandedObject]) -> Expected:
        return sum((landed.expected for landed in objects), cls())


@dataclass(frozen=True)
class LandedObject:
    key: str  # prefix, hour and object name as Firehose writes them
    body: bytes  # as stored, gzip-compressed if the key ends with .gz
    landed_at: datetime  # arrival of its last record
    expected: Expected


@dataclass(frozen=True)
class Piece:
    """One record as sent: its text, and how a correct reader must treat it."""

    arrived: datetime
    text: str
    record: Record
    fate: str  # CLEAN, DUPLICATE or a kind of dirt


def generate(
    dataset: str,
    seed: int,
    records: int,
    start: datetime,
    *,
    prefix: str | None = None,
    per_file: int = 400,
    per_second: float = 5.0,
    end: datetime | None = None,
    buffer: timedelta = BUFFER,
    separator: Separator = "none",
    compression: Compression = "gzip",
    dirt: float = 0.0,
    duplicates: float = 0.0,
    late: float = 0.0,
) -> Iterator[LandedObject]:
    """Landed objects with `records` records and their further copies, in order of arrival.

    `start` must be timezone-aware. With an `end`, the arrival times are scaled so that the last record arrives then.
    A file has at most `per_file` records and spans at most one `buffer`. The shares `dirt`, `duplicates` and `late` are
    between 0 and 1; they change neither the number nor the ids of the generated records. Late records have an event
    time up to two days before their arrival. An export is one file, without duplicates and event times. Raises
    UnknownDatasetError if there is no generator for the dataset.
    """
    source = source_of(dataset)
    if start.tzinfo is None:
        raise ValueError(f"start must be timezone-aware, found {start.isoformat()}")
    draw = random.Random(f"{seed}/{dataset}/landing")
    rate = records / (end - start).total_seconds() if end else per_second
    endless = source.arrivals(random.Random(f"{seed}/{dataset}/records"), start, rate)
    arrivals: Iterable[Arrival] = itertools.islice(endless, records)
    if end:
        arrivals = stretched(list(arrivals), start, end)
    if not source.exported:
        arrivals = stamped(random.Random(f"{seed}/{dataset}/delay"), arrivals, late)
    pieces = with_duplicates(draw, with_dirt(draw, arrivals, source, dirt), 0 if source.exported else duplicates)
    return (
        landed_object(prefix or f"{dataset}/", chunk, source, draw, separator, compression)
        for chunk in chunked(pieces, per_file, timedelta(0) if source.exported else buffer)
    )


def history(dataset: str, seed: int, records: int, days: int, now: datetime) -> Iterator[LandedObject]:
    """Objects for the last `days` whole UTC days before `now`, with a little dirt, some duplicates and late records."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return generate(
        dataset,
        seed,
        records,
        midnight - timedelta(days=days),
        end=midnight - timedelta(minutes=1),
        buffer=BUFFER_OF_HISTORY,
        dirt=0.004,
        duplicates=0.01,
        late=0.01,
    )


def write(objects: Iterable[LandedObject], out_dir: Path) -> Expected:
    """Write the objects below a directory, with their keys as paths; their expected totals."""
    expected = Expected()
    for landed in objects:
        path = out_dir / landed.key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(landed.body)
        expected += landed.expected
    return expected


def sampled(datasets: Iterable[str]) -> list[str]:
    """The datasets for which sample records can be generated."""
    return [name for name in datasets if name in SOURCES]


def source_of(dataset: str) -> Source:
    if dataset not in SOURCES:
        raise UnknownDatasetError(f"no sample traffic for dataset {dataset!r}, only for {', '.join(sorted(SOURCES))}")
    return SOURCES[dataset]


# -- from records to objects --------------------------------------------------------------------


def chunked(pieces: Iterator[Piece], size: int, buffer: timedelta) -> Iterator[list[Piece]]:
    """Splits the pieces into chunks of one file each."""
    chunk: list[Piece] = []
    for piece in pieces:
        if chunk and (len(chunk) == size or piece.arrived - chunk[0].arrived > buffer):
            yield chunk
            chunk = []
        chunk.append(piece)
    if chunk:
        yield chunk


def stretched(arrivals: list[Arrival], start: datetime, end: datetime) -> list[Arrival]:
    """The arrivals with their times scaled so that the last one is at `end`."""
    duration = arrivals[-1][0] - start if arrivals else timedelta(0)
    factor = (end - start) / duration if duration else 1.0
    return [(start + (arrived - start) * factor, record) for arrived, record in arrivals]


def stamped(draw: random.Random, arrivals: Iterable[Arrival], late: float) -> Iterator[Arrival]:
    """Adds each record's event time, which is shortly before its arrival or, if it is late, hours before."""
    for arrived, record in arrivals:
        is_late, hours, seconds = draw.random() < late, draw.uniform(1, 48), draw.expovariate(2.0)
        happened = arrived - (timedelta(hours=hours) if is_late else timedelta(seconds=seconds))
        yield arrived, {"timestamp": iso(happened), **record}


def with_dirt(draw: random.Random, arrivals: Iterable[Arrival], source: Source, share: float) -> Iterator[Piece]:
    """Makes a share of the records malformed, but never two unreadable ones in a row: they would count as one."""
    form, fate = source.form, CLEAN
    for arrived, record in arrivals:
        kinds = form.unfit if fate in form.unreadable else form.unreadable + form.unfit
        fate = draw.choice(kinds) if draw.random() < share else CLEAN
        yield Piece(arrived, form.text(record, fate), record, fate)


def with_duplicates(draw: random.Random, pieces: Iterable[Piece], share: float) -> Iterator[Piece]:
    """Sends a share of the valid records again shortly afterwards, like a producer whose call timed out."""
    waiting: deque[Piece] = deque()
    for piece in pieces:
        yield piece
        while waiting and draw.random() < 0.8:
            yield replace(waiting.popleft(), arrived=piece.arrived, fate=DUPLICATE)
        if piece.fate == CLEAN and draw.random() < share:
            waiting.append(piece)
    yield from (replace(piece, fate=DUPLICATE) for piece in waiting)


def landed_object(
    prefix: str,
    pieces: list[Piece],
    source: Source,
    draw: random.Random,
    separator: Separator,
    compression: Compression,
) -> LandedObject:
    body = source.form.body(pieces[0].record, (piece.text for piece in pieces), separator).encode()
    zipped = compression == "gzip"
    return LandedObject(
        key=object_key(prefix, min(piece.arrived for piece in pieces), draw) + (".gz" if zipped else ""),
        body=gzip.compress(body, mtime=0) if zipped else body,
        landed_at=max(piece.arrived for piece in pieces),
        expected=expected_of(pieces, source),
    )


def object_key(prefix: str, oldest: datetime, draw: random.Random) -> str:
    """`<prefix>YYYY/MM/DD/HH/<stream>-<version>-<time>-<uuid>`; hour and time are UTC."""
    at = oldest.astimezone(UTC)
    stream = prefix.strip("/").replace("/", "-").replace("_", "-")
    unique = uuid.UUID(int=draw.getrandbits(128), version=4)
    return f"{prefix}{at:%Y/%m/%d/%H}/{stream}-1-{at:%Y-%m-%d-%H-%M-%S}-{unique}"


def expected_of(pieces: Iterable[Piece], source: Source) -> Expected:
    fates = Counter(piece.fate for piece in pieces)
    return Expected(
        clean=fates.pop(CLEAN, 0),
        duplicates=fates.pop(DUPLICATE, 0),
        dirt=dict(fates),
        sums={name: total(pieces, name, CLEAN) for name in source.sums},
        duplicate_sums={name: total(pieces, name, DUPLICATE) for name in source.sums},
    )


def total(pieces: Iterable[Piece], name: str, fate: str) -> Decimal:
    values = (piece.record[name] for piece in pieces if piece.fate == fate)
    return sum((Decimal(str(value)) for value in values if value is not None), Decimal(0))


def added(left: Mapping[str, Number], right: Mapping[str, Number], zero: Number) -> dict[str, Number]:
    return {name: left.get(name, zero) + right.get(name, zero) for name in sorted({*left, *right})}


def iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
