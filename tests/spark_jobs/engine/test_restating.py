"""Late data: micro-batches and nights with the real job, from raw JSON to the reports."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest

from spark_jobs import run_batch
from tidemark.core.dataset import Dataset
from tidemark.core.manifest import SnapshotFile

FIRST, SECOND = date(2026, 7, 1), date(2026, 7, 2)
REPORTS = ("daily_activity", "hourly_errors")
Events = list[tuple[date, str, str, int]]

ONE: Events = [(FIRST, "10:00", "u1", 200), (FIRST, "10:50", "u1", 500), (SECOND, "00:10", "u1", 200)]
TWO: Events = [(SECOND, "00:30", "u1", 404), (SECOND, "09:00", "u2", 200)]
#: Of the first day alone: it makes one session of u1's two, and brings a visitor.
LATE: Events = [(FIRST, "10:25", "u1", 404), (FIRST, "23:59", "u3", 200)]


class Site:
    """The web_logs dataset and its nights."""

    def __init__(self, nights: Any, raw: Any, declared: dict[str, Dataset], jobs: dict[str, Dataset]) -> None:
        self.nights, self.raw, self.web_logs, self.job = nights, raw, declared["web_logs"], jobs["daily_activity"]

    def land(self, name: str, *files: Events) -> tuple[SnapshotFile, ...]:
        """A micro-batch of the files: its part of the table web_events."""
        prefix = f"batches/web_logs/{name}/0001"
        bodies = ["\n".join(map(self.record, events)).encode() for events in files]
        listed = [self.raw.put(f"web_logs/{name}/{number}", body) for number, body in enumerate(bodies)]
        batch = {"batch_id": name, "attempt": 1}
        documents = {
            "manifest": {**batch, "dataset": "web_logs", "files": listed},
            "job_spec": {
                **batch,
                "dataset": dict(self.web_logs.declared),
                "manifest": f"s3://control/{prefix}/manifest.json",
                "output": f"s3://lake/{prefix}/",
            },
        }
        for key, document in documents.items():
            self.raw.s3.put_object(Bucket="control", Key=f"{prefix}/{key}.json", Body=json.dumps(document).encode())
        assert run_batch.main(["--spec", f"s3://control/{prefix}/job_spec.json"]) == 0
        result = json.loads((self.nights.lake / prefix / "result.json").read_text(encoding="utf-8"))
        files_: tuple[SnapshotFile, ...] = self.nights.adopt(
            [file["uri"] for file in result["tables"]["web_events"]["files"]]
        )
        return files_

    @staticmethod
    def record(event: tuple[date, str, str, int]) -> str:
        day, time, user, status = event
        return json.dumps({"timestamp": f"{day}T{time}:00Z", "user_id": user, "status_code": status})

    def night(self, day: date, files: tuple[SnapshotFile, ...], attempt: int = 1) -> dict[str, list[dict[str, Any]]]:
        """The reports of that day, from a table of these files."""
        web_events = self.web_logs.table("web_events")
        pinned = self.nights.pinned(web_events, files, (day, day + timedelta(days=1)))
        assert self.nights.run(self.job, day, pinned, attempt=attempt) == 0
        return {table: self.nights.rows(table) for table in REPORTS}


@pytest.fixture
def site(nights: Any, raw: Any, declared: dict[str, Dataset], jobs: dict[str, Dataset]) -> Site:
    return Site(nights, raw, declared, jobs)


def test_late_data_restates_its_day_as_if_it_had_been_there_at_once(site: Site) -> None:
    """Computed again with the late files, the day equals one from scratch; the other day comes out as it was."""
    soon = site.land("soon", ONE) + site.land("next", TWO)
    assert site.night(FIRST, soon)["daily_activity"] == [{"event_date": FIRST, "events": 2, "users": 1, "sessions": 2}]
    second = site.night(SECOND, soon)

    late = soon + site.land("late", LATE)
    restated = site.night(FIRST, late, attempt=2)
    assert restated["daily_activity"] == [{"event_date": FIRST, "events": 4, "users": 2, "sessions": 2}]
    assert [(row["hour"], row["errors"]) for row in restated["hourly_errors"]] == [(10, 2), (23, 0)]
    assert site.nights.result["tables"]["daily_activity"]["days"] == ["2026-07-01"]

    at_once = site.land("at-once", ONE + TWO + LATE)
    assert restated == site.night(FIRST, at_once)
    assert second == site.night(SECOND, at_once) == site.night(SECOND, late)
