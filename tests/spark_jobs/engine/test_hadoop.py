"""Files through the session's own Hadoop file system."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from spark_jobs.engine.hadoop import FileSystem, Stored
from tests.spark_jobs.conftest import LAKE


def test_a_file_is_written_whole_and_replaced(spark: SparkSession, lake: Path) -> None:
    """Text becomes UTF-8, bytes stay as they are."""
    files = FileSystem(spark)
    for content, stored in (("grün and longer", "grün and longer".encode()), (b"\x00\xff", b"\x00\xff")):
        files.write(f"s3://{LAKE}/hadoop/one", content)
        assert (lake / "hadoop" / "one").read_bytes() == stored


def test_files_are_listed_by_name_with_their_sizes(spark: SparkSession, lake: Path) -> None:
    """At every depth; a folder that is not there holds none."""
    for name, size in (("listed/b", 2), ("listed/a/c", 3)):
        (lake / name).parent.mkdir(parents=True, exist_ok=True)
        (lake / name).write_bytes(b"x" * size)
    files = FileSystem(spark)
    assert files.files(f"s3://{LAKE}/listed") == [
        Stored(f"s3://{LAKE}/listed/a/c", 3),
        Stored(f"s3://{LAKE}/listed/b", 2),
    ]
    assert files.files(f"s3://{LAKE}/nowhere") == []


def test_the_rows_of_a_parquet_file_are_in_its_footer(spark: SparkSession, lake: Path) -> None:
    """They are counted without reading them."""
    pq.write_table(pa.table({"n": [1, 2, 3]}), lake / "three.parquet")
    assert FileSystem(spark).parquet_rows(f"s3://{LAKE}/three.parquet") == 3
