"""The product's `World` with doubles of AWS, and the copies of its handlers that run in it."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

from tidemark.adapters.world import World
from tidemark.core.dataset import Dataset
from tidemark.core.dataset_parser import parse_dataset
from tidemark.settings import Settings

if TYPE_CHECKING:
    from tests.simulation.iceberg import SimCatalog
    from tests.simulation.stage import Stage, Worker
    from tidemark.adapters.iceberg import Lake

os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
os.environ.setdefault("AWS_REGION", "us-east-1")

import tidemark.adapters.iceberg as iceberg_module

FUNCTIONS = Path(__file__).resolve().parents[2] / "functions"
SETTINGS = Settings(
    stack="tide", ledger_table="ledger", raw_bucket="raw", control_bucket="control",
    lake_bucket="lake", lake_database="lake",
    spark_application_id="app", job_role_arn="arn:job", warehouse_workgroup="warehouse", warehouse_cluster="",
    warehouse_user="", warehouse_secret_arn="", warehouse_database="dev",
    copy_role_arn="arn:aws:iam::123456789012:role/copy", reconcile_hours=1,
    spark_cpu="10 vCPU", spark_memory="1000 GB", spark_disk="1000 GB",  # five runs
)  # fmt: skip
CONTEXT = SimpleNamespace(
    function_name="simulated", memory_limit_in_mb=1024, invoked_function_arn="arn", aws_request_id="request",
    get_remaining_time_in_millis=lambda: 300_000,
)  # fmt: skip
#: Timeouts in seconds, as in template.yaml: a function that is stopped for longer is killed.
TIMEOUTS = {
    "collect": 60,
    "plan": 300,
    "submit": 60,
    "publish": 300,
    "load": 600,
    "settle": 60,
    "nightly": 300,
    "sweep": 60,
    "reconcile": 600,
    "recover": 600,  # a person's patience
    "person": 300,  # commands have no limit; a person who waits for longer gives up
}
SKEW_MAX = timedelta(seconds=3)  #: the most by which a function's clock is fast or slow
ROUTES = {"FORMING": "plan", "PLANNED": "submit", "RUNNING": "publish", "PUBLISHED": "load", "LOADING": "settle"}
#: In seconds; nightly is invoked more often than in reality.
SCHEDULES = {"plan": 60, "load": 300, "sweep": 300, "nightly": 900, "reconcile": 3600}
MEMOIZED_MAX = 50_000  #: parsed items; when there are more, all are dropped
COLUMNS = {"record_id": "string(64)", "user_id": "string(64)", "note": "string(8)", "day": "date"}

ADDED = ("first_added", "second_added")  #: columns of the facts that deployments add, one after the other


@dataclass(frozen=True)
class Clocks:
    """The clock of the current function; the clocks of two functions differ."""

    stage: Stage
    function: Callable[[], str]
    skews: Mapping[str, timedelta]

    def now(self) -> datetime:
        """The current time by the function's clock."""
        return self.stage.now() + self.skews.get(self.function(), timedelta(0))


@dataclass(frozen=True)
class SimWorld(World):
    """The product's world, with doubles of boto3's clients and of pyiceberg's catalog."""

    clients: Mapping[str, Any]
    deployed: Callable[[], Mapping[str, Dataset]]  # the declarations deployed with the running code
    catalog: Callable[..., SimCatalog]

    @property
    def datasets(self) -> Mapping[str, Dataset]:  # type: ignore[override]
        """The declarations; a deployment may change them between two invocations."""
        return self.deployed()

    @cached_property
    def lake(self) -> Lake:
        """The real lake, as `glue_lake` makes it, over the simulated catalog."""
        with mock.patch.object(iceberg_module, "load_catalog", lambda _, **options: self.catalog(options)):
            return iceberg_module.glue_lake("us-east-1", None, SETTINGS.lake_database, SETTINGS.lake_bucket)

    def map(self, function: Callable[[Any], Any], items: Iterable[Any], at_once: int) -> list[Any]:
        """Apply the function to the items one after the other."""
        return [function(item) for item in items]

    def client(self, service: str) -> Any:
        """The double of a boto3 client."""
        return self.clients[service]


def declare(
    name: str, on_overwrite: str, max_files: int, max_running: int, deduplication_window: str = "",
    newest_by: str | None = None, added: int = 0,
) -> Dataset:  # fmt: skip
    """A dataset with a table of facts and an additive one, optionally with deduplication or a table of latest rows.

    `newest_by` is the column that orders the rows of a user, or "" for the order of arrival. `added` is the number of
    columns added to the facts.
    """
    more = dict.fromkeys(ADDED[:added], "string(8)")
    once = {"deduplicate": "record_id", "deduplication_window": deduplication_window} if deduplication_window else {}
    tables: dict[str, Any] = {
        name: {"columns": {**COLUMNS, **more}, "day": "day", **once},
        f"{name}_users": {
            "kind": "additive", "columns": {"user_id": "string(64)", "events": "bigint"}, "sums": ["events"],
        },
    }  # fmt: skip
    if newest_by is not None:
        columns = {"user_id": "string(64)", "record_id": "string(64)", "day": "date"}
        rule = {"newest_by": newest_by} if newest_by else {}
        tables[f"{name}_latest"] = {"kind": "latest", "columns": columns, "key": "user_id", **rule}
    return parse_dataset(
        {
            "name": name,
            "prefix": f"{name}/",
            "record": {
                "record_id": {"type": "string(64)", "required": True, "from": "id"},
                "user": "string(64)", "note": "string(8)", "day": "date", **more,
            },
            "tables": tables,
            "batch": {"max_files": max_files, "max_bytes": "100MB", "max_wait": "60s", "max_running": max_running},
            "load": {"every": "5m"},
            "on_overwrite": on_overwrite,
        }
    )  # fmt: skip


def handler(worker: Worker, function: str, world: World) -> Callable[..., Any]:
    """A worker's own copy of a handler module, because two execution environments share no memory."""
    if function not in worker.modules:
        spec = importlib.util.spec_from_file_location(
            f"environment{worker.number}_{function}", FUNCTIONS / f"{function}.py"
        )
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        worker.modules[function] = module
    worker.modules[function].world = lambda: world
    return worker.modules[function].handler  # type: ignore[no-any-return]


def memoized(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Memoizes a pure parser by the item's identity; the simulated table never changes an item in place."""
    known: dict[int, tuple[Any, Any]] = {}

    def parsed(item: Any) -> Any:
        found = known.get(id(item))
        if found is None:
            if len(known) > MEMOIZED_MAX:
                known.clear()
            found = known[id(item)] = (item, parse(item))
        return found[1]

    return parsed
