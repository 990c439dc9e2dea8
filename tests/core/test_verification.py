from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from tidemark.core.errors import Unbalanced
from tidemark.core.files import FileVersion
from tidemark.core.job import DataFile, Result
from tidemark.core.manifest import Input, Manifest, NightlyManifest, SnapshotFile
from tidemark.core.periods import Period
from tidemark.core.verification import verify, verify_keys, verify_nightly

TABLES, FACTS = ("web_events", "user_activity"), ("web_events",)
MANIFEST = Manifest("b", 2, "web", (FileVersion("raw", "a", "v1", 9), FileVersion("raw", "c", "v1", 9)))
A = {"bucket": "raw", "key": "a", "version": "v1", "read": 5, "kept": 3, "rejected": 1, "duplicate_records": 1}
C = {"bucket": "raw", "key": "c", "version": "v1", "read": 2, "kept": 2, "rejected": 0, "duplicate_records": 0}


@pytest.fixture
def report() -> dict[str, Any]:
    """`result.json` of a run that adds up: 7 records read, 5 kept, 1 rejected, 1 repeated."""
    return {
        "batch_id": "b",
        "attempt": 2,
        "dataset": "web",
        "files": [{**A, "problem": None}, {**C, "problem": "gzip truncated at byte 17"}],
        "tables": {
            "web_events": {"rows": 5, "files": [{"uri": "s3://lake/1", "rows": 5, "bytes": 50}]},
            "user_activity": {"rows": 0, "files": []},
        },
        "rejected": {"rows": 1, "files": [{"uri": "s3://lake/r", "rows": 1, "bytes": 9}]},
        "totals": {"read": 7, "kept": 5, "rejected": 1, "duplicate_records": 1},
    }


def parsed(report: dict[str, Any]) -> Result:
    return Result.loads(json.dumps(report))


def test_a_result_that_adds_up_is_believed(report: dict[str, Any]) -> None:
    """Every file and every record is accounted for."""
    verify(parsed(report), MANIFEST, TABLES, FACTS)


def test_a_result_tells_its_sums(report: dict[str, Any]) -> None:
    """Totals come from the files, rows from the data files, and problems keep their words."""
    result = parsed(report)
    assert [result.total(what) for what in ("read", "kept", "rejected", "duplicate_records")] == [7, 5, 1, 1]
    assert result.rows == {"web_events": 5, "user_activity": 0}
    assert [(file.uri, file.problem) for file in result.problems] == [("s3://raw/c", "gzip truncated at byte 17")]


def keys_of(rows: int) -> dict[str, Any]:
    return {"rows": rows, "files": [{"uri": "s3://lake/k", "rows": rows, "bytes": 9}] if rows else []}


@pytest.mark.parametrize(("rows", "required"), [(5, True), (5, False), (3, False), (0, False)])
def test_the_keys_of_the_records_kept_are_listed(report: dict[str, Any], rows: int, required: bool) -> None:
    """One for each record kept; fewer only where a record may come without a key."""
    result = parsed({**report, "keys": keys_of(rows)})
    verify_keys(result, required)
    assert result.keys == ((DataFile("s3://lake/k", rows, 9),) if rows else ())


@pytest.mark.parametrize(
    ("keys", "required", "words"),
    [
        ({}, False, "keys: expected a list of files, found none"),
        ({"keys": keys_of(6)}, False, "keys: expected 5, found 6"),
        ({"keys": keys_of(4)}, True, "keys: expected 5, found 4"),
    ],
)
def test_keys_that_others_would_not_know_of_are_noticed(
    report: dict[str, Any], keys: dict[str, Any], required: bool, words: str
) -> None:
    """A key that is not listed would come a second time, and nobody would see it."""
    with pytest.raises(Unbalanced, match=f"^{words}$"):
        verify_keys(parsed({**report, **keys}), required)


IMBALANCES: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (lambda r: r.update(batch_id="x"), r"batch and attempt: expected \('b', 2\), found \('x', 2\)"),
    (lambda r: r.update(attempt=1), r"batch and attempt: expected \('b', 2\), found \('b', 1\)"),
    (lambda r: r["files"].pop(), r"files: expected \[\('raw', 'c', 'v1'\)\], found \[\]"),
    (lambda r: r["files"].append(r["files"][0]), r"files: expected \[\], found \[\('raw', 'a', 'v1'\)\]"),
    (lambda r: r["files"][0].update(version="v0"), r"files: expected .*'v1'.*, found .*'v0'"),
    (lambda r: r["tables"].pop("user_activity"), r"tables: expected \['user_activity'\], found \[\]"),
    (lambda r: r["tables"].update(other={"rows": 0, "files": []}), r"tables: expected \[\], found \['other'\]"),
    (lambda r: r["files"][0].update(read=6), r"records of s3://raw/a \(kept \+ .*\): expected 6, found 5"),
    (lambda r: r["files"][0].update(kept=2, rejected=2), r"rejected records: expected 2, found 1"),
    (lambda r: r["rejected"]["files"].clear(), r"rejected records: expected 1, found 0"),
    (lambda r: r["tables"]["web_events"]["files"][0].update(rows=4), r"rows of web_events: expected 5, found 4"),
    (lambda r: r["tables"]["web_events"]["files"].clear(), r"rows of web_events: expected 5, found 0"),
]


@pytest.mark.parametrize(("spoil", "words"), IMBALANCES, ids=[words.split(":")[0] for _, words in IMBALANCES])
def test_whatever_does_not_add_up_is_named(
    report: dict[str, Any], spoil: Callable[[dict[str, Any]], Any], words: str
) -> None:
    """The error says what was counted, expected and found."""
    spoil(report)
    with pytest.raises(Unbalanced, match=f"^{words}"):
        verify(parsed(report), MANIFEST, TABLES, FACTS)


def test_one_file_missing_of_a_thousand_is_named(report: dict[str, Any]) -> None:
    """A long list shows only what differs."""
    files = tuple(FileVersion("raw", f"web/{number:04}.json", "v1", 9) for number in range(1_000))
    report["files"] = [{**C, "key": file.key, "problem": None} for file in files[:-1]]
    with pytest.raises(Unbalanced, match=r"expected \[\('raw', 'web/0999.json', 'v1'\)\], found \[\]"):
        verify(parsed(report), Manifest("b", 2, "web", files), TABLES, FACTS)


def test_an_additive_table_may_hold_fewer_rows(report: dict[str, Any]) -> None:
    """Sums have one row a key, so only facts have a row for every record kept."""
    report["tables"]["user_activity"]["files"].append({"uri": "s3://lake/2", "rows": 2, "bytes": 9})
    verify(parsed(report), MANIFEST, TABLES, FACTS)


def test_a_result_tells_the_days_that_it_knows(report: dict[str, Any]) -> None:
    """A table without `days` is left out, which is not the same as a table without rows on any day."""
    report["tables"]["web_events"]["days"] = ["2026-03-01"]
    assert parsed(report).days == {"web_events": ("2026-03-01",)}


NIGHT = NightlyManifest(
    "b", 2, "daily", Period("day", date(2026, 3, 1)),
    (
        Input("web_events", "facts", 7, 3, (SnapshotFile("lake", "1", 9, 5), SnapshotFile("lake", "2", 9, 1)), ()),
        Input("people", "latest", None, 0, (), ()),
    ),
)  # fmt: skip


@pytest.fixture
def night() -> dict[str, Any]:
    """`result.json` of a night that has read all that was pinned."""
    table = {"rows": 1, "files": [{"uri": "s3://lake/d", "rows": 1, "bytes": 5}], "days": ["2026-03-01"]}
    return {
        "batch_id": "b", "attempt": 2, "dataset": "daily", "files": [], "inputs": {"web_events": 6, "people": 0},
        "tables": {"daily": table}, "rejected": {"rows": 0, "files": []}, "artifacts": {"model.json": "s3://lake/m"},
    }  # fmt: skip


def test_a_night_that_has_read_every_pinned_row_is_believed(night: dict[str, Any]) -> None:
    """Tables that are not there yet count with no row."""
    verify_nightly(parsed(night), NIGHT, ("daily",))
    assert parsed(night).artifacts == {"model.json": "s3://lake/m"}


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"attempt": 1}, "batch and attempt: expected ('b', 2), found ('b', 1)"),
        ({"tables": {}}, "tables: expected ['daily'], found []"),
        ({"inputs": {"web_events": 6}}, "tables read: expected ['people'], found []"),
        ({"inputs": {"web_events": 5, "people": 0}}, "rows read of web_events: expected 6, found 5"),
    ],
)
def test_a_night_that_has_read_something_else_is_not(
    night: dict[str, Any], broken: dict[str, Any], message: str
) -> None:
    """The error says which count, expected and found."""
    with pytest.raises(Unbalanced) as raised:
        verify_nightly(parsed({**night, **broken}), NIGHT, ("daily",))
    assert str(raised.value) == message
