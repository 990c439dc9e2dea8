"""The records of each dataset."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest
import yaml

from local.sample_data.generate import generate
from local.sample_data.records import EXPORT_WHOLE, SOURCES
from tests.local.sample_data.conftest import START, STREAMS, content, objects_in, rows_of


def test_a_later_export_says_something_else_of_a_household() -> None:
    """Otherwise, the sample data would not show that a household's latest row wins."""
    first, *later = generate("customers", 1, 1_000, START, per_file=EXPORT_WHOLE)
    said = {row[0]: row for row in rows_of(first)}
    changed = [row for each in later for row in rows_of(each) if row != said.get(row[0], row)]
    new = {row[0] for each in later for row in rows_of(each)} - set(said)
    assert (len(changed) > 100, len(new)) == (True, 100)


def test_content_in_front_is_followed_more_often() -> None:
    """A click has its view before it, and the first place is clicked more than twice as often as the last."""
    events = [one for each in generate("content", 1, 40_000, START) for one in objects_in(content(each))]
    at = {one["event_id"]: one for one in events}
    clicks = [one for one in events if one["event_type"] == "click"]
    views = Counter(one["position"] for one in events if one["event_type"] == "view")
    rate = {place: Counter(one["position"] for one in clicks)[place] / count for place, count in views.items()}
    assert all(at[one["event_id"].replace("click", "view")]["timestamp"] < one["timestamp"] for one in clicks)
    assert rate[1] > 2 * rate[6] > 0.01
    assert {one["device"] for one in events} == {"web", "ios", "android", None}


def test_users_are_many_and_few_are_busy() -> None:
    """Traffic is skewed as real traffic is, so that a skewed join or an uneven partition shows itself."""
    landed = generate("web_logs", 1, 5_000, START)
    users = [one["user_id"] for each in landed for one in objects_in(content(each))]
    counts = Counter(users)
    assert len(counts) > 200
    assert max(counts.values()) > 10 * len(users) / len(counts)


@pytest.mark.parametrize("dataset", SOURCES)
def test_records_have_the_declared_fields(dataset: str, root: Path) -> None:
    """What is invented is what the declaration asks for, no field more or less."""
    declared = yaml.safe_load((root / "datasets" / f"{dataset}.yaml").read_text(encoding="utf-8"))["record"]
    (landed,) = generate(dataset, 1, 1, START)
    header, *_ = csv.reader(content(landed).splitlines())
    (record,) = objects_in(content(landed)) if dataset in STREAMS else [header]
    assert set(record) == set(declared)
