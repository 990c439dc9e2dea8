"""The sums that must hold before a job's report is believed (docs/architecture.md#invariants, no. 3)."""

from __future__ import annotations

from collections import Counter

from tidemark.core.errors import Unbalanced
from tidemark.core.job import Result, rows_of, shortened
from tidemark.core.lifecycle import Batch, Counts, Published
from tidemark.core.manifest import Manifest, NightlyManifest


def published_as(batch: Batch, result: Result) -> Published:
    """The event for a result that is verified and committed."""
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
    """Raise `Unbalanced`, with expected and found, unless the result accounts for every file and record.

    `facts` are the tables that hold one row for every record kept; each must have as many rows as were kept.
    """
    _equal("batch and attempt", (manifest.batch_id, manifest.attempt), (result.batch_id, result.attempt))
    expected = sorted(file.identity for file in manifest.files)
    _equal("files", expected, sorted(file.identity for file in result.files))
    _equal("tables", sorted(tables), sorted(result.tables))
    for file in result.files:
        accounted = file.kept + file.rejected + file.duplicate_records
        _equal(f"records of {file.uri} (kept + rejected + repeated)", file.read, accounted)
    _equal("rejected records", result.total("rejected"), rows_of(result.rejected))
    for table in facts:
        _equal(f"rows of {table}", result.total("kept"), result.rows[table])


def verify_keys(result: Result, required: bool) -> None:
    """Raise `Unbalanced` unless the keys of the records kept are listed; `required` keys are as many as the records."""
    if result.keys is None:
        raise Unbalanced("keys: expected a list of files, found none")
    kept, keys = result.total("kept"), rows_of(result.keys)
    if required or keys > kept:  # a record without a key repeats nothing, and is not remembered
        _equal("keys", kept, keys)


def verify_nightly(result: Result, manifest: NightlyManifest, tables: tuple[str, ...]) -> None:
    """Raise `Unbalanced` unless the result has read every row of every pinned file, and tells of every table."""
    _equal("batch and attempt", (manifest.batch_id, manifest.attempt), (result.batch_id, result.attempt))
    _equal("tables", sorted(tables), sorted(result.tables))
    _equal("tables read", sorted(manifest.rows), sorted(result.inputs))
    for table, rows in manifest.rows.items():
        _equal(f"rows read of {table}", rows, result.inputs[table])


def _equal(what: str, expected: object, found: object) -> None:
    if expected != found:
        if isinstance(expected, list) and isinstance(found, list):  # perhaps a thousand files: only what differs
            missing, surplus = Counter(expected) - Counter(found), Counter(found) - Counter(expected)
            expected, found = list(missing.elements()), list(surplus.elements())
        raise Unbalanced(f"{what}: expected {shortened(expected)}, found {shortened(found)}")
