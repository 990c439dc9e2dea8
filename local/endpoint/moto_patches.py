"""Patches for faults in moto 5.2.5 that affect the product; each has a test named after it.

- A failing TransactWriteItems restores a copy of the whole table, which loses concurrent writes and leaves records in
  the stream that were rolled back. The patches use one lock per service and roll back only the items and stream
  records that the transaction touched.
- The same copy makes each transaction's duration proportional to the table's size. The patches suppress the copy.
- moto ignores ClientRequestToken of TransactWriteItems and VersionId of Glue's UpdateTable. The patches honour both.
- Long polling of a queue would hold the service's lock, so it waits outside.
- Conditional and versioned S3 writes check first and write later, so one lock serializes the writes. A read that fails
  because of a concurrent write is repeated under the lock.
- ListObjectVersions ignores EncodingType: keys with characters that XML cannot represent cause an error, and line
  ends in keys are changed. The patches percent-encode keys on request.
"""

from __future__ import annotations

import copy
import json
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from moto.core.responses import ActionResult
from moto.dynamodb.exceptions import MockValidationException
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table
from moto.glue.exceptions import GlueClientError
from moto.glue.models import glue_backends
from moto.s3.responses import S3Response
from werkzeug.wrappers import Response

from local.account import ACCOUNT, REGION
from local.endpoint.wsgi import body_of, error, replace_body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

LOCKED = frozenset({"dynamodb", "glue", "sqs", "events"})
TOKEN_SECONDS = 600  #: AWS remembers a transaction's token for ten minutes
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class _Replay:
    request: dict[str, Any]
    response: Response
    until: float  #: monotonic seconds


class PatchedMoto:
    """Passes requests to moto with the patches applied."""

    def __init__(self, moto: WSGIApplication) -> None:
        _patch_transactions()
        _patch_listing_of_versions()
        self._moto = moto
        self._locks = {service: threading.Lock() for service in (*LOCKED, "s3")}
        self._replays: dict[str, _Replay] = {}

    def answer(
        self, service: str, operation: str, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        if service == "s3":
            return self._s3(environ, start_response)
        if service not in LOCKED:
            return _whole(self._moto, environ, start_response)
        handle = {
            ("glue", "UpdateTable"): self._update_table,
            ("dynamodb", "TransactWriteItems"): self._transact,
            ("sqs", "ReceiveMessage"): self._receive,
        }.get((service, operation), self._plain)
        return handle(service, environ)(environ, start_response)

    def _plain(self, service: str, environ: WSGIEnvironment) -> Response:
        with self._locks[service]:
            return Response.from_app(self._moto, environ, buffered=True)

    def _s3(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            with suppress(Exception):
                return _whole(self._moto, environ, start_response)
        with self._locks["s3"]:
            return _whole(self._moto, environ, start_response)

    def _update_table(self, service: str, environ: WSGIEnvironment) -> Response:
        request = json.loads(body_of(environ))
        with self._locks[service]:
            expected, actual = request.get("VersionId"), _table_version(request)
            if expected is not None and actual is not None and str(expected) != actual:
                message = f"Update table failed due to concurrent modifications: expected {expected}, found {actual}."
                return error(400, "ConcurrentModificationException", message)
            return Response.from_app(self._moto, environ, buffered=True)

    def _transact(self, service: str, environ: WSGIEnvironment) -> Response:
        request = json.loads(body_of(environ))
        token = request.pop("ClientRequestToken", None)
        with self._locks[service]:
            self._forget()
            if token is not None and (replay := self._replays.get(token)):
                return replay.response if replay.request == request else error(400, *_MISMATCH)
            response = Response.from_app(self._moto, environ, buffered=True)
            if token is not None and response.status_code == 200:
                self._replays[token] = _Replay(request, response, time.monotonic() + TOKEN_SECONDS)
            return response

    def _forget(self) -> None:
        now = time.monotonic()
        while self._replays:
            token = next(iter(self._replays))
            if self._replays[token].until > now:
                return
            del self._replays[token]

    def _receive(self, service: str, environ: WSGIEnvironment) -> Response:
        request = json.loads(body_of(environ))
        deadline = time.monotonic() + int(request.get("WaitTimeSeconds") or 0)
        body = json.dumps(request | {"WaitTimeSeconds": 0}).encode()
        while True:
            replace_body(environ, body)
            response = self._plain(service, environ)
            if time.monotonic() >= deadline or b'"Messages"' in response.data:
                return response
            time.sleep(POLL_SECONDS)


#: Members of ListObjectVersions' answer that are keys or contain keys.
_KEYS = ("Prefix", "Delimiter", "KeyMarker", "NextKeyMarker")
_KEYS_IN = {"Versions": "Key", "DeleteMarkers": "Key", "CommonPrefixes": "Prefix"}
_MISMATCH = (
    "IdempotentParameterMismatchException",
    "The provided client token is already in use with another request.",
)


def _table_version(request: dict[str, Any]) -> str | None:
    glue = glue_backends[ACCOUNT][REGION]
    try:
        table = glue.get_table(request["DatabaseName"], request["TableInput"]["Name"])
    except GlueClientError:
        return None  # moto reports what is missing
    return str(table.as_dict()["VersionId"])


def _patch_transactions() -> None:
    if not getattr(DynamoDBBackend.transact_write_items, "patched", False):
        patched = _rolled_back_by_item(DynamoDBBackend.transact_write_items)
        setattr(DynamoDBBackend, "transact_write_items", patched)  # noqa: B010 — a method, says mypy


def _rolled_back_by_item(original: Callable[..., Any]) -> Callable[..., Any]:
    """`transact_write_items` that rolls back only the items and stream records it touched, not the whole tables."""

    def transact_write_items(backend: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> Any:
        names = {op.get("TableName") for item in transact_items for op in item.values()}
        tables = [backend.tables[name] for name in names if name in backend.tables]
        before = list(_touched(backend, transact_items))
        lengths = [len(table.stream_shard.items) if table.stream_shard else 0 for table in tables]
        try:
            with _uncopied(tables):
                return original(backend, transact_items)
        except Exception:
            for table, hash_key, range_key, item in before:
                _put_back(table, hash_key, range_key, item)
            for table, length in zip(tables, lengths, strict=True):
                if table.stream_shard:
                    del table.stream_shard.items[length:]
            raise

    transact_write_items.patched = True  # type: ignore[attr-defined]
    return transact_write_items


@contextmanager
def _uncopied(tables: list[Table]) -> Iterator[None]:
    """Makes `deepcopy` of `tables` return the tables themselves, so that moto's snapshot costs and restores nothing."""
    for table in tables:
        vars(table)["__deepcopy__"] = partial(_itself, table)
    try:
        yield
    finally:
        for table in tables:
            del vars(table)["__deepcopy__"]


def _itself(table: Table, _: dict[int, Any]) -> Table:
    return table


def _touched(backend: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> Iterator[tuple[Any, Any, Any, Any]]:
    """(table, hash key, range key, copy of the item or None) for each item that the transaction may change."""
    for item in transact_items:
        for op in item.values():
            table = backend.tables.get(op.get("TableName"))
            keys = op.get("Key") or op.get("Item") or {}
            with suppress(MockValidationException):  # moto itself rejects the malformed key
                if table is not None:
                    hash_key, range_key = backend.get_keys_value(table, keys)
                    yield table, hash_key, range_key, copy.deepcopy(table.get_item(hash_key, range_key))


def _put_back(table: Table, hash_key: Any, range_key: Any, item: Any) -> None:
    row, key = (table.items[hash_key], range_key) if table.has_range_key else (table.items, hash_key)
    if item is None:
        row.pop(key, None)
    else:
        row[key] = item


def _patch_listing_of_versions() -> None:
    if not getattr(S3Response.list_object_versions, "patched", False):
        patched = _encoded_if_asked(S3Response.list_object_versions)
        setattr(S3Response, "list_object_versions", patched)  # noqa: B010 — a method, says mypy


def _encoded_if_asked(original: Callable[[S3Response], Any]) -> Callable[[S3Response], Any]:
    """`list_object_versions` that percent-encodes keys, prefixes and markers if the caller asks for it."""

    def list_object_versions(response: S3Response) -> Any:
        if response.querystring.get("encoding-type") == ["url"]:
            serialized = response.serialized
            vars(response)["serialized"] = lambda answer: serialized(_encoded_listing(answer))
        return original(response)

    list_object_versions.patched = True  # type: ignore[attr-defined]
    return list_object_versions


def _encoded_listing(answer: ActionResult) -> ActionResult:
    """The answer with its texts encoded; an error as it is."""
    return ActionResult(_encoded(answer.result)) if isinstance(answer.result, dict) else answer


def _encoded(listing: Mapping[str, Any]) -> dict[str, Any]:
    texts = {name: quote(listing[name]) for name in _KEYS if listing.get(name)}
    lists = {name: [{**one, key: quote(one[key])} for one in listing.get(name, ())] for name, key in _KEYS_IN.items()}
    return {**listing, **texts, **lists, "EncodingType": "url"}


def _whole(app: WSGIApplication, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    """The complete answer, so that the caller's lock is held until the application has finished it."""
    answer = app(environ, start_response)
    try:
        return list(answer)
    finally:
        if close := getattr(answer, "close", None):
            close()
