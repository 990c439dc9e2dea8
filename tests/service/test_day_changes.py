"""Which days a commit has touched."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tidemark.core.dataset import Table
from tidemark.core.job import DataFile, Result
from tidemark.service.day_changes import touched_days

FACTS, LATEST = Table("sales", "facts", (), day="day"), Table("sales", "latest", (), key="id", day="day")
DAYLESS = Table("sales", "facts", ())


def attempt(rows: int, days: Mapping[str, tuple[str, ...]]) -> Result:
    """An attempt with that many rows of sales."""
    return Result("b", 1, (), {"sales": (DataFile("s3://lake/1", rows, 9),)}, (), days)


NEW, OLD = attempt(3, {"sales": ("2026-03-01", "2026-03-02")}), attempt(1, {"sales": ("2026-02-28",)})


@pytest.mark.parametrize(
    ("table", "results", "days"),
    [
        (FACTS, [NEW], {"2026-03-01", "2026-03-02"}),
        (FACTS, [NEW, OLD], {"2026-02-28", "2026-03-01", "2026-03-02"}),
        (FACTS, [attempt(0, {"sales": ()}), OLD], {"2026-02-28"}),
        (FACTS, [attempt(2, {})], {""}),
        (FACTS, [attempt(2, {"sales": ()})], {""}),
        (DAYLESS, [attempt(2, {"sales": ()})], {""}),
        (FACTS, [attempt(0, {})], set()),
        (LATEST, [NEW], {"", "2026-03-01", "2026-03-02"}),
    ],
    ids=[
        "new",
        "and replaced",
        "replaced by nothing",
        "days unknown",
        "days null",
        "no day declared",
        "no rows",
        "hides older rows",
    ],
)
def test_a_commit_touches_the_days_of_new_and_of_replaced_rows(
    table: Table, results: list[Result], days: set[str]
) -> None:
    """The empty day is the table as a whole, where nobody can tell which days it was."""
    assert touched_days(table, results) == days
