"""Files and datasets by the names that a person gives; a wrong name is one error that says what was expected."""

from __future__ import annotations

from tidemark.adapters.world import World
from tidemark.core.errors import TidemarkError
from tidemark.core.files import split_uri
from tidemark.core.suggestions import did_you_mean

DATASET_ALL = "all"


def file_named(uri: str) -> tuple[str, str]:
    """`s3://bucket/key` → (bucket, key); raises for anything else."""
    bucket, key = split_uri(uri)
    if not uri.startswith("s3://") or not bucket or not key:
        raise TidemarkError(f"expected s3://BUCKET/KEY, found {uri!r}")
    return bucket, key


def is_file(name: str) -> bool:
    """Whether a name is meant as a file's, not as a batch's."""
    return name.startswith("s3:")


def named(world: World, dataset: str) -> list[str]:
    """The dataset, or every dataset for `all`; raises for one that is not declared."""
    if dataset == DATASET_ALL:
        return sorted(world.datasets)
    if dataset not in world.datasets:
        known = ", ".join(sorted(world.datasets))
        raise TidemarkError(f"expected a dataset ({known}), found {dataset!r}{did_you_mean(dataset, world.datasets)}")
    return [dataset]
