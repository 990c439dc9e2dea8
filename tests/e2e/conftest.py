"""One laptop cloud for all end-to-end tests of a module; Spark stays warm between them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from cli.main import main
from local.cloud import Cloud
from local.drive import Progress, drive
from local.sample_data.generate import LandedObject
from local.world import LaptopWorld, laptop_world
from tests.template.operators import POLICIES
from tidemark.adapters import aws
from tidemark.adapters.ledger.items import batch_key, load_key, to_item
from tidemark.core.lifecycle import Batch
from tidemark.core.loading import Load
from tidemark.service.report import explain

#: The queue's batching window of 20 s lasts a tenth of one; a failed message comes back after one second.
SPEED = 200.0
HOUR = timedelta(hours=1)
STILL_SECONDS = 0.8  # without a move, after which `rest_in_time` turns the clock


class Laptop:
    """A cloud, its world, and the few things that a test does with it."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud, self.world = cloud, laptop_world(cloud)

    def land(self, key: str, body: bytes) -> str:
        """Put an object into the raw bucket, and return its version."""
        answer = self.cloud.client("s3").put_object(Bucket=self.world.settings.raw_bucket, Key=key, Body=body)
        return str(answer["VersionId"])

    def land_folder(self, folder: Path, under: str = "") -> list[str]:
        """Put every file below the folder, and return the keys."""
        paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "expected.json")
        keys = [under + path.relative_to(folder).as_posix() for path in paths]
        for key, path in zip(keys, paths, strict=True):
            self.land(key, path.read_bytes())
        return keys

    def land_objects(self, objects: list[LandedObject]) -> None:
        """Put generated objects."""
        for landed in objects:
            self.land(landed.key, landed.body)

    def rest(self) -> Progress:
        """Drive until everything is at rest."""
        return drive(self.cloud, self.world, lambda _: None, seconds_max=240)

    def rest_in_time(self) -> Progress:
        """Drive until everything is at rest; whenever nothing moves, an hour goes by."""
        return drive(self.cloud, self.world, self._when_still(self.turn_clock), seconds_max=240)

    def turn_clock(self) -> None:
        """Make everything that is not at rest an hour older in the ledger, and fire the schedules."""
        ledger = self.world.ledger
        for name in self.world.datasets:
            for batch in ledger.batches.open(name):
                due_at = (batch.due_at or batch.updated_at) - HOUR
                self._rewrite(batch_key(batch.batch_id), "BATCH", batch, due_at=due_at, not_before=due_at)
        for load in ledger.loads.open():
            created_at = load.created_at - HOUR
            self._rewrite(load_key(load.load_id), "LOAD", load, created_at=created_at, due_at=created_at)
        for scheduled in ("Plan", "Load", "Sweep"):
            self.cloud.fire(scheduled)

    def batch(self, key: str) -> Batch:
        """The batch that works off the latest claimed version of a key."""
        stories = explain(self.world, self.world.settings.raw_bucket, key)
        assert stories, f"nobody has claimed {key}"
        assert stories[0].batch, f"{key} is held by {stories[0].holder.batch_id}, which is not there"
        return stories[0].batch

    def uri(self, key: str) -> str:
        """The s3:// name of a key of the raw bucket."""
        return f"s3://{self.world.settings.raw_bucket}/{key}"

    def warehouse(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query by the Data API."""
        return self.world.warehouse.read(sql)

    def lake_count(self, table: str) -> int:
        """Rows of an Iceberg table."""
        return int(self.lake(table).scan().count())

    def lake(self, table: str) -> Any:
        """An Iceberg table, as the catalog has it now."""
        return self.world.lake.catalog.load_table((self.world.settings.lake_database, table))

    def _rewrite(self, pk: str, sk: str, found: Batch | Load, **times: Any) -> None:
        """Set times of an item, unless somebody has written it meanwhile. It keeps its version: nobody is disturbed."""
        values = to_item(times)
        client = self.cloud.client("dynamodb")
        with suppress(client.exceptions.ConditionalCheckFailedException):  # it moves by itself
            client.update_item(
                TableName=self.world.settings.ledger_table,
                Key={"pk": {"S": pk}, "sk": {"S": sk}},
                UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
                ConditionExpression="version = :version",
                ExpressionAttributeNames={f"#{name}": name for name in values},
                ExpressionAttributeValues={
                    ":version": {"N": str(found.version)},
                    **{f":{name}": value for name, value in values.items()},
                },
            )

    def _when_still(self, act: Callable[[], None]) -> Callable[[Progress], None]:
        """An observer of a drive that acts when no batch has moved for a while."""
        last: Counter[Any] = Counter()
        since = time.monotonic()

        def seen(progress: Progress) -> None:
            nonlocal last, since
            found = Counter(
                (one.batch_id, one.state, one.attempt) for each in progress.batches.values() for one in each
            )
            if found != last:
                last, since = found, time.monotonic()
            elif time.monotonic() - since > STILL_SECONDS and not progress.at_rest:
                act()
                since = time.monotonic()

        return seen


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    """A started laptop cloud, whose schedules stand still: the tests ask for each step."""
    state_dir = tmp_path_factory.mktemp("cloud")
    with Cloud(parameters={"Eager": "true"}, state_dir=state_dir, speed=SPEED, schedules=False) as cloud:
        yield Laptop(cloud)


@dataclass(frozen=True)
class Answer:
    """What a command leaves a person with; `out` with single spaces, for columns are padded and long lines folded."""

    status: int
    out: str
    err: str


Tidemark = Callable[..., Answer]


def environment(laptop: Laptop) -> dict[str, str]:
    """What `tidemark local up` tells a person to export."""
    return {
        "AWS_ENDPOINT_URL": laptop.cloud.url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def access_key(words: Sequence[str]) -> str:
    """The key of a user who has only the policies that the command should need."""
    policy = next((POLICIES[name] for name in (" ".join(words[:2]), words[0]) if name in POLICIES), "")
    return {"reader": "AKIALOCALReaderPolicy", "operator": "AKIALOCALReaderPolicy+OperatorPolicy"}.get(policy, "local")


@pytest.fixture
def tidemark(laptop: Laptop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Tidemark:
    """The command, run in this process against the cloud."""
    for name, value in environment(laptop).items():
        monkeypatch.setenv(name, value)
    for name in ("POWERTOOLS_LOG_LEVEL", "POWERTOOLS_METRICS_DISABLED"):  # set by the command; put back afterwards
        monkeypatch.setenv(name, "")

    def run(*words: str) -> Answer:
        capsys.readouterr()
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", access_key(words))
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it would keep the keys of the command before
        aws._session.cache_clear()
        try:
            status = main(list(words))
        except SystemExit as leaving:
            status = int(str(leaving.code))
        captured = capsys.readouterr()
        return Answer(status, " ".join(captured.out.split()), captured.err)

    return run


__all__ = ["Answer", "Laptop", "LaptopWorld", "Tidemark", "access_key", "environment"]
