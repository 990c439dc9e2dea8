"""`--json`: a command's table as one JSON document, with the same rows as the table for a person."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from cli import connection, demo, local_cloud, rebuild
from cli.commands import tidemark
from cli.main import main
from cli.predict import Api
from cli.program import leaves
from cli.query import keys_of
from cli.render import NOTHING
from cli.text import visible
from local.summary import DatasetSummary, Summary, TableSummary
from tests.cli.batches import BATCH, hold
from tests.cli.nasty import is_plain
from tests.service.nights import NightWorld, land
from tidemark.clock import iso
from tidemark.core.dataset import Table
from tidemark.core.files import FileVersion
from tidemark.core.job_code import ENTRY
from tidemark.core.rebuilding import StoredFile
from tidemark.service.job_code import put_code
from tidemark.service.rebuild import Lost

#: Text that a terminal would obey, that markup would swallow, and that is not ASCII.
KEY = "shop/[red]\x1b[31m café \x7f:smile:"
FIRST = "shop.20261119T080000.bbbbbbbb"
MODEL = {"batch_id": KEY, "attempt": 1, "as_of": "2026-11-22", "k": 2, "silhouette": 0.5}
ANSWER = {
    **MODEL,
    "model": MODEL,
    "predictions": [{"household_id": KEY, "segment": 1, "name": "a", "distance": 0.25}],
    "segments": [{"segment": 1, "customers": 1_234, "share": 0.5, "description": KEY}],
}
SHOP = DatasetSummary(1, (), 1_234, 1_200, 30, 4, 0, 0.0, {"sales": TableSummary(1, 2, 1_200, 1_200)})
SUMMARY = Summary({"shop": SHOP}, landed=1, unclaimed=0, seconds=1.0)


PAGE = Path(__file__).resolve().parents[2] / "docs" / "operations.md"


class Statements:
    """The Data API with one finished statement of two rows."""

    def execute_statement(self, **_: Any) -> dict[str, str]:
        """Accepts it."""
        return {"Id": "s1"}

    def describe_statement(self, **_: Any) -> dict[str, Any]:
        """Says that it is finished."""
        return {"Status": "FINISHED", "HasResultSet": True}

    def get_statement_result(self, **_: Any) -> dict[str, Any]:
        """Returns its only page."""
        types = {"path": "varchar", "count": "int8", "share": "float8"}
        rows = [
            [{"stringValue": KEY}, {"longValue": 404}, {"doubleValue": 0.5}],
            [{"isNull": True}, {"longValue": 5}, {"doubleValue": 2.0}],
        ]
        columns = [{"name": name, "typeName": type_} for name, type_ in types.items()]
        return {"ColumnMetadata": columns, "Records": rows}


@dataclass(frozen=True)
class Case:
    """A command, its columns by title, and where in the document its rows are."""

    words: str
    columns: Mapping[str, str]  # title in the table → key of a record
    under: str = ""  # of a document that is no list
    acts: bool = False  # so that its table is that of the plan


RECORDS = {"read": "read", "kept": "kept", "rejected": "rejected", "duplicates": "duplicate_records"}
FILES = RECORDS | {"files": "files"}
RUN = FILES | {name: name for name in ("dataset", "table", "batches", "lake", "warehouse")}
CASES = (
    Case("status", {"dataset": "dataset", "pending": "pending_files", "period": "period", **RECORDS}),
    Case(
        "batches",
        {"batch": "batch_id", "period": "period", "state": "state", "attempt": "attempt", "reason": "reason", **FILES},
    ),
    Case("query SELECT", {"path": "path", "count": "count", "share": "share"}),
    Case(f"replay {BATCH} --plan", {"batch": "batch_id", "state": "state", "files": "files"}),
    Case(f"replay {BATCH}", {"batch": "batch_id", "state": "state", "files": "files"}, acts=True),
    Case("nightly list", {"job": "job", "every": "every", "latest period": "latest_period", "due": "due"}),
    Case("nightly run --plan", {"job": "job", "period": "period", "why": "reason"}),
    Case("nightly run", {"job": "job", "period": "period", "why": "reason"}, acts=True),
    Case("quarantine list", {"what": "what", "name": "name", "reason": "reason"}),
    Case(f"quarantine show {BATCH}", {"file": "file", "position": "position", "reason": "reason", "raw": "raw"}),
    Case("predict IN", {"customer": "household_id", "segment": "segment", "name": "name"}, under="predictions"),
    Case("model", {"segment": "segment", "customers": "customers", "description": "description"}, under="segments"),
    Case("warehouse rebuild", {name: name for name in ("dataset", "table", "files", "rows")}),
    Case("jobs list", {"code": "code"}),
    Case("prove list", {"step": "step", "claim": "claim", "confirmed by": "expected", "dollars": "dollars"}),
    Case("local run FOLDER --out OUT", RUN),
    Case("demo --out OUT", RUN),
)


@pytest.fixture
def stack(world: NightWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A stack with a batch in quarantine, a warehouse, an API and a laptop; the words that stand for its folders."""
    hold(world, KEY, reason=KEY)
    put_code(world, {ENTRY: b"print()"})
    asked = replace(world, clients={**world.clients, "redshift-data": Statements()})
    monkeypatch.setattr(rebuild, "warehouse_loader", lambda _: "IAMR:loader")
    monkeypatch.setattr(connection, "connect", lambda _: asked)
    monkeypatch.setattr(Api, "ask", lambda *_: ANSWER)
    lost = Lost("shop", Table("sales", "facts", ()), ("sales",))
    files = [StoredFile("s3://lake/a", 10, 2_000, ())]
    for name, double in {"connect": asked, "as_administrator": None, "look": [lost], "stored": files}.items():
        monkeypatch.setattr(rebuild, name, lambda *_, double=double: double)
    monkeypatch.setattr(rebuild.aws, "client", lambda _: None)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(local_cloud, "_drive_folder", lambda *_: SUMMARY)
    monkeypatch.setattr(demo, "DEMO_RECORDS", 5)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.json").write_text("[]")
    return {"FOLDER": f"{tmp_path}/in", "IN": f"{tmp_path}/in/a.json", "OUT": f"{tmp_path}/out"}


def shown(table: str, columns: Mapping[str, str]) -> list[dict[str, str]]:
    """The rows below the heading, without the sentences after them: title → cell."""
    lines = [re.split(r"\s{2,}", line.strip()) for line in table.splitlines()]
    heading = next(place for place, cells in enumerate(lines) if set(columns) <= set(cells))
    rows = [cells for cells in lines[heading + 1 :] if len(cells) == len(lines[heading])]
    return [dict(zip(lines[heading], cells, strict=True)) for cells in rows]


def cell(value: object) -> str:
    """A raw value as the tables show it."""
    if value is None:
        return NOTHING
    return f"{value:,}" if isinstance(value, int) and value >= 1_000 else visible(value)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.words)
def test_the_document_has_the_rows_of_the_table(
    case: Case, world: NightWorld, stack: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Standard output has the table's rows as raw values under the documented keys, and nothing else."""
    if "nightly" in case.words:
        land(world, FIRST, {"2026-11-20": [1]})  # so that a period is due
    words = [stack.get(word, word) for word in case.words.split()]
    plan = ["--plan"] if case.acts else []  # the table must not do what the document then does
    status = main([*words, *plan])
    rows = shown(capsys.readouterr().out, case.columns)
    assert main([*words, "--json"]) == status
    document = capsys.readouterr().out
    answer = json.loads(document)
    records = answer[case.under] if case.under else answer
    expected = [{title: row[title] for title in case.columns} for row in rows]
    assert expected
    assert [{title: cell(record[key]) for title, key in case.columns.items()} for record in records] == expected
    assert is_plain(document)
    assert document.isascii()
    if not case.under and "query" not in words:
        assert [tuple(record) for record in records] == [documented(case.words)] * len(records)


def documented(words: str) -> tuple[str, ...]:
    """The keys that docs/operations.md lists for a command."""
    table = PAGE.read_text(encoding="utf-8").partition("| command | keys |\n|---|---|\n")[2].partition("\n\n")[0]
    rows = [line.split("|") for line in table.splitlines()]
    keys = {name: re.findall(r"`(\w+)`", row[2]) for row in rows for name in re.findall(r"`([^`]+)`", row[1])}
    command = f"tidemark {words.replace(BATCH, 'BATCH')} "
    (listed,) = [name for name in keys if command.startswith(f"{name} ")]
    return tuple(keys[listed])


def test_every_command_that_takes_json_is_compared() -> None:
    """No command with `--json` is missing among the cases."""
    takers = {" ".join(path) for path, command in leaves(tidemark) if any(p.name == "as_json" for p in command.params)}
    assert takers == {name for name in takers if any(f"{case.words} ".startswith(f"{name} ") for case in CASES)}
    assert all(any(f"{case.words} ".startswith(f"{name} ") for name in takers) for case in CASES)


@pytest.mark.parametrize(
    ("words", "status", "document"),
    [("batches --dataset totals", 0, "[]\n"), ("replay --dataset totals", 2, ""), ("batches --dataset other", 2, "")],
)
def test_without_rows_the_document_is_empty_and_with_an_error_there_is_none(
    words: str, status: int, document: str, stack: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """No sentence is ever printed to standard output with `--json`."""
    assert main([*words.split(), "--json"]) == status
    assert capsys.readouterr().out == document


def test_a_file_in_quarantine_is_shown_as_a_record(
    world: NightWorld, stack: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is shown in three lines is one object for a script."""
    file = FileVersion("raw", KEY, "v1", 7)
    batch = world.ledger.batches.get(BATCH)
    assert batch
    world.ledger.files.refuse(replace(batch, changes=1, reason="gone"), file)
    assert main(["quarantine", "show", file.uri, "--json"]) == 0
    record = {"file": file.uri, "version": "v1", "reason": "gone", "batch_id": BATCH}
    assert json.loads(capsys.readouterr().out) == [record]
    assert tuple(record) == documented("quarantine show s3://BUCKET/KEY")
    assert main(["quarantine", "list", "--json"]) == 0
    (listed,) = [entry for entry in json.loads(capsys.readouterr().out) if entry["what"] == "file"]
    assert (listed["name"], listed["reason"], listed["since"]) == (file.uri, "gone", iso(batch.updated_at))


def test_every_rejected_record_is_in_the_document(
    world: NightWorld, stack: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The document has all rejected records, the table the first twenty and a count of the others."""
    where = {"file": "f", "version": "v"}
    rejected = [{**where, "position": place, "line": 1, "reason": "r", "raw": ""} for place in range(25)]
    hold(world, KEY, rejected=rejected)
    assert main(["quarantine", "show", BATCH, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == rejected
    assert main(["quarantine", "show", BATCH]) == 0
    assert "and 5 more, in s3://lake/" in capsys.readouterr().out


def test_columns_of_one_name_keep_their_values_apart() -> None:
    """A column title that repeats gets a number, and never the key of another column."""
    assert keys_of(["n", "n_2", "n", "n"]) == ["n", "n_2", "n_3", "n_4"]
