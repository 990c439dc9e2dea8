from __future__ import annotations

import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from local.sample_data.generate import Expected, UnknownDatasetError, generate, history, write
from local.sample_data.records import SOURCES
from tests.local.sample_data.conftest import START, STREAMS, content, objects_in

FIREHOSE_NAME = re.compile(r"(\d{4}/\d\d/\d\d/\d\d)/([a-z-]+)-1-(\d{4}(?:-\d\d){5})-[0-9a-f-]{36}(\.gz)?$")


def lines_read(text: str) -> tuple[list[dict[str, Any]], int]:
    """The objects on separate lines, and the number of lines that are not objects."""
    good, bad = [], 0
    for line in text.splitlines():
        try:
            good.append(json.loads(line))
        except ValueError:
            bad += 1
    return good, bad


@pytest.mark.parametrize("dataset", SOURCES)
def test_the_same_seed_lands_the_same_bytes(dataset: str) -> None:
    """A failure can be reproduced, and another seed gives other data."""
    first, again, other = (list(generate(dataset, seed, 300, START, dirt=0.1)) for seed in (7, 7, 8))
    assert first == again
    assert first != other


@pytest.mark.parametrize("dataset", STREAMS)
@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_keys_are_those_of_firehose(dataset: str, compression: Any) -> None:
    """Prefix and name carry one time, the oldest record's arrival, also across midnight."""
    landed = list(generate(dataset, 1, 4_000, START, per_file=500, compression=compression))
    names = [FIREHOSE_NAME.search(each.key) for each in landed]
    assert all(each.key.startswith(f"{dataset}/2026/03/0") for each in landed)
    assert all(name and name[1] == name[3][:13].replace("-", "/") for name in names)
    assert {name and name[4] for name in names} == {".gz" if compression == "gzip" else None}
    assert {name and name[1] for name in names} >= {"2026/03/01/23", "2026/03/02/00"}
    assert len({each.key for each in landed}) == len(landed) == 8


@pytest.mark.parametrize("dataset", STREAMS)
def test_the_totals_are_those_of_the_files(dataset: str) -> None:
    """Good records, copies, every kind of dirt and the sums to the cent are as a reader finds them."""
    form = STREAMS[dataset]
    landed = list(generate(dataset, 3, 2_000, START, separator="newline", dirt=0.1, duplicates=0.1, late=0.05))
    expected = Expected.total(landed)
    records, unreadable = lines_read("".join(map(content, landed)))
    good = [one for one in records if form.required in one and one[form.number] != "n/a"]
    distinct = {json.dumps(one): one for one in good}.values()

    assert expected.clean + expected.dirty == 2_000
    assert set(expected.dirt) == {"cut_off", "not_json", "wrong_type", "missing_field"}
    assert unreadable == expected.dirt["cut_off"] + expected.dirt["not_json"]
    assert len(records) + unreadable == expected.records
    assert (len(distinct), len(good) - len(distinct)) == (expected.clean, expected.duplicates)
    assert expected.duplicates > 100
    for name in SOURCES[dataset].sums:
        every = sum(Decimal(str(one[name] or 0)) for one in good)
        assert sum(Decimal(str(one[name] or 0)) for one in distinct) == expected.sums[name]
        assert every - expected.sums[name] == expected.duplicate_sums[name]


@pytest.mark.parametrize("dataset", SOURCES)
def test_history_is_whole_days_that_are_past(dataset: str) -> None:
    """Each day has records or, nearly always, an export; none is from today, at any hour of today."""
    landed = list(history(dataset, 1, 3_000, 14, datetime(2026, 3, 15, 7, 30, tzinfo=UTC)))
    assert landed == list(history(dataset, 1, 3_000, 14, datetime(2026, 3, 15, 23, 59, tzinfo=UTC)))
    days = Counter(each.key.removeprefix(f"{dataset}/")[:10] for each in landed)
    assert (min(days), max(days)) == ("2026/03/01", "2026/03/14")
    assert len(days) == 14 if dataset in STREAMS else len(days) > 10
    assert max(each.landed_at for each in landed) == datetime(2026, 3, 14, 23, 59, tzinfo=UTC)
    assert len(landed) < 100


def test_a_file_holds_what_arrives_within_the_buffer() -> None:
    """Slow traffic makes small files, as Firehose does not wait for ever."""
    landed = list(generate("web_logs", 1, 200, START, per_second=0.01))
    ages = [each.landed_at - datetime.strptime(each.key[-59:-40] + "Z", "%Y-%m-%d-%H-%M-%S%z") for each in landed]
    assert len(landed) > 10
    assert max(ages) < timedelta(minutes=15, seconds=1)


def test_dirt_leaves_the_story_as_it_is() -> None:
    """The same seed invents the same records, cleaner or dirtier."""
    clean, dirty = (list(generate("web_logs", 5, 500, START, separator="newline", dirt=d)) for d in (0, 0.3))
    first, _ = lines_read("".join(map(content, clean)))
    second, _ = lines_read("".join(map(content, dirty)))
    kept = [one for one in second if "timestamp" in one and one["status_code"] != "n/a"]
    assert 0 < len(kept) < 450
    assert all(one in first for one in kept)


def test_late_records_arrive_now_and_happened_before() -> None:
    """A late record lies in a new file under an old event time."""
    landed = list(generate("transactions", 1, 1_000, START, late=0.1))
    times = [datetime.fromisoformat(one["timestamp"]) for each in landed for one in objects_in(content(each))]
    late = [time for time in times if time < START - timedelta(minutes=30)]
    assert 50 < len(late) < 200
    assert all(each.key.startswith("transactions/2026/03/0") for each in landed)


def test_writing_lays_the_objects_out_by_key(tmp_path: Path) -> None:
    """The directory can be synchronised to a bucket."""
    landed = list(generate("transactions", 1, 100, START, per_file=40))
    expected = write(landed, tmp_path)
    assert expected == Expected.total(landed)
    assert {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*.gz")} == {
        each.key: each.body for each in landed
    }


def test_a_dataset_without_generator_is_a_clear_error() -> None:
    """The message names the requested dataset and the available ones."""
    with pytest.raises(UnknownDatasetError, match=r"'weather'.*content, customers, transactions, web_logs"):
        generate("weather", 1, 1, START)


def test_a_start_without_zone_is_refused() -> None:
    """Hours in keys are UTC; a naive time would be anybody's."""
    with pytest.raises(ValueError, match="timezone-aware"):
        generate("web_logs", 1, 1, datetime(2026, 1, 1))  # noqa: DTZ001 - the point of the test
