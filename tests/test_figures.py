"""Every figure that a page gives and the code knows: the sentence is formed from the code and must stand on the page.

A figure that was measured is not here; the page names the command that measures it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.local_cloud import SPEED
from local.lambda_runtime import http_api
from local.stack.template import load
from spark_jobs.engine import failures as job_failures
from spark_jobs.engine import s3_objects
from spark_jobs.engine.decompression import compression, snappy, unpacking
from spark_jobs.engine.formats import avro, bounds, checks, columnar, records, rescue, scanner, splitting
from spark_jobs.nightly import clusters
from tests.simulation.progress import AFTERMATH
from tests.simulation.scenario import CHAOS_SECONDS
from tests.simulation.small_worlds import WORLDS
from tests.simulation.world import SKEW_MAX
from tidemark.adapters import emr, iceberg, latest_rows
from tidemark.core import (
    batching,
    column_types,
    dataset,
    dataset_parser,
    draining,
    failures,
    files,
    health,
    load_limits,
    loading,
    passes,
    retry,
    sizing,
    strict_json,
)
from tidemark.core.capacity import runs_that_fit
from tidemark.core.lifecycle import PATIENCE, State
from tidemark.core.slots import background_max
from tidemark.core.stack_names import longest_stack_name
from tidemark.core.warehouse_ddl import SHARDS
from tidemark.observability import COUNTS, GAUGES
from tidemark.segmentation import model, predict, profiles, registry
from tidemark.service import load as load_service
from tidemark.service import plan, reconcile, recover, report, submit, sweep

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE: Mapping[str, Any] = load(ROOT / "template.yaml")


class Words(dict[int, str]):
    """Small numbers as pages spell them; others in digits, which no page has in these places."""

    def __missing__(self, number: int) -> str:
        return str(number)


WORDS = Words(enumerate(
    ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
     "thirteen", "fourteen", "fifteen", "sixteen"]
))  # fmt: skip
MB, GIB = 1 << 20, 1 << 30


def of(resource: str) -> Mapping[str, Any]:
    """A resource's properties in the template."""
    properties: Mapping[str, Any] = TEMPLATE["Resources"][resource]["Properties"]
    return properties


def parameter(name: str) -> Any:
    """A parameter's default."""
    return TEMPLATE["Parameters"][name]["Default"]


def slots() -> int:
    """The number of runs that fit into the default capacity."""
    return runs_that_fit(*(parameter(name) for name in ("SparkCpu", "SparkMemory", "SparkDisk")))


def said(value: object, expected: object, phrase: str) -> str:
    """The phrase that stands for an expected value; for another one, words that no page has."""
    return phrase if value == expected else f"a phrase for {value}"


def every(name: str) -> int:
    """Minutes between two calls of a schedule."""
    number, unit = re.fullmatch(r"rate\((\d+) (\w+?)s?\)", parameter(name)).groups()  # type: ignore[union-attr]
    assert unit == "minute"
    return int(number)


def minutes(span: timedelta) -> int:
    """Whole minutes."""
    assert span % timedelta(minutes=1) == timedelta(0)
    return span // timedelta(minutes=1)


def hours(span: timedelta) -> int:
    """Whole hours."""
    assert span % timedelta(hours=1) == timedelta(0)
    return span // timedelta(hours=1)


def declared(job: str) -> Mapping[str, Any]:
    """A nightly job's declaration."""
    text = (ROOT / "datasets" / "nightly" / f"{job}.yaml").read_text(encoding="utf-8")
    document: Mapping[str, Any] = yaml.safe_load(text)
    return document


def days_back(job: str, table: str) -> int:
    """How many days before its period a job reads of a table."""
    return int(declared(job)["reads"][table]["back"].removesuffix("d"))


def statements(kind: str) -> int:
    """Statements that a load needs for a table of the kind."""
    return load_limits.statements_of(dataset.Table("t", kind, ()))


def tables_max() -> int:
    """How many tables of facts a load, and so a dataset, can have."""
    return (load_limits.STATEMENTS_MAX - load_limits.FRAME_STATEMENTS) // statements("facts")


def batch_defaults() -> str:
    """The line of the page with the defaults of a dataset's batch policy."""
    policy = dataset.BatchPolicy()
    return (
        f"batch: {{max_files: {policy.max_files}, max_bytes: {policy.max_bytes // MB}MB,"
        f" max_wait: {policy.max_wait.seconds}s, max_running: {policy.max_running}}}"
    )


def kept_days() -> int:
    """How long the raw bucket keeps a version that was overwritten."""
    rules = {rule["Id"]: rule for rule in of("RawBucket")["LifecycleConfiguration"]["Rules"]}
    days: int = rules["overwritten"]["NoncurrentVersionExpiration"]["NoncurrentDays"]
    return days


def gigabytes(function: str) -> str:
    """A function's memory as Lambda bills it."""
    megabytes = of(function).get("MemorySize", TEMPLATE["Globals"]["Function"]["MemorySize"])
    return f"{megabytes / 1024:.3g}"


def pinned(package: str) -> str:
    """The version that `make setup` installs."""
    version_match = re.search(
        rf"^{package}==(\S+)", (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert version_match, package
    return version_match[1]


def rings_after(alarm: str) -> int:
    """Minutes that an alarm's condition must hold."""
    whole: int = ALARMS[alarm]["Period"] * ALARMS[alarm]["EvaluationPeriods"]
    return whole // 60


def one_core_bytes() -> int:
    """The largest batch that runs with one core."""
    return next(size for size in range(MB, GIB, MB) if sizing.run_size(size + 1).executor.cores > 1)


def guess(unit: str) -> str:
    """The row of the page that says between which numbers the unit is guessed."""
    factor = column_types.EPOCH_UNITS[unit]
    names = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
    return f"| {checks.GUESSED.start * factor:,} | {checks.GUESSED.stop * factor - 1:,} | {names[unit]} |"


def simulated(row: str) -> float:
    """A figure of the last long simulation, from its generated report."""
    page = (ROOT / "docs" / "evidence" / "simulation.md").read_text(encoding="utf-8")
    row_match = re.search(rf"^\| {row} \| (?:0 to )?([\d,]+)", page, re.MULTILINE)
    assert row_match, row
    return float(row_match[1].replace(",", ""))


COMPRESSIONS = len(compression._PACKINGS) + 1  # a raw block of Snappy is in no table, for it has no mark
#: The last one counted from 0.
SEEDS = int(simulated("seeds")) + 1
FILES_SIMULATED = f"{simulated('file versions') / 1e6:.1f} million file versions"
PYTHON = re.search(r'requires-python = ">=([\d.]+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))[1]  # type: ignore[index]
SESSION_GAP = declared("daily_activity")["parameters"]["session_gap_minutes"]
SEGMENTS = declared("segment_customers")["parameters"]
ALARMS = {name: one["Properties"] for name, one in TEMPLATE["Resources"].items() if name.endswith("Alarm")}
LANDED = of("Collect")["Events"]["Landed"]["Properties"]
BACKOFF = f"{retry.FIRST.seconds // 2} s to {minutes(retry.LONGEST)} min"
UNIT_COST = {"vCPU-hour": 0.052624, "GB-hour": 0.0057785, "RPU-hour": 0.375}  # us-east-1, USD: docs/architecture.md
ID = dataset.Column("id", column_types.ColumnType("boolean"))
#: The bytes of a row that are not the declared columns', in the kind of table that has the most of them.
OWN_BYTES = load_limits.row_bytes(dataset.Table("t", "latest", (ID,), key="id")) - ID.type.row_bytes
SMALLEST = sizing.run_size(1)
SMALLEST_GB = SMALLEST.driver.memory_gb
WORKERS = 1 + SMALLEST.executors
RUN_COST = WORKERS * (UNIT_COST["vCPU-hour"] + SMALLEST_GB * UNIT_COST["GB-hour"]) / 60
WAKE_COST = parameter("WarehouseCapacity") * 60 / 3600 * UNIT_COST["RPU-hour"]

FIGURES = {
    "README.md": [
        f"[{WORDS[COMPRESSIONS]} compressions](docs/formats.md)",
        f"{SEEDS:,} simulated histories with faults, nights and tables of the latest row, {FILES_SIMULATED}",
        f"it needs only Python ≥ {PYTHON}",
    ],
    "CONTRIBUTING.md": [f"needs only Python {PYTHON} or newer"],
    "docs/architecture.md": [
        f"up to {LANDED['BatchSize']:,} messages or those of {LANDED['MaximumBatchingWindowInSeconds']} s",
        f"if `max_files`, `max_bytes` or {files.PACKED_BYTES_MAX // 1024} KB require it",
        (
            f"the messages come back after {of('LandedQueue')['VisibilityTimeout']} s. After"
            f" {WORDS[of('LandedQueue')['RedrivePolicy']['maxReceiveCount']]} receives they go to LandedDeadLetters"
        ),
        said(every("PlanSchedule"), 1, "Plan runs every minute"),
        said(batching.GROWTH_MAX, 10, "batches grow up to tenfold"),
        said(background_max(100), 50, "hold at most half of the slots"),
        f"drivers included: {slots()} with the {parameter('SparkCpu')} of a new account",
        f"up to {batching.SEGMENTS_MAX} segments marked",
        f"planned more than {WORDS[minutes(submit.TOKEN_TRUST)]} minutes ago",
        f"searches again, up to {WORDS[iceberg.COMMITS_MAX]} times",
        said(every("LoadSchedule"), 1, "Load runs every minute"),
        (
            f"at most {loading.BATCHES_MAX} batches and {load_limits.STATEMENTS_MAX} statements:"
            f" {load_limits.FRAME_STATEMENTS} for the load itself, {statements('latest')} for each `latest` table,"
            f" and {statements('facts')} for each other table"
        ),
        f"over {WORDS[len(SHARDS)]} shards",
        said(minutes(load_service.ABANDONED_AFTER), 1, "a minute later the next load finds it open"),
        said(parameter("NightlySchedule"), "cron(30 0 * * ? *)", "Nightly runs at 00:30 UTC"),
        f"plus {latest_rows.READ_BYTES // MB} MB of Parquet at a time",
        f"Sweep runs every {every('SweepSchedule')} minutes",
        said(sweep.SEGMENTS_MAX, 100, "it reads the hundred oldest of each dataset"),
        f"It runs every {every('ReconcileSchedule')} minutes",
        f"saw up to {passes.DAILY_KEYS_MAX // 10**6} million keys",
        f"later than {WORDS[passes.LATE.days]} days before the last pass began",
        f"every {passes.WHOLE_EVERY.days} days, in the time",
        (
            f"lists {WORDS[reconcile.AT_ONCE]} folders at once and looks up"
            f" {WORDS[reconcile.AT_ONCE * reconcile.LOOKUP_MAX // 100]} hundred keys at once"
        ),
        f"after {WORDS[failures.VANISHED_MAX]} such attempts in a row waits for a person",
        f"`traceback` has up to {job_failures._TRACEBACK_MAX // 1000} KB",
        said(SPEED, 20, "run twenty times as fast"),
        f"trusts it for {WORDS[minutes(submit.TOKEN_TRUST)]} minutes",
        f"on {parameter('EmrRelease')}; cold start",
        (
            f"at least ${RUN_COST:.4f} a run ({WORDS[WORKERS]} workers of {SMALLEST.executor.cores} vCPU and"
            f" {SMALLEST_GB} GB for a minute*)"
        ),
        f"{parameter('WarehouseCapacity')} RPU × 60/3600 h × $0.375* = **${WAKE_COST:.2f}**",
        (
            f"Collect 20 × 0.04 s × {gigabytes('Collect')} GB, Plan 8.4 s × {gigabytes('Plan')} GB,"
            f" Publish 1.4 s × {gigabytes('Publish')} GB, others 0.3 GB-s"
        ),
        f"runs in local PySpark {pinned('pyspark')}",
        f"Every five minutes that is ${WAKE_COST * 288:.2f} a day, hourly ${WAKE_COST * 24:.2f}",
        f"up to {len(COUNTS) + len(GAUGES)} metrics × $0.30*",
        f"{len(ALARMS)} alarms × $0.10",
    ],
    "docs/aws-facts.md": [
        f"takes 1 to {load_limits.STATEMENTS_MAX} statements",
        f"at most {batching.SEGMENTS_MAX + 1} actions",
    ],
    "docs/decisions/0010-latest-row.md": [
        f"{WORDS[statements('latest')]} statements for such a table instead of {WORDS[statements('facts')]}",
    ],
    "docs/decisions/0018-a-ledger-bears-a-seal.md": [f"{WORDS[minutes(recover.HANDLERS_END_AFTER)]} minutes"],
    "docs/decisions/0019-shards.md": [f"{WORDS[len(SHARDS)]} tables, `tidemark.load_history_0` to `_{SHARDS[-1]}`"],
    "docs/lifecycle.md": [
        f"retried after a pause of {BACKOFF}. After {failures.TRANSIENT_MAX} failures in a row the batch is",
        f"still denied after {failures.TRANSIENT_MAX} tries",
        f"gets larger workers, up to {WORDS[sizing.LARGER_MAX]} times",
        f"all {sizing.LARGEST_GB} GB of the largest worker",
        f"fails {failures.UNKNOWN_MAX} times for an unknown reason",
        f"its time limit of {emr.RUN_MINUTES_MAX} minutes",
        f'"the run did not finish within {emr.RUN_MINUTES_MAX} minutes"',
        f"After {failures.VANISHED_MAX} such attempts in a row the batch is quarantined",
        (
            f"after {minutes(PATIENCE[State.FORMING])} minutes in FORMING, PLANNED or LOADING,"
            f" {minutes(PATIENCE[State.RUNNING])} in RUNNING, {minutes(PATIENCE[State.PUBLISHED])} in PUBLISHED"
        ),
    ],
    "docs/deduplication.md": [
        said(batching.GROWTH_MAX, 10, "up to ten times `max_files` and `max_bytes`"),
        f"sweep does so within {WORDS[every('SweepSchedule')]} minutes",
        f"fetched {WORDS[s3_objects.THREADS]} at a time by each task",
    ],
    "docs/nightly.md": [
        said(parameter("NightlySchedule"), "cron(30 0 * * ? *)", "`Nightly` runs at 00:30 UTC"),
        said(background_max(100), 50, "At most half of the slots are used for nightly batches"),
        f"| a run | {WORDS[WORKERS]} small workers for a minute | ${RUN_COST:.4f} |",
        f"a pause of more than {SESSION_GAP} minutes ends a session",
        f"the {declared('daily_sales')['parameters']['ranks']} best of the day",
        f"{days_back('content_ranking', 'content_performance') + 1} days of `content_performance`",
        f"the {declared('content_ranking')['parameters']['ranks']} best of each site and device",
        f"`hourly_errors` and `daily_sales`, and {days_back('anomalies', 'daily_sales')} days before",
        f"{days_back('forecast', 'daily_sales') + 1} days of `daily_sales`",
        f"net sales of the next {declared('forecast')['parameters']['days']} days",
        said(declared("forecast")["parameters"]["interval"], 0.8, "an interval that should contain four of five"),
        f"{SEGMENTS['window_days']} days of purchases",
        (
            f"and {days_back('anomalies', 'daily_sales') + 1} periods of a job with"
            f" `{{back: {days_back('anomalies', 'daily_sales')}d}}`"
        ),
        f"{days_back('content_ranking', 'content_performance')} days before | one of all these days has changed",
    ],
    "docs/segmentation.md": [
        (f"every k from `k_min` to `k_max` ({SEGMENTS['k_min']} to {SEGMENTS['k_max']})"),
        f"within {SEGMENTS['window_days']} days, as log(1 + x)",
        *(
            f"`{band}` is {model.BANDS[field][band]:g}"
            for field, band in (("age", "65+"), ("income", "250K+"), ("household_size", "5+"), ("kids_count", "3+"))
        ),
        f"**Fewer than {clusters.CUSTOMERS_MIN} households**",
        f"at least {profiles.HIGH} times the average of all households",
        f"at most {profiles.LOW} times",
        f"nests deeper than {predict.DEPTH_MAX} levels",
        f"more than {predict.CUSTOMERS_MAX:,} customers or {predict.BODY_BYTES_MAX // MB} MiB",
        f"the first {predict.PROBLEMS_MAX}, and `error` says how many more",
        f"more than {of('HttpApi')['DefaultRouteSettings']['ThrottlingRateLimit']} requests a second",
        f"reads the pointer again after {registry.CHECK_EVERY.seconds} seconds",
    ],
    "docs/evidence/not-simulated.md": [
        f"{CHAOS_SECONDS // 60} minutes in which anything may go wrong",
        f"wrong by more than {WORDS[SKEW_MAX.seconds]} seconds",
        said(AFTERMATH, timedelta(hours=1, minutes=30), "an hour and a half for the longest backoff"),
    ],
    "template.yaml": [
        said(health.FAILING_FROM, 3, "A batch's run has failed three times in a row or more."),
        said(health.FAILING_FROM, 3, "A batch's load has failed three times in a row or more."),
        f"For {ALARMS['WholeReconcileMissedAlarm']['Threshold'] // 86_400} days, no pass has compared all raw files",
        f"a pass is due every {passes.WHOLE_EVERY.days} days, and may take as long",
        said(dataset.BatchPolicy().max_files, 1_000, "a thousand in a batch"),
        said(rings_after("SweepSilentAlarm"), 30, "No sweep has completed for half an hour"),
        said(background_max(100), 50, "for up to half of the slots a pass"),
    ],
    "docs/types.md": [
        f"at most {dataset_parser.PARTITION_BYTES_MAX:,} bytes",
        f"at most {load_limits.ROW_BYTES_MAX:,} bytes together",
        (
            f"A text counts its length and {column_types.TYPES['string'].row_bytes} bytes, a decimal"
            f" {column_types.TYPES['decimal'].row_bytes} bytes"
        ),
        f"own columns take up to {OWN_BYTES:,} bytes",
    ],
    "docs/openapi.yaml": [
        f"nests deeper than {predict.DEPTH_MAX} levels",
        f"more than {strict_json.DIGITS_MAX} digits",
        f"At most {predict.CUSTOMERS_MAX:,} customers and {predict.BODY_BYTES_MAX // MB} MiB a request",
        f"Above {http_api.EVENT_BYTES_MAX // MB} MiB",
        f"maxItems: {predict.CUSTOMERS_MAX}",
        f"the first {predict.PROBLEMS_MAX} problems",
    ],
    "docs/add-a-dataset.md": [
        f"**tables** are the output, at most {tables_max()}",
        (
            f"A `latest` table uses {statements('latest')} of a load's {load_limits.STATEMENTS_MAX} statements;"
            f" other tables use {statements('facts')}, and the load itself {load_limits.FRAME_STATEMENTS}"
        ),
        f"at most `string({dataset_parser.PARTITION_BYTES_MAX})`",
        batch_defaults(),
        f"load: {{every: {minutes(dataset.LoadPolicy().every)}m}}",
    ],
    "docs/formats.md": [
        f"A single Snappy chunk beyond {snappy.CHUNK_MAX // MB} MB is treated as damage",
        f"| yes, up to {snappy.CHUNK_MAX // MB} MB | yes, up to {snappy.CHUNK_MAX // MB} MB |",
        f"unpacked too, up to {WORDS[unpacking.DEPTH_MAX]} times",
        f"A file may unpack to {unpacking.UNPACKED_MAX // GIB} GiB",
        f"first {records.RAW_MAX:,} characters",
        f"more than {bounds.REJECTED_MAX:,} rejected records",
        *map(guess, column_types.EPOCH_UNITS),
        f"work worth {scanner.CREDIT // MB} MB of text in advance, and {WORDS[scanner.EARNED]} more characters",
        f"Lists and objects may nest {rescue.DEPTH_MAX} deep",
        f"An envelope of more than {records.RECORD_MAX // MB} MB is treated as broken",
        f"at most {splitting.FIELD_MAX // MB} MB for the closing quote",
        f"up to {columnar.SPOOL_BYTES // MB} MB stay in memory",
        f"batches of {columnar.ROWS:,}",
        f"A block of more than {avro.BLOCK_MAX // MB} MB",
        (
            f"More than {dataset.RESCUED_BYTES_MAX:,} bytes reject the record,"
            f" `unknown fields: 70000 bytes, at most {dataset.RESCUED_BYTES_MAX}`"
        ),
    ],
    "docs/performance.md": [
        f"with {slots()} runs at once ({parameter('SparkCpu')})",
        f"| {slots()} runs at once, batches of {dataset.BatchPolicy().max_files:,} files |",
        f"has `load.every: {minutes(dataset.LoadPolicy().every)}m`",
        f"{WORDS[len(SHARDS)]} shards finish about {len(SHARDS) * 5 * 60 // 21 // 10 * 10} loads of 15 s",
        f"up to {one_core_bytes() // MB} MB of input, start with `{sizing.QUICK_COMPILER}`",
        f"of a sweep (limit: {TEMPLATE['Globals']['Function']['Timeout']} s)",
        f"plan's claims, {WORDS[plan.CLAIMS_AT_ONCE]} at once",
        said(iceberg.SNAPSHOTS_KEPT.days, 1, "they expire after a day"),
        f"{len(WORLDS)} small worlds play two handlers at a time",
        f"played {SEEDS:,} seeds and {FILES_SIMULATED}",
    ],
    "docs/operations.md": [
        f"at most {longest_stack_name('1' * 12, 'us-east-1')[0]} characters in us-east-1",
        f"counts the latest {report.RECENT} batches",
        f"younger than {minutes(reconcile.SETTLED_AFTER)} minutes",
        said(parameter("ReconcileHours"), 24, "compares bucket and ledger every day (`ReconcileHours`)"),
        said(every("ReconcileSchedule"), 15, "continues a quarter of an hour later"),
        said(passes.DAILY_KEYS_MAX, 10_000_000, "Beyond ten million keys"),
        said(batching.GROWTH_MAX, 10, "batches grow up to ten times their `max_files` and `max_bytes`"),
        f"with up to {records.RAW_MAX:,} characters of each record",
        f"deletes *overwritten* versions after {kept_days()} days",
        f"than `LagAlarmSeconds` ({parameter('LagAlarmSeconds')} s)",
        f"a run is ended after {emr.RUN_MINUTES_MAX} minutes",
        f"the run did not finish within {emr.RUN_MINUTES_MAX} minutes",
        (
            f"failed {health.FAILING_FROM} times in a row or more, and is tried again after pauses of up to"
            f" {minutes(retry.LONGEST)} min"
        ),
        f"After {failures.TRANSIENT_MAX} failures, about a day, the batch is quarantined",
        f"After {failures.LOADS_MAX} failures, which takes about a day",
        f"up to {job_failures._TRACEBACK_MAX // 1000} KB",
        (
            f"by more than {hours(health.STUCK_AFTER[State.FORMING])} hour in FORMING or PLANNED,"
            f" {hours(health.STUCK_AFTER[State.RUNNING])} in RUNNING, {hours(health.STUCK_AFTER[State.LOADING])} in"
            f" LOADING, {hours(health.STUCK_AFTER[State.PUBLISHED])} plus `load.every` in PUBLISHED, or"
            f" {hours(health.NIGHTLY_STUCK_AFTER)} for a nightly batch"
        ),
        f"`NightAlarmSeconds` ({parameter('NightAlarmSeconds') // 3600} hours)",
        f"`ReconcileAlarmSeconds` ({parameter('ReconcileAlarmSeconds') // 3600} hours)",
        f"more than {ALARMS['WholeReconcileMissedAlarm']['Threshold'] // 86_400} days ago",
        f"`WholeReconcileAgeSeconds` above {ALARMS['WholeReconcileMissedAlarm']['Threshold'] // 86_400} days",
        f"(refused {of('LandedQueue')['RedrivePolicy']['maxReceiveCount']} times)",
        f"After {failures.VANISHED_MAX} such attempts in a row",
        f"({minutes(recover.HANDLERS_END_AFTER)} minutes after the new one was created)",
        f"({emr.RUN_MINUTES_MAX // 60} hours, if left out; no run takes longer)",
        f"after at most {minutes(draining.DRAIN_LEASE)} minutes",
        f"no sweep has completed for {rings_after('SweepSilentAlarm')} minutes",
        f"has failed {health.FAILING_FROM} times in a row or more |",
        f"for {rings_after('OrphansAlarm')} minutes, something",
        f"above `LagAlarmSeconds` for {rings_after('LagAlarm')} minutes",
        f"or missing for {rings_after('NightMissedAlarm')} minutes",
        said(sweep.LOOK_MAX, 1_000, "batches in quarantine, up to a thousand"),
        f"{10**6 // reconcile.LOOKUP_MAX:,} reads of {reconcile.LOOKUP_MAX} keys",
        f"180 s × {gigabytes('Reconcile')} GB × $16.67/million",
        said(hours(health.RECENTLY), 1, "within the last hour: rings again"),
        (
            f"while runs take longer than {minutes(PATIENCE[State.RUNNING])} minutes or batches wait more than"
            f" {minutes(PATIENCE[State.PUBLISHED])} for their load"
        ),
        (
            f"at {parameter('WarehouseCapacity')} RPU, {parameter('WarehouseCapacity')} × 60/3600 × $0.375 ="
            f" **${WAKE_COST:.2f}**. Every 5 minutes that is 288 × ${WAKE_COST:.2f} = ${WAKE_COST * 288:.2f} a day,"
            f" hourly ${WAKE_COST * 24:.2f}"
        ),
        (
            f"{WORDS[WORKERS]} workers of {SMALLEST.executor.cores} vCPU and {SMALLEST_GB} GB for their minimum of a"
            f" minute, costs ${RUN_COST:.4f}"
        ),
        f"Every minute ${RUN_COST * 1440:.2f} a day, every ten minutes ${RUN_COST * 144:.2f}",
    ],
}


def flat(text: str) -> str:
    """The text without its line breaks."""
    return re.sub(r"\s+", " ", text)


@pytest.mark.parametrize(
    ("page", "sentence"), [(page, sentence) for page, sentences in FIGURES.items() for sentence in sentences]
)
def test_a_page_gives_the_figure_that_the_code_has(page: str, sentence: str) -> None:
    """The sentence, with the number read from code, template or declaration, stands on the page."""
    assert flat(sentence) in flat((ROOT / page).read_text(encoding="utf-8"))


def test_the_costs_of_the_control_plane_add_up() -> None:
    """The total is the sum of the rows above it, each of which is rounded to a cent."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.split("| item | for 1,000 files | for a million |")[1].split("| **control plane** | | **$")
    rows = [float(amount) for amount in re.findall(r"\| \$([\d.]+) \|$", table[0], re.MULTILINE)]
    total = float(table[1].split("**")[0])
    assert len(rows) == 10
    assert abs(sum(rows) - total) <= 0.005 * len(rows)
