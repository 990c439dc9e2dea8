"""People, and how many hours those of a class of work have."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs.transforms import lineage


def transform(records: DataFrame) -> dict[str, DataFrame]:
    people = records.select(
        "age", "workclass", "occupation", "sex", "native_country", "income", "hours_per_week", *lineage(records)
    )
    by_work = people.groupBy("workclass", "income").agg(
        F.count("*").alias("people"), F.sum("hours_per_week").alias("hours")
    )
    return {"people": people.drop("hours_per_week"), "people_by_work": by_work}
