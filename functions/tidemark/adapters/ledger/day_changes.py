"""Day changes: for each day of a table, the sequence number of the lake commit that last changed its rows."""

from __future__ import annotations

from botocore.exceptions import ClientError

from tidemark.adapters.ledger.items import from_item, readable
from tidemark.adapters.ledger.table import Table, code, key_of


class DayChanges:
    def __init__(self, table: Table) -> None:
        self.table = table

    def record(self, table: str, day: str, sequence: int) -> None:
        """Records that the commit `sequence` changed rows of the day; "" stands for the table as a whole.

        Closes the race between two publishers: a lower sequence number never replaces a higher one.
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
        """Returns day (YYYY-MM-DD, "" for the table as a whole) → sequence number (consistent read)."""
        pages = self.table.query(
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": _day_changes_key(table)}},
            ConsistentRead=True,
        )
        changes = (from_item(item) for item in readable(pages))
        return {change["sk"].removeprefix("DAY#"): change["committed"] for change in changes}


def _day_changes_key(table: str) -> str:
    return f"CHANGED#{table}"
