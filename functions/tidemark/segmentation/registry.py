"""Reads the model for predictions: the latest published one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tidemark.adapters.s3_documents import Store
from tidemark.clock import Clock
from tidemark.core.errors import Transient
from tidemark.core.files import split_uri
from tidemark.core.naming import artifacts_key
from tidemark.segmentation.model import Model

JOB = "segment_customers"
MODEL = "model.json"
CURRENT = artifacts_key(JOB)  # the pointer that publish replaces
CHECK_EVERY = timedelta(seconds=60)


@dataclass(frozen=True)
class Published:
    """A published model, and the batch and attempt that trained it."""

    batch_id: str
    attempt: int
    model: Model


class Models:
    """Caches the model, and checks every minute for a newer one, so that publishing a model needs no deployment."""

    def __init__(self, store: Store, bucket: str, clock: Clock) -> None:
        self.store, self.bucket, self.clock = store, bucket, clock
        self._published: Published | None = None
        self._etag = ""
        self._checked_at: datetime | None = None

    def current(self) -> Published | None:
        """The latest published model, at most a minute old; None before the first."""
        now = self.clock.now()
        if self._published is None or self._checked_at is None or now - self._checked_at >= CHECK_EVERY:
            self._refresh()
            self._checked_at = now
        return self._published

    def _refresh(self) -> None:
        body, etag = self.store.tagged(self.bucket, CURRENT) or (b"{}", "")
        artifacts = json.loads(body).get("artifacts", {})
        # A period with too few customers has no model: the previous model stays.
        if etag != self._etag and MODEL in artifacts:
            self._published, self._etag = self._read(json.loads(body)), etag

    def _read(self, pointer: Mapping[str, Any]) -> Published:
        uri = pointer["artifacts"][MODEL]
        text = self.store.get(*split_uri(uri))
        try:
            return Published(pointer["batch_id"], pointer["attempt"], Model.loads((text or b"").decode()))
        except (ValueError, KeyError) as error:
            raise Transient(f"{uri}: expected a model that this version reads, found: {error}") from error
