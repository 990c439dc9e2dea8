"""Artifacts of nightly jobs: each job has one pointer, to the latest published attempt of its latest period."""

from __future__ import annotations

import json

from tidemark.adapters.world import World
from tidemark.core.errors import Transient
from tidemark.core.job import Result
from tidemark.core.lifecycle import Batch
from tidemark.core.naming import artifacts_key

TRIES_MAX = 12


def point_at_artifacts(world: World, batch: Batch, result: Result) -> None:
    """Points the job's pointer at this attempt's artifacts, unless it points at a later period or attempt.

    Raises `Transient` when other publishers overwrite it TRIES_MAX times in a row.
    """
    if not result.artifacts:
        return
    bucket, key = world.settings.lake_bucket, artifacts_key(batch.dataset)
    source = {"batch_id": batch.batch_id, "attempt": batch.attempt, "period": batch.period}
    body = json.dumps({**source, "artifacts": dict(result.artifacts)}, indent=1)
    for _ in range(TRIES_MAX):
        pointer = world.store.tagged(bucket, key)
        if pointer is None:
            if world.store.put_once(bucket, key, body):
                return
            continue
        text, etag = pointer
        present = json.loads(text)
        if (present["period"], present["attempt"]) >= (batch.period, batch.attempt):
            return
        # Closes the race between two publishers: the one that has read an outdated pointer reads it again.
        if world.store.swap(bucket, key, body, etag):
            return
    raise Transient(f"s3://{bucket}/{key} was swapped {TRIES_MAX} times by other publishers")
