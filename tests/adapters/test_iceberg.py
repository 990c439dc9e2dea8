"""The lake on moto's Glue and S3 (with Glue's version check, which the laptop cloud adds): replace, fence, evolve."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.expressions import EqualTo, IsNull

from tests.adapters.conftest import a_lake
from tidemark.adapters.iceberg import Lake
from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Column, Table
from tidemark.core.errors import DeclarationError

AMOUNT = Column("amount", ColumnType("decimal", (12, 2)))
DAY = Column("day", ColumnType("date"))
SALES = Table("sales", "facts", (AMOUNT, DAY), partition="day")
FIRST, SECOND = "sales.20261121T080000.aaaaaaaa", "sales.20261121T080000.bbbbbbbb"


def wrote(s3: Any, batch_id: str, attempt: int, amounts: list[str], day: str = "2026-11-21") -> str:
    """A Parquet file of one attempt, as the job writes it; returns its URI."""
    rows = pa.table(
        {
            "amount": pa.array(amounts).cast(pa.decimal128(12, 2)),
            "day": pa.array([day] * len(amounts)).cast(pa.date32()),
            "_batch_id": [batch_id] * len(amounts),
            "_attempt": pa.array([attempt] * len(amounts), pa.int32()),
            "_file": ["s3://raw/sales/1"] * len(amounts),
        }
    )
    body = io.BytesIO()
    pq.write_table(rows, body)
    key = f"batches/sales/{batch_id}/{attempt:04d}/{day}-{len(amounts)}.parquet"
    s3.put_object(Bucket="lake", Key=key, Body=body.getvalue())
    return f"s3://lake/{key}"


def shown(lake: Lake) -> list[tuple[str, int, str]]:
    """What a reader of the table sees: batch, attempt, amount."""
    rows = lake.catalog.load_table(("tide", "sales")).scan().to_arrow().to_pylist()
    return sorted((row["_batch_id"], row["_attempt"], str(row["amount"])) for row in rows)


def test_a_newer_attempt_replaces_the_rows_of_the_older_one(lake: Lake, s3: Any) -> None:
    """Publishing attempt 2 leaves attempt 2's rows and those of other batches, and nothing else."""
    lake.publish(SALES, FIRST, 1, [wrote(s3, FIRST, 1, ["1.00", "2.00"])])
    lake.publish(SALES, SECOND, 1, [wrote(s3, SECOND, 1, ["5.00"])])
    lake.publish(SALES, FIRST, 2, [wrote(s3, FIRST, 2, ["3.00"])])
    assert shown(lake) == [(FIRST, 2, "3.00"), (SECOND, 1, "5.00")]


def test_rows_are_counted_by_batch_and_attempt(lake: Lake, s3: Any) -> None:
    """What readers see of each; nothing of a table that there is not."""
    lake.publish(SALES, FIRST, 1, [wrote(s3, FIRST, 1, ["1.00", "2.00"])])
    lake.publish(SALES, SECOND, 1, [wrote(s3, SECOND, 1, ["5.00"])])
    lake.publish(SALES, FIRST, 2, [wrote(s3, FIRST, 2, ["3.00"]), wrote(s3, FIRST, 2, ["4.00", "6.00"], "2026-11-22")])
    assert lake.shown("sales") == {FIRST: {2: 3}, SECOND: {1: 1}}
    assert lake.shown("nothing") == {}
    assert (lake.sequence("sales"), lake.sequence("nothing")) == (lake.publish(SALES, FIRST, 2, []), 0)


def test_publishing_an_attempt_twice_shows_its_rows_once(lake: Lake, s3: Any) -> None:
    """A publisher that died after its commit, and is repeated, finds the attempt in the table's history."""
    uri = wrote(s3, FIRST, 1, ["1.00"])
    lake.publish(SALES, FIRST, 1, [uri])
    lake.publish(SALES, FIRST, 1, [uri])
    assert shown(lake) == [(FIRST, 1, "1.00")]


def test_an_older_attempt_changes_nothing_after_a_newer_one(lake: Lake, s3: Any) -> None:
    """A zombie publisher of attempt 1 comes after attempt 2, which had no rows, and is fenced off."""
    late = wrote(s3, FIRST, 1, ["1.00"])
    lake.publish(SALES, FIRST, 2, [])
    lake.publish(SALES, FIRST, 1, [late])
    assert shown(lake) == []


def test_replacing_a_batch_reads_and_rewrites_no_data_file(lake: Lake, s3: Any) -> None:
    """The bounds of _batch_id show that a file is the batch's, so it is dropped whole and none is rewritten."""
    kept = wrote(s3, SECOND, 1, ["5.00"])
    lake.publish(SALES, FIRST, 1, [wrote(s3, FIRST, 1, ["1.00"])])
    lake.publish(SALES, SECOND, 1, [kept])
    newer = wrote(s3, FIRST, 2, ["3.00"])
    lake.publish(SALES, FIRST, 2, [newer])
    files = [task.file.file_path for task in lake.catalog.load_table(("tide", "sales")).scan().plan_files()]
    assert sorted(files) == sorted([kept, newer])


def test_two_publishers_at_once_lose_nothing(lake: Lake, s3: Any, endpoint: str, monkeypatch: Any) -> None:
    """When another batch is committed between look and commit, Glue refuses, and the loser looks and commits anew."""
    lake.publish(SALES, FIRST, 1, [wrote(s3, FIRST, 1, ["1.00"])])
    other, third = a_lake(endpoint), "sales.20261121T080000.cccccccc"
    uri, look = wrote(s3, third, 1, ["7.00"]), lake._table
    intruders = iter([wrote(s3, SECOND, 1, ["5.00"])])

    def look_then_be_overtaken(*table: Any) -> Any:
        found = look(*table)
        for intruder in intruders:
            other.publish(SALES, SECOND, 1, [intruder])
        return found

    monkeypatch.setattr(lake, "_table", look_then_be_overtaken)
    lake.publish(SALES, third, 1, [uri])
    assert [amount for _, _, amount in shown(lake)] == ["1.00", "5.00", "7.00"]


def test_a_zombie_that_is_overtaken_between_look_and_commit_is_fenced_off(
    lake: Lake, s3: Any, endpoint: str, monkeypatch: Any
) -> None:
    """Attempt 2 is published while attempt 1's publisher sleeps just before its commit: attempt 1 changes nothing."""
    other, late, newer = a_lake(endpoint), wrote(s3, FIRST, 1, ["1.00"]), wrote(s3, FIRST, 2, ["2.00"])
    look, attempts = lake._table, iter([newer])

    def look_then_be_overtaken(*table: Any) -> Any:
        found = look(*table)
        for uri in attempts:
            other.publish(SALES, FIRST, 2, [uri])
        return found

    monkeypatch.setattr(lake, "_table", look_then_be_overtaken)
    lake.publish(SALES, FIRST, 1, [late])
    assert shown(lake) == [(FIRST, 2, "2.00")]


def test_a_declared_column_is_added_to_the_table(lake: Lake, s3: Any) -> None:
    """Adding a column to the declaration is the whole migration; older rows show null."""
    lake.publish(SALES, FIRST, 1, [wrote(s3, FIRST, 1, ["1.00"])])
    wider = replace(SALES, columns=(AMOUNT, DAY, Column("store", ColumnType("string", (32,)))))
    lake.publish(wider, SECOND, 1, [wrote(s3, SECOND, 1, ["5.00"])])
    assert "store" in lake.catalog.load_table(("tide", "sales")).schema().column_names


def test_a_column_that_changed_its_type_is_refused(lake: Lake, s3: Any) -> None:
    """The error names the column and both types, and the table stays as it was."""
    lake.publish(SALES, FIRST, 1, [wrote(s3, FIRST, 1, ["1.00"])])
    changed = replace(SALES, columns=(Column("amount", ColumnType("double")), DAY))
    with pytest.raises(DeclarationError, match=r"amount.*decimal\(12, 2\).*double"):
        lake.publish(changed, SECOND, 1, [])
    assert shown(lake) == [(FIRST, 1, "1.00")]


@pytest.mark.parametrize("partition", [None, "amount"])
def test_a_changed_partition_is_refused(lake: Lake, s3: Any, partition: str | None) -> None:
    """Files of the new partition have no single value of the old one, so no commit could ever take them."""
    lake.publish(SALES, FIRST, 1, [wrote(s3, FIRST, 1, ["1.00"])])
    with pytest.raises(DeclarationError, match=r"^tables.sales.partition: expected day as in the lake, found "):
        lake.publish(replace(SALES, partition=partition), SECOND, 1, [])


PLACES = Table("places", "facts", (Column("place", ColumnType("string", (1024,))),), partition="place")
LONG = "Llanfair" * 128  # no key of S3 is longer


def placed(s3: Any, batch_id: str, places: list[str | None]) -> list[str]:
    """A file for each place, as the job writes them; returns their URIs."""
    uris = []
    for number, place in enumerate(places):
        body = io.BytesIO()
        rows = {"place": pa.array([place] * 2, pa.string()), "_batch_id": [batch_id] * 2}
        pq.write_table(pa.table({**rows, "_attempt": pa.array([1, 1], pa.int32())}), body)
        uris.append(f"s3://lake/batches/places/{batch_id}/{number}.parquet")
        s3.put_object(Bucket="lake", Key=uris[-1].removeprefix("s3://lake/"), Body=body.getvalue())
    return uris


def test_a_partition_is_found_by_its_value(lake: Lake, s3: Any) -> None:
    """Null, nothing and the words for null are partitions of their own, and a filter reads one file."""
    places = [None, "", "north", "North", "__HIVE_DEFAULT_PARTITION__", "a/b 50%=ü'", LONG]
    lake.publish(PLACES, FIRST, 1, placed(s3, FIRST, places))
    iceberg = lake.catalog.load_table(("tide", "places"))
    for place in places:
        scan = iceberg.scan(IsNull("place") if place is None else EqualTo("place", place))
        assert scan.to_arrow().column("place").to_pylist() == [place] * 2
        (task,) = scan.plan_files()
        assert (task.file.partition[0], task.file.record_count) == (place, 2)
        assert task.file.null_value_counts[1] == (2 if place is None else 0)


def forget_history(lake: Lake) -> None:
    """What our own expiry or somebody's maintenance does: all snapshots but the latest are gone."""
    lake.catalog.load_table(("tide", "sales")).maintenance.expire_snapshots().older_than(datetime.now(UTC)).commit()


def test_a_batch_older_than_the_history_is_not_added_twice(lake: Lake, s3: Any) -> None:
    """A publisher that is repeated after its snapshot was forgotten finds its rows in the table itself."""
    uri = wrote(s3, FIRST, 1, ["1.00"])
    lake.publish(SALES, FIRST, 1, [uri])
    lake.publish(SALES, SECOND, 1, [wrote(s3, SECOND, 1, ["5.00"])])
    forget_history(lake)
    lake.publish(SALES, FIRST, 1, [uri])
    assert shown(lake) == [(FIRST, 1, "1.00"), (SECOND, 1, "5.00")]


def compact(lake: Lake) -> None:
    """What a colleague's maintenance does: the same rows in other files, and then no history."""
    iceberg = lake.catalog.load_table(("tide", "sales"))
    iceberg.overwrite(iceberg.scan().to_arrow())
    forget_history(lake)


def test_compaction_does_not_make_a_publisher_that_is_repeated_add_rows_twice(lake: Lake, s3: Any) -> None:
    """The attempt's own files are gone from the table, and its rows tell that it was published."""
    uri = wrote(s3, FIRST, 1, ["1.00", "2.00"])
    lake.publish(SALES, FIRST, 1, [uri], 2)
    lake.publish(SALES, SECOND, 1, [wrote(s3, SECOND, 1, ["5.00"])], 1)
    compact(lake)
    lake.publish(SALES, FIRST, 1, [uri], 2)
    assert shown(lake) == [(FIRST, 1, "1.00"), (FIRST, 1, "2.00"), (SECOND, 1, "5.00")]


def test_after_a_compaction_attempts_are_fenced_and_replaced_as_before(lake: Lake, s3: Any) -> None:
    """Rows of a newer attempt keep a zombie out; those of an older one give way, and those of other batches stay."""
    first, second = wrote(s3, FIRST, 1, ["1.00"]), wrote(s3, FIRST, 2, ["2.00"])
    lake.publish(SALES, SECOND, 1, [wrote(s3, SECOND, 1, ["5.00"])], 1)
    lake.publish(SALES, FIRST, 2, [second], 1)
    compact(lake)
    lake.publish(SALES, FIRST, 1, [first], 1)
    assert shown(lake) == [(FIRST, 2, "2.00"), (SECOND, 1, "5.00")]
    lake.publish(SALES, FIRST, 3, [wrote(s3, FIRST, 3, ["3.00", "4.00"])], 2)
    assert shown(lake) == [(FIRST, 3, "3.00"), (FIRST, 3, "4.00"), (SECOND, 1, "5.00")]


def test_an_attempt_of_which_rows_are_missing_is_published_again_whole(lake: Lake, s3: Any) -> None:
    """A batch is a value: where the table has no history of it, the number of its rows tells whether it is there."""
    uri = wrote(s3, FIRST, 1, ["1.00", "2.00"])
    lake.publish(SALES, FIRST, 1, [uri], 2)
    lake.catalog.load_table(("tide", "sales")).delete("amount = 1.00")
    lake.publish(SALES, SECOND, 1, [wrote(s3, SECOND, 1, ["5.00"])], 1)
    forget_history(lake)
    lake.publish(SALES, FIRST, 1, [uri], 2)
    assert shown(lake) == [(FIRST, 1, "1.00"), (FIRST, 1, "2.00"), (SECOND, 1, "5.00")]


def test_old_snapshots_are_forgotten_a_few_at_a_time(lake: Lake, s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The history stays bounded, and what readers see is not touched by that."""
    monkeypatch.setattr("tidemark.adapters.iceberg.SNAPSHOTS_KEPT", timedelta(0))
    monkeypatch.setattr("tidemark.adapters.iceberg.FORGOTTEN_AT_ONCE", 2)
    for number in range(5):
        batch_id = f"sales.20991121T080000.{number:08x}"
        lake.publish(SALES, batch_id, 1, [wrote(s3, batch_id, 1, [f"{number}.00"])])
    assert len(lake.catalog.load_table(("tide", "sales")).metadata.snapshots) <= 2
    assert [amount for _, _, amount in shown(lake)] == ["0.00", "1.00", "2.00", "3.00", "4.00"]
