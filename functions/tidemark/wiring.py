"""The only place that builds adapters: environment in, the world out. Everything is made on first use and kept.

Nothing here knows whether it runs in AWS or on a laptop: boto3 and pyiceberg take the endpoint from
`AWS_ENDPOINT_URL`, which AWS does not set.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
import botocore.session
from botocore.config import Config
from botocore.utils import parse_timestamp

from tidemark.adapters.engine import Engine
from tidemark.adapters.ledger import Ledger
from tidemark.adapters.models import Models
from tidemark.adapters.store import Store
from tidemark.adapters.warehouse import Warehouse
from tidemark.clock import Clock, SystemClock
from tidemark.core.dataset import Dataset
from tidemark.declarations import load_all
from tidemark.settings import DATASETS, Settings

if TYPE_CHECKING:
    from tidemark.adapters.lake import Lake
    from tidemark.adapters.pins import Pins

In = TypeVar("In")
Out = TypeVar("Out")

#: botocore's standard mode retries throttles and lost connections with backoff and jitter.
CONFIG = Config(retries={"mode": "standard", "max_attempts": 6}, connect_timeout=5, read_timeout=60)


@dataclass(frozen=True)
class World:
    """Everything that a service function may touch."""

    settings: Settings
    clock: Clock

    @cached_property
    def datasets(self) -> dict[str, Dataset]:
        """Every declared dataset by name."""
        return load_all(DATASETS)

    @cached_property
    def ledger(self) -> Ledger:
        """Files, batches and loads."""
        return Ledger(self.client("dynamodb"), self.settings.ledger_table)

    @cached_property
    def store(self) -> Store:
        """Small documents in S3."""
        return Store(self.client("s3"))

    @cached_property
    def engine(self) -> Engine:
        """Job runs."""
        settings = self.settings
        code = f"s3://{settings.control_bucket}/jobs"
        return Engine(self.client("emr-serverless"), settings.spark_application_id, settings.job_role_arn, code)

    @cached_property
    def warehouse(self) -> Warehouse:
        """Statements in Redshift."""
        settings = self.settings
        client = self.client("redshift-data")
        return Warehouse(client, settings.warehouse_workgroup, settings.warehouse_database)

    @cached_property
    def lake(self) -> Lake:
        """Iceberg tables; imported late, for only publish carries pyiceberg."""
        from tidemark.adapters.lake import glue_lake

        region, endpoint = os.environ.get("AWS_REGION", ""), os.environ.get("AWS_ENDPOINT_URL")
        return glue_lake(region, endpoint, self.settings.lake_database, self.settings.lake_bucket)

    @cached_property
    def pins(self) -> Pins:
        """The files behind the lake's tables; imported late, for pyiceberg comes along."""
        from tidemark.adapters.pins import Pins

        return Pins(self.lake)

    @cached_property
    def models(self) -> Models:
        """The model that predictions are made with."""
        return Models(self.store, self.settings.lake_bucket, self.clock)

    @cached_property
    def events(self) -> Any:
        """EventBridge, for hints."""
        return self.client("events")

    def map(self, function: Callable[[In], Out], items: Iterable[In], at_once: int) -> list[Out]:
        """The function of every item, in order, up to `at_once` at a time; the simulation does one after the other."""
        with ThreadPoolExecutor(at_once) as pool:
            return list(pool.map(function, items))

    def client(self, service: str) -> Any:
        """A boto3 client; tests and simulations put others here."""
        return _session().client(service, config=CONFIG)  # type: ignore[call-overload]


@cache
def _session() -> boto3.Session:
    """One that reads ISO times itself: half of what a listing costs is dateutil's guessing at each key's time."""
    core = botocore.session.get_session()
    core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_moment)
    return boto3.Session(botocore_session=core)


def _moment(value: Any) -> datetime:
    """A time as AWS writes it: ISO with a Z, seconds since 1970, or the form of a header."""
    return datetime.fromisoformat(value) if str(value).endswith("Z") else parse_timestamp(value)


@cache
def world() -> World:
    """The world of this process's environment, built once."""
    return World(Settings.read(), SystemClock())
