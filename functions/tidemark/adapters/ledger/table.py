"""The table itself: the few calls that everything goes through, and what they do with a lost race."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from tidemark.adapters.ledger.items import Item, to_item
from tidemark.clock import from_iso, iso
from tidemark.core.errors import Conflict, Terminal, Transient

#: Why DynamoDB cancels a transaction (CancellationReasons): a condition did not hold, or somebody else was writing.
LOST_RACES = ("ConditionalCheckFailed", "TransactionConflict")
#: What no repetition cures: an item above 400 KB, a value that no attribute may have.
REFUSALS = ("ItemCollectionSizeLimitExceeded", "ValidationError")


class Table:
    def __init__(self, client: Any, table: str) -> None:
        self.client, self.table = client, table

    def identity(self) -> str:
        """Which table this is: its name and when it was made. A restored one bears another time, whatever its name."""
        found = self.client.describe_table(TableName=self.table)["Table"]
        return f"{found['TableName']} made {iso(found['CreationDateTime'])}"

    def made_at(self) -> datetime:
        """When the table was made, or restored."""
        return from_iso(self.identity().rpartition(" ")[2])

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
            if not (missed_is_fine and code(error) == "ConditionalCheckFailedException"):
                raise

    def _get(self, pk: str, sk: str) -> Item | None:
        answer = self.client.get_item(TableName=self.table, Key=key_of(pk, sk), ConsistentRead=True)
        return answer.get("Item")  # type: ignore[no-any-return]

    def _query(self, **request: Any) -> Iterator[Item]:
        start: dict[str, Any] = {}
        while True:
            page = self.client.query(TableName=self.table, **request, **start)
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def _open(self, what: str, **more: Any) -> Iterator[Item]:
        return self._query(
            IndexName="open",
            KeyConditionExpression="#open = :open",
            ExpressionAttributeNames={"#open": "open"},
            ExpressionAttributeValues={":open": {"S": what}},
            **more,
        )

    def _latest(self, what: str, limit: int) -> Iterator[Item]:
        """What came last into that part of the `open` index, latest first."""
        return islice(self._open(what, ScanIndexForward=False, Limit=min(limit, 500)), limit)

    def _get_all(self, keys: Sequence[dict[str, Any]], consistent: bool = False, only: str = "") -> Iterator[Item]:
        """Those of up to 100 items that there are, in no order; of each `only` these attributes."""
        asked = {"Keys": keys, "ConsistentRead": consistent, **({"ProjectionExpression": only} if only else {})}
        request: dict[str, Any] = {self.table: asked} if keys else {}
        while request:
            answer = self.client.batch_get_item(RequestItems=request)
            yield from answer["Responses"][self.table]
            request = answer.get("UnprocessedKeys", {})

    def _transact(self, writes: list[dict[str, Any]]) -> None:
        """All of the writes or none.

        Raises `Conflict` for a lost race, `Terminal` for what DynamoDB will never take, `Transient` for a throttle.
        """
        try:
            self.client.transact_write_items(TransactItems=writes)
        except ClientError as error:
            if code(error) == "TransactionCanceledException":
                raise _cancelled(error) from error
            if code(error) == "TransactionConflictException":
                raise Conflict(str(error)) from error
            raise

    @staticmethod
    def _unwritten_since(version: int) -> dict[str, Any]:
        """The condition that nobody has written the item since its `version` was read (0: that there is none)."""
        if not version:
            return {"ConditionExpression": "attribute_not_exists(pk)"}
        return {
            "ConditionExpression": "version = :version",
            "ExpressionAttributeValues": {":version": {"N": str(version)}},
        }


def _cancelled(error: ClientError) -> Conflict | Terminal | Transient:
    """What a cancelled transaction means, by the reasons of its single writes."""
    reasons = error.response.get("CancellationReasons", [])
    codes = {reason.get("Code", "None") for reason in reasons}
    if codes & set(REFUSALS):
        told = next(reason.get("Message") or reason["Code"] for reason in reasons if reason.get("Code") in REFUSALS)
        return Terminal(f"DynamoDB refuses the transaction: {told}")
    return Conflict(str(error)) if codes & set(LOST_RACES) else Transient(str(error))


def key_of(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])


def old_item(error: ClientError) -> Item:
    """The item that made the condition fail (ReturnValuesOnConditionCheckFailure)."""
    return error.response["Item"]  # type: ignore[typeddict-item,no-any-return]
