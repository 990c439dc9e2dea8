"""Sample traffic: raw files as Firehose lands them, invented from a seed, with the totals that must come out.

`generate` is pure: the same arguments give the same bytes. Each landed object knows what it holds, so that a
test or a demo can say to the cent what the tables must show: `Expected.total(objects)`.

The shape is Firehose's own (AWS documentation: "Amazon S3 object name format", "data delivery format"): the
time in prefix and name is the arrival of the oldest record, and records stand one behind the other with no
separator unless the producer sends one; exports are files of CSV. Dirt is what real producers send: cut off, no
JSON, a wrong type, a field missing. The records come from `local.sample_data.records`, their text from
`local.sample_data.encodings`.
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
#: A file is closed when its oldest record is so old: Firehose waits so long at most, an archive of days may.
BUFFER, BUFFER_OF_HISTORY = timedelta(minutes=15), timedelta(hours=6)


class UnknownDatasetError(TidemarkError):
    """No function invents records for this dataset."""


@dataclass(frozen=True)
class Expected:
    """What must come out of landed objects; `+` joins two of them."""

    clean: int = 0  # good records, each counted once
    dirt: Mapping[str, int] = field(default_factory=dict)  # kind -> records that must be rejected
    duplicates: int = 0  # further copies of good records
    sums: Mapping[str, Decimal] = field(default_factory=dict)  # field -> sum over good records, each once
    duplicate_sums: Mapping[str, Decimal] = field(default_factory=dict)  # field -> what the further copies add

    @property
    def dirty(self) -> int:
        return sum(self.dirt.values())

    @property
    def records(self) -> int:
        """All that a reader reads."""
        return self.clean + self.dirty + self.duplicates

    def __add__(self, other: Expected) -> Expected:
        return Expected(
            clean=self.clean + other.clean,
            dirt=joined(self.dirt, other.dirt, 0),
            duplicates=self.duplicates + other.duplicates,
            sums=joined(self.sums, other.sums, Decimal(0)),
            duplicate_sums=joined(self.duplicate_sums, other.duplicate_sums, Decimal(0)),
        )

    @classmethod
    def total(cls, objects: Iterable[LandedObject]) -> Expected:
        return sum((landed.expected for landed in objects), cls())


@dataclass(frozen=True)
class LandedObject:
    key: str  # prefix, hour, Firehose's name
    body: bytes  # as stored: compressed if the key says so
    landed_at: datetime  # arrival of the last record in it
    expected: Expected


@dataclass(frozen=True)
class Piece:
    """One record as sent: its text, and what a perfect reader makes of it."""

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

    `start` must be aware of its zone. With an `end`, the records come as fast as it takes for the last to arrive
    then. A file holds at most `per_file` records, of one `buffer` of time. Shares (`dirt`, `duplicates`, `late`)
    lie between 0 and 1 and change neither number nor ids of the records invented: the same seed tells the same
    story, cleaner or dirtier. Late records happened up to two days before they arrived. An export is a file of its
    own, repeats nothing and has no times. Raises UnknownDatasetError where nobody invents such records.
    """
    source = source_of(dataset)
    if start.tzinfo is None:
        raise ValueError(f"start must be aware of its zone, found {start.isoformat()}")
    draw = random.Random(f"{seed}/{dataset}/landing")
    rate = records / (end - start).total_seconds() if end else per_second
    invented = source.arrivals(random.Random(f"{seed}/{dataset}/records"), start, rate)
    arrivals: Iterable[Arrival] = itertools.islice(invented, records)
    if end:
        arrivals = stretched(list(arrivals), start, end)
    if not source.exported:
        arrivals = stamped(random.Random(f"{seed}/{dataset}/delay"), arrivals, late)
    pieces = repeated(draw, spoilt(draw, arrivals, source, dirt), 0 if source.exported else duplicates)
    return (
        landed_object(prefix or f"{dataset}/", chunk, source, draw, separator, compression)
        for chunk in chunked(pieces, per_file, timedelta(0) if source.exported else buffer)
    )


def history(dataset: str, seed: int, records: int, days: int, now: datetime) -> Iterator[LandedObject]:
    """So many whole UTC days before `now`, with a little dirt, some copies and some latecomers: all of it is past."""
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
    """Put the objects below a directory, keys as paths, and answer what must come out of them."""
    expected = Expected()
    for landed in objects:
        path = out_dir / landed.key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(landed.body)
        expected += landed.expected
    return expected


def sampled(datasets: Iterable[str]) -> list[str]:
    """Those of the datasets for which records can be invented."""
    return [name for name in datasets if name in SOURCES]


def source_of(dataset: str) -> Source:
    if dataset not in SOURCES:
        raise UnknownDatasetError(f"no traffic for dataset {dataset!r}: there is some for {', '.join(sorted(SOURCES))}")
    return SOURCES[dataset]


# -- from records to objects --------------------------------------------------------------------


def chunked(pieces: Iterator[Piece], size: int, buffer: timedelta) -> Iterator[list[Piece]]:
    """Pieces for one file each."""
    chunk: list[Piece] = []
    for piece in pieces:
        if chunk and (len(chunk) == size or piece.arrived - chunk[0].arrived > buffer):
            yield chunk
            chunk = []
        chunk.append(piece)
    if chunk:
        yield chunk


def stretched(arrivals: list[Arrival], start: datetime, end: datetime) -> list[Arrival]:
    """The same arrivals, a little slower or faster, so that the last one is at the end."""
    lasted = arrivals[-1][0] - start if arrivals else timedelta(0)
    factor = (end - start) / lasted if lasted else 1.0
    return [(start + (arrived - start) * factor, record) for arrived, record in arrivals]


def stamped(draw: random.Random, arrivals: Iterable[Arrival], late: float) -> Iterator[Arrival]:
    """Give each record its event time: a moment before it arrived, hours before where it is late."""
    for arrived, record in arrivals:
        is_late, hours, seconds = draw.random() < late, draw.uniform(1, 48), draw.expovariate(2.0)
        happened = arrived - (timedelta(hours=hours) if is_late else timedelta(seconds=seconds))
        yield arrived, {"timestamp": iso(happened), **record}


def spoilt(draw: random.Random, arrivals: Iterable[Arrival], source: Source, share: float) -> Iterator[Piece]:
    """Soil a share of the records; two unreadable ones never meet: unseparated, they would be one."""
    form, fate = source.form, CLEAN
    for arrived, record in arrivals:
        kinds = form.unfit if fate in form.unreadable else form.unreadable + form.unfit
        fate = draw.choice(kinds) if draw.random() < share else CLEAN
        yield Piece(arrived, form.text(record, fate), record, fate)


def repeated(draw: random.Random, pieces: Iterable[Piece], share: float) -> Iterator[Piece]:
    """Send a share of the good records again soon after, as a producer does whose call timed out."""
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


def joined(left: Mapping[str, Number], right: Mapping[str, Number], nothing: Number) -> dict[str, Number]:
    return {name: left.get(name, nothing) + right.get(name, nothing) for name in sorted({*left, *right})}


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
