"""Builds every name: ids, S3 keys, tokens. Ids sort by time and are derived from their contents, never random."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date, datetime, timezone


def batch_id(dataset: str, segments: Iterable[str], now: datetime) -> str:
    """`<dataset>.<time>.<8 hex of the segments>`; at most 57 characters, safe as client token and S3 key."""
    return f"{dataset}.{_stamp(now)}.{_digest(*segments)}"


def nightly_id(job: str, every: str, start: date) -> str:
    """`<job>.<start>T000000.<8 hex of job and period>`: a job has exactly one batch for each period."""
    return f"{job}.{start:%Y%m%d}T000000.{_digest(job, every, start.isoformat())}"


def child_id(parent: str, half: int) -> str:
    """The id of a split batch's child (half 0 or 1): the parent's dataset and time, and a digest of its own."""
    return f"{parent.rsplit('.', 1)[0]}.{_digest(parent, str(half))}"


def load_id(batches: Iterable[tuple[str, int]], now: datetime) -> str:
    """`load.<time>.<8 hex of batches and attempts>`."""
    return f"load.{_stamp(now)}.{_digest(*(f'{batch}-{attempt}' for batch, attempt in batches))}"


def statement_name(stack: str, load: str) -> str:
    """The name of a load's statement. All stacks of an account get the events of all statements."""
    return f"{stack}.{load}"


def load_of(statement: str) -> str:
    """The inverse of `statement_name`: the load's id. Stack names have no dots."""
    return statement.partition(".")[2]


def rebuild_id(table: str, now: datetime) -> str:
    """`rebuild.<time>.<8 hex of table and time>`."""
    return f"rebuild.{_stamp(now)}.{_digest(table, now.isoformat())}"


def segment_id(packed: bytes) -> str:
    """A hash of the segment's packed files, so that a repeated invocation writes the same item."""
    return hashlib.sha256(packed).hexdigest()[:16]


def run_name(batch: str, attempt: int) -> str:
    """The job run's name, from which `parse_run_name` gets batch and attempt; GetJobRun returns it."""
    return f"{batch}.{attempt}"


def run_token(batch: str, attempt: int) -> str:
    """StartJobRun's client token: repeated requests for one attempt start one run."""
    return f"{batch}-{attempt}"


def parse_run_name(name: str) -> tuple[str, int] | None:
    """The inverse of `run_name`; None for a run that Tidemark did not start."""
    batch, _, attempt = name.rpartition(".")
    return (batch, int(attempt)) if batch.count(".") == 2 and attempt.isascii() and attempt.isdigit() else None


def dataset_name(batch: str) -> str:
    """The dataset that a batch belongs to."""
    return batch.split(".", maxsplit=1)[0]


def born_at(batch: str) -> datetime:
    """When a batch was created, to the second; for a nightly batch, when its period begins."""
    return datetime.strptime(batch.split(".")[1], "%Y%m%dT%H%M%S").replace(tzinfo=timezone.utc)


def batch_prefix(dataset: str, batch: str) -> str:
    """The S3 prefix of all attempts of one batch, in the control bucket and in the lake bucket."""
    return f"batches/{dataset}/{batch}/"


def attempt_prefix(dataset: str, batch: str, attempt: int) -> str:
    """The S3 prefix of one attempt, in the control bucket and in the lake bucket."""
    return f"{batch_prefix(dataset, batch)}{attempt:04d}/"


def artifacts_key(job: str) -> str:
    """The key of the pointer to a nightly job's latest artifacts, in the lake bucket."""
    return f"artifacts/{job}/current.json"


def load_manifest_key(load: str, table: str) -> str:
    """The key of the COPY manifest of one load and table, in the control bucket."""
    return f"loads/{load}/{table}.manifest"


def _stamp(now: datetime) -> str:
    return now.strftime("%Y%m%dT%H%M%S")


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]
