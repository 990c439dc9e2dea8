"""A name that is none is refused before anything is asked about it."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from cli.names import file_named, named
from cli.operate import choose_batches
from cli.status import show_batches
from tests.service.nights import NightWorld
from tidemark.core.errors import TidemarkError


@pytest.mark.parametrize("uri", ["b/k", "s3://", "s3://b", "s3://b/", "s3:///k", "http://b/k", "s3:/b/k"])
def test_a_file_that_is_no_uri_is_refused(uri: str) -> None:
    """Anything but s3://BUCKET/KEY is refused."""
    with pytest.raises(TidemarkError, match="expected s3://BUCKET/KEY, found"):
        file_named(uri)


def test_a_dataset_without_a_name_is_not_every_dataset(world: NightWorld) -> None:
    """An empty name, as an unset shell variable gives it, is refused."""
    with pytest.raises(TidemarkError, match=r"expected a dataset .*, found ''"):
        show_batches(world, Console(file=io.StringIO()), "", 20)
    with pytest.raises(TidemarkError, match=r"expected a dataset .*, found ''"):
        choose_batches(world, [], "", None, None)


def test_a_misspelt_dataset_is_answered_with_the_likely_one(world: NightWorld) -> None:
    """A misspelt dataset is refused with the likely one and the list of all."""
    with pytest.raises(TidemarkError, match=r"\(shop, totals, trends\), found 'shpo' \(did you mean shop\?\)$"):
        named(world, "shpo")
