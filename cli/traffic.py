"""`tidemark traffic`: sample files of past days in a folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console

from cli.render import name, number, say
from local.sample_data.generate import LandedObject, history, sampled, write
from tidemark.adapters.dataset_files import load_all
from tidemark.clock import SystemClock
from tidemark.core.errors import TidemarkError
from tidemark.settings import DATASETS


def write_traffic(
    console: Console, folder: Path, records: int, days: int, datasets: Sequence[str] | None, seed: int
) -> None:
    """Sample files of whole days before today; a file that is there already stays as it is."""
    now = SystemClock().now()
    names = datasets or sampled(load_all(DATASETS))
    invented = {one: list(history(one, seed, records, days, now)) for one in names}
    if folder.exists() and not folder.is_dir():
        raise TidemarkError(f"expected a folder to write into, found the file {name(folder)}")
    _refuse_others((landed for objects in invented.values() for landed in objects), folder)
    for dataset, objects in invented.items():
        made = write(objects, folder)
        say(
            console,
            f"{dataset}: {number(made.records)} records ({number(made.dirty)} to be rejected,"
            f" {number(made.duplicates)} repeated) in {name(folder)}",
        )


def _refuse_others(objects: Iterable[LandedObject], folder: Path) -> None:
    """Nothing is written yet when a file in the way turns out to be another than the one that would be written."""
    for landed in objects:
        path = folder / landed.key
        linked = [one for one in _way(folder, path) if one.is_symlink()]
        if linked or (path.exists() and not (path.is_file() and path.read_bytes() == landed.body)):
            in_the_way = name([*linked, path][0])
            raise TidemarkError(f"expected no other file in the way of the sample, found {in_the_way}")


def _way(folder: Path, path: Path) -> list[Path]:
    """The folders below `folder` that lead to the file, and the file: a link among them leads elsewhere."""
    below = path.relative_to(folder)
    return [folder / part for part in (*reversed(below.parents[:-1]), below)]
