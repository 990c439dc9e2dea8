"""Days: as values in expressions, and of which ones a table's rows are, told while they are written.

No pass over the rows is needed for that.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F

from tidemark.core.dataset import Table


def day_literal(day: date) -> Column:
    """The day as a value. `F.lit` refuses those before the year 1000, which Java wants with four digits."""
    return F.lit(day.isoformat()).cast("date")


def observed(frame: DataFrame, table: Table) -> tuple[DataFrame, Callable[[], list[str]]]:
    """The frame to write instead, and what gives its days, ISO dates in order, once it is written.

    A table without a day has none; nor has a row whose day is null.
    """
    if not table.day:
        return frame, list
    observation = Observation()
    # A set would come as an object of Scala.
    days = F.concat_ws(",", F.collect_set(F.col(table.day).cast("string")))
    return frame.observe(observation, days.alias("days")), lambda: _days(observation)


def _days(observation: Observation) -> list[str]:
    return sorted(day for day in observation.get["days"].split(",") if day)
