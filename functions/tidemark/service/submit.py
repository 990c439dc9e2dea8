"""submit: starts the job run of a PLANNED batch. Repeated calls start only one run per attempt."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tidemark.adapters.world import World
from tidemark.core.dataset_lock import is_ready, needs_lock
from tidemark.core.draining import is_draining
from tidemark.core.errors import Conflict, IllegalMove, Transient
from tidemark.core.job import JOB_SPEC, JobSpec
from tidemark.core.lifecycle import Batch, RunStarted
from tidemark.core.naming import attempt_prefix, run_name, run_token
from tidemark.core.run_policy import run_policy
from tidemark.core.sizing import run_size
from tidemark.observability import count, logger
from tidemark.service.dataset_lock import next_to_run, seen_keys
from tidemark.service.documents import attempt_key, read_spec
from tidemark.service.errors import newer_left_alone
from tidemark.service.job_code import code_for_new_work, code_uri
from tidemark.service.transitions import dataset_of, move

#: How long EMR is trusted to know a client token (docs/aws-facts.md#emr-client-tokens). After that, `_find` looks for
#: the run by name.
TOKEN_TRUST = timedelta(minutes=5)


@newer_left_alone()
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
        spec = _job_spec(world, batch)
        run_id = _find(world, batch) or _start(world, batch, spec)
        move(world, batch, RunStarted(batch.attempt, run_id, spec.code))
    except (Conflict, IllegalMove):
        return  # another submitter has recorded the same run
    except Transient as error:
        logger.warning("run not started, sweep will send a hint", batch_id=batch.batch_id, reason=str(error))


def _find(world: World, batch: Batch) -> str | None:
    if world.clock.now() - batch.updated_at < TOKEN_TRUST:
        return None
    return world.engine.find(run_name(batch.batch_id, batch.attempt), batch.updated_at)


def _start(world: World, batch: Batch, spec: JobSpec) -> str:
    run_id = world.engine.start(
        name=run_name(batch.batch_id, batch.attempt),
        token=run_token(batch.batch_id, batch.attempt),
        code_uri=code_uri(world, spec.code),
        spec_uri=f"s3://{world.settings.control_bucket}/{attempt_key(batch, JOB_SPEC)}",
        conf=run_size(batch.bytes, batch.failures.enlarged).spark_conf(),
        tags={"dataset": batch.dataset, "batch": batch.batch_id},
        policy=run_policy(spec, world.settings.raw_bucket, partition=world.settings.job_role_arn.split(":")[1]),
    )
    count("RunsStarted")
    return run_id


def _job_spec(world: World, batch: Batch) -> JobSpec:
    """Writes the job spec of the batch's present attempt, and returns it.

    The first job spec stays, so that all runs of an attempt have the same one, whatever was deployed meanwhile.
    """
    spec = _new_spec(world, batch)
    is_first = world.store.put_once(world.settings.control_bucket, attempt_key(batch, JOB_SPEC), spec.dumps())
    return spec if is_first else read_spec(world, batch) or spec


def _new_spec(world: World, batch: Batch) -> JobSpec:
    """Returns a job spec with the present declaration and code, or with those of a run that is to be repeated.

    Declaration and code belong together: code that computes a column is no use to a declaration without it.
    """
    settings, repeated = world.settings, _repeated_spec(world, batch)
    dataset = repeated.dataset if repeated else dataset_of(world, batch.dataset)
    prefix = attempt_prefix(batch.dataset, batch.batch_id, batch.attempt)
    return JobSpec(
        batch_id=batch.batch_id,
        attempt=batch.attempt,
        dataset=dataset,
        manifest=f"s3://{settings.control_bucket}/{batch.manifest}",
        output=f"s3://{settings.lake_bucket}/{prefix}",
        seen=tuple(seen_keys(world, batch)) if needs_lock(dataset) else None,
        code=repeated.code if repeated else code_for_new_work(world),
    )


def _repeated_spec(world: World, batch: Batch) -> JobSpec | None:
    """Returns the job spec of the attempt before, if its run failed for a passing reason and is to be repeated."""
    return read_spec(world, replace(batch, attempt=batch.attempt - 1)) if batch.code else None
