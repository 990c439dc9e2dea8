"""Artifacts of nightly jobs: one pointer a job, at the latest period's latest attempt that the lake shows."""

from __future__ import annotations

import json

from tidemark.adapters.world import World
from tidemark.core.errors import Transient
from tidemark.core.job import Result
from tidemark.core.lifecycle import Batch
from tidemark.core.naming import artifacts_key

TRIES_MAX = 12


def point_at_artifacts(world: World, batch: Batch, result: Result) -> None:
    """Let the job's pointer lead to this attempt's artifacts, unless it leads to a later period or attempt."""
    if not result.artifacts:
        return
    bucket, key = world.settings.lake_bucket, artifacts_key(batch.dataset)
    named = {"batch_id": batch.batch_id, "attempt": batch.attempt, "period": batch.period}
    body = json.dumps({**named, "artifacts": dict(result.artifacts)}, indent=1)
    for _ in range(TRIES_MAX):
        found = world.store.tagged(bucket, key)
        if found is None:
            if world.store.put_once(bucket, key, body):
                return
            continue
        known = json.loads(found[0])
        if (known["period"], known["attempt"]) >= (batch.period, batch.attempt):
            return
        # Closes the race of two publishers: whoever has read an outdated pointer looks again.
        if world.store.swap(bucket, key, body, found[1]):
            return
    raise Transient(f"s3://{bucket}/{key} was swapped {TRIES_MAX} times meanwhile")
