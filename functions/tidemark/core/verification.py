"""Checks a job's result against its manifest before it is published (docs/architecture.md#invariants, no. 3)."""

from __future__ import annotations

from collections import Counter

from tidemark.core.errors import Unbalanced
from tidemark.core.job import Result, rows_of, shortened
from tidemark.core.lifecycle import Batch, Counts, Published
from tidemark.core.manifest import Manifest, NightlyManifest


def published_as(batch: Batch, result: Result) -> Published:
    """The event for a result that is verified and committed to the lake."""
    counts = Counts(
        read=result.total("read"),
        kept=result.total("kept"),
        rejected=result.total("rejected"),
        duplicate_records=result.total("duplicate_records"),
        rows=result.rows,
        problems=len(result.problems),
    )
    return Published(batch.attempt, counts)


def verify(result: Result, manifest: Manifest, tables: tuple[str, ...], facts: tuple[str, ...]) -> None:
    """Raise `Unbalanced` unless the result accounts for every file and record.

    `tables` are the tables that it must have; `facts` are those with one row for each record that was kept.
    """
    _equal("batch and attempt", (manifest.batch_id, manifest.attempt), (result.batch_id, result.attempt))
    expected = sorted(file.identity for file in manifest.files)
    _equal("files", expected, sorted(file.identity for file in result.files))
    _equal("tables", sorted(tables), sorted(result.tables))
    for file in result.files:
        accounted = file.kept + file.rejected + file.duplicate_records
        _equal(f"records of {file.uri} (kept + rejected + duplicates)", file.read, accounted)
    _equal("rejected records", result.total("rejected"), rows_of(result.rejected))
    for table in facts:
        _equal(f"rows of {table}", result.total("kept"), result.rows[table])


def verify_keys(result: Result, required: bool) -> None:
    """Raise `Unbalanced` unless the result lists the keys of its kept records.

    If every record is `required` to have a key, there must be as many keys as records; otherwise at most as many.
    """
    if result.keys is None:
        raise Unbalanced("keys: expected a list of files, found none")
    kept, keys = result.total("kept"), rows_of(result.keys)
    if required or keys > kept:  # a record without a key is never a duplicate, and no key of it is stored
        _equal("keys", kept, keys)


def verify_nightly(result: Result, manifest: NightlyManifest, tables: tuple[str, ...]) -> None:
    """Raise `Unbalanced` unless the result has read every row of the manifest's files and has every table."""
    _equal("batch and attempt", (manifest.batch_id, manifest.attempt), (result.batch_id, result.attempt))
    _equal("tables", sorted(tables), sorted(result.tables))
    _equal("tables read", sorted(manifest.rows), sorted(result.inputs))
    for table, rows in manifest.rows.items():
        _equal(f"rows read of {table}", rows, result.inputs[table])


def _equal(what: str, expected: object, actual: object) -> None:
    if expected != actual:
        if isinstance(expected, list) and isinstance(actual, list):  # of perhaps a thousand files, name the difference
            missing, surplus = Counter(expected) - Counter(actual), Counter(actual) - Counter(expected)
            expected, actual = list(missing.elements()), list(surplus.elements())
        raise Unbalanced(f"{what}: expected {shortened(expected)}, found {shortened(actual)}")
