"""The DynamoDB table: the calls that all parts of the ledger make, and how each of them reports a lost race."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from types import MappingProxyType
from typing import Any

from botocore.exceptions import ClientError

from tidemark.adapters.ledger.items import Item, to_item
from tidemark.clock import from_iso, iso
from tidemark.core.errors import Conflict, Terminal, Transient

#: CancellationReasons of a lost race: a condition did not hold, or another transaction was writing.
LOST_RACES = ("ConditionalCheckFailed", "TransactionConflict")
#: Refusals that no retry can change: an item above 400 KB, an invalid attribute value.
REFUSALS = ("ItemCollectionSizeLimitExceeded", "ValidationError")
NO_CONDITION: Mapping[str, Any] = MappingProxyType({})


class Table:
    def __init__(self, client: Any, name: str) -> None:
        self.client, self.name = client, name

    def identity(self) -> str:
        """Returns the table's name and creation time. A restored table has a later one, even under the same name."""
        table = self.client.describe_table(TableName=self.name)["Table"]
        return f"{table['TableName']} made {iso(table['CreationDateTime'])}"

    def made_at(self) -> datetime:
        """Returns when the table was created or restored."""
        return from_iso(self.identity().rpartition(" ")[2])

    def put(
        self, values: Mapping[str, Any], condition: str = "", return_existing: bool = False, ignore_failed: bool = False
    ) -> None:
        """Writes one item if `condition`, a ConditionExpression, holds.

        return_existing: the error of a failed condition has the existing item (`existing_item`)
        ignore_failed:   a failed condition is not an error
        """
        request: dict[str, Any] = {"TableName": self.name, "Item": to_item(values)}
        if condition:
            request["ConditionExpression"] = condition
        if return_existing:
            request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        try:
            self.client.put_item(**request)
        except ClientError as error:
            if not (ignore_failed and code(error) == "ConditionalCheckFailedException"):
                raise

    def write(self, values: Mapping[str, Any], condition: Mapping[str, Any] = NO_CONDITION) -> dict[str, Any]:
        """Returns an update that creates the item or overwrites these attributes of it, and no others.

        It sets every value, and removes those that are None or "". So what a newer release has added stays.

        condition: ConditionExpression and its ExpressionAttributeValues, whose names do not begin with `:new_`
        """
        return self.write_item(to_item(values), values, condition)

    def write_item(
        self, item: Item, names: Iterable[str], condition: Mapping[str, Any] = NO_CONDITION
    ) -> dict[str, Any]:
        """Does what `write` does, for an item; removes the attributes of these names that the item lacks."""
        key = {name: item[name] for name in ("pk", "sk")}
        wanted = {name: value for name, value in item.items() if name not in key}
        emptied = sorted(set(names) - set(item))
        sets = ", ".join(f"#{name} = :new_{name}" for name in wanted)
        removes = f" REMOVE {', '.join(f'#{name}' for name in emptied)}" if emptied else ""
        values = {f":new_{name}": value for name, value in wanted.items()}
        return {
            "TableName": self.name,
            "Key": key,
            **condition,
            "UpdateExpression": f"SET {sets}{removes}",
            "ExpressionAttributeNames": {f"#{name}": name for name in (*wanted, *emptied)},
            "ExpressionAttributeValues": values | condition.get("ExpressionAttributeValues", {}),
        }

    def overwrite(self, values: Mapping[str, Any]) -> None:
        """Creates the item, or overwrites these attributes of it: see `write`."""
        self.client.update_item(**self.write(values))

    def get(self, pk: str, sk: str) -> Item | None:
        """Returns one item (consistent read), or None if it does not exist."""
        reply = self.client.get_item(TableName=self.name, Key=key_of(pk, sk), ConsistentRead=True)
        return reply.get("Item")  # type: ignore[no-any-return]

    def query(self, **request: Any) -> Iterator[Item]:
        """Yields the items of all pages."""
        start: dict[str, Any] = {}
        while True:
            page = self.client.query(TableName=self.name, **request, **start)
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def open(self, partition: str, **options: Any) -> Iterator[Item]:
        """Yields the items of one partition of the `open` index, oldest first; `options` are those of Query."""
        return self.query(
            IndexName="open",
            KeyConditionExpression="#open = :open",
            ExpressionAttributeNames={"#open": "open"},
            ExpressionAttributeValues={":open": {"S": partition}},
            **options,
        )

    def latest(self, partition: str, limit: int) -> Iterator[Item]:
        """Yields up to `limit` items of one partition of the `open` index, latest first."""
        return islice(self.open(partition, ScanIndexForward=False, Limit=min(limit, 500)), limit)

    def get_all(self, keys: Sequence[dict[str, Any]], consistent: bool = False, only: str = "") -> Iterator[Item]:
        """Yields those of up to 100 items that exist, in no particular order; `only` is a ProjectionExpression."""
        reads = {"Keys": keys, "ConsistentRead": consistent, **({"ProjectionExpression": only} if only else {})}
        request: dict[str, Any] = {self.name: reads} if keys else {}
        while request:
            reply = self.client.batch_get_item(RequestItems=request)
            yield from reply["Responses"][self.name]
            request = reply.get("UnprocessedKeys", {})

    def transact(self, writes: list[dict[str, Any]]) -> None:
        """Makes all writes or none.

        Raises `Conflict` for a lost race, `Terminal` for a write that DynamoDB never accepts, and `Transient` for a
        throttle.
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
        """Returns the condition that the item still has the `version` that was read; 0 means that it does not exist."""
        if not version:
            return {"ConditionExpression": "attribute_not_exists(pk)"}
        return {
            "ConditionExpression": "version = :version",
            "ExpressionAttributeValues": {":version": {"N": str(version)}},
        }


def _cancelled(error: ClientError) -> Conflict | Terminal | Transient:
    """Returns the error for a cancelled transaction, by the cancellation reasons of its writes."""
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


def existing_item(error: ClientError) -> Item:
    """Returns the item that made the condition fail (ReturnValuesOnConditionCheckFailure)."""
    return error.response["Item"]  # type: ignore[typeddict-item,no-any-return]
