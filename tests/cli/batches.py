"""Batches of the shop: one that holds a file, and one of twelve files whose first run failed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tests.service.nights import NightWorld, advance
from tidemark.core.files import FileVersion
from tidemark.core.lifecycle import Batch, Counts, Formed, RunRetried, RunStarted, State
from tidemark.core.manifest import Manifest
from tidemark.core.naming import attempt_prefix
from tidemark.service.transitions import move

BATCH = "shop.20261121T080000.aaaaaaaa"
FILES = tuple(FileVersion("raw", f"shop/{place}.json", "v1", 7) for place in range(12))


def hold(
    world: NightWorld,
    key: str,
    state: State = State.QUARANTINED,
    reason: str = "why",
    rejected: Sequence[Mapping[str, Any]] | None = None,
) -> Batch:
    """A batch of the shop that has claimed one file, read it, and rejected these records, one unless given."""
    file = FileVersion("raw", key, "v1", 7)
    now = world.clock.now()
    place = attempt_prefix("shop", BATCH, 1)
    world.store.put_once("control", f"{place}manifest.json", Manifest(BATCH, 1, "shop", (file,)).dumps())
    counted = {"read": 3, "kept": 1, "rejected": 1, "duplicate_records": 1, "problem": reason}
    place_in_file = {"file": file.uri, "version": "v1", "position": 12, "line": 1}
    records = rejected or [{**place_in_file, "reason": reason, "raw": key}]
    world.store.put("lake", f"{place}rejected/1.json", "\n".join(map(json.dumps, records)))
    files = [{"uri": f"s3://lake/{place}rejected/1.json", "rows": len(records), "bytes": 9}]
    report = {
        "batch_id": BATCH, "attempt": 1, "dataset": "shop", "rejected": {"rows": len(records), "files": files},
        "files": [{"bucket": "raw", "key": key, "version": "v1", **counted}], "tables": {},
    }  # fmt: skip
    world.store.put("lake", f"{place}result.json", json.dumps(report))
    world.ledger.files.claim(file, "shop", BATCH, now)
    known = world.ledger.batches.get(BATCH) or Batch(BATCH, "shop", now, now)
    held = replace(
        known, state=state, reason=reason, manifest=f"{place}manifest.json", files=1, bytes=7,
        counts=Counts(read=3, kept=1, rejected=1, duplicate_records=1, problems=1, rows={"sales": 1}),
    )  # fmt: skip
    return world.ledger.batches.save(held)


def running(world: NightWorld) -> Batch:
    """A batch of twelve files whose first run has begun a minute after the batch."""
    now = world.clock.now()
    world.store.put_once("control", "manifest", Manifest(BATCH, 1, "shop", FILES).dumps())
    for file in FILES:
        world.ledger.files.claim(file, "shop", BATCH, now)
    batch = world.ledger.batches.save(Batch(BATCH, "shop", now, now))
    formed = move(world, batch, Formed(1, "manifest", len(FILES), 84))
    advance(world, minutes=1)
    return move(world, formed, RunStarted(1, "run-1"))


def failed_once(world: NightWorld) -> Batch:
    """Its second attempt, begun nine minutes later."""
    batch = running(world)
    advance(world, minutes=9)
    return move(world, batch, RunRetried(1, "the run was killed: out of memory"))
