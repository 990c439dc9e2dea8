"""Every command that prints what came from outside prints it as text, at any width."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from cli.nightly import list_jobs, run_night
from cli.operate import choose_batches, list_quarantine, replay_batches, show_quarantined
from cli.predict import Api, show_model, show_predictions
from cli.query import run_query
from cli.render import PIPE_WIDTH, name, visible
from cli.status import show_batches, show_file, show_status
from cli.summary import show_summary
from local.summary import DatasetSummary, Finding, QuarantinedBatch, Summary, TableSummary
from tests.cli.nasty import NASTY, is_plain, printed
from tests.service.nights import NightWorld
from tidemark.core.files import FileVersion
from tidemark.core.lifecycle import Batch, Counts, State
from tidemark.core.manifest import Manifest
from tidemark.core.naming import attempt_prefix

BATCH = "shop.20261121T080000.aaaaaaaa"
WIDTHS = (40, 120)
#: What S3 and DynamoDB can be handed: UTF-8; one text that is closed by what it does not open, and all of them in one.
KEYS = [text for text in NASTY if not any(0xD800 <= ord(one) < 0xE000 for one in text)]
ALL = ("[/x]", "/".join(text for text in KEYS if len(text) < 60))


def checked(command: Callable[[Console], object], *expected: str) -> None:
    """The command prints plain lines that fit every screen; a pipe has what is expected in full."""
    for width in WIDTHS:
        shown = printed(command, width)
        assert is_plain(shown)
    piped = printed(command, PIPE_WIDTH)
    assert is_plain(piped)
    assert [text for text in expected if text not in piped] == []


def hold(world: NightWorld, key: str, state: State = State.QUARANTINED, reason: str = "why") -> Batch:
    """A batch of the shop that has claimed one file, read it, and rejected a record."""
    file = FileVersion("raw", key, "v1", 7)
    now = world.clock.now()
    place = attempt_prefix("shop", BATCH, 1)
    world.store.put_once("control", f"{place}manifest.json", Manifest(BATCH, 1, "shop", (file,)).dumps())
    counted = {"read": 3, "kept": 1, "rejected": 1, "duplicate_records": 1, "problem": reason}
    world.store.put(
        "lake", f"{place}rejected/1.json", json.dumps({"file": file.uri, "position": 12, "reason": reason, "raw": key})
    )
    rejected = {"rows": 1, "files": [{"uri": f"s3://lake/{place}rejected/1.json", "rows": 1, "bytes": 9}]}
    report = {
        "batch_id": BATCH, "attempt": 1, "dataset": "shop", "rejected": rejected,
        "files": [{"bucket": "raw", "key": key, "version": "v1", **counted}], "tables": {},
    }  # fmt: skip
    world.store.put("lake", f"{place}result.json", json.dumps(report))
    world.ledger.files.claim(file, "shop", BATCH, now)
    known = world.ledger.batches.get(BATCH) or Batch(BATCH, "shop", now, now)
    held = replace(
        known, state=state, reason=reason, manifest=f"{place}manifest.json", files=1, bytes=7,
        counts=Counts(read=3, kept=1, rejected=1, duplicate_records=1, problems=1, rows={"sales": 1}),
    )  # fmt: skip
    return world.ledger.batches.save(held)


@pytest.mark.parametrize("reason", ALL, ids=["markup", "all"])
def test_what_the_ledger_holds_is_printed_as_text(world: NightWorld, reason: str) -> None:
    """Keys and reasons in `batches`, `explain`, `quarantine list`, `quarantine show`, `status`, `replay --plan`."""
    key = f"shop/{reason}"
    hold(world, key, reason=reason)
    uri, why = f"s3://raw/{key}", visible(reason).strip()
    checked(lambda console: show_batches(world, console, None, 20), BATCH, why)
    checked(lambda console: show_file(world, console, uri), name(uri), why)
    checked(lambda console: list_quarantine(world, console), BATCH, name(uri), why)
    checked(lambda console: show_quarantined(world, console, BATCH, 20), BATCH, name(uri), why)
    checked(lambda console: show_status(world, console), "QUARANTINED 1")
    plan = choose_batches(world, [BATCH], None, None, None)
    checked(lambda console: replay_batches(world, console, plan, only_plan=True), BATCH, "sales 1")
    checked(lambda console: list_jobs(world, console), "totals")
    checked(lambda console: run_night(world, console, [], [], only_plan=True))


@dataclass
class Statements:
    """The Data API with one finished statement."""

    columns: tuple[str, ...]
    row: tuple[str | None, ...]

    def execute_statement(self, **_: Any) -> dict[str, str]:
        """It is accepted."""
        return {"Id": "s1"}

    def describe_statement(self, **_: Any) -> dict[str, Any]:
        """It is finished."""
        return {"Status": "FINISHED", "HasResultSet": True}

    def get_statement_result(self, **_: Any) -> dict[str, Any]:
        """Its only page."""
        fields = [{"isNull": True} if value is None else {"stringValue": value} for value in self.row]
        return {"ColumnMetadata": [{"name": one, "typeName": "varchar"} for one in self.columns], "Records": [fields]}


@pytest.mark.parametrize("text", NASTY)
def test_rows_and_titles_of_a_query_are_printed_as_text(world: NightWorld, text: str) -> None:
    """A null is a dash, everything else is what it is."""
    asked = replace(world, clients={**world.clients, "redshift-data": Statements((text, "n"), (text, None))})
    checked(lambda console: run_query(asked, console, "SELECT 1"), visible(text).strip(), "–")


@pytest.mark.parametrize("text", NASTY)
def test_answers_of_the_model_are_printed_as_text(text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """`predict` and `model`, as a table and as JSON, which stays JSON."""
    model = {"batch_id": text, "attempt": 1, "as_of": text, "k": 2, "silhouette": 0.5}
    guess = {"household_id": text, "segment": 1, "name": text, "distance": 0.25}
    segment = {"segment": 1, "customers": 1234, "share": 0.5, "description": text}
    answer = {**model, "model": model, "predictions": [guess], "segments": [segment]}
    monkeypatch.setattr(Api, "ask", lambda *_: answer)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    asked = tmp_path / "customers.json"
    asked.write_text("[]")
    told = visible(text).strip()
    checked(lambda console: show_predictions("s", console, str(asked), as_json=False), told, "0.250")
    checked(lambda console: show_model("s", console, as_json=False), told, "1,234")
    assert json.loads(printed(lambda console: show_model("s", console, as_json=True), 40)) == answer


def summary(**found: Any) -> Summary:
    """A run of one dataset, and what is given beside it."""
    shop = DatasetSummary(1, (), 2, 2, 0, 0, 0, 0.0, {"sales": TableSummary(1, 2, 2, 2)})
    return Summary({"shop": shop}, landed=1, unclaimed=0, seconds=1.0, **found)


@pytest.mark.parametrize("text", NASTY)
def test_a_summary_prints_names_and_reasons_as_text(text: str, tmp_path: Any) -> None:
    """Whatever a file is called and a reason says."""
    found = summary(
        skipped=(Finding(text, text),), unread=(Finding(text, text),), refused=(Finding(text, text),),
        unclaimed_files=(text,), quarantined=(QuarantinedBatch(BATCH, text, (text,)),),
        differences=(text,), beyond_tolerance=(text,),
    )  # fmt: skip
    checked(lambda console: show_summary(console, found, tmp_path / "out"), name(text), BATCH)
    assert json.loads(json.dumps(found.to_json()))["skipped"] == [{"name": text, "reason": text}]


TROUBLES: Mapping[str, Any] = {
    "skipped": (Finding("a.json", "its name is not UTF-8"),),
    "unclaimed_files": ("a.json",),
    "unread": (Finding("a.json", "gzip truncated at byte 9"),),
    "refused": (Finding("a.json", "no such version"),),
    "quarantined": (QuarantinedBatch(BATCH, "relation does not exist", ("a.json",)),),
    "differences": ("a.json: expected 2 rows, found 1",),
    "beyond_tolerance": ("shop: 1 of 2 records of a.json rejected",),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_summary_with_any_trouble_is_not_all_well(trouble: str, tmp_path: Any) -> None:
    """One file less than all, and it is named with its reason; nothing claims that every row is accounted for."""
    found = summary(**{trouble: TROUBLES[trouble]})
    said = printed(lambda console: show_summary(console, found, tmp_path), 200)
    assert not found.clean
    assert "every row accounted for" not in said
    assert "a.json" in said
    assert getattr(TROUBLES[trouble][0], "reason", "") in said


def test_a_summary_without_trouble_says_so(tmp_path: Any) -> None:
    """The last thing that the counts promise."""
    said = printed(lambda console: show_summary(console, summary(), tmp_path), 200)
    assert (summary().clean, "every row accounted for" in said, "person" in said) == (True, True, False)


def test_a_long_list_of_troubles_is_cut_where_it_can_be_seen(tmp_path: Any) -> None:
    """Ten of 22 files, and where the other 12 are."""
    found = summary(unclaimed_files=tuple(f"other/{place}" for place in range(22)))
    said = printed(lambda console: show_summary(console, found, tmp_path), 200)
    assert "22 files under no dataset's prefix:" in said
    assert said.count("other/") == 10
    assert "and 12 more, see summary.json" in said


def test_figures_of_busy_batches_are_whole_at_eighty_columns(world: NightWorld) -> None:
    """What is shown of counts is all of them, and what is left out is named."""
    hold(world, "shop/a.json")
    batch = world.ledger.batches.get(BATCH)
    assert batch
    world.ledger.batches.save(
        replace(batch, counts=Counts(read=1_234_567, kept=1_230_000, rejected=4_567), bytes=98_765_432)
    )
    for width in (80, 100, 120, 160):
        shown = printed(lambda console: show_batches(world, console, None, 20), width)
        note = " ".join(shown.split()).partition("not shown in ")[2]
        assert max(map(cell_len, shown.splitlines())) <= width
        for title, figure in {"read": "1,234,567", "kept": "1,230,000", "rejected": "4,567"}.items():
            assert (figure in shown.replace("1,234,567", "") or title == "read") or title in note
