"""Requests to a web server, and how many there were of each response."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs.transforms import lineage


def transform(records: DataFrame) -> dict[str, DataFrame]:
    requests = records.select(
        "host", F.col("time").alias("requested_at"), "method", "url", "response", "bytes", *lineage(records)
    )
    responses = requests.groupBy("response").agg(F.count("*").alias("requests"), F.sum("bytes").alias("bytes"))
    return {"nasa_requests": requests, "nasa_responses": responses}
