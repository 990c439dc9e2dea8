"""`tidemark traffic`: sample files of past days in a folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console

from cli.render import number, say
from cli.text import name
from local.sample_data.generate import LandedObject, history, sampled, write
from tidemark.adapters.dataset_files import load_all
from tidemark.clock import SystemClock
from tidemark.core.errors import TidemarkError
from tidemark.settings import DATASETS


def write_traffic(
    console: Console, folder: Path, records: int, days: int, datasets: Sequence[str] | None, seed: int
) -> None:
    """Write sample files of the whole days before today; a file that exists already stays unchanged."""
    now = SystemClock().now()
    names = datasets or sampled(load_all(DATASETS))
    samples = {dataset: list(history(dataset, seed, records, days, now)) for dataset in names}
    if folder.exists() and not folder.is_dir():
        raise TidemarkError(f"expected a folder to write into, found the file {name(folder)}")
    _refuse_others((landed for objects in samples.values() for landed in objects), folder)
    for dataset, objects in samples.items():
        made = write(objects, folder)
        say(
            console,
            f"{dataset}: {number(made.records)} records ({number(made.dirty)} to be rejected,"
            f" {number(made.duplicates)} duplicates) in {name(folder)}",
        )


def _refuse_others(objects: Iterable[LandedObject], folder: Path) -> None:
    """Raises, before anything is written, if a file in the way differs from the one that would be written."""
    for landed in objects:
        path = folder / landed.key
        linked = [part for part in _way(folder, path) if part.is_symlink()]
        if linked or (path.exists() and not (path.is_file() and path.read_bytes() == landed.body)):
            in_the_way = name([*linked, path][0])
            raise TidemarkError(f"expected no other file in the way of the sample, found {in_the_way}")


def _way(folder: Path, path: Path) -> list[Path]:
    """The folders between `folder` and the file, and the file itself; a link among them leads elsewhere."""
    below = path.relative_to(folder)
    return [folder / part for part in (*reversed(below.parents[:-1]), below)]
