"""What a person asks for by name or time is what is meant, or is refused."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console

from cli.operate import backfill, choose_batches
from tests.service.nights import NightWorld, land
from tidemark.core.errors import TidemarkError


def test_a_prefix_of_no_dataset_is_refused_with_the_prefixes_of_all(world: NightWorld) -> None:
    """The error lists the prefixes of datasets; nightly jobs read tables and have none."""
    with pytest.raises(TidemarkError, match=r"^expected a prefix below one of shop/, found 'shops/'$"):
        backfill(world, CONSOLE, f"s3://{world.settings.raw_bucket}/shops/", 1.0)


def test_a_time_does_not_choose_among_batches_that_are_named(world: NightWorld) -> None:
    """A time together with ids is refused: ignoring it would replay more than was meant."""
    land(world, FIRST, {"2026-11-20": [1]})
    with pytest.raises(TidemarkError, match="expected --from and --to with --dataset"):
        choose_batches(world, [FIRST], None, datetime(2030, 1, 1, tzinfo=UTC), None)
    assert [batch.batch_id for batch in choose_batches(world, [FIRST], None, None, None)] == [FIRST]


FIRST = "shop.20261119T080000.aaaaaaaa"


CONSOLE = Console(file=io.StringIO())
