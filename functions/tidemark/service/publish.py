"""publish: commits the result of an ended job run to the lake. It reads the run's state from EMR, not from events."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial

from tidemark.adapters.emr import Run
from tidemark.adapters.world import World
from tidemark.core.dataset import Dataset
from tidemark.core.dataset_lock import needs_lock
from tidemark.core.errors import Conflict, DeclarationError, IllegalMove, Unbalanced
from tidemark.core.failures import after_run_failure, engine_failure, time_limit
from tidemark.core.job import FAILURE, RESULT, Result, RunFailure, rows_of
from tidemark.core.lifecycle import (
    Batch,
    Bisected,
    FileRefused,
    Poisoned,
    RunStarted,
    State,
    failed_for_good,
)  # fmt: skip
from tidemark.core.naming import parse_run_name
from tidemark.core.verification import published_as, verify, verify_keys, verify_nightly
from tidemark.observability import count, logger
from tidemark.service.artifacts import point_at_artifacts
from tidemark.service.day_changes import record_day_changes, replaced_results
from tidemark.service.documents import attempt_key, declaration_of, read_manifest, read_spec
from tidemark.service.errors import newer_left_alone
from tidemark.service.nightly import read_nightly_manifest
from tidemark.service.transitions import move


@newer_left_alone()
def publish_run(world: World, run_id: str) -> None:
    """Publishes the batch of a run that EMR sent an event about; other stacks' runs and stale ones change nothing."""
    run = world.engine.run(run_id)
    batch_and_attempt = parse_run_name(run.name) if run else None
    if batch_and_attempt is None:
        return
    batch_id, attempt = batch_and_attempt
    batch = world.ledger.batches.get(batch_id)
    if batch and batch.state is State.PLANNED and batch.attempt == attempt:
        # The event has overtaken the submitter, or the submitter has died: record the run in its place.
        with suppress(Conflict, IllegalMove):
            spec = read_spec(world, batch)
            move(world, batch, RunStarted(attempt, run_id, spec.code if spec else ""))
    publish(world, batch_id)


@newer_left_alone()
def publish(world: World, batch_id: str) -> None:
    """Publishes a RUNNING batch, or handles its failure, if its run has ended."""
    batch = world.ledger.batches.get(batch_id)
    if batch is None or batch.state is not State.RUNNING:
        return
    run = world.engine.run(batch.run_id)
    if run and run.active:
        return
    try:
        if run and run.succeeded:
            _publish(world, batch)
        else:
            _failed(world, batch, _failure(world, batch, run))
    except (Conflict, IllegalMove) as stale:
        logger.info("another function has moved the batch", batch_id=batch_id, reason=str(stale))


def _publish(world: World, batch: Batch) -> None:
    text = world.store.get(world.settings.lake_bucket, attempt_key(batch, RESULT))
    if text is None:
        _failed(world, batch, RunFailure("the run succeeded and left no result"))
        return
    dataset = declaration_of(world, batch)
    try:
        result = Result.loads(text)
    except (ValueError, KeyError, TypeError) as error:
        _failed(world, batch, RunFailure(f"the run left a result that cannot be read: {error!r}"))
        return
    try:
        _verify(world, dataset, batch, result)
        _commit(world, dataset, batch, result)
    except (Unbalanced, DeclarationError) as error:
        _poison(world, batch, str(error))
        return
    _save_published(world, dataset, batch, result)
    count("BatchesPublished")
    _report_rejections(batch, result, dataset.tolerance)


def _verify(world: World, dataset: Dataset, batch: Batch, result: Result) -> None:
    """Raises `Unbalanced` for a result that does not account for everything in the batch's manifest."""
    tables = tuple(table.name for table in dataset.tables)
    # A retry uses the manifest of an earlier attempt, but its result has its own number.
    if dataset.nightly:
        manifest = replace(read_nightly_manifest(world, batch.manifest), attempt=batch.attempt)
        verify_nightly(result, manifest, tables)
        return
    facts = tuple(table.name for table in dataset.tables if table.keeps_records)
    verify(result, replace(read_manifest(world, batch.manifest), attempt=batch.attempt), tables, facts)
    if needs_lock(dataset):
        verify_keys(result, dataset.key_required)


def _commit(world: World, dataset: Dataset, batch: Batch, result: Result) -> None:
    """Commits each table, then records its day changes. A crash in between repeats both, so no day change is lost."""
    changed = [result, *replaced_results(world, batch)]
    for table in dataset.tables:
        files = result.tables[table.name]
        uris = [file.uri for file in files]
        sequence = world.lake.publish(table, batch.batch_id, batch.attempt, uris, rows_of(files))
        record_day_changes(world, table, sequence, changed)
    point_at_artifacts(world, batch, result)


def _save_published(world: World, dataset: Dataset, batch: Batch, result: Result) -> None:
    """Moves the batch to PUBLISHED and, in a deduplicating dataset, records its keys in the same transaction."""
    keys = result.keys or ()
    save = (lambda moved: world.ledger.seen_keys.save_with_batch(moved, keys)) if needs_lock(dataset) else None
    move(world, batch, published_as(batch, result), save)


def _report_rejections(batch: Batch, result: Result, tolerance: float) -> None:
    rejected, read = result.total("rejected"), result.total("read")
    count("RecordsRejected", rejected)
    count("FilesUnread", len(result.problems))
    for file in result.problems:
        logger.warning("file not read to the end", batch_id=batch.batch_id, file=file.uri, reason=file.problem)
    if rejected > tolerance * read:
        count("ToleranceExceeded")
        logger.warning("more records rejected than tolerated", batch_id=batch.batch_id, rejected=rejected, read=read)


def _failure(world: World, batch: Batch, run: Run | None) -> RunFailure:
    """Returns why the run failed: its time limit, or else the job's own report, or else EMR's details."""
    if run is None:
        return RunFailure("EMR Serverless does not know the run", "transient")
    figures = (run.state, run.details, run.seconds, run.minutes_max)
    if slow := time_limit(*figures):
        return slow  # comes first: a driver that EMR stops reports whichever step broke first
    text = world.store.get(world.settings.lake_bucket, attempt_key(batch, FAILURE))
    if text is not None:
        return RunFailure.loads(text)
    return engine_failure(*figures)


def _failed(world: World, batch: Batch, failure: RunFailure) -> None:
    count("RunsFailed")
    failure = _located(world, batch, failure)
    event = after_run_failure(batch, failure)
    file = failure.file
    if isinstance(event, FileRefused) and file:
        move(world, batch, event, lambda revised: world.ledger.files.refuse(revised, file))
        count("FilesRefused")
    elif isinstance(event, Bisected):
        _split(world, batch, event)
    elif isinstance(event, Poisoned):
        _poison(world, batch, event.reason)
    else:
        move(world, batch, event)


def _poison(world: World, batch: Batch, reason: str) -> None:
    move(world, batch, partial(failed_for_good, event=Poisoned(batch.attempt, reason)))


def _located(world: World, batch: Batch, failure: RunFailure) -> RunFailure:
    """Returns the failure with its file as in the manifest: the job reports no size, and a released file needs one."""
    file = failure.file
    if file is None or batch.period:
        return failure
    matching = (listed for listed in read_manifest(world, batch.manifest).files if listed.identity == file.identity)
    in_manifest = next(matching, None)
    if in_manifest is None:
        # Refusing a file that is not in the batch would change nothing, and the next run would fail again.
        return RunFailure(f"{failure.message} (of {file.uri}, which is not in the batch)")
    return replace(failure, file=in_manifest)


def _split(world: World, batch: Batch, event: Bisected) -> None:
    """Saves the parent and both children in one transaction, so that every file is in exactly one active batch."""
    now = world.clock.now()
    half = batch.files // 2
    children = [
        replace(
            Batch(child, batch.dataset, now, now, due_at=now, background=batch.background),
            base_manifest=batch.manifest,
            file_range=file_range,
            parent=batch.batch_id,
        )
        for child, file_range in zip(event.children, ((0, half), (half, batch.files)), strict=True)
    ]
    move(world, batch, event, lambda parent: world.ledger.batches.save_all([parent, *children])[0])
    count("BatchesSplit")
