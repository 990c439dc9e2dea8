"""Keys remembered across batches: what one batch kept, another counts as repeated."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import Row, SparkSession

from spark_jobs.engine import batch, failures
from spark_jobs.engine.seen_keys import duplicates_marked
from tests.spark_jobs.conftest import rows
from tidemark.core.dataset import Dataset
from tidemark.core.dataset_parser import parse_dataset
from tidemark.core.files import FileVersion
from tidemark.core.job import JobSpec, Result, rows_of
from tidemark.core.manifest import Manifest
from tidemark.core.verification import verify_keys

NUMBERS = count(1)
RunBatch = Callable[..., dict[str, Any]]


def sale(number: str | None, amount: str = "1.00", user: str = "u1") -> bytes:
    record = {"transaction_id": number, "user_id": user, "timestamp": "2026-07-01T12:00:00Z", "amount": amount}
    return json.dumps({name: value for name, value in record.items() if value is not None}).encode()


@pytest.fixture
def remembering(declared: dict[str, Dataset]) -> Dataset:
    """`transactions`, whose keys are remembered for a week; a record may come without one."""
    declaration = copy.deepcopy(dict(declared["transactions"].declared))
    declaration["record"]["transaction_id"] = "string(128)"
    declaration["tables"]["transactions"].update(deduplicate="transaction_id", deduplication_window="7d")
    return parse_dataset(declaration)


@pytest.fixture
def run(spark: SparkSession, raw: Any, lake: Path, remembering: Dataset) -> RunBatch:
    """Runs a batch of files with these contents, and puts its keys where the next batch fetches them."""

    def run_batch(*contents: bytes, seen: tuple[Result, ...] = ()) -> Result:
        batch_id = f"transactions.20260702T120000.{next(NUMBERS):08x}"
        named = (raw.put(f"transactions/{batch_id}/{number}", body) for number, body in enumerate(contents))
        files = tuple(FileVersion.from_json(file) for file in named)
        listed = tuple(file for one in seen for file in one.keys or ())
        spec = JobSpec(batch_id, 1, remembering, "", f"s3://lake/batches/transactions/{batch_id}/0001/", listed)
        result = batch.run(spark, spec, Manifest(batch_id, 1, "transactions", files), {})
        for file in result.keys or ():
            key = file.uri.removeprefix("s3://lake/")
            raw.s3.put_object(Bucket="lake", Key=key, Body=(lake / key).read_bytes())
        return result

    return run_batch


def stored(result: Result, lake: Path, table: str) -> list[dict[str, Any]]:
    files = result.tables[table]
    return [row for file in files for row in pq.read_table(lake / file.uri.removeprefix("s3://lake/")).to_pylist()]


def counts(result: Result) -> list[tuple[int, int, int]]:
    return [(file.read, file.kept, file.duplicate_records) for file in result.files]


def test_what_another_batch_has_seen_came_first(spark: SparkSession) -> None:
    """All records with a seen key are duplicates; of other keys, the first record is kept."""
    frame = spark.createDataFrame(
        [(0, 0, 7, None), (0, 1, 7, None), (1, 0, 8, None), (1, 1, 8, None), (1, 2, None, None), (1, None, None, (7,))],
        "_source int, _ordinal bigint, id bigint, _rejected struct<position bigint>",
    )
    seen = spark.createDataFrame([("7",), ("7",), ("9",)], "key string")
    marked = duplicates_marked(frame, "id", seen)
    assert sorted(map(tuple, marked.where("_duplicate").select("_source", "_ordinal", "id").collect())) == [
        (0, 0, 7), (0, 1, 7), (1, 1, 8),
    ]  # fmt: skip
    assert marked.count() == 6
    assert marked.columns == [*frame.columns, "_duplicate"]


def test_a_key_that_another_batch_kept_is_not_kept_again(run: RunBatch, lake: Path) -> None:
    """The second copy counts as a duplicate, and is in neither the facts nor the sums."""
    first = run(sale("t1") + sale("t2"))
    second = run(sale("t1", "9.00") + sale("t3", "3.00"), sale("t3", "4.00") + sale("t2", "8.00"), seen=(first,))
    assert counts(second) == [(2, 1, 1), (2, 0, 2)]
    assert [row["transaction_id"] for row in stored(second, lake, "transactions")] == ["t3"]
    assert [str(row["total_amount"]) for row in stored(second, lake, "daily_user_totals")] == ["3.00"]
    third = run(sale("t3") + sale("t1") + sale("t4"), seen=(first, second))
    assert counts(third) == [(3, 1, 2)]
    assert rows_of(third.keys or ()) == 1


def test_a_batch_leaves_the_keys_that_it_kept(run: RunBatch, lake: Path) -> None:
    """Each once, as text, and none for a record that was rejected or has no key."""
    result = run(sale("t1") + sale("t2") + sale("t1") + b'{"transaction_id": "t9"}' + sale(None) + sale(None))
    kept = [pq.read_table(lake / file.uri.removeprefix("s3://lake/")) for file in result.keys or ()]
    assert sorted(key for table in kept for key in table["key"].to_pylist()) == ["t1", "t2"]
    assert [result.total(what) for what in ("read", "kept", "rejected", "duplicate_records")] == [6, 4, 1, 1]
    verify_keys(Result.loads(result.dumps()), required=False)


def test_a_record_without_a_key_repeats_nothing(run: RunBatch) -> None:
    """Two records without a key are two records, in one batch and in two."""
    first = run(sale(None) + sale(None))
    assert first.keys == ()
    assert counts(run(sale(None), seen=(first,))) == [(1, 1, 0)]


def test_a_batch_of_no_files_leaves_no_keys(run: RunBatch) -> None:
    """A batch whose files were given up has nothing that others would repeat."""
    assert run(seen=(run(sale("t1")),)).keys == ()


def test_keys_that_cannot_be_read_are_named_and_ask_for_a_person(run: RunBatch, raw: Any) -> None:
    """Without another batch's keys records would come twice, and no half of this batch would do better."""
    first = run(sale("t1"))
    uri = (first.keys or ())[0].uri
    raw.s3.put_object(Bucket="lake", Key=uri.removeprefix("s3://lake/"), Body=b"not Parquet")
    with pytest.raises(Exception, match="tidemark-read-error") as spoilt:
        run(sale("t2"), seen=(first,))
    raw.s3.delete_object(Bucket="lake", Key=uri.removeprefix("s3://lake/"))
    with pytest.raises(Exception, match="tidemark-read-error") as missing:
        run(sale("t2"), seen=(first,))
    for error, found in ((spoilt, "magic"), (missing, "NoSuchKey")):
        report = failures.of(error.value)
        assert (report.kind, report.file) == ("beyond", None)
        assert uri in report.message
        assert found in report.message
        assert "replay that batch" in report.message


def test_of_records_with_one_key_the_first_is_kept(spark: SparkSession) -> None:
    """First by manifest, then by place in the file, so that a replay keeps the same; rejected ones have no key."""
    frame = spark.createDataFrame(
        [(1, 0, "t1", None), (0, 5, "t1", None), (0, 9, "t1", None), (0, 0, "t2", None), (0, None, None, (7,))],
        "_source int, _ordinal bigint, id string, _rejected struct<position bigint>",
    )
    marked = duplicates_marked(frame, "id").where("_duplicate").select("_source", "_ordinal", "id")
    assert rows(marked) == [(0, 9, "t1"), (1, 0, "t1")]


def test_without_a_key_nothing_is_a_duplicate(spark: SparkSession) -> None:
    """Two equal requests are two requests."""
    frame = spark.createDataFrame([("u1",), ("u1",)], "user_id string")
    assert duplicates_marked(frame, None).collect() == [Row(user_id="u1", _duplicate=False)] * 2
