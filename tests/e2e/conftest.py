"""One laptop cloud for all end-to-end tests of a module; Spark stays warm between them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.cloud import Cloud
from local.drive import Progress, drive
from local.laptop import LaptopWorld, laptop_world
from local.traffic import LandedObject


class Laptop:
    """A cloud, its world, and the two things that a test does with it."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud, self.world = cloud, laptop_world(cloud)

    def land(self, key: str, body: bytes) -> None:
        """Put an object into the raw bucket."""
        self.cloud.client("s3").put_object(Bucket=self.world.settings.raw_bucket, Key=key, Body=body)

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

    def warehouse(self, sql: str) -> list[tuple[object, ...]]:
        """Rows of a query by the Data API."""
        return self.world.warehouse.read(sql)

    def lake_count(self, table: str) -> int:
        """Rows of an Iceberg table."""
        return int(self.lake(table).scan().count())

    def lake(self, table: str) -> object:
        """An Iceberg table, as the catalog has it now."""
        return self.world.lake.catalog.load_table((self.world.settings.lake_database, table))


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    """A started laptop cloud, whose schedules stand still: the tests ask for each step."""
    state_dir = tmp_path_factory.mktemp("cloud")
    with Cloud(parameters={"Eager": "true"}, state_dir=state_dir, schedules=False) as cloud:
        yield Laptop(cloud)


__all__ = ["Laptop", "LaptopWorld"]
