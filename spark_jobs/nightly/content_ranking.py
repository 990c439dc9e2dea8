"""Ranks content by click-through rate, per site and device, over the days up to the end of the period.

The rank is by the lower bound of the 95 % Wilson score interval of clicks among views. By the plain rate, one click in
one view would beat 500 clicks in 1,000 views; their lower bounds are 21 % and 47 %.
(E. B. Wilson, Probable inference, the law of succession, and statistical inference, 1927.)
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from spark_jobs.nightly import Night, day_literal

Z = 1.959963984540054  # 95 % of the normal distribution is between -Z and Z


def compute(night: Night) -> dict[str, DataFrame]:
    """The ranking as of the period's last day."""
    ranked = content_ranking(night.tables["content_performance"], night.parameters["ranks"])
    as_of = day_literal(night.period.last).alias("as_of")
    return {"content_ranking": ranked.select(as_of, *ranked.columns)}


def content_ranking(performance: DataFrame, ranks: int) -> DataFrame:
    """At most `ranks` rows per site and device; ties go to more views, then to the lower `content_id`.

    Content with clicks but no views yet has no rate and is omitted.
    """
    totals = (
        performance.groupBy("site", "device", "content_id")
        .agg(F.sum("views").alias("views"), F.sum("clicks").alias("clicks"))
        .where("views > 0")
        .withColumn("click_through_rate", F.col("clicks") / F.col("views"))
        .withColumn("lower_bound", wilson_lower_bound(F.col("clicks"), F.col("views")))
    )
    best_first = Window.partitionBy("site", "device").orderBy(F.desc("lower_bound"), F.desc("views"), "content_id")
    ranked = totals.withColumn("rank", F.row_number().over(best_first)).where(F.col("rank") <= ranks)
    return ranked.select("site", "device", "rank", "content_id", "views", "clicks", "click_through_rate", "lower_bound")


def wilson_lower_bound(clicks: Column, views: Column) -> Column:
    """The lower bound of the click-through rate. The rate is capped at 1, as clicks can arrive before their views."""
    rate = F.least(clicks / views, F.lit(1.0))
    middle = rate + Z * Z / (2 * views)
    spread = Z * F.sqrt(rate * (1 - rate) / views + Z * Z / (4 * views * views))
    return (middle - spread) / (1 + Z * Z / views)
