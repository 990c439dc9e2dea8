"""Segments customers by k-means over demographics and the recency, frequency and amount of their purchases.

`tidemark.segmentation.model` defines the features: bands as numbers, the logarithms of money and frequency, all scaled
to mean 0 and deviation 1, and one-hot categories. The job tries every k from `k_min` to `k_max` and takes the one with
the best silhouette; ties go to the smaller k. Spark's silhouette uses squared distances, which needs only one pass.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from pyspark.ml.linalg import Vectors
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from spark_jobs.nightly import Night, Period, clusters, day_literal
from tidemark.segmentation.model import KEY, Encoding, Model, Segment
from tidemark.segmentation.profiles import TYPICAL_FIELDS, Profile, all_customers, descriptions, names

log = logging.getLogger(__name__)


def compute(night: Night) -> Mapping[str, DataFrame]:
    """The tables `customer_segments` and `segment_profiles`, and the model; without enough customers, empty tables."""
    as_of, window_days = night.period.last, int(night.parameters["window_days"])
    bought = clusters.purchases(night.tables["transactions"], as_of, window_days)
    customers = clusters.with_purchases(night.tables["customers"], bought, window_days).persist()
    encoding = clusters.fit_encoding(customers)
    encoded = customers.withColumn("features", clusters.vectors(encoding)).persist()
    best = clusters.best_clusters(encoded, night.parameters)
    if best is None:
        log.warning("no segments: there are fewer than %s customers, or too few that differ", clusters.CUSTOMERS_MIN)
        return _empty_tables(night, customers)
    clustered = best.model.transform(encoded).withColumnRenamed("prediction", "cluster").persist()
    profiles = clusters.profiles_by_spend(clustered)
    model = _model(night.period, night.parameters, best, encoding, profiles)
    night.save("model.json", model.dumps())
    best.model.write().overwrite().save(night.artifact("spark_model"))
    return {
        "customer_segments": _assignments(clustered, model, as_of),
        "segment_profiles": _profile_rows(night, model, [profile for _, profile in profiles], as_of),
    }


def _model(
    period: Period,
    parameters: Mapping[str, Any],
    best: clusters.Clusters,
    encoding: Encoding,
    profiles: Sequence[tuple[int, Profile]],
) -> Model:
    centres, ordered = best.model.clusterCenters(), [profile for _, profile in profiles]
    texts = zip(names(ordered), descriptions(ordered))
    segments = tuple(
        Segment(number, name, description, profile.customers, tuple(map(float, centres[cluster])), cluster)
        for number, ((cluster, profile), (name, description)) in enumerate(zip(profiles, texts), 1)
    )
    return Model(
        period={"every": period.every, "start": period.name, "end": period.end.isoformat()},
        as_of=period.last.isoformat(),
        window_days=int(parameters["window_days"]),
        seed=int(parameters["seed"]),
        customers=best.customers,
        silhouettes=best.silhouettes,
        encoding=encoding,
        segments=segments,
    )


def _assignments(clustered: DataFrame, model: Model, as_of: date) -> DataFrame:
    numbered = F.create_map(*(F.lit(x) for one in model.segments for x in (one.cluster, one.segment)))
    centres = {one.cluster: Vectors.dense(one.centre) for one in model.segments}
    distance = F.udf(lambda vector, cluster: float(vector.squared_distance(centres[cluster])) ** 0.5, T.DoubleType())
    return clustered.select(
        KEY,
        numbered[F.col("cluster")].alias("segment"),
        distance("features", "cluster").alias("distance"),
        day_literal(as_of).alias("as_of"),
    )


PROFILE_SCHEMA = (
    "as_of date, segment int, name string, customers bigint, share double, spend decimal(18,2), share_of_sales double,"
    " average_spend decimal(18,2), average_recency double, average_frequency double, typical_age string,"
    " typical_income string, typical_marital_status string, typical_home_ownership string,"
    " typical_household_comp string, description string"
)


def _profile_rows(night: Night, model: Model, profiles: Sequence[Profile], as_of: date) -> DataFrame:
    everyone = all_customers(profiles)
    rows = [
        (
            as_of,
            one.segment,
            one.name,
            profile.customers,
            profile.customers / everyone.customers,
            profile.spend,
            float(profile.spend / everyone.spend) if everyone.spend else None,
            (profile.spend / profile.customers).quantize(Decimal("0.01")),
            profile.recency,
            profile.frequency,
            *(profile.typical.get(field) for field in TYPICAL_FIELDS),
            one.description,
        )
        for one, profile in zip(model.segments, profiles)
    ]
    return night.spark.createDataFrame(rows, PROFILE_SCHEMA).coalesce(1)


def _empty_tables(night: Night, customers: DataFrame) -> Mapping[str, DataFrame]:
    none = customers.limit(0).select(KEY, F.lit(0).alias("segment"), F.lit(0.0).alias("distance"))
    return {
        "customer_segments": none.withColumn("as_of", F.current_date()),
        "segment_profiles": night.spark.createDataFrame([], PROFILE_SCHEMA),
    }
