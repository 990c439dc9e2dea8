"""submit: starts the job run of a PLANNED batch. Repeated calls start only one run per attempt."""

from __future__ import annotations

from datetime import timedelta

from tidemark.adapters.world import World
from tidemark.core.dataset_lock import is_ready, needs_lock
from tidemark.core.draining import is_draining
from tidemark.core.errors import Conflict, IllegalMove, Transient
from tidemark.core.job import JOB_SPEC, JobSpec
from tidemark.core.lifecycle import Batch, RunStarted
from tidemark.core.naming import attempt_prefix, run_name, run_token
from tidemark.core.sizing import run_size
from tidemark.observability import count, logger
from tidemark.service.dataset_lock import next_to_run, seen_keys
from tidemark.service.documents import attempt_key
from tidemark.service.transitions import dataset_of, move

#: How long EMR is trusted to know a client token (docs/aws-facts.md#emr-client-tokens). After that, `_find` looks for
#: the run by name.
TOKEN_TRUST = timedelta(minutes=5)


def submit(world: World, batch_id: str) -> None:
    """Starts the run of the batch's present attempt, or finds the run that was started before.

    In a deduplicating dataset, it starts the batch that gets the dataset lock, which may be another one or none. It
    starts none while a deployment drains the application; the end of the drain, or sweep, sends the hint again.
    """
    if is_draining(world.ledger.drains.current(), world.clock.now()):
        logger.info("run not started, because a deployment drains the application", batch_id=batch_id)
        return
    batch = world.ledger.batches.get(batch_id)
    if batch and needs_lock(dataset_of(world, batch.dataset)):
        batch = next_to_run(world, batch)
    if batch and is_ready(batch, world.clock.now()):
        _submit(world, batch)


def _submit(world: World, batch: Batch) -> None:
    try:
        run_id = _find(world, batch) or _start(world, batch)
        move(world, batch, RunStarted(batch.attempt, run_id))
    except (Conflict, IllegalMove):
        return  # another submitter has recorded the same run
    except Transient as error:
        logger.warning("run not started, sweep will send a hint", batch_id=batch.batch_id, reason=str(error))


def _find(world: World, batch: Batch) -> str | None:
    if world.clock.now() - batch.updated_at < TOKEN_TRUST:
        return None
    return world.engine.find(run_name(batch.batch_id, batch.attempt), batch.updated_at)


def _start(world: World, batch: Batch) -> str:
    settings = world.settings
    spec_key = attempt_key(batch, JOB_SPEC)
    # The first job spec stays, so that all runs of an attempt have the same one, whatever was deployed meanwhile.
    world.store.put_once(settings.control_bucket, spec_key, _job_spec(world, batch).dumps())
    run_id = world.engine.start(
        name=run_name(batch.batch_id, batch.attempt),
        token=run_token(batch.batch_id, batch.attempt),
        spec_uri=f"s3://{settings.control_bucket}/{spec_key}",
        conf=run_size(batch.bytes).spark_conf(),
        tags={"dataset": batch.dataset, "batch": batch.batch_id},
    )
    count("RunsStarted")
    return run_id


def _job_spec(world: World, batch: Batch) -> JobSpec:
    settings = world.settings
    dataset = dataset_of(world, batch.dataset)
    prefix = attempt_prefix(batch.dataset, batch.batch_id, batch.attempt)
    return JobSpec(
        batch_id=batch.batch_id,
        attempt=batch.attempt,
        dataset=dataset,
        manifest=f"s3://{settings.control_bucket}/{batch.manifest}",
        output=f"s3://{settings.lake_bucket}/{prefix}",
        seen=tuple(seen_keys(world, batch)) if needs_lock(dataset) else None,
    )
