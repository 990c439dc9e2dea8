"""The seal of a complete ledger, and the writes that only recovery makes."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tidemark.adapters.ledger.attribute_values import typed
from tidemark.adapters.ledger.batches import Batches
from tidemark.adapters.ledger.controls import Controls
from tidemark.adapters.ledger.files import claim_values, held_as, refused_key, refused_values
from tidemark.adapters.ledger.items import to_item
from tidemark.adapters.ledger.seen_keys import SeenKeys
from tidemark.adapters.ledger.table import Table, key_of
from tidemark.clock import iso
from tidemark.core.errors import Conflict
from tidemark.core.files import FileVersion, Holder
from tidemark.core.job import DataFile
from tidemark.core.lifecycle import Batch
from tidemark.core.naming import dataset_name

SEAL = "SEAL"
SEAL_KEY = {"pk": "CONTROL", "sk": SEAL}


class Recovery:
    def __init__(self, table: Table, controls: Controls, batches: Batches, seen_keys: SeenKeys) -> None:
        self.table, self.controls, self.batches, self.seen_keys = table, controls, batches, seen_keys

    def seal(self) -> dict[str, Any]:
        """Returns the seal: the identity of the table that it was put in or broken in; empty if there is none."""
        return self.controls.get(SEAL)

    def put_seal(self) -> None:
        """Seals the ledger of a new stack: records that it is complete in its present table."""
        self.controls.set(SEAL, {"whole": self.table.identity()})

    def break_seal(self, since: datetime) -> None:
        """Breaks the seal: records that no function has begun work on this table since then."""
        self.controls.set(SEAL, {"broken": self.table.identity(), "since": iso(since)})

    def begin(self) -> Recoverer:
        """Returns what may write from now on, until another recovery begins or the ledger is sealed.

        Closes the race with a recovery that has just sealed the ledger: raises `Conflict`, also if it was not broken.
        """
        seen, recoverer = self.seal(), Recoverer(self, uuid.uuid4().hex)
        if "broken" not in seen:
            raise Conflict("the ledger's seal is not broken: functions may be at work")
        unchanged = {"ConditionExpression": "#value = :seen", "ExpressionAttributeValues": {":seen": typed(seen)}}
        values = {**SEAL_KEY, "value": seen, "recoverer": recoverer.name}
        self.table.transact([{"Update": self.table.write(values, unchanged)}])
        return recoverer


class Recoverer:
    """The writes of one recovery. Each raises `Conflict` once another recovery has begun, or the ledger is sealed.

    This closes the race of a recovery with a later one: what it has looked at is no longer true.
    """

    def __init__(self, recovery: Recovery, name: str) -> None:
        self.recovery, self.table, self.name = recovery, recovery.table, name

    def hold(self, file: FileVersion, batch_id: str, now: datetime, instead: Holder | None) -> None:
        """Makes the batch the holder of the version, as the latest of its key, in place of the holder `instead`.

        Closes the race with a pipeline that still runs: raises `Conflict`.
        """
        values = claim_values("FILE", file, dataset_name(batch_id), batch_id, now)
        condition = held_as(instead) if instead else {"ConditionExpression": "attribute_not_exists(pk)"}
        self._write({"Update": self.table.write(values, condition)})

    def hold_older(self, file: FileVersion, batch_id: str, now: datetime) -> None:
        """Makes the batch the holder of the version, as an older one of its key. Repeating it changes nothing."""
        values = claim_values(f"V#{file.version}", file, dataset_name(batch_id), batch_id, now)
        self._write({"Update": self.table.write(values)})

    def set_aside(self, file: FileVersion, batch_id: str, reason: str, now: datetime) -> None:
        """Puts the file in quarantine, unless the ledger has an item for it: a person may have decided already."""
        key = refused_key(file)
        if self.table.get(key["pk"]["S"], key["sk"]["S"]) is None:
            item = to_item(refused_values(file, batch_id, reason, now))
            absent = {"ConditionExpression": "attribute_not_exists(pk)"}
            self._write({"Put": {"TableName": self.table.name, "Item": item, **absent}})

    def take_back(self, file: FileVersion) -> None:
        """Takes the file out of quarantine: a person has released it, or a newer version has replaced it."""
        self._write({"Delete": {"TableName": self.table.name, "Key": refused_key(file)}})

    def record_keys(self, batch: Batch, attempt: int, files: Sequence[DataFile]) -> None:
        """Records the key files of an attempt that readers of the lake see."""
        self._write(self.recovery.seen_keys.record(batch, attempt, files))

    def save(self, batch: Batch) -> Batch:
        """Writes the batch, unless it was written since it was read; returns it with its new version."""
        return self.recovery.batches.save(batch, [self._check])

    def seal(self) -> None:
        """Seals the ledger: it is complete in its present table."""
        mine = {"ConditionExpression": "#recoverer = :by", "ExpressionAttributeValues": {":by": {"S": self.name}}}
        values = {**SEAL_KEY, "value": {"whole": self.table.identity()}, "recoverer": None}
        self.table.transact([{"Update": self.table.write(values, mine)}])

    def _write(self, write: dict[str, Any]) -> None:
        self.table.transact([write, self._check])

    @property
    def _check(self) -> dict[str, Any]:
        """The condition that no other recovery has begun, and that the ledger is not sealed."""
        values = {":by": {"S": self.name}}
        check = {"ConditionExpression": "recoverer = :by", "ExpressionAttributeValues": values}
        return {"ConditionCheck": {"TableName": self.table.name, "Key": key_of(**SEAL_KEY), **check}}
