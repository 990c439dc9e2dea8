"""A retained lake: the tables that its bucket has, and their registration in Glue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.table import StaticTable

from tidemark.adapters.iceberg import Lake
from tidemark.core.retained import TABLES


class RetainedLake:
    def __init__(self, lake: Lake, s3: Any) -> None:
        self.lake, self.s3 = lake, s3

    def tables(self) -> list[str]:
        """Returns the names of the tables that have a folder in the bucket."""
        pages = self._pages(Prefix=TABLES, Delimiter="/")
        folders = [each["Prefix"] for page in pages for each in page.get("CommonPrefixes", ())]
        return sorted(folder.removeprefix(TABLES).rstrip("/") for folder in folders)

    def metadata_keys(self, table: str) -> Iterator[str]:
        """Yields the keys in the table's metadata folder."""
        for page in self._pages(Prefix=f"{TABLES}{table}/metadata/"):
            yield from (listed["Key"] for listed in page.get("Contents", ()))

    def identity(self, key: str) -> str:
        """Returns the id of the table to which a metadata file belongs; no commit changes it."""
        io = self.lake.catalog._load_file_io(location=self._location(key))  # noqa: SLF001 - the catalog's own settings
        return str(StaticTable.from_metadata(self._location(key), io.properties).metadata.table_uuid)

    def registered(self, table: str) -> str:
        """Returns the id of the table that Glue has under this name; "" if it has none."""
        try:
            return str(self.lake.catalog.load_table((self.lake.database, table)).metadata.table_uuid)
        except NoSuchTableError:
            return ""

    def register(self, table: str, key: str) -> None:
        """Makes a table in Glue that begins with this metadata file."""
        self.lake.catalog.register_table((self.lake.database, table), self._location(key))

    def _location(self, key: str) -> str:
        return f"s3://{self.lake.bucket}/{key}"

    def _pages(self, **request: str) -> Iterator[dict[str, Any]]:
        yield from self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.lake.bucket, **request)
