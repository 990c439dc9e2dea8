"""collect: new objects → pending segments. One ledger write per dataset and invocation, none per file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from tidemark.adapters.world import World
from tidemark.core.dataset import Dataset
from tidemark.core.files import FileVersion, parcels
from tidemark.observability import count


def remember(world: World, files: Iterable[FileVersion], background: bool = False) -> int:
    """Write the files as pending segments of their datasets; objects under no prefix are counted and left alone.

    `background` files, which a person brings in, leave room for fresh ones. Returns the number of files remembered.
    Called twice with the same files it does no harm: claims decide.
    """
    by_dataset: dict[str, list[FileVersion]] = defaultdict(list)
    for file in {file.identity: file for file in files}.values():
        by_dataset[_owner(file, world.datasets.values())].append(file)
    count("FilesUnclaimed", len(by_dataset.pop("", [])))
    for name, found in by_dataset.items():
        world.ledger.declarations.register(name, world.datasets[name].declared)
        policy = world.datasets[name].batch
        for parcel in parcels(found, policy.max_files, policy.max_bytes):
            world.ledger.segments.put(name, parcel, world.clock.now(), background)
    collected = sum(map(len, by_dataset.values()))
    count("FilesCollected", collected)
    return collected


def _owner(file: FileVersion, datasets: Iterable[Dataset]) -> str:
    return next((dataset.name for dataset in datasets if dataset.owns(file.key)), "")
