"""What steps work with: the stack's world, how to wait, and what earlier steps have landed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from local.sample_data.generate import Expected
from tidemark.adapters.world import World
from tidemark.core.errors import TidemarkError
from tidemark.core.lifecycle import Batch
from tidemark.service.report import explain

#: Keys of everything that a proof lands have this behind the dataset's prefix.
FOLDER = "prove/"


@dataclass
class Stage:
    """A stack under proof."""

    world: World
    stack: str
    region: str
    began: datetime
    look_seconds: float = 5.0  # between two looks at the ledger
    seconds_max: float = 900.0  # for anything to come to rest
    pauses: tuple[float, ...] = (0, 60, 240, 600)  # seconds between two uses of one client token
    deploy_again: Callable[[], World] | None = (
        None  # deletes the stack, adopts what is left, deploys; only in an account
    )
    landed: dict[str, Expected] = field(default_factory=dict)  # dataset → what its files hold

    def land(self, key: str, body: bytes) -> str:
        """Puts an object into the raw bucket and returns its key."""
        self.world.client("s3").put_object(Bucket=self.world.settings.raw_bucket, Key=key, Body=body)
        return key

    def rest(self) -> None:
        """Waits until no file is pending and no batch under way. Raises `TidemarkError` if that takes too long."""
        self.wait("the batches to come to rest", self._at_rest)

    def batch_of(self, key: str) -> Batch | None:
        """The batch of the key's latest claimed version; None before it is claimed."""
        histories = explain(self.world, self.world.settings.raw_bucket, key)
        return histories[0].batch if histories else None

    def settled(self, key: str) -> Batch:
        """Waits until the key's batch is at rest: loaded, empty or in quarantine. Returns the batch."""
        self.wait(f"{key} to be at rest", lambda: _is_at_rest(self.batch_of(key)))
        batch = self.batch_of(key)
        assert batch
        return batch

    def wait(self, what: str, true: Callable[[], bool]) -> None:
        """Looks again and again until something is true. Raises `TidemarkError` after `seconds_max`."""
        began = time.monotonic()
        while not true():
            if time.monotonic() - began > self.seconds_max:
                raise TidemarkError(f"waited {self.seconds_max:.0f} s for {what}")
            time.sleep(self.look_seconds)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query in the warehouse."""
        return self.world.warehouse.read(sql)

    def statements(self, name: str, *sqls: str) -> dict[str, Any]:
        """Runs one transaction and returns what DescribeStatement says of its end, failed or not."""
        client = self.world.client("redshift-data")
        statement = client.batch_execute_statement(**self.world.warehouse.target, Sqls=sqls, StatementName=name)["Id"]
        return self.ended(statement)

    def ended(self, statement: str) -> dict[str, Any]:
        """Waits until a statement has ended, and returns its description."""
        client = self.world.client("redshift-data")
        self.wait(f"statement {statement}", lambda: _has_ended(client.describe_statement(Id=statement)))
        described: dict[str, Any] = client.describe_statement(Id=statement)
        return {name: described[name] for name in ("Status", "Error", "ResultRows") if name in described}

    @property
    def copied(self) -> str:
        """Where COPY may read files."""
        return f"s3://{self.world.settings.lake_bucket}/batches/{FOLDER}"

    @property
    def manifests(self) -> str:
        """Where COPY may read manifests."""
        return f"s3://{self.world.settings.control_bucket}/loads/{FOLDER}"

    def _at_rest(self) -> bool:
        ledger = self.world.ledger
        return not any(
            ledger.batches.open(name) or any(not one.batch_id for one in ledger.segments.all(name))
            for name in self.world.datasets
        )


def _is_at_rest(batch: Batch | None) -> bool:
    return batch is not None and batch.at_rest


def _has_ended(description: dict[str, Any]) -> bool:
    return description["Status"] in ("FINISHED", "FAILED", "ABORTED")
