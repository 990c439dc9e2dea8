"""The story of a proof: traffic lands with duplicates and dirt, is overwritten, and meets poison and a killed run.

The totals come from the generator, which knows them before anything lands.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from local.sample_data.generate import Expected, LandedObject, generate
from prove.stage import FOLDER, Stage
from prove.step import Answer
from tidemark.core.errors import TidemarkError
from tidemark.core.lifecycle import Batch, State
from tidemark.service.documents import read_result
from tidemark.service.reconcile import reconcile

SEED, RECORDS = 11, 1_200
#: A marker of the user ids that single files carry, so that their rows can be counted.
USER = "prove-"
TRIES_MAX = 5  # runs that may end before they are cancelled


def land_traffic(stage: Stage) -> Answer:
    """Lands two datasets as Firehose does, and compares lake and warehouse with what was sent."""
    for dataset in ("web_logs", "transactions"):
        objects = traffic(stage, dataset)
        for landed in objects:
            stage.land(landed.key, landed.body)
        stage.landed[dataset] = Expected.total(objects)
        for landed in objects:
            stage.settled(landed.key)
    sent, found = sent_totals(stage.landed), totals(stage)
    return Answer(in_words(found), {"sent": sent, "found": found}, all(one == sent for one in found.values()))


def traffic(stage: Stage, dataset: str) -> list[LandedObject]:
    """Files of the hours before the proof, with two percent of dirt and of duplicates."""
    start = stage.began - timedelta(hours=3)
    return list(
        generate(
            dataset, SEED, RECORDS, start, prefix=f"{dataset}/{FOLDER}", end=stage.began, dirt=0.02, duplicates=0.02
        )
    )


def sent_totals(landed: Mapping[str, Expected]) -> dict[str, str]:
    """What the tables must hold. A repeated line item counts once; a repeated request is a request."""
    web, money = landed["web_logs"], landed["transactions"]
    return {
        "requests": str(web.clean + web.duplicates),
        "line items": str(money.clean),
        "amount": f"{money.sums['amount']:.2f}",
    }


def totals(stage: Stage) -> dict[str, dict[str, str]]:
    """The same figures in the lake, read by pyiceberg, and in the warehouse, by SQL."""
    return {"lake": lake_totals(stage), "warehouse": warehouse_totals(stage)}


def lake_totals(stage: Stage) -> dict[str, str]:
    """Counts and sum over the current snapshots."""
    database = stage.world.settings.lake_database
    tables = {name: stage.world.lake.catalog.load_table((database, name)) for name in ("web_events", "transactions")}
    amounts = tables["transactions"].scan(selected_fields=("amount",)).to_arrow().column("amount").to_pylist()
    return {
        "requests": str(tables["web_events"].scan().count()),
        "line items": str(len(amounts)),
        "amount": f"{sum(amounts, Decimal(0)):.2f}",
    }


def warehouse_totals(stage: Stage) -> dict[str, str]:
    """The same by SQL."""
    (requests,) = stage.ask("SELECT COUNT(*) FROM web_events")[0]
    items, amount = stage.ask("SELECT COUNT(*), SUM(amount) FROM transactions")[0]
    return {"requests": str(requests), "line items": str(items), "amount": f"{Decimal(str(amount)):.2f}"}


def in_words(found: Mapping[str, Mapping[str, str]]) -> str:
    """lake: 3,010 requests, …; warehouse: …"""
    return "; ".join(f"{where}: {', '.join(f'{n} {what}' for what, n in row.items())}" for where, row in found.items())


def bring_in_again(stage: Stage) -> Answer:
    """Walks over all files as a backfill does: the ledger must know each of them."""
    before, missing, seen = totals(stage), 0, 0
    for dataset in stage.landed:
        prefix = f"{dataset}/{FOLDER}"
        for part in reconcile(stage.world, stage.world.datasets[dataset], prefix, lambda: True, timedelta(0), True):
            last = part
        missing, seen = missing + last.missing, seen + last.seen
    stage.rest()
    unchanged = totals(stage) == before
    found = f"{seen} keys seen, {missing} brought in, tables {'unchanged' if unchanged else 'changed'}"
    return Answer(found, {"seen": seen, "missing": missing}, bool(seen) and not missing and unchanged)


def overwrite(stage: Stage) -> Answer:
    """Three requests land, are loaded, and are replaced by one."""
    key, user = f"web_logs/{FOLDER}overwritten.json", f"{USER}overwritten"
    stage.land(key, requests(user, "/a", "/b", "/c"))
    first = stage.settled(key)
    before = paths_of(stage, user)
    stage.land(key, requests(user, "/d"))
    stage.wait("the new version to be claimed", lambda: _moved_on(stage, key, first))
    stage.rest()
    after = paths_of(stage, user)
    found = f"{', '.join(before)} became {', '.join(after)}"
    return Answer(found, {"before": before, "after": after}, (before, after) == (["/a", "/b", "/c"], ["/d"]))


def _moved_on(stage: Stage, key: str, first: Batch) -> bool:
    """Whether the new version has a batch of its own, or the old one's next attempt has begun."""
    batch = stage.batch_of(key)
    return batch is not None and (batch.batch_id, batch.attempt) != (first.batch_id, first.attempt)


def poison(stage: Stage) -> Answer:
    """A gzip file that was cut off, and a good one: the first has a problem with its reason, the second its row."""
    user = f"{USER}poison"
    whole = gzip.compress(requests(user, "/lost" * 200), mtime=0)
    cut = stage.land(f"web_logs/{FOLDER}cut-off.json.gz", whole[: len(whole) // 2])
    stage.land(f"web_logs/{FOLDER}good.json.gz", gzip.compress(requests(user, "/good"), mtime=0))
    batch = stage.settled(cut)
    result = read_result(stage.world, batch)
    problems = [file.problem for file in result.files if file.identity[1] == cut and file.problem] if result else []
    stage.rest()
    paths = paths_of(stage, user)
    found = f"{problems[0] if problems else 'no problem'}; rows of {', '.join(paths) or 'no file'}"
    return Answer(found, {"problems": problems, "paths": paths}, bool(problems) and paths == ["/good"])


def kill_a_run(stage: Stage) -> Answer:
    """Cancels a job run while it is at work: the next attempt brings the rows, once."""
    client, application = stage.world.client("emr-serverless"), stage.world.settings.spark_application_id
    for number in range(TRIES_MAX):
        user = f"{USER}killed-{number}"
        key = stage.land(f"web_logs/{FOLDER}killed-{number}.json", requests(user, "/a", "/b"))
        stage.wait(f"a run for {key}", lambda key=key: _has_run(stage, key))  # type: ignore[misc]
        batch = stage.batch_of(key)
        assert batch
        try:
            client.cancel_job_run(applicationId=application, jobRunId=batch.run_id)
        except client.exceptions.ValidationException:  # it has ended already
            continue
        state = client.get_job_run(applicationId=application, jobRunId=batch.run_id)["jobRun"]["state"]
        loaded, paths = stage.settled(key), paths_of(stage, user)
        recording = {"state": state, "attempts": loaded.attempt, "because": loaded.because, "paths": paths}
        found = f"{state}; loaded by attempt {loaded.attempt}, rows of {', '.join(paths)}"
        if state in ("CANCELLING", "CANCELLED"):
            return Answer(found, recording, loaded.attempt > batch.attempt and paths == ["/a", "/b"])
    raise TidemarkError(f"{TRIES_MAX} runs ended before they could be cancelled")


def _has_run(stage: Stage, key: str) -> bool:
    batch = stage.batch_of(key)
    return batch is not None and (batch.state is State.RUNNING or batch.at_rest)


def requests(user: str, *paths: str) -> bytes:
    """One record of `web_logs` for each path."""
    record: dict[str, Any] = {"timestamp": "2026-11-20T21:30:00Z", "user_id": user, "status_code": 200}
    return b"".join(json.dumps({**record, "path": path}).encode() + b"\n" for path in paths)


def paths_of(stage: Stage, user: str) -> list[str]:
    """The paths of a user's requests in the warehouse."""
    return [path for (path,) in stage.ask(f"SELECT path FROM web_events WHERE user_id = '{user}' ORDER BY path")]
