"""The product's `World`, connected to a laptop cloud in this process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from local.account import REGION
from local.cloud import CREDENTIALS, Cloud
from tidemark.adapters.world import World
from tidemark.clock import SystemClock
from tidemark.settings import Settings

if TYPE_CHECKING:
    from tidemark.adapters.iceberg import Lake


@dataclass(frozen=True)
class LaptopWorld(World):
    """A world whose clients use the cloud's endpoint, regardless of the environment variables."""

    cloud: Cloud

    def client(self, service: str) -> Any:
        """A boto3 client of the cloud."""
        return self.cloud.client(service)

    @cached_property
    def lake(self) -> Lake:
        """The Iceberg tables at the cloud's endpoint."""
        from pyiceberg.catalog import load_catalog

        from tidemark.adapters.iceberg import Lake, glue_properties

        properties = glue_properties(REGION, self.cloud.url) | {
            "client.access-key-id": CREDENTIALS["aws_access_key_id"],
            "client.secret-access-key": CREDENTIALS["aws_secret_access_key"],
        }
        catalog = load_catalog("glue", **properties)
        return Lake(catalog, self.settings.lake_database, self.settings.lake_bucket)


def laptop_world(cloud: Cloud) -> LaptopWorld:
    """The world of a started cloud."""
    return LaptopWorld(Settings.read(cloud.settings), SystemClock(), cloud)
