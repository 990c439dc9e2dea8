"""Which model predictions are made with."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.functions.conftest import small_model
from tidemark.core.errors import Transient
from tidemark.segmentation.registry import CURRENT, Models

NIGHT = datetime(2026, 11, 22, tzinfo=UTC)


class Shelf:
    """A store of documents that counts what is read, and a clock that is set by hand."""

    def __init__(self) -> None:
        self.documents: dict[str, bytes] = {}
        self.looks = self.reads = 0
        self.moment = NIGHT

    def now(self) -> datetime:
        return self.moment

    def tagged(self, bucket: str, key: str) -> tuple[bytes, str] | None:
        self.looks += 1
        assert (bucket, key) == ("lake", CURRENT)
        body = self.documents.get(key)
        return (body, str(hash(body))) if body is not None else None

    def get(self, bucket: str, key: str) -> bytes | None:
        self.reads += 1
        return self.documents.get(key)

    def publish(self, night: str, model: str | None) -> None:
        """A night's pointer, and its model if it has one."""
        artifacts = {"model.json": f"s3://lake/{night}.json"} if model else {}
        self.documents[CURRENT] = json.dumps({"batch_id": night, "attempt": 1, "artifacts": artifacts}).encode()
        if model:
            self.documents[f"{night}.json"] = model.encode()


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def models(shelf: Shelf) -> Models:
    store: Any = shelf
    return Models(store, "lake", shelf)


def test_before_the_first_publication_there_is_no_model(shelf: Shelf, models: Models) -> None:
    """Every call looks again, since the first model may come at any time."""
    assert [models.current(), models.current()] == [None, None]
    assert shelf.looks == 2
    shelf.publish("first", small_model().dumps())
    current = models.current()
    assert current
    assert (current.batch_id, current.attempt, current.model) == ("first", 1, small_model())


def test_a_model_is_looked_for_every_minute_and_read_once(shelf: Shelf, models: Models) -> None:
    """As long as the pointer stays the same."""
    shelf.publish("first", small_model().dumps())
    for seconds in (0, 59, 61, 119, 122):
        shelf.moment = NIGHT + timedelta(seconds=seconds)
        assert models.current()
    assert (shelf.looks, shelf.reads) == (3, 1)


def test_a_later_publication_takes_over(shelf: Shelf, models: Models) -> None:
    """After a minute at the latest; a night without a model leaves the older one."""
    seen = []
    for night, model in (("first", small_model().dumps()), ("second", None), ("third", small_model().dumps())):
        shelf.publish(night, model)
        shelf.moment += timedelta(seconds=61)
        current = models.current()
        assert current
        seen.append(current.batch_id)
    assert seen == ["first", "first", "third"]


def test_a_model_that_cannot_be_read_is_named(shelf: Shelf, models: Models) -> None:
    """It may be of a newer version, so it is asked for again later."""
    shelf.publish("first", "{}")
    with pytest.raises(Transient, match=r"s3://lake/first.json: expected a model that this version reads"):
        models.current()
