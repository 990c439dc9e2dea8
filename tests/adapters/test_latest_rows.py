"""Tables of the latest row in the lake, on moto's Glue and S3: what is stored by batch, and what is shown by key."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
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

HOMES = Table("homes", "latest", tuple(Column(name, ColumnType("string", (8,))) for name in ("id", "income")), key="id")
A, B = "crm.20261121T080000.aaaaaaaa", "crm.20261121T080000.bbbbbbbb"

Rows = list[tuple[str | None, str | None]]


def wrote(s3: Any, batch: str, attempt: int, day: int, rows: Rows, **more: str) -> list[str]:
    """The file of one attempt, with rows (id, income) of a file that landed on a day of November; its URI."""
    count = len(rows)
    table = pa.table(
        {
            "id": pa.array([row[0] for row in rows], pa.string()),
            "income": pa.array([row[1] for row in rows], pa.string()),
            **{name: pa.array([value] * count) for name, value in more.items()},
            "_batch_id": [batch] * count,
            "_attempt": pa.array([attempt] * count, pa.int32()),
            "_file": [f"s3://raw/{batch}.csv"] * count,
            "_rescued": pa.array([None] * count, pa.string()),
            "_landed_at": pa.array([datetime(2026, 11, day, tzinfo=UTC)] * count, pa.timestamp("us", "UTC")),
            "_ordinal": pa.array(range(count), pa.int64()),
        }
    )
    body = io.BytesIO()
    pq.write_table(table, body)
    key = f"batches/crm/{batch}/{attempt:04d}/homes.parquet"
    s3.put_object(Bucket="lake", Key=key, Body=body.getvalue())
    return [f"s3://lake/{key}"]


def shown(lake: Lake) -> dict[str, str]:
    """What a reader sees: id → income; no id comes twice."""
    rows = lake.catalog.load_table(("tide", "homes")).scan().to_arrow().to_pylist()
    found = {row["id"]: row["income"] for row in rows}
    assert len(found) == len(rows)
    return found


def stored(lake: Lake) -> int:
    return lake.catalog.load_table(("tide", "homes_by_batch")).scan().count()


def sleeping_before_commit(lake: Lake, monkeypatch: Any, meanwhile: Any) -> None:
    """The lake's next publisher has read everything, and does not commit what is shown before `meanwhile` is done."""
    show, once = lake._show, iter([meanwhile])

    def read_and_sleep(table: Table, iceberg: Any, *attempt: Any) -> None:
        rewrite = iceberg.transaction

        def transaction() -> Any:
            for act in once:
                act()
            return rewrite()

        iceberg.transaction = transaction
        show(table, iceberg, *attempt)

    monkeypatch.setattr(lake, "_show", read_and_sleep)


@pytest.fixture
def crash(lake: Lake, monkeypatch: Any) -> Iterator[Any]:
    """Publish, and die between the commit of what is stored and that of what is shown."""

    def publish(*arguments: Any) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(lake, "_show", lambda *_: (_ for _ in ()).throw(TimeoutError))
            with pytest.raises(TimeoutError):
                lake.publish(HOMES, *arguments)

    return publish


def test_of_each_key_the_row_that_landed_last_is_shown(lake: Lake, s3: Any) -> None:
    """All rows are stored; a file of an earlier day does not win by being published later."""
    lake.publish(HOMES, A, 1, wrote(s3, A, 1, 2, [("h1", "new"), ("h2", "new")]))
    lake.publish(HOMES, B, 1, wrote(s3, B, 1, 1, [("h1", "old"), ("h3", "old")]))
    assert shown(lake) == {"h1": "new", "h2": "new", "h3": "old"}
    assert stored(lake) == 4


def test_within_a_file_the_last_row_wins(lake: Lake, s3: Any) -> None:
    """A key twice in a file: the lower place loses."""
    lake.publish(HOMES, A, 1, wrote(s3, A, 1, 1, [("h1", "first"), ("h1", "second")]))
    assert shown(lake) == {"h1": "second"}


def test_the_declared_column_comes_before_the_arrival(lake: Lake, s3: Any) -> None:
    """With `newest_by`, the row of the later value wins whenever it came; a row without a value loses."""
    dated = replace(HOMES, newest_by="income")
    lake.publish(dated, A, 1, wrote(s3, A, 1, 1, [("h1", "2026"), ("h2", "2024")]))
    lake.publish(dated, B, 1, wrote(s3, B, 1, 9, [("h1", "2025"), ("h2", None)]))
    assert shown(lake) == {"h1": "2026", "h2": "2024"}


def test_an_older_row_comes_back_when_the_latest_goes(lake: Lake, s3: Any) -> None:
    """A batch is replaced by an attempt without the key: what was shown before it is shown again."""
    lake.publish(HOMES, A, 1, wrote(s3, A, 1, 1, [("h1", "low")]))
    lake.publish(HOMES, B, 1, wrote(s3, B, 1, 2, [("h1", "high"), ("h2", "high")]))
    lake.publish(HOMES, B, 2, wrote(s3, B, 2, 2, [("h3", "high")]))
    assert shown(lake) == {"h1": "low", "h3": "high"}


def test_a_batch_of_few_keys_leaves_the_others_alone(lake: Lake, s3: Any) -> None:
    """Among many keys only the touched ones change, when the batch comes and when it goes."""
    others = {f"h{number}": "low" for number in range(2, 9)}
    lake.publish(HOMES, A, 1, wrote(s3, A, 1, 1, [("h1", "low"), *others.items()]))
    lake.publish(HOMES, B, 1, wrote(s3, B, 1, 2, [("h1", "high"), ("h9", "high")]))
    assert shown(lake) == {"h1": "high", "h9": "high", **others}
    lake.publish(HOMES, B, 2, wrote(s3, B, 2, 2, [("h9", "higher")]))
    assert shown(lake) == {"h1": "low", "h9": "higher", **others}


def test_an_attempt_without_rows_takes_what_was_shown_along(lake: Lake, s3: Any) -> None:
    """A key goes with its last row."""
    lake.publish(HOMES, A, 1, wrote(s3, A, 1, 1, [("h1", "low")]))
    lake.publish(HOMES, A, 2, [])
    assert shown(lake) == {}


def test_a_row_without_a_key_is_stored_and_not_shown(lake: Lake, s3: Any) -> None:
    """It counts among the batch's rows, so nothing is lost; it is nobody's latest row."""
    lake.publish(HOMES, A, 1, wrote(s3, A, 1, 1, [(None, "low"), ("h1", "low")]))
    assert (shown(lake), stored(lake)) == ({"h1": "low"}, 2)


def test_what_is_shown_may_be_partitioned_by_any_value(lake: Lake, s3: Any) -> None:
    """Null, nothing, and a text that no key of S3 has room for: each is found by a filter, and replaced."""
    table, long = replace(HOMES, partition="income"), "Llanfair" * 128
    lake.publish(table, "b1", 1, [wrote(s3, "b1", 1, 1, [("h1", None)])[0]])
    lake.publish(table, "b2", 1, [wrote(s3, "b2", 1, 1, [("h2", "")])[0]])
    lake.publish(table, "b3", 1, [wrote(s3, "b3", 1, 2, [("h3", long)])[0]])
    found = lake.catalog.load_table(("tide", "homes"))
    for where, home in ((IsNull("income"), "h1"), (EqualTo("income", ""), "h2"), (EqualTo("income", long), "h3")):
        assert found.scan(where).to_arrow().column("id").to_pylist() == [home]
    lake.publish(table, "b3", 2, [wrote(s3, "b3", 2, 2, [("h1", long)])[0]])
    assert shown(lake) == {"h1": long, "h2": ""}


def test_publishing_twice_commits_once(lake: Lake, s3: Any) -> None:
    """A repeated publisher finds the attempt in both tables' histories, and tells the same sequence number."""
    uris = wrote(s3, A, 1, 1, [("h1", "low")])
    first = lake.publish(HOMES, A, 1, uris)
    assert lake.publish(HOMES, A, 1, uris) == first
    assert len(lake.catalog.load_table(("tide", "homes")).metadata.snapshots) == 1


def test_a_crash_between_stored_and_shown_is_made_good(lake: Lake, s3: Any, crash: Any) -> None:
    """The repeated publisher skips the first commit and makes the second."""
    lake.publish(HOMES, A, 1, wrote(s3, A, 1, 1, [("h1", "low")]))
    uris = wrote(s3, A, 2, 1, [("h2", "low")])
    crash(A, 2, uris)
    lake.publish(HOMES, A, 2, uris)
    assert shown(lake) == {"h2": "low"}


def test_the_attempt_after_a_crash_leaves_nothing_of_those_before(lake: Lake, s3: Any, crash: Any) -> None:
    """Attempt 2 was stored and perhaps shown by others, never recorded; attempt 3 takes both older ones' keys back."""
    lake.publish(HOMES, A, 1, wrote(s3, A, 1, 1, [("h1", "one")]))
    crash(A, 2, wrote(s3, A, 2, 3, [("h2", "two"), ("h3", "two")]))
    lake.publish(HOMES, B, 1, wrote(s3, B, 1, 2, [("h2", "other")]))
    lake.publish(HOMES, A, 3, wrote(s3, A, 3, 3, [("h4", "three")]))
    assert shown(lake) == {"h2": "other", "h4": "three"}


def test_two_publishers_at_once_show_the_newer_row(lake: Lake, s3: Any, endpoint: str, monkeypatch: Any) -> None:
    """Who was overtaken after reading is refused, reads anew, and does not hide the newer row by its older one."""
    lake.publish(HOMES, "crm.0", 1, wrote(s3, "crm.0", 1, 1, [("h0", "low")]))
    newer = wrote(s3, B, 1, 3, [("h1", "new")])
    sleeping_before_commit(lake, monkeypatch, lambda: a_lake(endpoint).publish(HOMES, B, 1, newer))
    lake.publish(HOMES, A, 1, wrote(s3, A, 1, 2, [("h1", "old")]))
    assert shown(lake) == {"h0": "low", "h1": "new"}


def test_a_zombie_that_has_read_shows_nothing(lake: Lake, s3: Any, endpoint: str, monkeypatch: Any) -> None:
    """Attempt 2, which has no rows, is published between attempt 1's reading and its commit: that is refused."""
    lake.publish(HOMES, B, 1, wrote(s3, B, 1, 1, [("h0", "low")]))
    sleeping_before_commit(lake, monkeypatch, lambda: a_lake(endpoint).publish(HOMES, A, 2, []))
    lake.publish(HOMES, A, 1, wrote(s3, A, 1, 1, [("h1", "low")]))
    assert shown(lake) == {"h0": "low"}


def test_a_dropped_table_comes_back_whole(lake: Lake, s3: Any) -> None:
    """The next batch shows the latest of all that is stored, not of its own keys alone."""
    lake.publish(HOMES, A, 1, wrote(s3, A, 1, 2, [("h1", "old"), ("h2", "old")]))
    lake.publish(HOMES, B, 1, wrote(s3, B, 1, 3, [("h1", "new")]))
    lake.catalog.drop_table(("tide", "homes"))
    lake.publish(HOMES, "crm.3", 1, wrote(s3, "crm.3", 1, 4, [("h3", "new")]))
    assert shown(lake) == {"h1": "new", "h2": "old", "h3": "new"}


def test_another_rule_for_the_latest_row_is_refused(lake: Lake, s3: Any) -> None:
    """Rows that nobody touches would go on showing what the old rule chose; nothing is stored either."""
    lake.publish(HOMES, A, 1, wrote(s3, A, 1, 1, [("h1", "low")]))
    message = "homes: expected the latest row of each id by arrival as in the lake, found the latest .* by income"
    with pytest.raises(DeclarationError, match=message):
        lake.publish(replace(HOMES, newest_by="income"), B, 1, wrote(s3, B, 1, 2, [("h1", "high")]))
    assert (shown(lake), stored(lake)) == ({"h1": "low"}, 1)


def test_a_batch_of_an_older_declaration_takes_no_column_from_others(lake: Lake, s3: Any) -> None:
    """The latest row of a key has a column that the publisher's declaration does not know: it stays."""
    wider = replace(HOMES, columns=(*HOMES.columns, Column("town", ColumnType("string", (8,)))))
    lake.publish(wider, A, 1, wrote(s3, A, 1, 2, [("h1", "high")], town="Ulm"))
    lake.publish(HOMES, B, 1, wrote(s3, B, 1, 1, [("h1", "low"), ("h2", "low")]))
    rows = lake.catalog.load_table(("tide", "homes")).scan().to_arrow().to_pylist()
    assert {row["id"]: row["town"] for row in rows} == {"h1": "Ulm", "h2": None}
