"""The ledger: the DynamoDB table that is the truth about files, batches and loads.

    pk                  sk                what
    PENDING#<dataset>   <landed>#<id>     segment: files that one collect invocation saw, packed
    FILE#<bucket>/<key> FILE              the newest claimed version of a key, and the batch that holds it
    FILE#<bucket>/<key> V#<version>       an older version that was claimed before
    FILE#<bucket>/<key> REFUSED#<version> a file set aside, with the reason, until a person decides
    BATCH#<id>          BATCH             the batch as it is
    BATCH#<id>          ATTEMPT#<n>       the batch as it was when attempt n was last written
    BATCH#<id>          CHANGE#<key>      a file of the batch that was overwritten or taken out
    LOAD#<id>           LOAD              one warehouse transaction and its batches
    WAREHOUSE           TABLE#<name>      the columns that the warehouse's table has
    CONTROL             <name>            what a person or a long listing has set: pauses, markers

Index `open` (open, due_at) holds batches and loads not at rest, and what is in quarantine; index `history`
(dataset, created_at) all batches. Indexes are read only to find work; every decision rests on a consistent read or
a condition (aws-facts §8).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from tidemark.adapters.items import (
    LOADS,
    QUARANTINE,
    Item,
    attempt_item,
    batch_item,
    batch_key,
    file_key,
    file_values,
    from_item,
    load_item,
    load_key,
    parse_batch,
    parse_file,
    parse_load,
    pending_key,
    to_item,
)  # fmt: skip
from tidemark.clock import from_iso, iso
from tidemark.core.batching import PendingSegment
from tidemark.core.errors import Conflict
from tidemark.core.files import FileVersion, pack, unpack
from tidemark.core.lifecycle import Batch
from tidemark.core.loading import Load
from tidemark.core.naming import segment_id

LOST_RACES = (
    "ConditionalCheckFailedException",
    "TransactionCanceledException",
    "TransactionConflictException",
)


@dataclass(frozen=True)
class Holder:
    """Who holds a key at present: the version that was claimed, and the batch."""

    file: FileVersion
    batch_id: str


@dataclass(frozen=True)
class Segment:
    """A pending segment as listed: what the policy needs, its item's key, and the batch that has taken it."""

    head: PendingSegment
    sk: str
    batch_id: str


@dataclass(frozen=True)
class Change:
    """A file that the next attempt of a batch has in another version, or (None) not at all.

    `version` tells which version of the key is meant; without one the whole key is.
    """

    bucket: str
    key: str
    file: FileVersion | None
    version: str = ""

    def apply(self, files: dict[tuple[str, str, str], FileVersion]) -> dict[tuple[str, str, str], FileVersion]:
        """The files, by identity, with the change made."""
        meant = (self.bucket, self.key, self.version) if self.version else (self.bucket, self.key)
        left = {identity: file for identity, file in files.items() if identity[: len(meant)] != meant}
        return left | ({self.file.identity: self.file} if self.file else {})


@dataclass(frozen=True)
class RefusedFile:
    """A file that is set aside, with the batch that went on without it."""

    file: FileVersion
    batch_id: str
    reason: str
    since: str  # ISO-8601


class Ledger:
    def __init__(self, client: Any, table: str) -> None:
        self.client, self.table = client, table

    # ── segments ────────────────────────────────────────────────────────────────────────────────────────────

    def put_segment(self, dataset: str, files: Sequence[FileVersion], now: datetime) -> None:
        """Remember files as pending. The same files twice at the same time are the same item."""
        packed = pack(files)
        oldest = min((file.landed_at for file in files if file.landed_at), default=None)
        oldest_at = min(from_iso(oldest), now) if oldest else now
        identity = segment_id(packed)
        self._put(
            {
                "pk": pending_key(dataset),
                "sk": f"{iso(oldest_at)}#{identity}",
                "packed": packed,
                "files": len(files),
                "bytes": sum(file.size for file in files),
                "oldest_at": oldest_at,
            },
            # A segment that a planner is working off keeps its mark; taking it twice is what the claims are for.
            condition="attribute_not_exists(batch_id)",
            missed_is_fine=True,
        )

    def segments(self, dataset: str) -> list[Segment]:
        """The pending segments, oldest first (consistent read)."""
        names = {"#files": "files", "#bytes": "bytes"}
        pages = self._query(
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pending_key(dataset)}},
            ProjectionExpression="sk, #files, #bytes, oldest_at, batch_id",
            ExpressionAttributeNames=names,
            ConsistentRead=True,
        )
        return [_segment(dataset, from_item(item)) for item in pages]

    def segment_files(self, dataset: str, sk: str) -> list[FileVersion]:
        """The files of a segment; none when it is gone."""
        item = self._get(pending_key(dataset), sk)
        return unpack(from_item(item)["packed"]) if item else []

    def delete_segment(self, dataset: str, sk: str) -> None:
        """Forget a segment whose files are claimed and whose manifest stands."""
        self.client.delete_item(TableName=self.table, Key=_key(pending_key(dataset), sk))

    # ── batches ─────────────────────────────────────────────────────────────────────────────────────────────

    def begin(self, batch: Batch) -> Batch:
        """Write a FORMING batch and mark its segments as taken, all or nothing.

        Closes the race of two planners: a segment has at most one batch. Raises `Conflict` to the loser.
        """
        saved, writes = self._batch_writes(batch)
        taken = [
            {
                "Update": {
                    "TableName": self.table,
                    "Key": _key(pending_key(batch.dataset), sk),
                    "UpdateExpression": "SET batch_id = :batch",
                    "ConditionExpression": "attribute_exists(pk) AND attribute_not_exists(batch_id)",
                    "ExpressionAttributeValues": {":batch": {"S": batch.batch_id}},
                }
            }
            for sk in batch.segments
        ]
        # The attempt's record comes with the next save: a transaction takes no more than 100 items.
        self._transact([writes[0], *taken])
        return saved

    def batch(self, batch_id: str) -> Batch | None:
        """The batch as it is now (consistent read)."""
        item = self._get(batch_key(batch_id), "BATCH")
        return parse_batch(item) if item else None

    def save(self, batch: Batch, also: Iterable[dict[str, Any]] = ()) -> Batch:
        """Write the batch and its attempt's record, if nobody has written it since it was read.

        Closes the race of two handlers that advance one batch: the second gets `Conflict`. `also` are further
        writes of the same transaction.
        """
        saved, writes = self._batch_writes(batch)
        self._transact([*writes, *also])
        return saved

    def save_all(self, batches: Sequence[Batch], also: Iterable[dict[str, Any]] = ()) -> list[Batch]:
        """`save` for several batches in one transaction."""
        pairs = [self._batch_writes(batch) for batch in batches]
        self._transact([*(write for _, writes in pairs for write in writes), *also])
        return [saved for saved, _ in pairs]

    def attempts(self, batch_id: str) -> list[Batch]:
        """Every attempt of the batch, as it last was, oldest first."""
        return [
            parse_batch(item)
            for item in self._query(
                KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
                ExpressionAttributeValues={":pk": {"S": batch_key(batch_id)}, ":sk": {"S": "ATTEMPT#"}},
                ConsistentRead=True,
            )
        ]

    def open_batches(self, dataset: str) -> list[Batch]:
        """Batches of the dataset that are not at rest, as the index knows them (may lag by a moment)."""
        return [parse_batch(item) for item in self._open(dataset)]

    def recent(self, dataset: str, limit: int) -> list[Batch]:
        """The dataset's newest batches, newest first, from the index."""
        pages = self._query(
            IndexName="history",
            KeyConditionExpression="dataset = :dataset",
            ExpressionAttributeValues={":dataset": {"S": dataset}},
            ScanIndexForward=False,
            Limit=min(limit, 100),
        )
        return [parse_batch(item) for item in islice(pages, limit)]

    def all_batches(self, dataset: str) -> list[Batch]:
        """Every batch of the dataset, newest first, from the index."""
        return self.recent(dataset, 1 << 31)

    # ── files ───────────────────────────────────────────────────────────────────────────────────────────────

    def claim(self, file: FileVersion, dataset: str, batch_id: str, now: datetime) -> Holder | None:
        """Claim a key for the batch: None when it was free, else who holds it (perhaps this very batch).

        Closes the race of two batches with the same file: the first put wins, and one write per file is all.
        """
        try:
            self._put(
                {
                    "pk": file_key(file.bucket, file.key),
                    "sk": "FILE",
                    "holder": batch_id,
                    "claimed_by": dataset,
                    "claimed_at": now,
                    **file_values(file),
                },
                condition="attribute_not_exists(pk)",
                old=True,
            )
        except ClientError as error:
            if _code(error) != "ConditionalCheckFailedException":
                raise
            return _holder(_old_item(error))
        return None

    def holder(self, bucket: str, key: str) -> Holder | None:
        """Who holds the newest version of a key (consistent read)."""
        item = self._get(file_key(bucket, key), "FILE")
        return _holder(item) if item else None

    def holders(self, bucket: str, key: str) -> list[Holder]:
        """Every version of a key that was ever claimed."""
        pages = self._query(
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": file_key(bucket, key)}},
            ConsistentRead=True,
        )
        return [_holder(item) for item in pages if "holder" in item]

    def refusals(self, bucket: str, key: str) -> dict[str, str]:
        """Version → reason, for each version of the key that was set aside."""
        pages = self._query(
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues={":pk": {"S": file_key(bucket, key)}, ":sk": {"S": "REFUSED#"}},
            ConsistentRead=True,
        )
        return {found["version"]: found.get("reason", "") for found in map(from_item, pages)}

    def supersede(self, known: Holder, file: FileVersion, revised: Batch) -> Batch:
        """Put `file` in the place of the version that `revised` holds, and begin the batch's next attempt.

        One transaction, so no version is ever both claimed and unread. Raises `Conflict` when file or batch have
        moved on meanwhile.
        """
        change = Change(file.bucket, file.key, file)
        writes = [
            self._replace_holder(known, file, known.batch_id),
            self._archive(known),
            {"Put": {"TableName": self.table, "Item": _change_item(revised, change)}},
            # If the known version was refused, nobody need decide about it any more.
            {"Delete": {"TableName": self.table, "Key": _refused_key(known.file)}},
        ]
        return self.save(revised, writes)

    def append(self, known: Holder, file: FileVersion, batch_id: str) -> None:
        """Make `file` the newest version of its key, held by `batch_id`; the known one stays with its batch."""
        self._transact([self._replace_holder(known, file, batch_id), self._archive(known)])

    def claim_older(self, file: FileVersion, dataset: str, batch_id: str, now: datetime) -> Holder | None:
        """`claim` for a version that is older than the newest one."""
        try:
            self._put(
                {
                    "pk": file_key(file.bucket, file.key),
                    "sk": f"V#{file.version}",
                    "holder": batch_id,
                    "claimed_by": dataset,
                    "claimed_at": now,
                    **file_values(file),
                },
                condition="attribute_not_exists(pk)",
                old=True,
            )
        except ClientError as error:
            if _code(error) != "ConditionalCheckFailedException":
                raise
            return _holder(_old_item(error))
        return None

    def refuse(self, revised: Batch, file: FileVersion) -> Batch:
        """Take a bad file out of the batch's next attempt, and begin that attempt; the file is in quarantine."""
        change = Change(file.bucket, file.key, None, file.version)
        refused = {
            "pk": file_key(file.bucket, file.key),
            "sk": f"REFUSED#{file.version}",
            "open": QUARANTINE,
            "due_at": revised.updated_at,
            "batch_id": revised.batch_id,
            "reason": revised.reason,
            **file_values(file),
        }
        items = [_change_item(revised, change), to_item(refused)]
        return self.save(revised, [{"Put": {"TableName": self.table, "Item": item}} for item in items])

    def restore(self, revised: Batch, file: FileVersion) -> Batch:
        """Put a refused file back into the batch's next attempt: a normal file again.

        Raises `Conflict` when the key has a newer version by now, which must not be replaced by this one.
        """
        change = Change(file.bucket, file.key, file, file.version)
        writes = [
            {
                "ConditionCheck": {
                    "TableName": self.table,
                    "Key": _key(file_key(file.bucket, file.key), "FILE"),
                    "ConditionExpression": "version = :version",
                    "ExpressionAttributeValues": {":version": {"S": file.version}},
                }
            },
            {"Put": {"TableName": self.table, "Item": _change_item(revised, change)}},
            {"Delete": {"TableName": self.table, "Key": _refused_key(file)}},
        ]
        return self.save(revised, writes)

    def discard(self, file: FileVersion) -> None:
        """Take a refused file off the list; what is known of it stays."""
        self.client.update_item(
            TableName=self.table,
            Key=_refused_key(file),
            UpdateExpression="REMOVE #open",
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeNames={"#open": "open"},
        )

    def quarantine(self) -> tuple[list[Batch], list[RefusedFile]]:
        """Batches and files that wait for a person, oldest first, from the index."""
        items = list(self._open(QUARANTINE))
        batches = [parse_batch(item) for item in items if item["sk"]["S"] == "BATCH"]
        found = (from_item(item) for item in items if item["sk"]["S"] != "BATCH")
        return batches, [_refused(one) for one in found]

    def known_versions(self, files: Sequence[FileVersion]) -> dict[tuple[str, str], str]:
        """(bucket, key) → newest claimed version, for up to 100 files; keys that nobody has claimed are left out."""
        found = self._files(files, lambda _: "FILE")
        return {(file.bucket, file.key): file.version for file in found}

    def older_versions(self, files: Sequence[FileVersion]) -> set[tuple[str, str, str]]:
        """Which of up to 100 file versions were claimed before a newer one of their key."""
        return {file.identity for file in self._files(files, lambda file: f"V#{file.version}")}

    def _files(self, files: Sequence[FileVersion], sk: Callable[[FileVersion], str]) -> Iterator[FileVersion]:
        keys = {(file_key(file.bucket, file.key), sk(file)) for file in files}
        request: dict[str, Any] = {self.table: {"Keys": [_key(*key) for key in sorted(keys)]}}
        while request:
            answer = self.client.batch_get_item(RequestItems=request)
            yield from (parse_file(from_item(item)) for item in answer["Responses"][self.table])
            request = answer.get("UnprocessedKeys", {})

    # ── what people and long listings set ───────────────────────────────────────────────────────────────────

    def paused(self, dataset: str) -> bool:
        """Whether no new batch of the dataset is to be formed."""
        return bool(self.control(f"PAUSE#{dataset}"))

    def control(self, name: str) -> dict[str, Any]:
        """A remembered setting or marker; empty when there is none."""
        item = self._get("CONTROL", name)
        return dict(from_item(item)["value"]) if item else {}

    def set_control(self, name: str, value: Mapping[str, Any]) -> None:
        """Remember a setting or marker; an empty one is forgotten."""
        if value:
            self._put({"pk": "CONTROL", "sk": name, "value": dict(value)})
        else:
            self.client.delete_item(TableName=self.table, Key=_key("CONTROL", name))

    def changes(self, batch_id: str, after: int = 0) -> list[Change]:
        """Files of the batch that were overwritten or taken out with an attempt later than `after` (consistent).

        In the order in which they came about.
        """
        pages = self._query(
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues={":pk": {"S": batch_key(batch_id)}, ":sk": {"S": "CHANGE#"}},
            ConsistentRead=True,
        )
        later = [found for found in map(from_item, pages) if found["attempt"] > after]
        return [_change(found) for found in sorted(later, key=lambda found: found["attempt"])]

    # ── loads and warehouse tables ──────────────────────────────────────────────────────────────────────────

    def begin_load(self, load: Load, batches: Sequence[Batch]) -> Load:
        """Write the load and move its batches into it, all or nothing: no batch is in two loads at once."""
        saved = replace(load, version=load.version + 1)
        self.save_all(batches, [self._load_write(saved, load.version)])
        return saved

    def load(self, load_id: str) -> Load | None:
        """The load as it is now (consistent read)."""
        item = self._get(load_key(load_id), "LOAD")
        return parse_load(item) if item else None

    def save_load(self, load: Load) -> Load:
        """Write the load, if nobody has written it since it was read."""
        saved = replace(load, version=load.version + 1)
        self._transact([self._load_write(saved, load.version)])
        return saved

    def open_loads(self) -> list[Load]:
        """Loads that are not closed, from the index."""
        return [parse_load(item) for item in self._open(LOADS)]

    def warehouse_columns(self, table: str) -> dict[str, str] | None:
        """Column → type of the warehouse's table as last applied; None when it was never made."""
        item = self._get("WAREHOUSE", f"TABLE#{table}")
        return dict(from_item(item)["columns"]) if item else None

    def put_warehouse_columns(self, table: str, columns: Mapping[str, str]) -> None:
        """Record what the warehouse's table now has. Repeating it changes nothing."""
        self._put({"pk": "WAREHOUSE", "sk": f"TABLE#{table}", "columns": dict(columns)})

    # ── the calls themselves ────────────────────────────────────────────────────────────────────────────────

    def _batch_writes(self, batch: Batch) -> tuple[Batch, list[dict[str, Any]]]:
        saved = replace(batch, version=batch.version + 1)
        put = {"TableName": self.table, "Item": batch_item(saved), **_unwritten_since(batch.version)}
        return saved, [{"Put": put}, {"Put": {"TableName": self.table, "Item": attempt_item(saved)}}]

    def _load_write(self, saved: Load, version: int) -> dict[str, Any]:
        return {"Put": {"TableName": self.table, "Item": load_item(saved), **_unwritten_since(version)}}

    def _replace_holder(self, known: Holder, file: FileVersion, batch_id: str) -> dict[str, Any]:
        item = to_item({"pk": file_key(file.bucket, file.key), "sk": "FILE", "holder": batch_id, **file_values(file)})
        return {
            "Put": {
                "TableName": self.table,
                "Item": item,
                # Closes the race of two newer versions: each must replace the one that it was compared with.
                "ConditionExpression": "version = :version AND holder = :holder",
                "ExpressionAttributeValues": {
                    ":version": {"S": known.file.version},
                    ":holder": {"S": known.batch_id},
                },
            }
        }

    def _archive(self, known: Holder) -> dict[str, Any]:
        file = known.file
        item = to_item(
            {
                "pk": file_key(file.bucket, file.key),
                "sk": f"V#{file.version}",
                "holder": known.batch_id,
                **file_values(file),
            }
        )
        return {"Put": {"TableName": self.table, "Item": item}}

    def _open(self, what: str) -> Iterator[Item]:
        return self._query(
            IndexName="open",
            KeyConditionExpression="#open = :open",
            ExpressionAttributeNames={"#open": "open"},
            ExpressionAttributeValues={":open": {"S": what}},
        )

    def _put(
        self, values: Mapping[str, Any], condition: str = "", old: bool = False, missed_is_fine: bool = False
    ) -> None:
        request: dict[str, Any] = {"TableName": self.table, "Item": to_item(values)}
        if condition:
            request["ConditionExpression"] = condition
        if old:
            request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        try:
            self.client.put_item(**request)
        except ClientError as error:
            if not (missed_is_fine and _code(error) == "ConditionalCheckFailedException"):
                raise

    def _get(self, pk: str, sk: str) -> Item | None:
        answer = self.client.get_item(TableName=self.table, Key=_key(pk, sk), ConsistentRead=True)
        return answer.get("Item")  # type: ignore[no-any-return]

    def _query(self, **request: Any) -> Iterator[Item]:
        start: dict[str, Any] = {}
        while True:
            page = self.client.query(TableName=self.table, **request, **start)
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def _transact(self, writes: list[dict[str, Any]]) -> None:
        try:
            self.client.transact_write_items(TransactItems=writes)
        except ClientError as error:
            if _code(error) in LOST_RACES:
                raise Conflict(str(error)) from error
            raise


def _unwritten_since(version: int) -> dict[str, Any]:
    """The condition that nobody has written the item since its `version` was read (0: that there is none)."""
    if not version:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    return {
        "ConditionExpression": "version = :version",
        "ExpressionAttributeValues": {":version": {"N": str(version)}},
    }


def _segment(dataset: str, found: Mapping[str, Any]) -> Segment:
    head = PendingSegment(dataset, found["sk"], found["files"], found["bytes"], from_iso(found["oldest_at"]))
    return Segment(head, found["sk"], found.get("batch_id", ""))


def _holder(item: Item) -> Holder:
    found = from_item(item)
    return Holder(parse_file(found), found["holder"])


def _change_item(revised: Batch, change: Change) -> Item:
    name = hashlib.sha256(f"{change.bucket}/{change.key}/{change.version}".encode()).hexdigest()[:32]
    meant = {"bucket": change.bucket, "key": change.key, "only": change.version}
    values = meant | (file_values(change.file) if change.file else {})
    keys = {"pk": batch_key(revised.batch_id), "sk": f"CHANGE#{name}", "attempt": revised.attempt}
    return to_item({**keys, **values})


def _change(found: Mapping[str, Any]) -> Change:
    file = parse_file(found) if "version" in found else None
    return Change(found["bucket"], found["key"], file, found.get("only", ""))


def _refused(found: Mapping[str, Any]) -> RefusedFile:
    return RefusedFile(parse_file(found), found["batch_id"], found.get("reason", ""), found.get("due_at", ""))


def _refused_key(file: FileVersion) -> dict[str, Any]:
    return _key(file_key(file.bucket, file.key), f"REFUSED#{file.version}")


def _key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])


def _old_item(error: ClientError) -> Item:
    """The item that made the condition fail (ReturnValuesOnConditionCheckFailure)."""
    return error.response["Item"]  # type: ignore[typeddict-item,no-any-return]
