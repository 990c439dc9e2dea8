"""Every name in one place: ids, S3 keys, tokens. Ids sort by time and are derived, never drawn at random."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date, datetime, timezone

HISTORY_SCHEMA = "tidemark"


def batch_id(dataset: str, segments: Iterable[str], now: datetime) -> str:
    """`<dataset>.<time>.<8 hex of the segments>`; at most 57 characters, safe as client token and S3 key."""
    return f"{dataset}.{_stamp(now)}.{_digest(*segments)}"


def nightly_id(job: str, every: str, start: date) -> str:
    """`<job>.<start>T000000.<8 hex of job and period>`: a job has one batch for each period, whoever begins it."""
    return f"{job}.{start:%Y%m%d}T000000.{_digest(job, every, start.isoformat())}"


def child_id(parent: str, half: int) -> str:
    """A bisected batch's child: the parent's dataset and time, its own digest."""
    return f"{parent.rsplit('.', 1)[0]}.{_digest(parent, str(half))}"


def load_id(batches: Iterable[tuple[str, int]], now: datetime) -> str:
    """`load.<time>.<8 hex of batches and attempts>`."""
    return f"load.{_stamp(now)}.{_digest(*(f'{batch}-{attempt}' for batch, attempt in batches))}"


def segment_id(packed: bytes) -> str:
    """A segment is named by what it holds: the same invocation repeated writes the same item."""
    return hashlib.sha256(packed).hexdigest()[:16]


def run_name(batch: str, attempt: int) -> str:
    """The job run's name; GetJobRun gives it back, and it tells batch and attempt."""
    return f"{batch}.{attempt}"


def run_token(batch: str, attempt: int) -> str:
    """StartJobRun's client token: one run per attempt, however often it is asked for."""
    return f"{batch}-{attempt}"


def parse_run_name(name: str) -> tuple[str, int] | None:
    """The inverse of `run_name`; None for a run that is not ours."""
    batch, _, attempt = name.rpartition(".")
    return (batch, int(attempt)) if batch.count(".") == 2 and attempt.isascii() and attempt.isdigit() else None


def dataset_name(batch: str) -> str:
    """The dataset that a batch belongs to."""
    return batch.split(".", maxsplit=1)[0]


def born_at(batch: str) -> datetime:
    """When a batch was formed, to the second; of a nightly one, when its period begins."""
    return datetime.strptime(batch.split(".")[1], "%Y%m%dT%H%M%S").replace(tzinfo=timezone.utc)


def attempt_prefix(dataset: str, batch: str, attempt: int) -> str:
    """The S3 prefix that belongs to one attempt alone, in the control and in the lake bucket."""
    return f"batches/{dataset}/{batch}/{attempt:04d}/"


def artifacts_key(job: str) -> str:
    """The pointer to the latest artifacts of a nightly job, in the lake bucket."""
    return f"artifacts/{job}/current.json"


def load_manifest_key(load: str, table: str) -> str:
    """The COPY manifest of one load and table, in the control bucket."""
    return f"loads/{load}/{table}.manifest"


def _stamp(now: datetime) -> str:
    return now.strftime("%Y%m%dT%H%M%S")


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]
