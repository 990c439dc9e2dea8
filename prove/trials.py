"""Trials: what AWS's pages do not say, or say where only AWS can show it."""

from __future__ import annotations

import io
import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from statistics import median
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from prove.stage import FOLDER, Stage
from prove.step import Answer
from prove.story import USER, paths_of, requests
from tidemark.core.errors import TidemarkError
from tidemark.core.files import split_uri

#: Characters of a key that one encoding or another would change.
KEY = "a b+c%20d=é&(1)'!~.json"
CODECS = ("snappy", "gzip", "zstd", "none")
ROW_BYTES = 65_535  # docs/aws-facts.md: the limit of a row
#: The entry point of a run that does nothing.
NOTHING = "print('proved')\n"
RUN_ENDED = ("SUCCESS", "FAILED", "CANCELLED", "CANCELLING")
LOOKS = 24  # at a run that should wait
ALARMS = ("FilesUnread",)  # rung by the poisoned file


def key_encoding(stage: Stage) -> Answer:
    """Lands a key of awkward characters, and looks it up under the same characters."""
    key, user = f"web_logs/{FOLDER}{KEY}", f"{USER}key"
    stage.land(key, requests(user, "/key"))
    stage.settled(key)
    paths = paths_of(stage, user)
    return Answer(f"{key} is loaded: {', '.join(paths) or 'no row'}", {"key": key, "paths": paths}, paths == ["/key"])


def database_user(stage: Stage) -> Answer:
    """Asks who owns the tables that Load has made."""
    owners = [
        owner for (owner,) in stage.ask("SELECT DISTINCT tableowner FROM pg_tables WHERE tablename = 'web_events'")
    ]
    right = len(owners) == 1 and owners[0].startswith("IAMR:")
    return Answer(f"owner {', '.join(owners) or 'unknown'}", {"owners": owners}, right)


def copy_codecs(stage: Stage) -> Answer:
    """COPY of the same two rows in each codec."""
    outcomes = {codec: _copy(stage, codec) for codec in CODECS}
    found = "; ".join(f"{codec}: {_end(outcome)}" for codec, outcome in outcomes.items())
    documented = [outcomes[codec]["Status"] for codec in ("snappy", "gzip")]
    return Answer(found, outcomes, documented == ["FINISHED", "FINISHED"])


def _copy(stage: Stage, codec: str) -> dict[str, Any]:
    file, manifest = f"{stage.copied}{codec}.parquet", f"{stage.manifests}{codec}.manifest"
    body = io.BytesIO()
    pq.write_table(pa.table({"id": pa.array([1, 2], pa.int32())}), body, compression=codec)
    _put(stage, file, body.getvalue())
    entry = {"url": file, "mandatory": True, "meta": {"content_length": len(body.getvalue())}}
    _put(stage, manifest, json.dumps({"entries": [entry]}).encode())
    return stage.statements(
        f"prove-codec-{codec}",
        f"CREATE TEMP TABLE codec_{codec} (id INTEGER)",
        f"COPY codec_{codec} FROM '{manifest}' IAM_ROLE '{stage.world.settings.copy_role_arn}'"
        " FORMAT AS PARQUET MANIFEST",
    )


def row_width(stage: Stage) -> Answer:
    """Inserts a short row and one that is too long; and a short one into columns that are too long together."""
    rows = {
        "short": _insert(stage, "short", ROW_BYTES // 3, 1_000),
        "long": _insert(stage, "long", ROW_BYTES, ROW_BYTES),
        "short in wide columns": _insert(stage, "wide", ROW_BYTES, 1_000),
    }
    found = "; ".join(f"{row}: {_end(outcome)}" for row, outcome in rows.items())
    return Answer(found, rows, (rows["short"]["Status"], rows["long"]["Status"]) == ("FINISHED", "FAILED"))


def _insert(stage: Stage, name: str, declared: int, length: int) -> dict[str, Any]:
    """Inserts two texts of that length into two columns of the declared one."""
    return stage.statements(
        f"prove-row-{name}",
        f"CREATE TEMP TABLE rows_{name} (a VARCHAR({declared}), b VARCHAR({declared}))",
        f"INSERT INTO rows_{name} SELECT REPEAT('x', {length}), REPEAT('y', {length})",
    )


def loads_at_once(stage: Stage) -> Answer:
    """Two transactions replace the same rows at the same time, each with LOCK first, as loads do."""
    table = "prove_at_once"
    stage.statements(
        "prove-table", f"CREATE TABLE {table} (load INTEGER, n INTEGER)", f"INSERT INTO {table} VALUES (0, 1)"
    )
    client, target = stage.world.client("redshift-data"), stage.world.warehouse.target
    begun = [
        client.batch_execute_statement(
            **target,
            StatementName=f"prove-load-{load}",
            Sqls=[
                f"LOCK {table}",
                f"DELETE FROM {table}",
                f"INSERT INTO {table} SELECT {load}, 1",
            ],
        )["Id"]
        for load in (1, 2)
    ]
    outcomes = [stage.ended(statement) for statement in begun]
    rows = stage.ask(f"SELECT COUNT(*) FROM {table}")[0][0]
    stage.statements("prove-drop", f"DROP TABLE {table}")
    states = [_end(outcome) for outcome in outcomes]
    right = rows == 1 and [outcome["Status"] for outcome in outcomes] == ["FINISHED", "FINISHED"]
    return Answer(f"{' and '.join(states)}, {rows} row left", {"outcomes": outcomes, "rows": rows}, right)


def statement_token(stage: Stage) -> Answer:
    """The same statement twice under one client token."""
    client, token = stage.world.client("redshift-data"), str(uuid.uuid4())
    request = {**stage.world.warehouse.target, "Sqls": ["SELECT 1", "SELECT 2"], "ClientToken": token}
    ids = [client.batch_execute_statement(**request)["Id"] for _ in range(2)]
    return Answer("one statement" if len(set(ids)) == 1 else "two statements", {"ids": ids}, len(set(ids)) == 1)


def run_token(stage: Stage) -> Answer:
    """Starts a run that does nothing again and again under one client token, at longer and longer intervals."""
    uri, token = f"s3://{stage.world.settings.control_bucket}/{FOLDER}nothing.py", str(uuid.uuid4())
    _put(stage, uri, NOTHING.encode())
    runs, waited = [], 0.0
    for pause in stage.pauses:
        time.sleep(pause)
        waited += pause
        runs.append((waited, _start(stage, uri, token)))
    known = max(after for after, run in runs if run == runs[0][1])
    found = f"the token is known after {known:.0f} s"
    if known < waited:
        found += f", and another run began after {min(after for after, run in runs if run != runs[0][1]):.0f} s"
    recording = {"runs": [{"after_seconds": after, "run": run} for after, run in runs]}
    return Answer(found, recording, known >= min(300.0, waited))


def _start(stage: Stage, uri: str, token: str, cores: int = 1, memory_gb: int = 3) -> str:
    """Starts a run with one executor of that size."""
    settings = stage.world.settings
    conf = {"spark.executor.instances": 1, "spark.executor.cores": cores, "spark.executor.memory": f"{memory_gb}g"}
    parameters = " ".join(f"--conf {name}={value}" for name, value in conf.items())
    driver = {"sparkSubmit": {"entryPoint": uri, "sparkSubmitParameters": parameters}}
    reply = stage.world.client("emr-serverless").start_job_run(
        applicationId=settings.spark_application_id,
        executionRoleArn=settings.job_role_arn,
        clientToken=token,
        name="prove-token",
        jobDriver=driver,
        executionTimeoutMinutes=5,
    )
    return str(reply["jobRunId"])


def application_states(stage: Stage) -> Answer:
    """Tries to update the application while it is started, and to stop it while a run is unfinished."""
    client, application = stage.world.client("emr-serverless"), stage.world.settings.spark_application_id
    release = client.get_application(applicationId=application)["application"]["releaseLabel"]
    uri = f"s3://{stage.world.settings.control_bucket}/{FOLDER}nothing.py"
    _put(stage, uri, NOTHING.encode())
    run = _start(stage, uri, str(uuid.uuid4()))
    refused = {
        "update": _refusal(client, lambda: client.update_application(applicationId=application, releaseLabel=release)),
        "stop": _refusal(client, lambda: client.stop_application(applicationId=application)),
    }
    stage.wait(f"run {run} to end", lambda: _run_state(stage, run) in RUN_ENDED)
    found = "; ".join(f"{call}: {words or 'accepted'}" for call, words in refused.items())
    return Answer(found, refused, all(refused.values()))


def capacity(stage: Stage) -> Answer:
    """Starts a driver whose executor is larger than what the application may still use, looks at it, and cancels it."""
    settings, client = stage.world.settings, stage.world.client("emr-serverless")
    uri = f"s3://{settings.control_bucket}/{FOLDER}nothing.py"
    _put(stage, uri, NOTHING.encode())
    run = _start(stage, uri, str(uuid.uuid4()), cores=16, memory_gb=108)
    for _ in range(LOOKS):
        time.sleep(stage.look_seconds)
    state = _run_state(stage, run)
    if state not in RUN_ENDED:
        client.cancel_job_run(applicationId=settings.spark_application_id, jobRunId=run)
    return Answer(f"{state} after {LOOKS * stage.look_seconds:.0f} s", {"state": state}, state not in RUN_ENDED)


def adoption(stage: Stage) -> Answer:
    """Deletes the stack, adopts what it has left, deploys, and reads the warehouse and brings a file in again."""
    assert stage.deploy_again
    query = "SELECT COUNT(*) FROM web_events"
    before = stage.ask(query)[0][0]
    stage.world = stage.deploy_again()
    after = stage.ask(query)[0][0]
    user = f"{USER}adopted"
    stage.settled(stage.land(f"web_logs/{FOLDER}adopted.json", requests(user, "/adopted")))
    paths = paths_of(stage, user)
    found = f"{before} rows before, {after} after; a new file is loaded: {', '.join(paths) or 'no row'}"
    return Answer(found, {"before": before, "after": after, "paths": paths}, before == after and paths == ["/adopted"])


def _refusal(client: Any, call: Callable[[], object]) -> str:
    """The error with which the service refuses the call; "" if it accepts."""
    try:
        call()
    except client.exceptions.ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def _run_state(stage: Stage, run: str) -> str:
    application = stage.world.settings.spark_application_id
    described = stage.world.client("emr-serverless").get_job_run(applicationId=application, jobRunId=run)
    return str(described["jobRun"]["state"])


def start_times(stage: Stage) -> Answer:
    """How long the proof's runs waited, worked, and what they are billed for."""
    runs = [run for run in runs_of(stage) if run["state"] == "SUCCESS"]
    if not runs:
        raise TidemarkError("expected a run that has succeeded, found none")
    waits = [_seconds(run["createdAt"], run["startedAt"]) for run in runs if run.get("startedAt")]
    works = [float(run.get("totalExecutionDurationSeconds") or 0) for run in runs]
    billed = billed_of(runs)
    found = (
        f"{len(runs)} runs: median {median(waits):.0f} s to start, {median(works):.0f} s at work;"
        f" billed {billed['vCPUHour']:.3f} vCPU-hours and {billed['memoryGBHour']:.3f} GB-hours"
    )
    return Answer(found, {"waits": waits, "works": works, "billed": billed})


def runs_of(stage: Stage) -> list[dict[str, Any]]:
    """Every job run of the proof, as GetJobRun describes it."""
    client, application = stage.world.client("emr-serverless"), stage.world.settings.spark_application_id
    pages = client.get_paginator("list_job_runs").paginate(applicationId=application, createdAtAfter=stage.began)
    ids = [run["id"] for page in pages for run in page["jobRuns"]]
    return [client.get_job_run(applicationId=application, jobRunId=run)["jobRun"] for run in ids]


def billed_of(runs: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Billed vCPU-hours and memory GB-hours of runs, together."""
    parts = [run.get("billedResourceUtilization") or {} for run in runs]
    return {unit: sum(float(part.get(unit) or 0) for part in parts) for unit in ("vCPUHour", "memoryGBHour")}


def _seconds(since: datetime, until: datetime) -> float:
    return round((until - since).total_seconds(), 1)


def region(stage: Stage) -> Answer:
    """A run outside us-east-1 finds the region of its bucket and tables."""
    succeeded = sum(run["state"] == "SUCCESS" for run in runs_of(stage))
    elsewhere = stage.region != "us-east-1"
    found = f"{succeeded} runs succeeded in {stage.region}" + ("" if elsewhere else ", which proves nothing of others")
    return Answer(found, {"region": stage.region, "succeeded": succeeded}, bool(succeeded) if elsewhere else None)


def alarms(stage: Stage) -> Answer:
    """The alarm on files that cannot be read rings after the poisoned file."""
    client = stage.world.client("cloudwatch")

    def ringing() -> list[str]:
        answer = client.describe_alarms(AlarmNamePrefix=stage.stack, StateValue="ALARM")
        return sorted(alarm["AlarmName"] for alarm in answer["MetricAlarms"])

    stage.wait("an alarm to ring", lambda: any(part in name for name in ringing() for part in ALARMS))
    rung = ringing()
    return Answer(f"{', '.join(rung)} rings", {"alarms": rung}, True)


def prices(stage: Stage) -> Answer:
    """The list prices of EMR Serverless and Redshift Serverless in the stack's region."""
    client = stage.world.client("pricing")
    found = {service: _prices(client, service, stage.region) for service in ("ElasticMapReduce", "AmazonRedshift")}
    kept = {
        usage: price
        for offers in found.values()
        for usage, price in offers.items()
        if "SERVERLESS" in usage.upper() or "ServerlessUsage" in usage
    }
    return Answer("; ".join(f"{usage} ${price}" for usage, price in sorted(kept.items())), kept)


def _prices(client: Any, service: str, where: str) -> dict[str, str]:
    filters = [{"Type": "TERM_MATCH", "Field": "regionCode", "Value": where}]
    pages = client.get_paginator("get_products").paginate(ServiceCode=service, Filters=filters)
    offers = (json.loads(text) for page in pages for text in page["PriceList"])
    return dict(price for offer in offers for price in _on_demand(offer))


def _on_demand(offer: Mapping[str, Any]) -> list[tuple[str, str]]:
    usage = offer["product"]["attributes"].get("usagetype", "")
    terms = offer.get("terms", {}).get("OnDemand", {}).values()
    dimensions = [one for term in terms for one in term["priceDimensions"].values()]
    return [(usage, one["pricePerUnit"].get("USD", "")) for one in dimensions]


def bill(stage: Stage) -> Answer:
    """What the proof has used, as the services count it."""
    billed = billed_of(runs_of(stage))
    (charged,) = stage.ask("SELECT COALESCE(SUM(charged_seconds), 0) FROM sys_serverless_usage")[0]
    found = f"{billed['vCPUHour']:.3f} vCPU-hours, {billed['memoryGBHour']:.3f} GB-hours, {charged} RPU-seconds"
    return Answer(found, {**billed, "rpu_seconds": str(charged)})


def _end(outcome: Mapping[str, Any]) -> str:
    """The error of a statement, or its state."""
    return str(outcome.get("Error") or outcome["Status"])


def _put(stage: Stage, uri: str, body: bytes) -> None:
    bucket, key = split_uri(uri)
    stage.world.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
