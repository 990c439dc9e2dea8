"""Rows that come late, and nights after them: the days that they touch are reported anew, and no others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from local.drive import drive
from local.sample_data.generate import LandedObject, generate
from tests.e2e.conftest import Laptop
from tidemark.core.lifecycle import State

pytestmark = [pytest.mark.e2e, pytest.mark.spark, pytest.mark.slow]

FIRST, MIDDLE, LAST = "2026-11-18", "2026-11-19", "2026-11-20"
DAYS = (FIRST, MIDDLE, LAST)
JOBS = ("daily_sales", "daily_activity", "anomalies")  # the last reads the days before, too
HELD_BACK = ("forecast", "segment_customers")  # they would be right likewise, and take their time
LATE = {name: f"{name}/2026/11/21/09/late.gz" for name in ("transactions", "web_logs")}

READ = {
    "sales": """
        SELECT user_id, product_id, timestamp::TIMESTAMPTZ::DATE AS day, amount::DECIMAL(12, 2) AS amount, quantity
        FROM read_json(?, format = 'unstructured', columns = {
            user_id: 'VARCHAR', product_id: 'VARCHAR', timestamp: 'VARCHAR', amount: 'VARCHAR', quantity: 'BIGINT'})
    """,
    "requests": """
        SELECT user_id, timestamp::TIMESTAMPTZ AS asked, asked::DATE AS day, status_code
        FROM read_json(?, format = 'unstructured', columns = {
            user_id: 'VARCHAR', timestamp: 'VARCHAR', status_code: 'INTEGER'})
    """,
}
#: What the reports must show, as DuckDB computes it from all raw files at once.
REPORTS = {
    "daily_sales": """
        SELECT day AS transaction_date, count(*) AS transactions, count(DISTINCT user_id) AS buyers,
               coalesce(sum(amount) FILTER (amount > 0), 0)::DECIMAL(18, 2) AS gross,
               coalesce(-sum(amount) FILTER (amount < 0), 0)::DECIMAL(18, 2) AS refunds,
               count(*) FILTER (amount < 0) AS refund_count, sum(amount)::DECIMAL(18, 2) AS net
        FROM sales GROUP BY day
    """,
    "top_products": """
        SELECT day AS transaction_date,
               row_number() OVER (PARTITION BY day ORDER BY sum(sales.amount) DESC, product_id) AS rank,
               product_id, sum(sales.amount)::DECIMAL(18, 2) AS amount, sum(sales.quantity) AS quantity
        FROM sales GROUP BY day, product_id QUALIFY rank <= 10
    """,
    "daily_activity": """
        SELECT day AS event_date, count(*) AS events, count(DISTINCT user_id) AS users,
               count(*) FILTER (coalesce(pause > INTERVAL 30 MINUTE, true)) AS sessions
        FROM (SELECT *, asked - lag(asked) OVER (PARTITION BY user_id, day ORDER BY asked) AS pause FROM requests)
        GROUP BY day
    """,
    "hourly_errors": """
        SELECT day AS event_date, hour(asked) AS hour, count(*) AS events,
               count(*) FILTER (status_code >= 400) AS errors, errors / count(*) AS error_rate
        FROM requests GROUP BY day, hour(asked)
    """,
}  # fmt: skip
LINEAGE = ["_batch_id", "_attempt"]
Rows = list[tuple[str, ...]]
Attempts = dict[tuple[str, str], tuple[int, str]]  # (job, day) → attempt, run


@dataclass(frozen=True)
class Morning:
    """How everything stands when a night is through."""

    attempts: Attempts
    expected: Mapping[str, Rows]  # report → rows
    lake: Mapping[str, Rows]
    warehouse: Mapping[str, Rows]
    written: set[tuple[str, int]]  # batch and attempt of a job, as the ledger knows them
    shown: Mapping[str, set[tuple[str, int]]]  # place and report → batches and attempts of the rows there


def traffic(name: str, seed: int, records: int, start: str, end: str) -> list[LandedObject]:
    """Files of one day each, without dirt and without copies."""
    began, ended = (datetime.fromisoformat(moment).replace(tzinfo=UTC) for moment in (start, end))
    return list(generate(name, seed, records, began, end=ended, buffer=timedelta(days=1)))


def late(name: str, day: str, seed: int) -> LandedObject:
    """A file that lands on the 21st with rows of a day before."""
    (landed,) = traffic(name, seed, 40, f"{day}T09:00", f"{day}T15:00")
    return replace(landed, key=LATE[name])


def night(laptop: Laptop, raw: Path, landed: list[LandedObject]) -> Morning:
    """Land files, here and in a folder for DuckDB, and drive through everything that comes of them."""
    for file in landed:
        (raw / file.key.replace("/", "-")).write_bytes(file.body)
    laptop.land_objects(landed)
    drive(laptop.cloud, laptop.world, lambda _: None, seconds_max=240, nights=True)
    batches = [batch for job in JOBS for batch in laptop.world.ledger.batches.all(job)]
    assert {batch.state for batch in batches} == {State.LOADED}
    expected = dict(computed(raw))
    return Morning(
        attempts={(batch.dataset, batch.period): (batch.attempt, batch.run_id) for batch in batches},
        expected={table: rows for table, (_, rows) in expected.items()},
        lake={table: in_lake(laptop, table, columns) for table, (columns, _) in expected.items()},
        warehouse={table: in_warehouse(laptop, table, columns) for table, (columns, _) in expected.items()},
        written={(batch.batch_id, batch.attempt) for batch in batches},
        shown={
            f"{place} {table}": {(batch, int(attempt)) for batch, attempt in read(laptop, table, LINEAGE)}
            for table in REPORTS
            for place, read in (("lake", in_lake), ("warehouse", in_warehouse))
        },
    )  # fmt: skip


def computed(raw: Path) -> Iterator[tuple[str, tuple[list[str], Rows]]]:
    """Every report with its columns and rows, from the raw files alone."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for table, prefix in (("sales", "transactions"), ("requests", "web_logs")):
            files = [str(path) for path in raw.glob(f"{prefix}-*")]
            connection.execute(f"CREATE TEMP TABLE {table} AS {READ[table]}", [files])
        for report, select in REPORTS.items():
            found = connection.execute(select)
            yield report, ([column[0] for column in found.description or ()], as_text(found.fetchall()))


def in_lake(laptop: Laptop, table: str, columns: list[str]) -> Rows:
    """What a reader of the lake sees."""
    rows = laptop.lake(table).scan(selected_fields=tuple(columns)).to_arrow().to_pylist()
    return as_text([row[column] for column in columns] for row in rows)


def in_warehouse(laptop: Laptop, table: str, columns: list[str]) -> Rows:
    """What a reader of the warehouse sees."""
    return as_text(laptop.warehouse(f'SELECT {", ".join(columns)} FROM "{table}"'))


def as_text(rows: Any) -> Rows:
    """Rows that can be compared: the places differ in how they hand over dates and decimals."""
    return sorted(tuple(str(value) for value in row) for row in rows)


def restated(before: Attempts, after: Attempts) -> set[tuple[str, str]]:
    """The job and day of every attempt that is new; each is the one after the attempt before, by a run of its own."""
    changed = {key for key in after if after[key] != before[key]}
    assert all(after[key][0] == before[key][0] + 1 and after[key][1] != before[key][1] for key in changed)
    return changed


@pytest.fixture(scope="module")
def mornings(laptop: Laptop, tmp_path_factory: pytest.TempPathFactory) -> tuple[Morning, Morning, Morning]:
    """Three days are reported; rows of the middle one land late; the late sales are overwritten by some of the last."""
    for job in HELD_BACK:
        laptop.world.ledger.controls.pause(job, paused=True)
    raw = tmp_path_factory.mktemp("raw")
    days = [file for name in LATE for file in traffic(name, 5, 600, f"{FIRST}T00:05", f"{LAST}T23:50")]
    reported = night(laptop, raw, days)
    come_late = night(laptop, raw, [late("transactions", MIDDLE, seed=6), late("web_logs", MIDDLE, seed=6)])
    return reported, come_late, night(laptop, raw, [late("transactions", LAST, seed=7)])


def test_every_day_is_reported_once(mornings: tuple[Morning, ...]) -> None:
    """The first night has an attempt for each job and day, and no second one."""
    reported = mornings[0].attempts
    assert {key: attempt for key, (attempt, _) in reported.items()} == {(job, day): 1 for job in JOBS for day in DAYS}


def test_late_rows_restate_the_days_that_read_them_and_no_others(mornings: tuple[Morning, ...]) -> None:
    """That is the middle day, and where the past is read, the day after; all else keeps its attempt and its run."""
    assert restated(mornings[0].attempts, mornings[1].attempts) == {
        ("daily_sales", MIDDLE), ("daily_activity", MIDDLE), ("anomalies", MIDDLE), ("anomalies", LAST),
    }  # fmt: skip


def test_an_overwritten_file_restates_the_days_of_both_its_versions(mornings: tuple[Morning, ...]) -> None:
    """Its old rows leave the middle day and its new ones come to the last; requests have not changed at all."""
    assert restated(mornings[1].attempts, mornings[2].attempts) == {
        ("daily_sales", MIDDLE), ("daily_sales", LAST), ("anomalies", MIDDLE), ("anomalies", LAST),
    }  # fmt: skip


@pytest.mark.parametrize("night_", range(3), ids=["reported", "late", "overwritten"])
@pytest.mark.parametrize("table", REPORTS)
def test_a_report_is_what_all_raw_files_give_from_scratch(
    mornings: tuple[Morning, ...], table: str, night_: int
) -> None:
    """Lake and warehouse show what DuckDB computes of the files as they lie there now."""
    morning = mornings[night_]
    assert {row[0] for row in morning.expected[table]} == set(DAYS)
    assert morning.lake[table] == morning.expected[table]
    assert morning.warehouse[table] == morning.expected[table]


def test_the_middle_day_is_again_what_it_was_before_the_late_sales(mornings: tuple[Morning, ...]) -> None:
    """Rows of the overwritten version have left the report of their day; while they were there, it was another."""
    first, second, third = ([row for row in one.lake["daily_sales"] if row[0] == MIDDLE] for one in mornings)
    assert first == third != second


def test_readers_see_the_latest_attempt_of_each_day_and_nothing_older(mornings: tuple[Morning, ...]) -> None:
    """In lake and warehouse, every row of a report bears the batch and the attempt that the ledger has now."""
    for morning in mornings:
        for place, shown in morning.shown.items():
            assert len(shown) == len(DAYS), place
            assert shown <= morning.written, place
