"""Days as literals in expressions, and the set of days of a table's rows, collected while they are written.

Collecting them needs no extra pass over the rows.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F

from tidemark.core.dataset import Table


def day_literal(day: date) -> Column:
    """The day as a literal. `F.lit(day)` fails before the year 1000, because Java expects four digits."""
    return F.lit(day.isoformat()).cast("date")


def observed(frame: DataFrame, table: Table) -> tuple[DataFrame, Callable[[], list[str]]]:
    """The frame to write instead, and a function that returns its days (sorted ISO dates) once it is written.

    A table without a day column has no days; a row whose day is null adds none.
    """
    if not table.day:
        return frame, list
    observation = Observation()
    # As an array, the result would be a Scala object.
    days = F.concat_ws(",", F.collect_set(F.col(table.day).cast("string")))
    return frame.observe(observation, days.alias("days")), lambda: _days(observation)


def _days(observation: Observation) -> list[str]:
    return sorted(day for day in observation.get["days"].split(",") if day)
