"""Of which days a table's rows are, told while they are written: no pass over them is needed for it."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from tidemark.core.dataset import Table


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
