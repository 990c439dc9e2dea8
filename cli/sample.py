"""What sample files make of a declaration: records that do not fit, and fields that no record has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
from rich.console import Console

from cli.render import capped, number, plural, say, say_whole
from cli.text import name
from spark_jobs.engine.formats import FileReader, reader_for
from spark_jobs.engine.formats.checks import UnfitError
from spark_jobs.engine.formats.key_fields import key_values
from spark_jobs.engine.formats.records import End
from tidemark.core.dataset import Dataset

PART = 1 << 20  # bytes that are read at a time


@dataclass
class Sample:
    """What was read of a dataset's sample files."""

    files: int = 0
    kept: int = 0
    rejected: int = 0
    seen: set[str] = field(default_factory=set)  # fields that some record has
    remarks: list[str] = field(default_factory=list)  # the first reason of each file that was not read whole


def sample(dataset: Dataset, folder: Path) -> Sample:
    """Reads every file of the folder that lies below the dataset's prefix, with the reader of a Spark run."""
    found, reader = Sample(), reader_for(dataset.format, dataset.record)
    in_key = [declared for declared in dataset.record if declared.from_key]
    for path in sorted(folder.rglob("*")):
        key = path.relative_to(folder).as_posix()
        if path.is_file() and dataset.owns(key):
            found.files += 1
            try:
                found.seen |= {field_name for field_name, value in key_values(in_key, key).items() if value.is_valid}
            except UnfitError as error:  # a run would set the file aside
                found.remarks.append(str(error))
                continue
            _read(reader, path, key, found)
    return found


def _read(reader: FileReader, path: Path, key: str, found: Sample) -> None:
    reasons = []
    for piece in reader.read(_parts(path)):
        if isinstance(piece, pa.Table):
            found.kept += piece.num_rows
            found.seen |= {column for column in piece.column_names if piece[column].null_count < piece.num_rows}
        elif isinstance(piece, End):
            reasons += [piece.problem] if piece.problem else []
        else:
            found.rejected += len(piece)
            reasons += [f"line {piece[0].line}: {piece[0].reason}"]
    found.remarks += [f"{key}: {reason}" for reason in reasons[:1]]


def _parts(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while part := file.read(PART):
            yield part


def show_sample(console: Console, dataset: Dataset, folder: Path) -> None:
    """Print what the dataset's sample files are, and what is to be looked at."""
    found = sample(dataset, folder)
    if not found.files:
        say(console, ("  no sample file", "yellow"), f" has a key that begins with {name(dataset.prefix)}")
        return
    rejected = f", {number(found.rejected)} rejected" if found.rejected else ""
    say(console, f"  {plural(found.files, 'sample file')}: {plural(found.kept, 'record')}{rejected}")
    remarks = capped(found.remarks, "`tidemark validate --sample` in a pipe")
    for row in remarks if console.is_terminal else found.remarks:
        say_whole(console, ("  not read: ", "yellow"), row)
    for declared in dataset.record if found.kept else ():
        if declared.name not in found.seen:
            lacking = f"no key has {declared.from_key}" if declared.from_key else f"no record has {declared.raw}"
            say_whole(console, ("  always null: ", "yellow"), f"{declared.name}, because {lacking}")
