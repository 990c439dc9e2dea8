"""Features and clusters of customers, for the nightly job `segment_customers`.

All customers are in one partition, ordered by key, so that the same rows and seed give exactly the same clusters. With
20 numbers each, a million customers take 200 MB.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Optional

from pyspark.ml.clustering import KMeans, KMeansModel
from pyspark.ml.evaluation import ClusteringEvaluator
from pyspark.ml.linalg import Vectors, VectorUDT
from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F
from pyspark.sql import types as T

from spark_jobs.nightly import day_literal
from tidemark.segmentation import model as segment_model
from tidemark.segmentation.model import CATEGORIES, KEY, NUMBERS, PURCHASES, UNKNOWN, Encoding, Scale
from tidemark.segmentation.profiles import TYPICAL_FIELDS, Profile

CUSTOMERS_MIN = 10  # fewer are not a population in which to find segments
ITERATIONS_MAX = 100
TOLERANCE = 1e-6  # movement of the centres below which k-means has converged


def purchases(transactions: DataFrame, as_of: date, window_days: int) -> DataFrame:
    """By household, within the window up to `as_of`: days since the last purchase, days with a purchase, net spend.

    A purchase has an amount above 0. Refunds are not purchases, but reduce the spend.
    """
    day = F.col("transaction_date")
    inside = (day <= day_literal(as_of)) & (day > F.date_sub(day_literal(as_of), window_days))
    day_bought = F.when(F.col("amount") > 0, day)
    return (
        transactions.where(inside)
        .groupBy(F.col("user_id").alias(KEY))
        .agg(
            F.datediff(day_literal(as_of), F.max(day_bought)).alias("recency"),
            F.count_distinct(day_bought).alias("frequency"),
            F.sum("amount").cast("decimal(18,2)").alias("monetary"),
        )
    )


def with_purchases(customers: DataFrame, bought: DataFrame, window_days: int) -> DataFrame:
    """All customers, ordered by key; those without purchases get frequency 0 and recency `window_days`."""
    defaults = {"recency": window_days, "frequency": 0, "monetary": Decimal("0.00")}
    filled = [F.coalesce(F.col(name), F.lit(defaults[name])).alias(name) for name in PURCHASES]
    joined = customers.join(bought, KEY, "left").select(*customers.columns, *filled)
    return joined.repartition(1).sortWithinPartitions(KEY)


def fit_encoding(customers: DataFrame) -> Encoding:
    """The medians of the known numbers, means and deviations after imputing them, and the categories."""
    coded = F.udf(lambda *values: _coded(NUMBERS, values), T.ArrayType(T.DoubleType()))
    frame = customers.select(coded(*NUMBERS).alias("numbers")).persist()
    values = [F.col("numbers")[index] for index in range(len(NUMBERS))]
    row = frame.agg(*(F.percentile(value, 0.5) for value in values)).first()
    medians = [0.0 if median is None else median for median in row or ()]
    filled = [F.coalesce(value, F.lit(median)) for value, median in zip(values, medians)]
    moments = frame.agg(*(F.struct(F.avg(value), F.stddev_pop(value)) for value in filled)).first() or ()
    scales = (Scale(median, mean or 0.0, deviation or 0.0) for median, (mean, deviation) in zip(medians, moments))
    encoding = Encoding(tuple(scales), {field: _categories(customers, field) for field in CATEGORIES})
    frame.unpersist()
    return encoding


def _coded(columns: Sequence[str], values: Sequence[Any]) -> list[Optional[float]]:
    return list(segment_model.numbers(dict(zip(columns, values))))


def _categories(customers: DataFrame, field: str) -> tuple[str, ...]:
    categories = {segment_model.category(row.asDict(), field) for row in customers.select(field).distinct().collect()}
    return (*sorted(categories - {UNKNOWN}), UNKNOWN)


def vectors(encoding: Encoding) -> Column:
    """The feature vector of a customer with purchases."""
    columns = (*NUMBERS, *CATEGORIES)

    def encode(*values: Any) -> Any:
        return Vectors.dense(encoding.vector(dict(zip(columns, values))))

    return F.udf(encode, VectorUDT())(*columns)


@dataclass(frozen=True)
class Clusters:
    """The chosen k-means model, and the silhouettes of all candidates by k."""

    model: KMeansModel
    silhouettes: Mapping[str, float]
    customers: int


def best_clusters(encoded: DataFrame, parameters: Mapping[str, Any]) -> Optional[Clusters]:
    """The model with the best silhouette; None if there are too few customers, or too few different ones."""
    customers, k_min, k_max = encoded.count(), int(parameters["k_min"]), int(parameters["k_max"])
    if customers < max(CUSTOMERS_MIN, k_min):
        return None
    distinct = encoded.select("features").distinct().count()
    models = {}
    silhouettes = {}
    for k in range(k_min, min(k_max, distinct, customers - 1) + 1):
        trainer = KMeans(k=k, seed=int(parameters["seed"]), maxIter=ITERATIONS_MAX, tol=TOLERANCE)
        models[k] = trainer.fit(encoded)
        silhouettes[k] = ClusteringEvaluator().evaluate(models[k].transform(encoded))
    if not models:
        return None
    best = max(models, key=lambda k: (silhouettes[k], -k))
    return Clusters(models[best], {str(k): value for k, value in silhouettes.items()}, customers)


def profiles_by_spend(clustered: DataFrame) -> list[tuple[int, Profile]]:
    """Pairs (cluster, profile) in descending order of average spend, so that reruns number their segments the same."""
    rows = clustered.groupBy("cluster").agg(
        F.count("*").alias("customers"),
        F.sum("monetary").alias("spend"),
        F.avg(F.when(F.col("frequency") > 0, F.col("recency"))).alias("recency"),
        F.avg("frequency").alias("frequency"),
    )
    typical = _typical(clustered)
    profiles = [(row["cluster"], _profile(row, typical.get(row["cluster"], {}))) for row in rows.collect()]
    return sorted(profiles, key=lambda pair: (-pair[1].average_spend, -pair[1].customers, pair[0]))


def _profile(row: Row, typical: Mapping[str, str]) -> Profile:
    return Profile(row["customers"], row["spend"], row["recency"], row["frequency"], typical)


def _typical(clustered: DataFrame) -> dict[int, dict[str, str]]:
    """The most frequent value by cluster and field; ties go to the alphabetically first."""
    pairs = F.explode(
        F.array(*(F.struct(F.lit(field).alias("field"), F.col(field).alias("value")) for field in TYPICAL_FIELDS))
    )
    values = clustered.select("cluster", pairs.alias("pair")).select("cluster", "pair.*").where("value <> ''")
    typical: dict[int, dict[str, str]] = {}
    for row in values.groupBy("cluster", "field", "value").count().orderBy(F.desc("count"), "value").collect():
        typical.setdefault(row["cluster"], {}).setdefault(row["field"], row["value"])
    return typical
