"""Batches, their attempts and the indexes that find them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.adapters.ledger.conftest import NOON, batch
from tidemark.adapters.ledger import Ledger
from tidemark.core.errors import Conflict
from tidemark.core.files import FileVersion
from tidemark.core.lifecycle import State


@pytest.mark.parametrize("dataset", ["loads", "quarantine"])
def test_no_dataset_shares_its_place_in_the_index(ledger: Ledger, dataset: str) -> None:
    """Whatever a dataset is called, its batches are taken neither for loads nor for quarantine."""
    ledger.batches.save(batch(dataset=dataset))
    assert ledger.loads.open() == []
    assert ledger.quarantine.contents() == ([], [])


def test_of_two_planners_one_takes_a_segment(ledger: Ledger, segments: tuple[str, ...]) -> None:
    """The loser gets a conflict, and takes none of the other segments either."""
    ledger.batches.begin(batch("web.t.1", segments=segments[:1]))
    with pytest.raises(Conflict):
        ledger.batches.begin(batch("web.t.2", segments=segments))
    assert [segment.batch_id for segment in ledger.segments.pending("web")] == ["web.t.1", ""]
    assert ledger.batches.get("web.t.2") is None


def test_a_batch_begins_once(ledger: Ledger, segments: tuple[str, ...]) -> None:
    """Two planners that draw the same id in the same second are still one batch."""
    ledger.batches.begin(batch(segments=segments[:1]))
    with pytest.raises(Conflict):
        ledger.batches.begin(batch(segments=segments[1:]))
    assert ledger.segments.pending("web")[1].batch_id == ""


def test_a_batch_does_not_begin_with_a_segment_that_is_gone(ledger: Ledger, segments: tuple[str, ...]) -> None:
    """A planner that listed long ago finds the work done."""
    ledger.segments.delete("web", segments[0])
    with pytest.raises(Conflict):
        ledger.batches.begin(batch(segments=segments))
    assert ledger.segments.files("web", segments[0]) == []


def test_a_batch_begins_with_as_many_segments_as_a_transaction_takes(ledger: Ledger, file: FileVersion) -> None:
    """Ninety-nine segments and the batch are 100 items."""
    for number in range(99):
        ledger.segments.put("web", [replace(file, key=f"web/{number}")], NOON)
    taken = tuple(segment.sk for segment in ledger.segments.pending("web"))
    ledger.batches.begin(batch(segments=taken))
    assert {segment.batch_id for segment in ledger.segments.pending("web")} == {"web.t.1"}


def test_of_two_saves_of_one_version_one_stands(ledger: Ledger) -> None:
    """Two handlers advance the same batch: the second gets a conflict and changes nothing."""
    read = ledger.batches.save(batch())
    ledger.batches.save(replace(read, state=State.PLANNED))
    with pytest.raises(Conflict):
        ledger.batches.save(replace(read, state=State.EMPTY, due_at=None))
    assert ledger.batches.get("web.t.1") == replace(read, state=State.PLANNED, version=2)


def test_a_new_batch_does_not_overwrite_an_old_one(ledger: Ledger) -> None:
    """Version 0 says that there is none yet."""
    ledger.batches.save(batch())
    with pytest.raises(Conflict):
        ledger.batches.save(batch(files=9))


def test_several_batches_are_saved_together_or_not_at_all(ledger: Ledger) -> None:
    """A split is one transaction: no child without its parent's move."""
    parent = ledger.batches.save(batch())
    ledger.batches.save(parent)
    with pytest.raises(Conflict):
        ledger.batches.save_all([replace(parent, state=State.SPLIT, due_at=None), batch("web.t.2"), batch("web.t.3")])
    assert ledger.batches.get("web.t.2") is None


def test_every_attempt_is_remembered(ledger: Ledger) -> None:
    """The batch's past can be asked for ever, each attempt as it last was."""
    first = ledger.batches.save(ledger.batches.save(batch(run_id="run-1")))
    ledger.batches.save(replace(first, attempt=2, run_id="run-2"))
    assert [(past.attempt, past.run_id, past.version) for past in ledger.batches.attempts("web.t.1")] == [
        (1, "run-1", 2),
        (2, "run-2", 3),
    ]


def test_a_batch_at_rest_leaves_the_open_index(ledger: Ledger) -> None:
    """Open batches are those that something is due for, of one dataset."""
    read = ledger.batches.save(batch())
    ledger.batches.save(replace(batch("app.t.1"), dataset="app"))
    assert ledger.batches.open("web") == [read]
    ledger.batches.save(replace(read, state=State.LOADED, due_at=None))
    assert ledger.batches.open("web") == []


def test_history_lists_the_latest_first(ledger: Ledger) -> None:
    """A limit cuts the oldest off; attempts and files are not in it."""
    for number in range(3):
        ledger.batches.save(batch(f"web.t.{number}", created_at=NOON + timedelta(seconds=number)))
    assert [one.batch_id for one in ledger.batches.recent("web", 2)] == ["web.t.2", "web.t.1"]
    assert len(ledger.batches.all("web")) == 3
