"""What recovery puts back: claims, files set aside, and the seal, which names the table of a whole ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tidemark.adapters.ledger.controls import Controls
from tidemark.adapters.ledger.files import claim_values, refused_key, refused_values, still
from tidemark.adapters.ledger.items import to_item
from tidemark.adapters.ledger.table import Table
from tidemark.clock import iso
from tidemark.core.files import FileVersion, Holder

SEAL = "SEAL"


class Recovery:
    def __init__(self, table: Table, controls: Controls) -> None:
        self.table, self.controls = table, controls

    def seal(self) -> dict[str, Any]:
        """Which table the ledger was whole in; empty where nobody has said so yet."""
        return self.controls.get(SEAL)

    def put_seal(self) -> None:
        """Say that the ledger is whole in the table that it is in."""
        self.controls.set(SEAL, {"whole": self.table.identity()})

    def break_seal(self, since: datetime) -> None:
        """Say that it is not, and since when nobody begins anything by this table."""
        self.controls.set(SEAL, {"broken": self.table.identity(), "since": iso(since)})

    def hold(self, file: FileVersion, batch_id: str, now: datetime, instead: Holder | None) -> None:
        """Let the batch hold the version as the latest of its key, instead of what was seen there.

        Raises `Conflict` when that is so no longer: two recoveries at once, or one beside a pipeline that goes on.
        """
        values = claim_values("FILE", file, batch_id.split(".", maxsplit=1)[0], batch_id, now)
        condition = still(instead) if instead else {"ConditionExpression": "attribute_not_exists(pk)"}
        self.table.transact([{"Put": {"TableName": self.table.name, "Item": to_item(values), **condition}}])

    def hold_older(self, file: FileVersion, batch_id: str, now: datetime) -> None:
        """Let the batch hold the version as an older one. Repeating it changes nothing."""
        self.table.put(claim_values(f"V#{file.version}", file, batch_id.split(".", maxsplit=1)[0], batch_id, now))

    def set_aside(self, file: FileVersion, batch_id: str, reason: str, now: datetime) -> None:
        """The file waits for a person; not again if the ledger knows of it, for it may be decided about."""
        refused = refused_values(file, batch_id, reason, now)
        self.table.put(refused, condition="attribute_not_exists(pk)", missed_is_fine=True)

    def take_back(self, file: FileVersion) -> None:
        """The file is a normal one: a person has released it, or a newer version has taken its place."""
        self.table.client.delete_item(TableName=self.table.name, Key=refused_key(file))
