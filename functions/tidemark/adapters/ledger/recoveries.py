"""What recovery puts back: claims, files set aside, and the seal, which names the table of a whole ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tidemark.adapters.ledger.controls import Controls
from tidemark.adapters.ledger.files import Files, claim_values, refused_key, refused_values, still
from tidemark.adapters.ledger.items import pending_key, to_item
from tidemark.clock import iso
from tidemark.core.files import FileVersion, Holder
from tidemark.core.naming import dataset_name

SEAL = "SEAL"


class Recoveries(Files, Controls):
    def seal(self) -> dict[str, Any]:
        """Which table the ledger was whole in; empty where nobody has said so yet."""
        return self.control(SEAL)

    def put_seal(self) -> None:
        """Say that the ledger is whole in the table that it is in."""
        self.set_control(SEAL, {"whole": self.identity()})

    def break_seal(self, since: datetime) -> None:
        """Say that it is not, and since when nobody begins anything by this table."""
        self.set_control(SEAL, {"broken": self.identity(), "since": iso(since)})

    def hold(self, file: FileVersion, batch_id: str, now: datetime, instead: Holder | None) -> None:
        """Let the batch hold the version as the latest of its key, instead of what was seen there.

        Raises `Conflict` when that is so no longer: two recoveries at once, or one beside a pipeline that goes on.
        """
        values = claim_values("FILE", file, dataset_name(batch_id), batch_id, now)
        condition = still(instead) if instead else {"ConditionExpression": "attribute_not_exists(pk)"}
        self._transact([{"Put": {"TableName": self.table, "Item": to_item(values), **condition}}])

    def hold_older(self, file: FileVersion, batch_id: str, now: datetime) -> None:
        """Let the batch hold the version as an older one. Repeating it changes nothing."""
        self._put(claim_values(f"V#{file.version}", file, dataset_name(batch_id), batch_id, now))

    def free_segment(self, dataset: str, sk: str, background: bool) -> None:
        """Take a batch's mark off a pending segment, so that a planner looks at its files again."""
        item = self._get(pending_key(dataset, background), sk)
        if item:
            free = {name: value for name, value in item.items() if name != "batch_id"}
            self.client.put_item(TableName=self.table, Item=free)

    def set_aside(self, file: FileVersion, batch_id: str, reason: str, now: datetime) -> None:
        """The file waits for a person; not again if the ledger knows of it, for it may be decided about."""
        refused = refused_values(file, batch_id, reason, now)
        self._put(refused, condition="attribute_not_exists(pk)", missed_is_fine=True)

    def take_back(self, file: FileVersion) -> None:
        """The file is a normal one: a person has released it, or a newer version has taken its place."""
        self.client.delete_item(TableName=self.table, Key=refused_key(file))
