"""Marks: when the rows of a table's day last changed, as the sequence number of the lake table's commit."""

from __future__ import annotations

from botocore.exceptions import ClientError

from tidemark.adapters.ledger.items import from_item
from tidemark.adapters.ledger.table import Table, code, key_of


class DayChanges:
    def __init__(self, table: Table) -> None:
        self.table = table

    def record(self, table: str, day: str, sequence: int) -> None:
        """Raise the day's mark to `sequence`; "" is the table as a whole.

        Closes the race of two publishers: a mark never falls, whoever comes last.
        """
        try:
            self.table.client.update_item(
                TableName=self.table.name,
                Key=key_of(_day_changes_key(table), f"DAY#{day}"),
                UpdateExpression="SET committed = :committed",
                ConditionExpression="attribute_not_exists(pk) OR committed < :committed",
                ExpressionAttributeValues={":committed": {"N": str(sequence)}},
            )
        except ClientError as error:
            if code(error) != "ConditionalCheckFailedException":
                raise

    def of(self, table: str) -> dict[str, int]:
        """Day (YYYY-MM-DD, "" for the table as a whole) → sequence number (consistent read)."""
        pages = self.table.query(
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": _day_changes_key(table)}},
            ConsistentRead=True,
        )
        found = (from_item(item) for item in pages)
        return {item["sk"].removeprefix("DAY#"): item["committed"] for item in found}


def _day_changes_key(table: str) -> str:
    return f"CHANGED#{table}"
