"""Where a batch is put that the ledger has forgotten, and who holds its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.core.test_traces import NOON, ONE, WEB
from tidemark.core.failures import RunFailure
from tidemark.core.files import FileVersion
from tidemark.core.job import DataFile, FileCount, Result
from tidemark.core.lifecycle import Batch, Counts, State
from tidemark.core.manifest import Manifest
from tidemark.core.recovery import Held, held_twice, in_order, left_out, missing_child, rebuilt, set_aside
from tidemark.core.traces import Documents, Trace, children_of

A, B = FileVersion("raw", "web/a", "v1", 5, None, "0A"), FileVersion("raw", "web/b", "v1", 7, None, "0B")
A2 = FileVersion("raw", "web/a", "v2", 6, None, "0C")
LATER = datetime(2026, 3, 2, tzinfo=UTC)
TWO = "web.20260301T113000.bbbbbbbb"
STORED = WEB.tables[1].physical_name
SHOWN = {"hits": {1: 3}, STORED: {1: 1}}


def manifest(attempt: int, *files: FileVersion, changes: int = 0, batch_id: str = ONE) -> Manifest:
    """Of an attempt at the batch."""
    return Manifest(batch_id, attempt, "web", files, changes)


def result(attempt: int, batch_id: str = ONE) -> Result:
    """Three records kept, one rejected."""
    tables = {"hits": (DataFile("s3://lake/hits", 3, 9),), "totals": (DataFile("s3://lake/totals", 1, 9),)}
    counted = (FileCount(A.identity, 4, 3, 1, 0),)
    return Result(batch_id, attempt, counted, tables, (DataFile("s3://lake/rejected", 1, 9),))


def trace(
    manifests: Mapping[int, Manifest],
    specs: set[int],
    shown: Mapping[str, Mapping[int, int]] | None = None,
    loads: Mapping[int, str] | None = None,
    run_id: str = "",
    results: Mapping[int, Result] | None = None,
    failures: Mapping[int, RunFailure] | None = None,
    batch_id: str = ONE,
) -> Trace:
    """What lies outside of the ledger."""
    left = Documents(batch_id, "web", NOON, frozenset(manifests), frozenset(specs))
    lake, warehouse = shown or {}, (shown or {}) if loads else {}
    told = (results or {}, failures or {}, run_id)
    return Trace(left, manifests, max(manifests), WEB, *told, lake, warehouse, loads or {})


PLANNED = trace({1: manifest(1, A, B)}, set())
RUNNING = replace(trace({1: manifest(1, A, B)}, {1}), run_id="run-7")
LOST_RUN = trace({1: manifest(1, A, B)}, {1})
LOADED = trace({1: manifest(1, A, B)}, {1}, SHOWN, {1: "load.20260301T120000.00000000"}, results={1: result(1)})


@pytest.mark.parametrize(
    ("found", "state", "attempt", "maybe_visible"),
    [
        (PLANNED, State.PLANNED, 1, False),
        (RUNNING, State.RUNNING, 1, False),
        (LOST_RUN, State.PLANNED, 2, False),
        (replace(RUNNING, lake=SHOWN, results={1: result(1)}), State.RUNNING, 1, True),
        (LOADED, State.LOADED, 1, True),
        (replace(LOADED, results={}, run_id="run-7"), State.RUNNING, 1, True),
    ],
    ids=["no job spec", "a run", "no run", "in the lake", "in the warehouse", "in the warehouse without a result"],
)
def test_a_batch_is_put_where_its_traces_say(found: Trace, state: State, attempt: int, maybe_visible: bool) -> None:
    """What nobody can tell how it ended is fenced off by a next attempt; what readers see is never split."""
    batch = rebuilt(found, None, False, "", LATER)
    assert (batch.state, batch.attempt, batch.maybe_visible) == (state, attempt, maybe_visible)
    assert batch.manifest == f"batches/web/{ONE}/0001/manifest.json"
    assert (batch.files, batch.bytes) == (2, 12)
    assert (batch.due_at is None) is batch.at_rest
    assert batch.created_at == datetime(2026, 3, 1, 11, tzinfo=UTC)


def test_a_loaded_batch_has_its_counts_and_its_load() -> None:
    """As if it had gone its way."""
    batch = rebuilt(LOADED, None, False, "", LATER)
    assert batch.counts == Counts(read=4, kept=3, rejected=1, rows={"hits": 3, "totals": 1})
    assert (batch.published, batch.load_id) == (1, "load.20260301T120000.00000000")


def test_what_the_ledger_knew_goes_on_from_there() -> None:
    """Version and changes are those of the ledger; changes that the manifest has are not applied once more."""
    known = Batch(ONE, "web", NOON, NOON, State.FORMING, version=4, changes=1, segments=("s",), parent="p")
    batch = rebuilt(trace({1: manifest(1, A), 2: manifest(2, A2, changes=3)}, {1}), known, False, "", LATER)
    assert (batch.state, batch.attempt, batch.version, batch.parent) == (State.PLANNED, 2, 4, "p")
    assert (batch.changes, batch.formed, batch.discarded, batch.segments) == (3, 3, 3, ())


def test_changes_that_no_manifest_has_wait_for_the_next_attempt() -> None:
    """A loaded batch with such a change begins again, with the change."""
    known = Batch(ONE, "web", NOON, NOON, State.LOADING, changes=2)
    batch = rebuilt(LOADED, known, False, "", LATER)
    assert (batch.state, batch.attempt, batch.changes, batch.discarded) == (State.FORMING, 2, 2, 0)


def test_a_batch_whose_children_have_documents_was_split() -> None:
    """The child without any gets its part of the files."""
    parent = rebuilt(LOST_RUN, None, True, "", LATER)
    assert (parent.state, parent.children) == (State.SPLIT, children_of(ONE))
    halves = [missing_child(parent, half, LATER) for half in (0, 1)]
    assert [(child.batch_id, child.file_range) for child in halves] == [
        (parent.children[0], (0, 1)),
        (parent.children[1], (1, 2)),
    ]
    assert {(child.state, child.base_manifest, child.parent) for child in halves} == {
        (State.FORMING, parent.manifest, ONE)
    }


# ── who holds what ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("known", "found", "latest", "versions"),
    [
        ([], [A], None, ["v1"]),
        ([A], [A2], None, ["v1", "v2"]),
        ([A2], [A], None, ["v1", "v2"]),
        ([replace(A, sequencer=None)], [A2], "v1", ["v2", "v1"]),
        ([replace(A, sequencer=None)], [A2], "v2", ["v1", "v2"]),
        ([replace(A, sequencer=None)], [A2], "v9", ["v1", "v2"]),
    ],
    ids=["free", "overwritten", "an older one", "the bucket shows the first", "the second", "neither"],
)
def test_the_latest_version_of_a_key_is_told_by_sequencer_or_bucket(
    known: list[FileVersion], found: list[FileVersion], latest: str | None, versions: list[str]
) -> None:
    """Where neither tells, a later manifest's is the latest."""
    ordered = in_order([Held(file, ONE) for file in known], [Held(file, TWO) for file in found], latest)
    assert [one.file.version for one in ordered] == versions


def test_what_the_ledger_knows_of_a_version_stays() -> None:
    """A parent claimed what its child works on."""
    assert in_order([Held(A, ONE)], [Held(A, TWO)], None) == [Held(A, ONE)]


def test_a_file_that_a_run_blamed_and_that_is_gone_was_set_aside() -> None:
    """One that came back, or that nobody blamed, was not."""
    blamed = {1: RunFailure("not JSON", "file", B)}
    first = manifest(1, A, B)
    assert set_aside(trace({1: first, 2: manifest(2, A)}, {1}, failures=blamed)) == {B: "not JSON"}
    assert set_aside(trace({1: first, 2: manifest(2, A), 3: manifest(3, A, B)}, {1}, failures=blamed)) == {}
    assert set_aside(trace({1: first, 2: manifest(2)}, {1})) == {}


def of_two(shown: Mapping[str, Mapping[int, int]] | None = None) -> Trace:
    """A younger batch with one of the files."""
    return trace({1: manifest(1, A, batch_id=TWO)}, set(), shown, batch_id=TWO)


def test_an_unknown_batch_with_anothers_file_came_to_nothing() -> None:
    """Readers have seen nothing of it; whatever else it has is brought in again."""
    both = {TWO: of_two(), ONE: LOADED}
    assert left_out(both, {}, {}, {}) == {TWO}
    assert left_out({TWO: of_two()}, {}, {A.identity: ONE}, {}) == {TWO}
    assert left_out({TWO: of_two()}, {}, {A.identity: ONE}, {TWO: ONE}) == set()
    assert left_out({TWO: of_two()}, {}, {}, {}) == set()


def test_a_version_that_readers_see_twice_is_told() -> None:
    """Something went on by the ledger that was set back."""
    both = {TWO: of_two({"hits": {1: 1}}), ONE: LOADED}
    assert left_out(both, {}, {}, {}) == set()
    assert held_twice(both, {}, {}) == [f"s3://raw/web/a version v1 is in {ONE} and in {TWO}"]
    assert held_twice(both, {}, {TWO: ONE}) == []
