"""What is written as an item reads back the same."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from tidemark.adapters.ledger.items import attempt_item, batch_item, load_item, parse_batch, parse_load
from tidemark.core.lifecycle import AT_REST, Batch, State
from tidemark.core.loading import Load

TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
IDS = st.text(min_size=1, max_size=20)
COUNTS = st.integers(0, 1 << 50)
BATCHES = st.builds(
    Batch,
    batch_id=IDS,
    dataset=IDS,
    created_at=TIMES,
    updated_at=TIMES,
    state=st.sampled_from(State),
    attempt=st.integers(1, 99_999),
    version=COUNTS,
    due_at=st.none() | TIMES,
    not_before=st.none() | TIMES,
    began_at=st.none() | TIMES,
    because=st.text(max_size=5),
    background=st.booleans(),
    changes=COUNTS,
    formed=COUNTS,
    waiting_since=st.none() | TIMES,
    acknowledged=COUNTS,
    period=st.text(max_size=5),
    inputs=st.dictionaries(IDS, COUNTS, max_size=3),
    unknown_failures=COUNTS,
    published=COUNTS,
    segments=st.lists(IDS, max_size=3).map(tuple),
    base_manifest=st.text(max_size=5),
    file_range=st.none() | st.tuples(COUNTS, COUNTS),
    manifest=st.text(max_size=5),
    files=COUNTS,
    bytes=COUNTS,
    duplicate_files=COUNTS,
    run_id=st.text(max_size=5),
    run_failures=COUNTS,
    maybe_visible=st.booleans(),
    load_id=st.text(max_size=5),
    load_failures=COUNTS,
    company=COUNTS,
    read=COUNTS,
    kept=COUNTS,
    rejected=COUNTS,
    duplicate_records=COUNTS,
    rows=st.dictionaries(IDS, COUNTS, max_size=3),
    problems=COUNTS,
    reason=st.text(max_size=20),
    discarded=COUNTS,
    parent=st.text(max_size=5),
    children=st.lists(IDS, max_size=2).map(tuple),
).map(lambda batch: replace(batch, due_at=None) if batch.at_rest else batch)
LOADS = st.builds(
    Load,
    load_id=IDS,
    created_at=TIMES,
    batches=st.lists(st.tuples(IDS, COUNTS), max_size=3).map(tuple),
    datasets=st.lists(IDS, max_size=3).map(tuple),
    statement_id=st.text(max_size=5),
    state=st.sampled_from(["OPEN", "FINISHED", "FAILED"]),
    reason=st.text(max_size=20),
    version=COUNTS,
)


def types(batch: Batch) -> list[type]:
    return [type(getattr(batch, entry.name)) for entry in fields(Batch)]


@given(BATCHES)
def test_a_batch_survives_its_item(batch: Batch) -> None:
    """Every field comes back with its value and its type."""
    found = parse_batch(batch_item(batch))
    assert found == batch
    assert types(found) == types(batch)


@given(BATCHES)
def test_an_attempts_record_is_the_batch_without_its_due_time(batch: Batch) -> None:
    """Past attempts are remembered whole, and are nobody's work any more."""
    item = attempt_item(batch)
    assert parse_batch(item) == replace(batch, due_at=None)
    assert not {"open", "due_at", "dataset"} & set(item)


@given(LOADS)
def test_a_load_survives_its_item(load: Load) -> None:
    """Members keep their attempts, and only an open load is in the index."""
    assert parse_load(load_item(load)) == load
    assert ("open" in load_item(load)) == (load.state == "OPEN")


@given(BATCHES)
def test_only_what_waits_is_in_the_open_index(batch: Batch) -> None:
    """The index is sparse: it holds the work under way, what waits for a person, and what people are told of."""
    is_blemished = batch.state is State.LOADED and bool(batch.rejected or batch.problems)
    told = batch.state is State.QUARANTINED or is_blemished
    assert ("open" in batch_item(batch)) == (batch.state not in AT_REST or told)
