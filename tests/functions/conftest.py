"""A model like that of a nightly run, published and not yet."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tidemark.adapters.world import World
from tidemark.segmentation.model import CATEGORIES, NUMBERS, UNKNOWN, Encoding, Model, Scale, Segment
from tidemark.settings import Settings

LAKE = "lake"
CURRENT = "artifacts/segment_customers/current.json"


@dataclass(eq=False)
class Now:
    """A clock that a test turns."""

    time: datetime = field(default_factory=lambda: datetime(2026, 11, 23, 6, tzinfo=UTC))

    def now(self) -> datetime:
        """Where it stands."""
        return self.time

    def turn(self, seconds: float) -> None:
        """Later."""
        self.time += timedelta(seconds=seconds)


def small_model(as_of: str = "2026-11-22") -> Model:
    """Two segments: the old, who lie at age 60 and more, and the young."""
    scales = (Scale(45.0, 45.0, 15.0), *[Scale(0.0, 0.0, 0.0)] * (len(NUMBERS) - 1))
    zeros = [0.0] * (len(NUMBERS) - 1 + 3 * len(CATEGORIES))
    return Model(
        period={"every": "week", "start": "2026-11-16", "end": "2026-11-23"},
        as_of=as_of,
        window_days=90,
        seed=17,
        customers=40,
        silhouettes={"2": 0.7, "3": 0.5},
        encoding=Encoding(
            scales,
            {
                "home_ownership": ("Homeowner", "Renter", UNKNOWN),
                "marital_status": ("Married", "Unmarried", UNKNOWN),
                "household_comp": ("1 Adult No Kids", "2 Adults Kids", UNKNOWN),
            },
        ),
        segments=(
            Segment(1, "Frequent big spenders", "They are old.", 30, (1.0, *zeros), 1),
            Segment(2, "Regular small spenders", "They are young.", 10, (-1.0, *zeros), 0),
        ),
    )


@pytest.fixture
def clock() -> Now:
    """Of the world below."""
    return Now()


@pytest.fixture
def lake_world(clock: Now) -> Iterator[World]:
    """An account with an empty lake."""
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket=LAKE)
        names = {entry.name: "100" for entry in fields(Settings)} | {"lake_bucket": LAKE}
        yield World(Settings.read({name.upper(): value for name, value in names.items()}), clock)


@pytest.fixture
def publish_model(lake_world: World) -> Callable[..., None]:
    """Puts a model where a nightly attempt leaves it, and points to it as publish does."""

    def publish(text: str | None = None, attempt: int = 1, artifacts: dict[str, Any] | None = None) -> None:
        key = f"batches/segment_customers/b/{attempt:04d}/artifacts/model.json"
        pointer = {
            "batch_id": "segment_customers.20261116T000000.0a1b2c3d",
            "attempt": attempt,
            "period": "2026-11-16",
            "artifacts": {"model.json": f"s3://{LAKE}/{key}"} if artifacts is None else artifacts,
        }
        lake_world.store.put(LAKE, key, small_model().dumps() if text is None else text)
        lake_world.store.put(LAKE, CURRENT, json.dumps(pointer))

    return publish
