"""What a person types and reads while the pipeline is up: every command against a running laptop cloud."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from moto.s3 import notifications

from tests.e2e.conftest import Laptop, Tidemark, environment
from tidemark.core.lifecycle import State

pytestmark = [pytest.mark.e2e, pytest.mark.spark, pytest.mark.slow]

PROGRAM = Path(sys.executable).with_name("tidemark")


def request(user: str, path: str) -> bytes:
    """One record of `web_logs`."""
    fields = {"timestamp": "2026-11-20T21:30:00Z", "user_id": user, "status_code": 404, "path": path}
    return json.dumps({**fields, "event_type": "request", "method": "GET", "bytes": 120}).encode()


def purchase(user: str, store: str) -> bytes:
    """One record of `transactions`."""
    fields = {"transaction_id": user, "user_id": user, "timestamp": "2026-11-20T21:30:00Z", "amount": "9.99"}
    return json.dumps({**fields, "store_id": store}).encode()


@pytest.fixture(scope="module")
def settled(laptop: Laptop) -> str:
    """The key of a file at rest: two good records, and a cut-off one between them."""
    key = "web_logs/settled.json"
    laptop.land(key, request("settled", "/a") + b'{"cut": ' + request("settled", "/b"))
    laptop.rest()
    return key


def test_status_batches_explain_and_query_tell_how_things_stand(
    laptop: Laptop, settled: str, tidemark: Tidemark
) -> None:
    """A file can be followed from its name to its rows, and what was set aside of it is counted."""
    batch = laptop.batch(settled)
    status = tidemark("status")
    assert status.status == 0
    assert re.search(r"web_logs 0 0 B – .*LOADED \d+", status.out)

    batches = tidemark("batches", "--dataset", "web_logs", "--limit", "50")
    assert batches.status == 0
    assert re.search(rf"{batch.batch_id} – LOADED {batch.attempt} 1 .* 3 2 1 ", batches.out)
    assert tidemark("batches", "--limit", "1").out.count("web_logs.2") <= 1

    story = tidemark("explain", laptop.uri(settled))
    assert story.status == 0
    for line in (
        f"batch {batch.batch_id} LOADED",
        f"job run {batch.run_id}",
        "this file: 3 read = 2 kept + 1 rejected + 0 duplicates",
        "lake web_events: 2 rows in 1 file",
        f"load {batch.load_id} FINISHED",
    ):
        assert line in story.out

    answer = tidemark("query", "SELECT path, status_code FROM web_events WHERE user_id = 'settled' ORDER BY path")
    assert (answer.status, answer.out) == (0, "path status_code /a 404 /b 404")


def test_rejected_records_are_listed_and_shown(laptop: Laptop, settled: str, tidemark: Tidemark) -> None:
    """A person finds the batch with rejected records, and in it the file, the place, the reason and the raw text."""
    batch = laptop.batch(settled)
    assert f"records {batch.batch_id}" in tidemark("quarantine", "list").out
    shown = tidemark("quarantine", "show", batch.batch_id)
    assert shown.status == 0
    place = len(request("settled", "/a"))
    assert re.search(rf'{re.escape(laptop.uri(settled))} {place} .+ {{"cut":', shown.out)


def test_a_replay_says_what_it_replaces_before_it_does(laptop: Laptop, settled: str, tidemark: Tidemark) -> None:
    """With --plan nothing happens; without it the batch runs again as its next attempt, and shows the same rows."""
    before = laptop.batch(settled)
    plan = tidemark("replay", "--plan", before.batch_id)
    assert plan.status == 0
    assert f"{before.attempt} → {before.attempt + 1}" in plan.out
    assert "web_events 2, user_activity 1, error_patterns 2" in plan.out
    assert "nothing was done" in plan.out
    assert laptop.batch(settled) == before

    done = tidemark("replay", "--dataset", "web_logs", "--from", f"{before.created_at:%Y-%m-%d}")
    assert done.status == 0
    assert re.search(r"\d+ batch(es)? runs? again", done.out)
    laptop.rest()
    after = laptop.batch(settled)
    assert (after.state, after.attempt) == (State.LOADED, before.attempt + 1)
    assert laptop.warehouse("SELECT COUNT(*) FROM web_events WHERE user_id = 'settled'") == [(2,)]


def test_a_file_in_quarantine_is_listed_shown_and_given_up(laptop: Laptop, tidemark: Tidemark) -> None:
    """A file that no run can get says so under its name wherever a person looks, until it is discarded."""
    gone, name = "web_logs/refused/x.json", laptop.uri("web_logs/refused/x.json")
    version = laptop.land(gone, request("refused", "/x"))
    laptop.land("web_logs/refused/y.json", request("refused", "/y"))
    laptop.cloud.wait_idle(60)
    laptop.cloud.client("s3").delete_object(Bucket=laptop.world.settings.raw_bucket, Key=gone, VersionId=version)
    laptop.rest()

    assert f"file {name}" in tidemark("quarantine", "list").out
    shown = tidemark("quarantine", "show", name)
    assert shown.status == 0
    assert f"version {version}" in shown.out
    assert "NoSuchVersion" in shown.out
    assert "is in quarantine" in tidemark("explain", name).out

    given_up = tidemark("quarantine", "discard", name)
    assert (given_up.status, given_up.out) == (0, f"discarded: {name}")
    assert f"file {name}" not in tidemark("quarantine", "list").out
    assert tidemark("quarantine", "show", name).status == 2


def test_a_batch_in_quarantine_is_listed_shown_and_released(laptop: Laptop, tidemark: Tidemark) -> None:
    """The warehouse's own words reach the person; once its cause is mended, a released batch is loaded."""
    table = laptop.world.datasets["transactions"].table("transactions")
    columns = ", ".join(
        f'"{column.name}" {"VARCHAR(4)" if column.name == "store_id" else column.type.redshift}'
        for column in table.all_columns
    )
    laptop.world.warehouse.apply("by-hand", [f"CREATE TABLE transactions ({columns})"])  # too narrow for `downtown`
    laptop.land("transactions/held.json", purchase("held", "downtown"))
    laptop.rest()
    batch = laptop.batch("transactions/held.json")
    assert f"batch {batch.batch_id}" in tidemark("quarantine", "list").out
    assert "QUARANTINED 1" in tidemark("status").out
    shown = tidemark("quarantine", "show", batch.batch_id)
    assert shown.status == 0
    assert "Value too long for character type: store_id, VARCHAR(4)" in shown.out

    widened = tidemark("query", "ALTER TABLE transactions ALTER COLUMN store_id TYPE VARCHAR(64)")
    assert widened.status == 0
    released = subprocess.run(
        [PROGRAM, "quarantine", "release", batch.batch_id],
        env={**os.environ, **environment(laptop)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (released.returncode, released.stdout, released.stderr) == (
        0,
        f"released: {batch.batch_id} goes on as attempt 2\n",
        "",
    )
    laptop.rest()
    assert laptop.batch("transactions/held.json").state is State.LOADED
    assert tidemark("query", "SELECT store_id FROM transactions").out == "store_id downtown"


def test_what_was_missed_is_brought_in_by_backfill(
    laptop: Laptop, tidemark: Tidemark, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of which no event ever told are found by their prefix; reconcile leaves young ones to their events."""
    with monkeypatch.context() as silence:
        silence.setattr(notifications, "send_event", lambda *_: None)
        laptop.land("web_logs/old/1.json", request("old", "/1"))
        laptop.land("web_logs/old/2.json", request("old", "/2"))
    young = tidemark("reconcile", "--dataset", "web_logs")
    assert young.status == 0
    assert re.search(r"web_logs/ is complete: \d+ keys, 0 brought in", young.out)

    found = tidemark("backfill", laptop.uri("web_logs/old/"), "--rate", "1000")
    assert found.status == 0
    assert found.out.endswith("web_logs/old/ is complete: 2 keys, 2 brought in")
    laptop.rest()
    assert tidemark("query", "SELECT COUNT(*) AS n FROM web_events WHERE user_id = 'old'").out == "n 2"
    assert tidemark("backfill", laptop.uri("web_logs/old/")).out.endswith("2 keys, 0 brought in")


def test_a_paused_dataset_remembers_and_a_drained_one_is_at_rest(laptop: Laptop, tidemark: Tidemark) -> None:
    """While paused, files wait and are counted; drain comes back when nothing is under way; resume lets them go on."""
    assert tidemark("pause", "web_logs").out.startswith("web_logs is paused")
    laptop.land("web_logs/paused.json", request("paused", "/a"))
    laptop.cloud.wait_idle(60)
    assert laptop.cloud.invoke("Plan", {"eager": True}).payload == {"batches": 0}
    assert re.search(r"web_logs 1 \d+ B", tidemark("status").out)
    waiting = tidemark("explain", laptop.uri("web_logs/paused.json"))
    assert (waiting.status, waiting.err.count("\n")) == (2, 1)
    assert "is pending in web_logs" in waiting.err

    assert tidemark("resume", "web_logs").out == "web_logs is running"
    assert laptop.cloud.invoke("Plan", {"eager": True}).payload == {"batches": 1}
    with ThreadPoolExecutor(1) as pool:
        driven = pool.submit(laptop.rest)
        drained = tidemark("drain", "all")
        driven.result()
    assert drained.status == 0
    assert drained.out.endswith("drained: nothing is under way")
    assert laptop.batch("web_logs/paused.json").state is State.LOADED
    assert tidemark("resume", "all").out == " ".join(f"{name} is running" for name in sorted(laptop.world.datasets))


@pytest.mark.parametrize(
    "command",
    [
        "nonsense",
        "--stack other status",
        "batches --dataset other",
        "batches --limit 0",
        "explain nonsense",
        "explain s3://",
        "explain s3://{raw}",
        "explain s3://{raw}/web_logs/never.json",
        "query SELEC",
        "query DROP",
        "reconcile --dataset other",
        "backfill web_logs/",
        "backfill s3://other/web_logs/",
        "backfill s3://{raw}/",
        "backfill s3://{raw}/other/",
        "backfill s3://{raw}/web_logs/ --rate 0",
        "replay",
        "replay no.such.batch",
        "replay {batch} --dataset web_logs",
        "replay --dataset other",
        "replay --dataset web_logs --from yesterday",
        "replay --dataset all --to 2020-01-01",
        "quarantine",
        "quarantine show other",
        "quarantine show s3://",
        "quarantine release s3://{raw}/{key}",
        "quarantine discard {batch}",
        "quarantine release s3://other",
        "pause",
        "pause other",
        "resume other",
        "drain other",
        "validate nowhere",
    ],
)
def test_a_wrong_command_is_told_in_one_line(laptop: Laptop, settled: str, tidemark: Tidemark, command: str) -> None:
    """Whatever is wrong with the words, the status is 2, and one line on stderr says what."""
    raw, batch = laptop.world.settings.raw_bucket, laptop.batch(settled).batch_id
    answer = tidemark(*command.format(raw=raw, batch=batch, key=settled).split())
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert answer.err.startswith("tidemark")
    assert "Traceback" not in answer.err


def test_nobody_at_the_endpoint_is_told_in_one_line(laptop: Laptop) -> None:
    """A cloud that is not up is a line on stderr, not a traceback, and comes within seconds."""
    began = time.monotonic()
    asked = subprocess.run(
        [PROGRAM, "status"],
        env={**os.environ, **environment(laptop), "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_MAX_ATTEMPTS": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (asked.returncode, asked.stdout, asked.stderr.count("\n")) == (2, "", 1)
    assert "tidemark local up" in asked.stderr
    assert time.monotonic() - began < 30


def test_dropped_warehouse_tables_are_rebuilt_from_the_lake(laptop: Laptop, settled: str, tidemark: Tidemark) -> None:
    """What is missing is shown, and then made; readers see the same rows, and the next load finds its table."""
    rows = "SELECT user_id, path, _batch_id, _attempt FROM web_events ORDER BY 1, 2, 3"
    before = laptop.world.warehouse.read(rows)
    assert "nothing is missing" in tidemark("warehouse", "rebuild").out
    laptop.world.warehouse.apply("drop", ["DROP TABLE web_events", "DROP VIEW user_activity"])
    shown = tidemark("warehouse", "rebuild")
    assert re.search(rf"web_logs web_events web_events \d+ {len(before)} ", shown.out)
    assert re.search(r"web_logs user_activity user_activity \d+ \d+ ", shown.out)
    assert "nothing was done; with --yes 2 tables would be filled from the lake" in shown.out
    done = tidemark("warehouse", "rebuild", "--yes")
    assert (done.status, f"web_events: {len(before)} rows of the lake are in the warehouse" in done.out) == (0, True)
    assert laptop.world.warehouse.read(rows) == before
    key = "web_logs/after_the_rebuild.json"
    laptop.land(key, request("later", "/c"))
    laptop.rest()
    assert laptop.batch(key).state is State.LOADED
    assert len(laptop.world.warehouse.read(rows)) == len(before) + 1


def test_a_lake_whose_tables_glue_forgot_is_registered(laptop: Laptop, settled: str, tidemark: Tidemark) -> None:
    """Every table comes back by its newest metadata, and a second call registers none."""
    lake, before = laptop.world.lake, laptop.world.lake.shown("web_events")
    lake.catalog.drop_table((lake.database, "web_events"))
    assert lake.shown("web_events") == {}
    done = tidemark("lake", "register")
    assert "web_events is registered: tables/web_events/metadata/" in done.out
    assert (lake.shown("web_events"), "is registered" in tidemark("lake", "register").out) == (before, False)
