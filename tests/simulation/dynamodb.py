"""DynamoDB as the ledger uses it: conditions, transactions, a lagging index, a stream. Supports nothing else."""

from __future__ import annotations

import re
from bisect import insort
from collections import deque
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from tests.simulation.faults import refuse

Item = dict[str, Any]
Call = Callable[..., Any]
NAME = re.compile(r"#\w+")
EXISTS = re.compile(r"attribute_(not_)?exists\((\w+)\)")
BELOW = re.compile(r"(\w+) < (:\w+)")
EQUALS = re.compile(r"(#?\w+) = (:\w+)")
BEGINS = re.compile(r"begins_with\((#?\w+), (:\w+)\)")
BETWEEN = re.compile(r"(\w+) BETWEEN (:\w+) AND (:\w+)")
UPDATE = re.compile(r"(?:SET (#?\w+ = :\w+(?:, #?\w+ = :\w+)*))? ?(?:REMOVE (#?\w+(?:, #?\w+)*))?")
ITEM_BYTES_MAX = 400 * 1024
INDEXES = {"open": ("open", "due_at"), "history": ("dataset", "created_at")}


class SimDynamoDB:
    """One table. `call` injects faults into every operation; `on_write` is called after each write has taken effect."""

    def __init__(
        self,
        call: Call,
        now: Callable[[], datetime],
        lag: Callable[[], float],
        on_write: Callable[[str, str, Item | None, Item | None], None],
        cancelled: Callable[[], bool],
    ) -> None:
        self.call, self.now, self.lag, self.on_write, self.cancelled = call, now, lag, on_write, cancelled
        self.made = now()
        self.items: dict[str, dict[str, Item]] = {}
        self.seen: dict[tuple[str, str], Item] = {}  # what the indexes show
        self.late: deque[tuple[datetime, tuple[str, str], Item | None]] = deque()

    # ── operations ──────────────────────────────────────────────────────────────────────────────────────────

    def get_item(self, TableName: str, Key: Item, ConsistentRead: bool = False) -> Item:  # noqa: N803
        assert ConsistentRead, "a decision on an eventually consistent read"

        def effect() -> Item:
            item = self._at(*_key(Key))
            return {"Item": item} if item else {}

        return self.call("dynamodb.GetItem", effect)

    def put_item(self, **request: Any) -> Item:
        return self.call("dynamodb.PutItem", lambda: self._single("Put", request, "PutItem"))

    def delete_item(self, **request: Any) -> Item:
        return self.call("dynamodb.DeleteItem", lambda: self._single("Delete", request, "DeleteItem"))

    def update_item(self, **request: Any) -> Item:
        return self.call("dynamodb.UpdateItem", lambda: self._single("Update", request, "UpdateItem"))

    def transact_write_items(self, TransactItems: list[Item]) -> Item:  # noqa: N803
        return self.call("dynamodb.TransactWriteItems", lambda: self._transact(TransactItems), once=True)

    def query(self, **request: Any) -> Item:
        return self.call("dynamodb.Query", lambda: self._query(request))

    def describe_table(self, TableName: str) -> Item:  # noqa: N803
        table = {"TableName": TableName, "CreationDateTime": self.made}
        return self.call("dynamodb.DescribeTable", lambda: {"Table": table})

    def batch_get_item(self, RequestItems: Item) -> Item:  # noqa: N803
        ((table, request),) = RequestItems.items()
        assert len(request["Keys"]) <= 100

        def effect() -> Item:
            keys, left = request["Keys"][:60], request["Keys"][60:]
            found = [item for item in (self._at(*_key(key)) for key in keys) if item]
            answer: Item = {"Responses": {table: found}}
            return answer | ({"UnprocessedKeys": {table: {**request, "Keys": left}}} if left else {})

        return self.call("dynamodb.BatchGetItem", effect)

    def stamp(self, keys: Collection[tuple[str, str]], number: str) -> None:
        """Give those items that still exist this format, as another release does that saves them."""
        for pk, sk in keys:
            if item := self._at(pk, sk):
                version = {"version": {"N": str(int(item["version"]["N"]) + 1)}} if "version" in item else {}
                self.items[pk][sk] = new = {**item, "format": {"N": number}, **version}
                if "open" in new or sk == "BATCH":
                    self._show_later((pk, sk), new)

    # ── how they work ───────────────────────────────────────────────────────────────────────────────────────

    def _at(self, pk: str, sk: str) -> Item | None:
        return self.items.get(pk, {}).get(sk)

    def _single(self, kind: str, request: Item, operation: str) -> Item:
        old = self._at(*_target(kind, request))
        if not holds(request, old):
            extra = {"Item": old} if old and request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" else {}
            raise refuse("ConditionalCheckFailedException", operation, "The conditional request failed", **extra)
        self._apply(kind, request)
        return {}

    def _transact(self, actions: list[Item]) -> Item:
        listed = [next(iter(action.items())) for action in actions]
        targets = [_target(kind, request) for kind, request in listed]
        if len(listed) > 100 or len(set(targets)) != len(targets):
            raise refuse("ValidationException", "TransactWriteItems", f"{len(listed)} actions, or one item twice")
        if self.cancelled():
            raise refuse(
                "TransactionCanceledException",
                "TransactWriteItems",
                CancellationReasons=[{"Code": "TransactionConflict"}],
            )
        failed = [not holds(request, self._at(*_target(kind, request))) for kind, request in listed]
        if any(failed):
            reasons = [{"Code": "ConditionalCheckFailed" if one else "None"} for one in failed]
            raise refuse("TransactionCanceledException", "TransactWriteItems", CancellationReasons=reasons)
        for kind, request in listed:
            if kind != "ConditionCheck":
                self._apply(kind, request)
        return {}

    def _apply(self, kind: str, request: Item) -> None:
        pk, sk = _target(kind, request)
        old = self._at(pk, sk)
        if kind == "ConditionCheck":
            return
        if kind == "Put":
            new: Item | None = dict(request["Item"])
        elif kind == "Delete":
            new = None
        else:
            new = updated(request, old)
        if new is None:
            self.items.get(pk, {}).pop(sk, None)
        else:
            packed = new.get("packed", {}).get("B", b"")
            if len(bytes(packed)) + 100 * len(new) > ITEM_BYTES_MAX:
                raise refuse("ValidationException", kind, "Item size has exceeded the maximum allowed size")
            self.items.setdefault(pk, {})[sk] = new
        if "open" in (new or {}) or "open" in (old or {}) or sk == "BATCH":
            self._show_later((pk, sk), new)
        self.on_write(pk, sk, old, new)

    def _show_later(self, key: tuple[str, str], new: Item | None) -> None:
        """Update the indexes after this write's lag. Writes of different items may overtake each other."""
        own = [when for when, known, _ in self.late if known == key]
        when = max([self.now() + timedelta(seconds=self.lag()), *own])
        insort(self.late, (when, key, new), key=lambda one: one[0])

    def _query(self, request: Item) -> Item:
        names, values = request.get("ExpressionAttributeNames", {}), request["ExpressionAttributeValues"]
        text = request["KeyConditionExpression"]
        equals = [(names.get(name, name), values[value]["S"]) for name, value in EQUALS.findall(text)]
        begins = [(names.get(name, name), values[value]["S"]) for name, value in BEGINS.findall(text)]
        if "IndexName" in request:
            assert not request.get("ConsistentRead"), "an index has no consistent reads"
            found = self._indexed(request["IndexName"], equals[0][1])
        else:
            assert request.get("ConsistentRead"), "a decision on an eventually consistent read"
            assert equals[0][0] == "pk"
            found = [item for _, item in sorted(self.items.get(equals[0][1], {}).items())]
        found = [item for item in found if all(item[name]["S"].startswith(start) for name, start in begins)]
        for name, first, last in BETWEEN.findall(text):
            found = [item for item in found if values[first]["S"] <= item[name]["S"] <= values[last]["S"]]
        return _page(found, request)

    def _indexed(self, index: str, value: str) -> list[Item]:
        now = self.now()
        while self.late and self.late[0][0] <= now:
            _, key, item = self.late.popleft()
            if item is None:
                self.seen.pop(key, None)
            else:
                self.seen[key] = item
        part, order = INDEXES[index]
        found = [item for item in self.seen.values() if item.get(part) == {"S": value} and order in item]
        return sorted(found, key=lambda item: (item[order]["S"], item["pk"]["S"], item["sk"]["S"]))


def updated(request: Item, old: Item | None) -> Item:
    """The item after an update; an expression that is not understood raises."""
    sets, removed = understood(request["UpdateExpression"])
    names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
    gone = {names.get(name, name) for name in removed}
    kept = {name: value for name, value in (old or request["Key"]).items() if name not in gone}
    return kept | {names.get(name, name): values[value] for name, value in sets}


@cache
def understood(text: str) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """The pairs of an update expression that are set, and the names that are removed."""
    found = UPDATE.fullmatch(text)
    if not found:
        raise NotImplementedError(text)
    sets, removed = (part.split(", ") if part else [] for part in found.groups())
    pairs = (one.split(" = ") for one in sets)
    return tuple((name, value) for name, value in pairs), tuple(removed)


def holds(request: Item, item: Item | None) -> bool:
    """Whether the request's condition is true of the item as it is."""
    names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
    text = NAME.sub(lambda found: names[found[0]], request.get("ConditionExpression", ""))
    return all(test(item or {}, values) for test in compiled(text))


@cache
def compiled(text: str) -> tuple[Callable[[Item, Mapping[str, Any]], bool], ...]:
    """A condition as tests that must all hold; an expression that is not understood raises."""
    return tuple(_compile(part) for part in text.split(" AND ") if part)


def _compile(part: str) -> Callable[[Item, Mapping[str, Any]], bool]:
    if " OR " in part:
        either = [_compile(side) for side in part.split(" OR ")]
        return lambda item, values: any(test(item, values) for test in either)
    if found := BELOW.fullmatch(part):
        left, right = found.groups()
        return lambda item, values: left in item and int(item[left]["N"]) < int(values[right]["N"])
    if found := EXISTS.fullmatch(part):
        absent, name = bool(found[1]), found[2]
        return lambda item, _: (name in item) != absent
    if found := EQUALS.fullmatch(part):
        left, right = found.groups()
        return lambda item, values: left in item and item[left] == values[right]
    raise NotImplementedError(part)


def _target(kind: str, request: Item) -> tuple[str, str]:
    return _key(request["Item"] if kind == "Put" else request["Key"])


def _key(item: Item) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]


def _page(found: list[Item], request: Item) -> Item:
    """Small pages, so that paging is always under test."""
    if not request.get("ScanIndexForward", True):
        found.reverse()
    start = int(request.get("ExclusiveStartKey", {}).get("offset", {"N": "0"})["N"])
    size = min(request.get("Limit", 40), 40)
    page: Item = {"Items": found[start : start + size]}
    if start + size < len(found):
        page["LastEvaluatedKey"] = {"offset": {"N": str(start + size)}}
    return page
