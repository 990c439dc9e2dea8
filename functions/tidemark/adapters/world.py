"""The world of a service function: settings, clock, and adapters, which are built on first use and kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from tidemark.adapters import aws
from tidemark.adapters.dataset_files import load_all
from tidemark.adapters.emr import Engine
from tidemark.adapters.ledger import Ledger
from tidemark.adapters.redshift import Connection, Warehouse
from tidemark.adapters.s3_documents import Store
from tidemark.clock import Clock
from tidemark.core.dataset import Dataset
from tidemark.settings import DATASETS, Settings

if TYPE_CHECKING:
    from tidemark.adapters.iceberg import Lake
    from tidemark.adapters.snapshots import Snapshots

In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(frozen=True)
class World:
    """Everything outside the process that a service function uses."""

    settings: Settings
    clock: Clock

    @cached_property
    def datasets(self) -> dict[str, Dataset]:
        """Every declared dataset by name."""
        return load_all(DATASETS)

    @cached_property
    def ledger(self) -> Ledger:
        """The DynamoDB table of files, batches and loads."""
        return Ledger(self.client("dynamodb"), self.settings.ledger_table)

    @cached_property
    def store(self) -> Store:
        """Small documents in S3."""
        return Store(self.client("s3"))

    @cached_property
    def engine(self) -> Engine:
        """Job runs on EMR Serverless."""
        settings = self.settings
        return Engine(self.client("emr-serverless"), settings.spark_application_id, settings.job_role_arn)

    @cached_property
    def warehouse(self) -> Warehouse:
        """Statements in Redshift."""
        settings = self.settings
        client = self.client("redshift-data")
        connection = Connection(
            settings.warehouse_database,
            settings.warehouse_workgroup,
            settings.warehouse_cluster,
            settings.warehouse_user,
            settings.warehouse_secret_arn,
        )
        return Warehouse(client, connection, settings.stack)

    @cached_property
    def lake(self) -> Lake:
        """Iceberg tables; imported late, because most functions are deployed without pyiceberg."""
        from tidemark.adapters.iceberg import glue_lake

        region, endpoint = os.environ.get("AWS_REGION", ""), os.environ.get("AWS_ENDPOINT_URL")
        return glue_lake(region, endpoint, self.settings.lake_database, self.settings.lake_bucket)

    @cached_property
    def snapshots(self) -> Snapshots:
        """The files of the lake's tables; imported late, because it needs pyiceberg."""
        from tidemark.adapters.snapshots import Snapshots

        return Snapshots(self.lake)

    @cached_property
    def events(self) -> Any:
        """The EventBridge client, for hints."""
        return self.client("events")

    def map(self, function: Callable[[In], Out], items: Iterable[In], at_once: int) -> list[Out]:
        """Returns the function's result for every item, in order, with up to `at_once` calls in parallel.

        The simulation replaces it to make the calls one after the other.
        """
        with ThreadPoolExecutor(at_once) as pool:
            return list(pool.map(function, items))

    def client(self, service: str) -> Any:
        """Returns a boto3 client; tests and the simulation override this."""
        return aws.client(service)
