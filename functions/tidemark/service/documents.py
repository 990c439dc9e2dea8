"""The documents of a batch's attempts in S3: manifests, job specs and results."""

from __future__ import annotations

from tidemark.adapters.world import World
from tidemark.core.dataset import Dataset
from tidemark.core.errors import DeclarationError, NewerRelease
from tidemark.core.job import JOB_SPEC, RESULT, JobSpec, Result
from tidemark.core.lifecycle import Batch
from tidemark.core.manifest import Manifest
from tidemark.core.naming import attempt_prefix
from tidemark.core.release import NEWER
from tidemark.core.warehouse_sql import LoadBatch
from tidemark.service.transitions import dataset_of


def read_control(world: World, key: str) -> bytes:
    """Returns a document that the ledger names; raises `FileNotFoundError` if the control bucket lacks it."""
    text = world.store.get(world.settings.control_bucket, key)
    if text is None:
        raise FileNotFoundError(f"s3://{world.settings.control_bucket}/{key}")
    return text


def read_manifest(world: World, key: str) -> Manifest:
    """Returns a manifest that the ledger names."""
    return Manifest.loads(read_control(world, key))


def attempt_key(batch: Batch | LoadBatch, name: str) -> str:
    """Returns the key of a document of the batch's present attempt."""
    return attempt_prefix(batch.dataset, batch.batch_id, batch.attempt) + name


def read_result(world: World, batch: Batch | LoadBatch) -> Result | None:
    """Returns the result of the batch's present attempt; None if its job has written none."""
    text = world.store.get(world.settings.lake_bucket, attempt_key(batch, RESULT))
    return Result.loads(text) if text else None


def declaration_of(world: World, batch: Batch | LoadBatch) -> Dataset:
    """Returns the declaration in the job spec of the batch's present attempt, or the dataset's if there is no spec.

    A deployment may have changed the dataset's declaration since the job was submitted.
    """
    spec = read_spec(world, batch)
    return spec.dataset if spec else dataset_of(world, batch.dataset)


def read_spec(world: World, batch: Batch | LoadBatch) -> JobSpec | None:
    """Returns the job spec of the batch's present attempt; None before its first run.

    Raises `NewerRelease` for a spec, or a declaration in it, that this release does not understand.
    """
    key = attempt_key(batch, JOB_SPEC)
    text = world.store.get(world.settings.control_bucket, key)
    try:
        return JobSpec.loads(text) if text else None
    except DeclarationError as error:
        raise NewerRelease(f"this release cannot read the declaration in {key}: {error}; {NEWER}") from error
