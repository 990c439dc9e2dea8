"""A bucket's folders against the ledger: no key is missed, however a pass is cut, and old folders are left alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from typing import Any

import pytest

from tests.service.nights import DATASETS, NightWorld
from tests.simulation import s3
from tests.simulation.job import DataStore
from tests.simulation.s3 import SimS3
from tidemark.core import passes as passes_module
from tidemark.service.reconcile import AT_ONCE, RECONCILED, Pass, reconcile, reconcile_all

SHOP = DATASETS["shop"]
KEYS = [
    "shop/beside",
    *(f"shop/2098/12/{day}/{hour:02}/x" for day in (29, 30, 31) for hour in (0, 23)),
    *(f"shop/2099/01/{day:02}/x" for day in range(1, 11)),
    *(f"shop/2099/01/11/{number:02}" for number in range(18)),
    "shop/2099/summary",
    "shop/eu/2099/01/11/x",
    "shop/odd/deep/er/1",
    "shop/odd/deep/er/2",
    "shop/zz",
]
PAGE = 8


class Bucket(SimS3):
    """The raw bucket in memory, an hour after whatever landed there; listings are counted by prefix."""

    def __init__(self, clock: Any) -> None:
        super().__init__(lambda _, effect: effect(), lambda: clock.now() - timedelta(hours=1), DataStore())
        self.asked = Counter[str]()

    def list_object_versions(self, **asked: Any) -> dict[str, Any]:  # type: ignore[override]
        self.asked[asked["Prefix"]] += 1
        return super().list_object_versions(**asked)

    def put(self, *keys: str) -> None:
        for key in keys:
            self.land("raw", key, ())


@pytest.fixture
def bucket(world: NightWorld, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """The world's, with small pages."""
    made = Bucket(world.clock)
    monkeypatch.setattr(s3, "PAGE", PAGE)
    monkeypatch.setitem(world.clients, "s3", made)  # type: ignore[arg-type]
    world.clock.moment = datetime(2099, 1, 11, 12, tzinfo=UTC)  # type: ignore[attr-defined]
    return made


def pending(world: NightWorld) -> list[str]:
    """The keys of all pending segments, each as often as it is there."""
    segments = [segment.sk for segment in world.ledger.segments.all("shop")]
    return sorted(file.key for sk in segments for file in world.ledger.segments.files("shop", sk))


def walk(world: NightWorld, go_on: Callable[[], bool] = lambda: True, **more: Any) -> list[Pass]:
    return list(reconcile(world, SHOP, "shop/", go_on, **more))


def test_every_key_is_seen_once_whatever_its_folder(world: NightWorld, bucket: Bucket) -> None:
    """Beside the folders and below them, days side by side, through pages that end anywhere."""
    bucket.put(*KEYS)
    last = walk(world)[-1]
    assert (last.seen, last.missing, last.done) == (len(KEYS), len(KEYS), True)
    assert pending(world) == sorted(KEYS)


def test_a_pass_that_is_cut_after_every_step_is_the_same_pass(world: NightWorld, bucket: Bucket) -> None:
    """Each invocation does one step; nothing is seen twice, and the pass counts from its first step."""
    bucket.put(*KEYS)
    began, parts = world.clock.now(), []
    while not parts or not parts[-1].done:
        steps = count()
        parts += walk(world, lambda steps=steps: next(steps) < 1)
        world.clock.moment += timedelta(minutes=15)  # type: ignore[attr-defined]
    assert (parts[-1].seen, sum(part.missing for part in parts)) == (len(KEYS), len(KEYS))
    assert pending(world) == sorted(KEYS)
    remembered = world.ledger.controls.get(f"{RECONCILED}shop")
    assert datetime.fromisoformat(remembered["began"]) == datetime.fromisoformat(remembered["whole"]) == began


def test_a_backfill_of_part_of_a_folder_brings_in_that_part(world: NightWorld, bucket: Bucket) -> None:
    """Page by page, so that `--rate` has a say; it is no pass over the dataset."""
    bucket.put(*KEYS)
    parts = list(reconcile(world, SHOP, "shop/2099/01/1", lambda: True, background=True))
    chosen = [key for key in KEYS if key.startswith("shop/2099/01/1")]
    assert parts[-1].missing == len(chosen)
    totals = [0, *(part.missing for part in parts)]
    assert max(after - before for before, after in pairwise(totals)) <= PAGE
    assert world.ledger.controls.with_prefix(RECONCILED) == {}


def test_days_are_listed_side_by_side(world: NightWorld, bucket: Bucket) -> None:
    """A page of each in one step: the folders of years, of months, of days, and then the days."""
    days = [f"shop/2099/01/{day:02}/x" for day in range(1, AT_ONCE)]
    bucket.put(*days)
    assert [step.seen for step in walk(world)] == [0, 0, 0, len(days)]
    assert sum(bucket.asked.values()) == 3 + len(days)


def test_a_daily_pass_leaves_old_folders_alone(
    world: NightWorld, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond so many keys; a file that came late into a folder, but in time, is found, and so is one without a time."""
    monkeypatch.setattr(passes_module, "DAILY_KEYS_MAX", 10)
    bucket.put(*KEYS)
    assert reconcile_all(world, lambda: True) == len(KEYS)
    world.clock.moment += timedelta(days=1)  # type: ignore[attr-defined]
    late, stray = ["shop/2099/01/09/late", "shop/odd/late", "shop/2099/01/12/new"], "shop/2098/12/30/stray"
    bucket.put(*late, stray)
    bucket.asked.clear()
    reconcile_all(world, lambda: True)
    assert set(late) <= set(pending(world))
    assert stray not in pending(world)
    assert not [prefix for prefix in bucket.asked if prefix.startswith("shop/2098")]


def test_what_came_into_an_old_folder_is_found_by_the_pass_over_everything(
    world: NightWorld, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a month; the daily passes go on beside it, and it does not set them back."""
    monkeypatch.setattr(passes_module, "DAILY_KEYS_MAX", 1)
    bucket.put("shop/2098/12/30/x", "shop/2099/01/11/x")
    reconcile_all(world, lambda: True)
    bucket.put("shop/2098/12/30/stray")
    world.clock.moment += passes_module.WHOLE_EVERY  # type: ignore[attr-defined]
    began = world.clock.now()
    for _ in range(5):
        steps = count()
        reconcile_all(world, lambda steps=steps: next(steps) < 6)
        world.clock.moment += timedelta(days=1)  # type: ignore[attr-defined]
    assert "shop/2098/12/30/stray" in pending(world)
    remembered = world.ledger.controls.get(f"{RECONCILED}shop")
    assert (datetime.fromisoformat(remembered["whole"]), remembered["keys"]) == (began, 3)
    assert datetime.fromisoformat(remembered["began"]) > began


def test_keys_without_folders_make_every_pass_a_whole_one(
    world: NightWorld, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing can be left out, so no other pass over everything follows."""
    monkeypatch.setattr(passes_module, "DAILY_KEYS_MAX", 10)
    bucket.put(*[f"shop/{number:02}" for number in range(3 * PAGE)])
    reconcile_all(world, lambda: True)
    world.clock.moment += timedelta(days=40)  # type: ignore[attr-defined]
    bucket.asked.clear()
    reconcile_all(world, lambda: True)
    remembered = world.ledger.controls.get(f"{RECONCILED}shop")
    assert datetime.fromisoformat(remembered["whole"]) == world.clock.now()
    assert sum(bucket.asked.values()) == 3


def test_many_folders_that_bear_no_times_are_listed_as_one(world: NightWorld, bucket: Bucket) -> None:
    """A page of them is full, so a call for each would cost more than the pages that hold them."""
    bucket.put(*[f"shop/{number:02}/x" for number in range(3 * PAGE)])
    assert walk(world)[-1].missing == 3 * PAGE
    assert set(bucket.asked) == {"shop/"}
    assert sum(bucket.asked.values()) == 1 + 3
