"""The DynamoDB table: the few calls that every part of the ledger makes, and how each reports a lost race."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from tidemark.adapters.ledger.items import Item, to_item
from tidemark.clock import from_iso, iso
from tidemark.core.errors import Conflict, Terminal, Transient

#: CancellationReasons of a lost race: a condition did not hold, or another transaction was writing.
LOST_RACES = ("ConditionalCheckFailed", "TransactionConflict")
#: Refusals that no retry can change: an item above 400 KB, an invalid attribute value.
REFUSALS = ("ItemCollectionSizeLimitExceeded", "ValidationError")


class Table:
    def __init__(self, client: Any, name: str) -> None:
        self.client, self.name = client, name

    def identity(self) -> str:
        """The table's name and creation time. A restored table has another creation time, even under the same name."""
        table = self.client.describe_table(TableName=self.name)["Table"]
        return f"{table['TableName']} made {iso(table['CreationDateTime'])}"

    def made_at(self) -> datetime:
        """When the table was created or restored."""
        return from_iso(self.identity().rpartition(" ")[2])

    def put(
        self, values: Mapping[str, Any], condition: str = "", old: bool = False, missed_is_fine: bool = False
    ) -> None:
        """Writes one item if `condition`, a ConditionExpression, holds.

        old:            the error of a failed condition carries the item that stands in the way (`old_item`)
        missed_is_fine: a failed condition is no error
        """
        request: dict[str, Any] = {"TableName": self.name, "Item": to_item(values)}
        if condition:
            request["ConditionExpression"] = condition
        if old:
            request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        try:
            self.client.put_item(**request)
        except ClientError as error:
            if not (missed_is_fine and code(error) == "ConditionalCheckFailedException"):
                raise

    def get(self, pk: str, sk: str) -> Item | None:
        """One item, by a consistent read."""
        answer = self.client.get_item(TableName=self.name, Key=key_of(pk, sk), ConsistentRead=True)
        return answer.get("Item")  # type: ignore[no-any-return]

    def query(self, **request: Any) -> Iterator[Item]:
        """Every item of every page."""
        start: dict[str, Any] = {}
        while True:
            page = self.client.query(TableName=self.name, **request, **start)
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def open(self, what: str, **more: Any) -> Iterator[Item]:
        """One partition of the `open` index, oldest first."""
        return self.query(
            IndexName="open",
            KeyConditionExpression="#open = :open",
            ExpressionAttributeNames={"#open": "open"},
            ExpressionAttributeValues={":open": {"S": what}},
            **more,
        )

    def latest(self, what: str, limit: int) -> Iterator[Item]:
        """Up to `limit` items of one partition of the `open` index, latest first."""
        return islice(self.open(what, ScanIndexForward=False, Limit=min(limit, 500)), limit)

    def get_all(self, keys: Sequence[dict[str, Any]], consistent: bool = False, only: str = "") -> Iterator[Item]:
        """Those of up to 100 items that exist, in no order; `only` is a ProjectionExpression."""
        asked = {"Keys": keys, "ConsistentRead": consistent, **({"ProjectionExpression": only} if only else {})}
        request: dict[str, Any] = {self.name: asked} if keys else {}
        while request:
            answer = self.client.batch_get_item(RequestItems=request)
            yield from answer["Responses"][self.name]
            request = answer.get("UnprocessedKeys", {})

    def transact(self, writes: list[dict[str, Any]]) -> None:
        """Makes all of the writes or none.

        Raises `Conflict` for a lost race, `Terminal` for what DynamoDB never accepts, `Transient` for a throttle.
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
    def unwritten_since(version: int) -> dict[str, Any]:
        """The condition that the item is still at the `version` that was read; 0 means that it does not exist."""
        if not version:
            return {"ConditionExpression": "attribute_not_exists(pk)"}
        return {
            "ConditionExpression": "version = :version",
            "ExpressionAttributeValues": {":version": {"N": str(version)}},
        }


def _cancelled(error: ClientError) -> Conflict | Terminal | Transient:
    """The error that a cancelled transaction means, by the reasons of its writes."""
    reasons = error.response.get("CancellationReasons", [])
    codes = {reason.get("Code", "None") for reason in reasons}
    if codes & set(REFUSALS):
        refusal = next(reason.get("Message") or reason["Code"] for reason in reasons if reason.get("Code") in REFUSALS)
        return Terminal(f"DynamoDB refuses the transaction: {refusal}")
    return Conflict(str(error)) if codes & set(LOST_RACES) else Transient(str(error))


def key_of(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])


def old_item(error: ClientError) -> Item:
    """The item that made the condition fail (ReturnValuesOnConditionCheckFailure)."""
    return error.response["Item"]  # type: ignore[typeddict-item,no-any-return]
