"""One module per nightly job, with `compute(night) -> {table: frame}`.

`night` has the tables that the job declares under `reads`, of exactly the days asked for, the period, and the declared
parameters. A job is a function of these alone: it knows neither today nor its own older rows, so that computing a
period again, whenever that is, gives what computing it for the first time would give.
"""

from spark_jobs.engine.period import Night
from spark_jobs.engine.touched_days import day_literal
from tidemark.core.periods import Period

__all__ = ["Night", "Period", "day_literal"]
