"""Files: who holds which version of a key, what was overwritten, and what was set aside."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from tidemark.adapters.ledger.batches import Batches
from tidemark.adapters.ledger.items import (
    QUARANTINE,
    Item,
    batch_key,
    file_key,
    file_values,
    from_item,
    parse_file,
    to_item,
)
from tidemark.adapters.ledger.table import Table, code, key_of, old_item
from tidemark.core.files import Change, FileVersion, Holder
from tidemark.core.lifecycle import Batch


class Files:
    def __init__(self, table: Table, batches: Batches) -> None:
        self.table, self.batches = table, batches

    def claim(self, file: FileVersion, dataset: str, batch_id: str, now: datetime) -> Holder | None:
        """Claim a key for the batch: None when it was free, else who holds it (perhaps this very batch).

        Closes the race of two batches with the same file: the first put wins, and one write per file is all.
        """
        try:
            self.table.put(
                claim_values("FILE", file, dataset, batch_id, now), condition="attribute_not_exists(pk)", old=True
            )
        except ClientError as error:
            if code(error) != "ConditionalCheckFailedException":
                raise
            return _holder(old_item(error))
        return None

    def claim_older(self, known: Holder, file: FileVersion, dataset: str, batch_id: str, now: datetime) -> None:
        """Claim a version that is older than the `known` one, beside it.

        Raises `Conflict` when another has claimed it, as an older version or as the latest: no version has two batches.
        """
        item = to_item(claim_values(f"V#{file.version}", file, dataset, batch_id, now))
        put = {"TableName": self.table.name, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}
        check = {"TableName": self.table.name, "Key": key_of(file_key(file.bucket, file.key), "FILE"), **still(known)}
        self.table.transact([{"Put": put}, {"ConditionCheck": check}])

    def older_holder(self, file: FileVersion) -> Holder | None:
        """Who holds a version that is not the latest of its key (consistent read)."""
        item = self.table.get(file_key(file.bucket, file.key), f"V#{file.version}")
        return _holder(item) if item else None

    def holder(self, bucket: str, key: str) -> Holder | None:
        """Who holds the latest version of a key (consistent read)."""
        item = self.table.get(file_key(bucket, key), "FILE")
        return _holder(item) if item else None

    def holders(self, bucket: str, key: str) -> list[Holder]:
        """Every version of a key that was ever claimed."""
        pages = self.table.query(
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": file_key(bucket, key)}},
            ConsistentRead=True,
        )
        return [_holder(item) for item in pages if "holder" in item]

    def supersede(self, known: Holder, file: FileVersion, revised: Batch) -> Batch:
        """Put `file` in the place of the version that `revised` holds, as a change for its next attempt.

        One transaction, so no version is ever both claimed and unread. Raises `Conflict` when file or batch have
        moved on meanwhile.
        """
        change = Change(file.bucket, file.key, file)
        writes = [
            self._replace_holder(known, file, known.batch_id),
            self._archive(known),
            {"Put": {"TableName": self.table.name, "Item": _change_item(revised, change)}},
            # If the known version was refused, nobody need decide about it any more.
            {"Delete": {"TableName": self.table.name, "Key": refused_key(known.file)}},
        ]
        return self.batches.save(revised, writes)

    def append(self, known: Holder, file: FileVersion, batch_id: str) -> None:
        """Make `file` the latest version of its key, held by `batch_id`; the known one stays with its batch.

        Raises `Conflict` when the key has moved on, or another batch has claimed the version as an older one.
        """
        unclaimed = {
            "TableName": self.table.name,
            "Key": key_of(file_key(file.bucket, file.key), f"V#{file.version}"),
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        self.table.transact(
            [self._replace_holder(known, file, batch_id), self._archive(known), {"ConditionCheck": unclaimed}]
        )

    def refuse(self, revised: Batch, file: FileVersion) -> Batch:
        """Take a bad file out of the batch's next attempt, and begin that attempt; the file is in quarantine."""
        change = Change(file.bucket, file.key, None, file.version)
        refused = refused_values(file, revised.batch_id, revised.reason, revised.updated_at)
        items = [_change_item(revised, change), to_item(refused)]
        return self.batches.save(revised, [{"Put": {"TableName": self.table.name, "Item": item}} for item in items])

    def restore(self, revised: Batch, file: FileVersion, latest: bool) -> Batch:
        """Put a refused file back into the batch, as a change for its next attempt: a normal file again.

        `latest`: it is the latest claimed version of its key; else an older one, under `append`. Raises `Conflict` when
        that is so no longer, for a newer version must not be replaced by an older one.
        """
        change = Change(file.bucket, file.key, file, file.version)
        held = {
            "TableName": self.table.name,
            "Key": key_of(file_key(file.bucket, file.key), "FILE" if latest else f"V#{file.version}"),
            "ConditionExpression": "version = :version",
            "ExpressionAttributeValues": {":version": {"S": file.version}},
        }
        writes = [
            {"ConditionCheck": held},
            {"Put": {"TableName": self.table.name, "Item": _change_item(revised, change)}},
            {"Delete": {"TableName": self.table.name, "Key": refused_key(file)}},
        ]
        return self.batches.save(revised, writes)

    def discard(self, file: FileVersion) -> None:
        """Take a refused file off the list; what is known of it stays."""
        self.table.client.update_item(
            TableName=self.table.name,
            Key=refused_key(file),
            UpdateExpression="REMOVE #open",
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeNames={"#open": "open"},
        )

    def refusals(self, bucket: str, key: str) -> dict[str, str]:
        """Version → reason, for each version of the key that was set aside."""
        pages = self.table.query(
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues={":pk": {"S": file_key(bucket, key)}, ":sk": {"S": "REFUSED#"}},
            ConsistentRead=True,
        )
        return {found["version"]: found.get("reason", "") for found in map(from_item, pages)}

    def changes(self, batch_id: str, after: int = 0) -> list[Change]:
        """The batch's changes with a number above `after`, in the order in which they came about (consistent read)."""
        pages = self.table.query(
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues={":pk": {"S": batch_key(batch_id)}, ":sk": {"S": "CHANGE#"}},
            ConsistentRead=True,
        )
        later = [found for found in map(from_item, pages) if found["number"] > after]
        return [_change(found) for found in sorted(later, key=lambda found: found["number"])]

    def known_versions(self, files: Sequence[FileVersion]) -> dict[tuple[str, str], str]:
        """(bucket, key) → latest claimed version, for up to 100 files; keys that nobody has claimed are left out."""
        # Of a million items only what is compared: parsing answers is most of what reconcile takes.
        asked = {file_key(file.bucket, file.key): (file.bucket, file.key) for file in files}
        items = self.table.get_all([key_of(pk, "FILE") for pk in sorted(asked)], only="pk, version")
        return {asked[item["pk"]["S"]]: item["version"]["S"] for item in items}

    def older_versions(self, files: Sequence[FileVersion]) -> set[tuple[str, str, str]]:
        """Which of up to 100 file versions were claimed before a newer one of their key."""
        asked = {(file_key(file.bucket, file.key), f"V#{file.version}"): file.identity for file in files}
        items = self.table.get_all([key_of(*key) for key in sorted(asked)], only="pk, sk")
        return {asked[item["pk"]["S"], item["sk"]["S"]] for item in items}

    def _replace_holder(self, known: Holder, file: FileVersion, batch_id: str) -> dict[str, Any]:
        item = to_item({"pk": file_key(file.bucket, file.key), "sk": "FILE", "holder": batch_id, **file_values(file)})
        # Closes the race of two newer versions: each must replace the one that it was compared with.
        return {"Put": {"TableName": self.table.name, "Item": item, **still(known)}}

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
        return {"Put": {"TableName": self.table.name, "Item": item}}


def claim_values(sk: str, file: FileVersion, dataset: str, batch_id: str, now: datetime) -> dict[str, Any]:
    """The item of a version that is held: `sk` is FILE for the latest of its key, V#… for an older one."""
    claimed = {"holder": batch_id, "claimed_by": dataset, "claimed_at": now}
    return {"pk": file_key(file.bucket, file.key), "sk": sk, **claimed, **file_values(file)}


def still(known: Holder) -> dict[str, Any]:
    """The condition that the key's latest version, and its batch, are those that were looked at."""
    return {
        "ConditionExpression": "version = :version AND holder = :holder",
        "ExpressionAttributeValues": {":version": {"S": known.file.version}, ":holder": {"S": known.batch_id}},
    }


def _holder(item: Item) -> Holder:
    found = from_item(item)
    return Holder(parse_file(found), found["holder"])


def _change_item(revised: Batch, change: Change) -> Item:
    name = hashlib.sha256(f"{change.bucket}/{change.key}/{change.version}".encode()).hexdigest()[:32]
    meant = {"bucket": change.bucket, "key": change.key, "only": change.version}
    values = meant | (file_values(change.file) if change.file else {})
    keys = {"pk": batch_key(revised.batch_id), "sk": f"CHANGE#{name}", "number": revised.changes}
    return to_item({**keys, **values})


def _change(found: Mapping[str, Any]) -> Change:
    file = parse_file(found) if "version" in found else None
    return Change(found["bucket"], found["key"], file, found.get("only", ""))


def refused_values(file: FileVersion, batch_id: str, reason: str, since: datetime) -> dict[str, Any]:
    """The item of a file that waits for a person."""
    return {
        "pk": file_key(file.bucket, file.key),
        "sk": f"REFUSED#{file.version}",
        "open": QUARANTINE,
        "due_at": since,
        "batch_id": batch_id,
        "reason": reason,
        **file_values(file),
    }


def refused_key(file: FileVersion) -> dict[str, Any]:
    """The key of that item."""
    return key_of(file_key(file.bucket, file.key), f"REFUSED#{file.version}")
