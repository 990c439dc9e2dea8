"""One module per nightly job, with `compute(night) -> {table: frame}`.

`night` has the tables that the job declares under `reads` (with rows of exactly the requested days), the period and the
declared parameters. A job must be a function of these alone and use neither the current date nor its own older rows, so
that recomputing a period at any later time gives the same result as computing it for the first time.
"""

from spark_jobs.engine.period import Night
from spark_jobs.engine.touched_days import day_literal
from tidemark.core.periods import Period

__all__ = ["Night", "Period", "day_literal"]
