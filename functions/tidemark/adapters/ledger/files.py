"""Files: which batch holds which version of a key, which files changed, and which are in quarantine."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from tidemark.adapters.ledger.batches import Batches
from tidemark.adapters.ledger.items import (
    QUARANTINE,
    Item,
    batch_key,
    beside_file,
    file_key,
    file_values,
    from_item,
    parse_file,
    to_item,
)
from tidemark.adapters.ledger.table import Table, code, existing_item, key_of
from tidemark.core.files import Change, FileVersion, Holder
from tidemark.core.lifecycle import Batch

#: The attributes of a version, which a change without one lacks.
NO_FILE = tuple(entry.name for entry in fields(FileVersion))


class Files:
    def __init__(self, table: Table, batches: Batches) -> None:
        self.table, self.batches = table, batches

    def claim(self, file: FileVersion, dataset: str, batch_id: str, now: datetime) -> Holder | None:
        """Claims a key for the batch with one write. Returns None on success, else the holder (perhaps this batch).

        Closes the race between two batches with the same file: the first put wins.
        """
        try:
            self.table.put(
                claim_values("FILE", file, dataset, batch_id, now),
                condition="attribute_not_exists(pk)",
                return_existing=True,
            )
        except ClientError as error:
            if code(error) != "ConditionalCheckFailedException":
                raise
            return _holder(existing_item(error))
        return None

    def claim_older(self, known: Holder, file: FileVersion, dataset: str, batch_id: str, now: datetime) -> None:
        """Claims a version that is older than the `known` one, which stays the latest of its key.

        Closes the race between two batches that claim the version, as an older one or as the latest: the second gets
        `Conflict`.
        """
        item = to_item(claim_values(f"V#{file.version}", file, dataset, batch_id, now))
        put = {"TableName": self.table.name, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}
        latest = {
            "TableName": self.table.name,
            "Key": key_of(file_key(file.bucket, file.key), "FILE"),
            **held_as(known),
        }
        self.table.transact([{"Put": put}, {"ConditionCheck": latest}])

    def older_holder(self, file: FileVersion) -> Holder | None:
        """Returns the holder of a version that is not the latest of its key (consistent read)."""
        item = self.table.get(file_key(file.bucket, file.key), f"V#{file.version}")
        return _holder(item) if item else None

    def holder(self, bucket: str, key: str) -> Holder | None:
        """Returns the holder of the latest version of a key (consistent read)."""
        item = self.table.get(file_key(bucket, key), "FILE")
        return _holder(item) if item else None

    def holders(self, bucket: str, key: str) -> list[Holder]:
        """Returns the holder of every version of a key that was ever claimed (consistent read)."""
        pages = self.table.query(
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": file_key(bucket, key)}},
            ConsistentRead=True,
        )
        return [_holder(item) for item in pages if "holder" in item]

    def supersede(self, known: Holder, file: FileVersion, revised: Batch) -> Batch:
        """Replaces the version that `revised` holds by `file`, as a change for the batch's next attempt.

        One transaction, so no claimed version is ever missing from its batch. Closes the races with another version of
        the key and with another move of the batch: the second gets `Conflict`.
        """
        change = Change(file.bucket, file.key, file)
        writes = [
            self._replace_holder(known, file, known.batch_id),
            self._archive(known),
            {"Update": self.table.write(_change_values(revised, change))},
            # If the known version is in quarantine, nothing about it is left to decide.
            {"Delete": {"TableName": self.table.name, "Key": refused_key(known.file)}},
        ]
        return self.batches.save(revised, writes)

    def append(self, known: Holder, file: FileVersion, batch_id: str) -> None:
        """Makes `file` the latest version of its key, held by `batch_id`; the known version stays with its batch.

        Closes the races with another latest version of the key, and with a batch that claims the version as an older
        one: the second gets `Conflict`.
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
        """Saves the next attempt of the batch without a bad file, and puts the file in quarantine.

        Closes the race with another move of the batch: the second gets `Conflict`.
        """
        change = Change(file.bucket, file.key, None, file.version)
        refused = refused_values(file, revised.batch_id, revised.reason, revised.updated_at)
        both = (_change_values(revised, change), refused)
        return self.batches.save(revised, [{"Update": self.table.write(values)} for values in both])

    def restore(self, revised: Batch, file: FileVersion, latest: bool) -> Batch:
        """Returns a file from quarantine to the batch, as a change for the batch's next attempt.

        latest: whether the file is the latest claimed version of its key, or else an older one, under `append`.

        Closes the race with a newer version of the key, which an older one must not replace: raises `Conflict`.
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
            {"Update": self.table.write(_change_values(revised, change))},
            {"Delete": {"TableName": self.table.name, "Key": refused_key(file)}},
        ]
        return self.batches.save(revised, writes)

    def discard(self, file: FileVersion) -> None:
        """Takes a file off the list of files in quarantine; its item and reason are kept."""
        self.table.client.update_item(
            TableName=self.table.name,
            Key=refused_key(file),
            UpdateExpression="REMOVE #open",
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeNames={"#open": "open"},
        )

    def refusals(self, bucket: str, key: str) -> dict[str, str]:
        """Returns version → reason, for each version of the key that was put in quarantine (consistent read)."""
        pages = self.table.query(
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues={":pk": {"S": file_key(bucket, key)}, ":sk": {"S": "REFUSED#"}},
            ConsistentRead=True,
        )
        return {refusal["version"]: refusal.get("reason", "") for refusal in map(from_item, pages)}

    def changes(self, batch_id: str, after: int = 0) -> list[Change]:
        """Returns the batch's changes with a number above `after`, in the order of their numbers (consistent read)."""
        pages = self.table.query(
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues={":pk": {"S": batch_key(batch_id)}, ":sk": {"S": "CHANGE#"}},
            ConsistentRead=True,
        )
        later = [change for change in map(from_item, pages) if change["number"] > after]
        return [_change(change) for change in sorted(later, key=lambda change: change["number"])]

    def known_versions(self, files: Sequence[FileVersion]) -> dict[tuple[str, str], str]:
        """Returns (bucket, key) → latest claimed version, for up to 100 files; keys without a claim are left out."""
        names = {file_key(file.bucket, file.key): (file.bucket, file.key) for file in files}
        # Only these attributes: reconcile spends most of its time on parsing the replies.
        items = self.table.get_all([key_of(pk, "FILE") for pk in sorted(names)], only="pk, version")
        return {names[item["pk"]["S"]]: item["version"]["S"] for item in items}

    def older_versions(self, files: Sequence[FileVersion]) -> set[tuple[str, str, str]]:
        """Returns the identities, of up to 100 files, that were claimed and are not the latest of their key."""
        identities = {(file_key(file.bucket, file.key), f"V#{file.version}"): file.identity for file in files}
        items = self.table.get_all([key_of(*key) for key in sorted(identities)], only="pk, sk")
        return {identities[item["pk"]["S"], item["sk"]["S"]] for item in items}

    def _replace_holder(self, known: Holder, file: FileVersion, batch_id: str) -> dict[str, Any]:
        item = to_item({"pk": file_key(file.bucket, file.key), "sk": "FILE", "holder": batch_id, **file_values(file)})
        # Closes the race between two newer versions: each may replace only the version that it was compared with.
        return {"Put": {"TableName": self.table.name, "Item": item, **held_as(known)}}

    def _archive(self, known: Holder) -> dict[str, Any]:
        file = known.file
        keys = {"pk": file_key(file.bucket, file.key), "sk": f"V#{file.version}"}
        item = to_item({**keys, "holder": known.batch_id, **file_values(file)})
        return {"Put": {"TableName": self.table.name, "Item": {**known.more, **item}}}


def claim_values(sk: str, file: FileVersion, dataset: str, batch_id: str, now: datetime) -> dict[str, Any]:
    """Returns the item of a claimed version: `sk` is FILE for the latest version of its key, V#… for an older one."""
    claimed = {"holder": batch_id, "claimed_by": dataset, "claimed_at": now}
    return {"pk": file_key(file.bucket, file.key), "sk": sk, **claimed, **file_values(file)}


def held_as(known: Holder) -> dict[str, Any]:
    """Returns the condition that the key's latest version and its batch are still the `known` ones."""
    return {
        "ConditionExpression": "version = :version AND holder = :holder",
        "ExpressionAttributeValues": {":version": {"S": known.file.version}, ":holder": {"S": known.batch_id}},
    }


def _holder(item: Item) -> Holder:
    values = from_item(item)
    return Holder(parse_file(values), values["holder"], beside_file(item))


def _change_values(revised: Batch, change: Change) -> dict[str, Any]:
    name = hashlib.sha256(f"{change.bucket}/{change.key}/{change.version}".encode()).hexdigest()[:32]
    replaced = {"bucket": change.bucket, "key": change.key, "only": change.version}
    # A change that removes the key overwrites the attributes of one that has replaced its version.
    values = file_values(change.file) if change.file else dict.fromkeys(NO_FILE)
    keys = {"pk": batch_key(revised.batch_id), "sk": f"CHANGE#{name}", "number": revised.changes}
    return {**keys, **values, **replaced}


def _change(values: Mapping[str, Any]) -> Change:
    file = parse_file(values) if "version" in values else None
    return Change(values["bucket"], values["key"], file, values.get("only", ""))


def refused_values(file: FileVersion, batch_id: str, reason: str, since: datetime) -> dict[str, Any]:
    """Returns the item of a file in quarantine, where it waits for a person."""
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
    """Returns the key of the file's item in quarantine."""
    return key_of(file_key(file.bucket, file.key), f"REFUSED#{file.version}")
