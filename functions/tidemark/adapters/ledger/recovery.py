"""Writes that only recovery makes: claims, files in quarantine, and the seal of a complete ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tidemark.adapters.ledger.controls import Controls
from tidemark.adapters.ledger.files import claim_values, held_as, refused_key, refused_values
from tidemark.adapters.ledger.table import Table
from tidemark.clock import iso
from tidemark.core.files import FileVersion, Holder
from tidemark.core.naming import dataset_name

SEAL = "SEAL"


class Recovery:
    def __init__(self, table: Table, controls: Controls) -> None:
        self.table, self.controls = table, controls

    def seal(self) -> dict[str, Any]:
        """Returns the seal: the identity of the table that it was put in or broken in; empty if there is none."""
        return self.controls.get(SEAL)

    def put_seal(self) -> None:
        """Seals the ledger: records that it is complete in its present table."""
        self.controls.set(SEAL, {"whole": self.table.identity()})

    def break_seal(self, since: datetime) -> None:
        """Breaks the seal: records that no function has begun work on this table since then."""
        self.controls.set(SEAL, {"broken": self.table.identity(), "since": iso(since)})

    def hold(self, file: FileVersion, batch_id: str, now: datetime, instead: Holder | None) -> None:
        """Makes the batch the holder of the version, as the latest of its key, in place of the holder `instead`.

        Closes the race with another recovery, or with a pipeline that still runs: the second gets `Conflict`.
        """
        values = claim_values("FILE", file, dataset_name(batch_id), batch_id, now)
        condition = held_as(instead) if instead else {"ConditionExpression": "attribute_not_exists(pk)"}
        self.table.transact([{"Update": self.table.write(values, condition)}])

    def hold_older(self, file: FileVersion, batch_id: str, now: datetime) -> None:
        """Makes the batch the holder of the version, as an older one of its key. Repeating it changes nothing."""
        self.table.overwrite(claim_values(f"V#{file.version}", file, dataset_name(batch_id), batch_id, now))

    def set_aside(self, file: FileVersion, batch_id: str, reason: str, now: datetime) -> None:
        """Puts the file in quarantine, unless the ledger has an item for it: a person may have decided already."""
        refused = refused_values(file, batch_id, reason, now)
        self.table.put(refused, condition="attribute_not_exists(pk)", ignore_failed=True)

    def take_back(self, file: FileVersion) -> None:
        """Takes the file out of quarantine: a person has released it, or a newer version has replaced it."""
        self.table.client.delete_item(TableName=self.table.name, Key=refused_key(file))
