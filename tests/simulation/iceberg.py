"""A catalog of Iceberg tables, with snapshots and a version check, for the real `tidemark.adapters.iceberg.Lake`.

It does what pyiceberg 0.12 does around a commit: a refused commit deletes the manifests that it wrote. If botocore
repeats a commit whose reply was lost, the repetition is refused although the commit stands; without its manifests the
table is unreadable: `Ruined`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import pyarrow as pa
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError, TableAlreadyExistsError
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.schema import Schema
from pyiceberg.types import NestedField

from tests.simulation.faults import Faults
from tests.simulation.job import DataStore, Row
from tests.simulation.scans import SimScan, matching, to_rows


class Ruined(Exception):
    """The current snapshot needs a file that has been deleted."""


@dataclass(frozen=True)
class Contents:
    """A table's metadata file, which describes one version of the table."""

    version: int
    schema: Any
    spec: Any
    properties: Mapping[str, str]
    snapshots: tuple[Mapping[str, str], ...] = ()
    times: tuple[int, ...] = ()  # of the snapshots, in milliseconds
    files: tuple[str, ...] = ()
    commits: tuple[int, ...] = ()  # ids of the commits whose manifests the latest snapshot needs
    expired: int = 0  # number of the oldest snapshots that are no longer in the history


@dataclass
class SimCatalog:
    call: Callable[..., Any]
    faults: Faults
    data: DataStore
    options: Mapping[str, Any]
    tables: dict[tuple[str, ...], Contents] = field(default_factory=dict)
    deleted: list[int] = field(default_factory=list)
    commits: int = 0
    written: int = 0  # number of files that commits wrote
    now_ms: Callable[[], int] = lambda: 0
    known: dict[tuple[str, ...], set[str]] = field(default_factory=dict)  # files that a table's history may have

    def load_table(self, name: tuple[str, ...]) -> SimTable:
        def effect() -> SimTable:
            if name not in self.tables:
                raise NoSuchTableError(name)
            return SimTable(self, name, self.tables[name])

        return self.call("glue.GetTable", effect)

    def create_table(
        self, name: tuple[str, ...], schema: Any, partition_spec: Any, properties: Mapping[str, str], **_: Any
    ) -> SimTable:
        def effect() -> SimTable:
            if name in self.tables:
                raise TableAlreadyExistsError(name)
            self.tables[name] = Contents(1, schema, partition_spec, properties)
            return SimTable(self, name, self.tables[name])

        return self.call("glue.CreateTable", effect)

    def named(self, table: str) -> Contents | None:
        """The table's current version; None if it does not exist yet."""
        return next((found for name, found in self.tables.items() if name[-1] == table), None)

    def compact(self, table: str) -> None:
        """Compact the table as another tool does: all rows in one file, and every older snapshot expired, at once."""
        name = next(name for name in self.tables if name[-1] == table)
        held, self.written = self.tables[name], self.written + 1
        uri = f"s3://lake/tables/{table}/data/compacted-{self.written:06d}.parquet"
        self.data.write(uri, self.rows(table), tuple(held.schema.column_names))
        snapshots = (*held.snapshots, {"operation": "replace"})
        self.tables[name] = replace(
            held, version=held.version + 1, files=(uri,), snapshots=snapshots,
            times=(*held.times, self.now_ms()), expired=len(snapshots) - 1,
        )  # fmt: skip

    def expire(self, table: str) -> None:
        """Expire every snapshot but the current one, and delete the files that only these had, as another tool does."""
        name = next(name for name in self.tables if name[-1] == table)
        held = self.tables[name]
        self.data.gone |= self.known.get(name, set()) - set(held.files)
        expired = max(held.expired, len(held.snapshots) - 1)
        self.tables[name] = replace(held, version=held.version + 1, expired=expired)

    def rows(self, table: str) -> list[Row]:
        """The rows that a reader sees; none if the table does not exist yet."""
        contents = self.named(table)
        if contents is None:
            return []
        if any(commit in self.deleted for commit in contents.commits):
            raise Ruined(f"{table}: a manifest of the current snapshot was deleted")
        return [row for uri in contents.files for row in self.shaped(contents, uri)]

    def shaped(self, contents: Contents, uri: str) -> list[Row]:
        """A file's rows with the table's columns."""
        return self.data.shaped(uri, contents.schema.column_names)

    def commit(self, name: tuple[str, ...], based_on: int, made: Contents) -> None:
        """Replace the table's metadata if its version is still the one on which the change is based."""
        self.commits += 1
        commit = self.commits
        made = replace(made, version=based_on + 1, commits=(*made.commits, commit))
        landed: list[bool] = []

        def effect() -> None:
            if self.tables[name].version != based_on:
                raise CommitFailedException(f"Glue detected concurrent update to table version {based_on}")
            self.tables[name] = made
            self.known.setdefault(name, set()).update(made.files)
            landed.append(True)

        try:
            self._send(effect)
        except CommitFailedException:
            if made.properties.get("commit.retry.num-retries") != "0" and landed:
                return  # pyiceberg checks for its own snapshot before it fails
            self.deleted.append(commit)
            raise

    def _send(self, effect: Callable[[], None]) -> None:
        """Send a commit; botocore repeats it after a lost reply only if the catalog was created with retries."""
        again = str(self.options.get("glue.max-retries", 10)) != "0"
        self.call("glue.UpdateTable", effect, once=not again)


@dataclass
class SimTable:
    catalog: SimCatalog
    name: tuple[str, ...]
    contents: Contents

    @property
    def metadata(self) -> Any:
        """The snapshots' summaries and numbers, which is all that the product reads."""
        return SimpleNamespace(
            snapshots=[
                SimpleNamespace(
                    summary=SimpleNamespace(additional_properties=dict(found)),
                    timestamp_ms=self.contents.times[number - 1], sequence_number=number, snapshot_id=1_000 + number,
                )
                for number, found in enumerate(self.contents.snapshots, start=1)
                if number > self.contents.expired
            ],
        )  # fmt: skip

    @property
    def properties(self) -> Mapping[str, str]:
        """The table's properties, as it was created."""
        return self.contents.properties

    def current_snapshot(self) -> Any:
        """The latest snapshot; None before the first."""
        return next(reversed(self.metadata.snapshots), None)

    def scan(self, where: Any = None, snapshot_id: int = 0, **_: Any) -> SimScan:
        """A scan of a snapshot, by default the latest, for rows that meet the condition."""
        assert snapshot_id in (0, 1_000 + self.last_sequence_number), "only the latest snapshot is read"
        return SimScan(self.catalog.data, self.contents.schema, self.contents.files, where or AlwaysTrue())

    @property
    def last_sequence_number(self) -> int:
        """Sequence number of the latest snapshot."""
        return len(self.contents.snapshots)

    def schema(self) -> Any:
        """The table's schema."""
        return self.contents.schema

    @property
    def maintenance(self) -> Any:
        """Supports `expire_snapshots().older_than(moment).commit()`, which is a commit of its own."""
        return SimpleNamespace(expire_snapshots=lambda: SimpleNamespace(older_than=self._older_than))

    def _older_than(self, moment: datetime) -> Any:
        return SimpleNamespace(commit=lambda: self._forget(int(moment.timestamp() * 1000)))

    def _forget(self, before: int) -> None:
        old = sum(time < before for time in self.contents.times[:-1])
        self._commit(replace(self.contents, expired=max(self.contents.expired, old)))

    def _commit(self, made: Contents) -> None:
        self.catalog.commit(self.name, self.contents.version, made)
        self.contents = replace(made, version=self.contents.version + 1)

    @contextmanager
    def update_schema(self) -> Iterator[Any]:
        """Add columns, in a commit of their own."""
        fields = list(self.contents.schema.fields)

        def add(name: str, kind: Any) -> None:
            fields.append(NestedField(len(fields) + 1, name, kind, required=False))

        yield SimpleNamespace(add_column=add)
        self._commit(replace(self.contents, schema=Schema(*fields)))

    def spec(self) -> Any:
        """The table's partition spec, as it was created."""
        return self.contents.spec

    def transaction(self) -> SimTransaction:
        """Changes that are committed together when the block ends without an error."""
        return SimTransaction(self, self.contents)


@dataclass
class SimTransaction:
    table: SimTable
    staged: Contents

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if kind is None and self.staged is not self.table.contents:
            self.table._commit(self.staged)

    def delete(self, where: Any, snapshot_properties: Mapping[str, str]) -> None:
        """Delete rows copy-on-write: a file that keeps some of its rows is rewritten."""
        goes = matching(where, self.staged.schema)
        kept = []
        for uri in self.staged.files:
            rows = self.table.catalog.shaped(self.staged, uri)
            left = [row for row in rows if not goes(row)]
            if left:
                kept.append(uri if len(left) == len(rows) else self._write(left))
        if tuple(kept) != self.staged.files:
            self._stage(tuple(kept), snapshot_properties)

    def append(self, rows: pa.Table, summary: Mapping[str, str]) -> None:
        """Add rows in a new file."""
        assert rows.column_names == self.staged.schema.column_names
        self._stage((*self.staged.files, self._write(to_rows(rows))), summary)

    def _write(self, rows: list[Row]) -> str:
        catalog = self.table.catalog
        catalog.written += 1
        uri = f"s3://lake/tables/{self.table.name[-1]}/data/{catalog.written:06d}.parquet"
        catalog.data.write(uri, rows, tuple(self.staged.schema.column_names))
        return uri

    def add_files(
        self,
        uris: Sequence[str],
        snapshot_properties: Mapping[str, str],
        check_duplicate_files: bool,
    ) -> None:
        held = [uri for uri in uris if check_duplicate_files and uri in self.staged.files]
        if held:
            raise ValueError(f"Cannot add files that are already referenced by table, files: {held}")
        self._stage((*self.staged.files, *uris), snapshot_properties)

    def update_snapshot(self, snapshot_properties: Mapping[str, str]) -> Any:
        transaction = self

        class Append:
            def __enter__(self) -> None:
                transaction._stage(transaction.staged.files, snapshot_properties)

            def __exit__(self, *_: object) -> None:
                pass

        return SimpleNamespace(fast_append=Append)

    def _stage(self, files: tuple[str, ...], summary: Mapping[str, str]) -> None:
        self.staged = replace(
            self.staged, files=files, snapshots=(*self.staged.snapshots, dict(summary)),
            times=(*self.staged.times, self.table.catalog.now_ms()),
        )  # fmt: skip
