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
    """Before anything is asked about it."""
    with pytest.raises(TidemarkError, match="expected s3://BUCKET/KEY, found"):
        file_named(uri)


def test_a_dataset_without_a_name_is_not_every_dataset(world: NightWorld) -> None:
    """A variable of the shell that is not set gives one."""
    with pytest.raises(TidemarkError, match=r"expected a dataset .*, found ''"):
        show_batches(world, Console(file=io.StringIO()), "", 20)
    with pytest.raises(TidemarkError, match=r"expected a dataset .*, found ''"):
        choose_batches(world, [], "", None, None)


def test_a_misspelt_dataset_is_answered_with_the_one_that_was_meant(world: NightWorld) -> None:
    """And with all that there are."""
    with pytest.raises(TidemarkError, match=r"\(shop, totals, trends\), found 'shpo' \(did you mean shop\?\)$"):
        named(world, "shpo")
