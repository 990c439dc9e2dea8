"""S3's EventBridge events, built from moto's notification hook in AWS's format.

Supported are Object Created (one per upload, regardless of its parts) and Object Deleted. There are no events for
delete markers, which moto does not report, nor for tags and access control lists.
"""

from __future__ import annotations

import secrets
import string
import threading
import time
from typing import TYPE_CHECKING, Any

from moto.s3 import notifications

from local.account import ACCOUNT
from local.delivery.event_bus import Event, envelope

if TYPE_CHECKING:
    from collections.abc import Callable

REASONS = {
    "s3:ObjectCreated:Put": "PutObject",
    "s3:ObjectCreated:Post": "POST Object",
    "s3:ObjectCreated:Copy": "CopyObject",
    "s3:ObjectCreated:CompleteMultipartUpload": "CompleteMultipartUpload",
    "s3:ObjectRemoved:Delete": "DeleteObject",
}
_REQUEST_ID = string.ascii_uppercase + string.digits


class Sequencers:
    """Strictly increasing hexadecimal numbers of a fixed length, one per write."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> str:
        with self._lock:
            self._last = max(self._last + 1, time.time_ns() // 1000)
            return f"{self._last:018X}"


_MOTOS_OWN: Any = notifications.send_event
_watchers: list[tuple[frozenset[str], Callable[[Event], None]]] = []
_sequencers = Sequencers()


def watch(event_buckets: frozenset[str], publish: Callable[[Event], None]) -> Callable[[], None]:
    """Publishes an event for every object created or deleted in buckets that send them; call the result to stop.

    These are `event_buckets`, and buckets for which a caller of S3 has switched EventBridge on.
    """
    watcher = (event_buckets, publish)
    _watchers.append(watcher)
    notifications.send_event = _send_event

    def stop() -> None:
        if watcher in _watchers:
            _watchers.remove(watcher)
        if not _watchers:
            notifications.send_event = _MOTOS_OWN

    return stop


def _send_event(account_id: str, event_name: Any, bucket: Any, key: Any) -> None:
    wanted = [publish for buckets, publish in list(_watchers) if bucket.name in buckets or _is_switched_on(bucket)]
    if wanted and (event := _event(str(event_name.value), bucket, key, _sequencers)):
        for publish in wanted:
            publish(event)
    _MOTOS_OWN(account_id, event_name, bucket, key)  # to queues, if the bucket notifies them directly


def _is_switched_on(bucket: Any) -> bool:
    configuration = bucket.notification_configuration
    return configuration is not None and configuration.event_bridge is not None


def _event(name: str, bucket: Any, key: Any, sequencers: Sequencers) -> Event | None:
    reason = REASONS.get(name)
    is_part_of_upload = name.endswith(":Put") and key is not None and key.multipart is not None
    if reason is None or key is None or is_part_of_upload:  # moto reports the end of an upload twice
        return None
    created = name.startswith("s3:ObjectCreated:")
    detail: dict[str, Any] = {
        "version": "0",
        "bucket": {"name": bucket.name},
        "object": _created(bucket, key) if created else {"key": key.name},
        "request-id": "".join(secrets.choice(_REQUEST_ID) for _ in range(16)),
        "requester": ACCOUNT,
        "source-ip-address": "127.0.0.1",
        "reason": reason,
    }
    detail["object"]["sequencer"] = sequencers.next()
    if not created:
        detail["deletion-type"] = "Permanently Deleted"
    resources = [f"arn:aws:s3:::{bucket.name}"]
    return envelope("aws.s3", "Object Created" if created else "Object Deleted", detail, resources)


def _created(bucket: Any, key: Any) -> dict[str, Any]:
    version = {"version-id": key.version_id} if bucket.is_versioned else {}
    return {"key": key.name, "size": key.size, "etag": key.etag.strip('"'), **version}
