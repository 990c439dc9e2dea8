"""What is written as an item reads back the same."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tidemark.adapters.ledger.items import attempt_item, batch_item, load_item, parse_batch, parse_load
from tidemark.core.lifecycle import AT_REST, Batch, Counts, Failures, State
from tidemark.core.loading import Load

TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
TEXTS, IDS = st.text(max_size=20), st.text(min_size=1, max_size=20)
NUMBERS = st.integers(0, 1 << 50)
#: Annotation of a field → its values, so that a new field is drawn without a line here, or its type is missed.
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "str": TEXTS,
    "int": NUMBERS,
    "bool": st.booleans(),
    "datetime": TIMES,
    "datetime | None": st.none() | TIMES,
    "State": st.sampled_from(State),
    "Mapping[str, Any]": st.dictionaries(
        IDS.map("new {}".format), st.sampled_from([{"S": "x"}, {"N": "1.5"}, {"B": b"1"}, {"M": {"a": {"N": "1"}}}])
    ),
    "Mapping[str, int]": st.dictionaries(IDS, NUMBERS, max_size=3),
    "tuple[str, ...]": st.lists(IDS, max_size=3).map(tuple),
    "tuple[int, int] | None": st.none() | st.tuples(NUMBERS, NUMBERS),
    "tuple[tuple[str, int], ...]": st.lists(st.tuples(IDS, NUMBERS), max_size=3).map(tuple),
}


def drawn(kind: type[Any], **chosen: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Values of the dataclass with every field drawn: by its type, or as chosen."""
    return st.builds(kind, **{field.name: VALUES[str(field.type)] for field in fields(kind)} | chosen)


VALUES |= {"Counts": drawn(Counts), "Failures": drawn(Failures)}
BATCHES = drawn(Batch, batch_id=IDS, dataset=IDS, attempt=st.integers(1, 99_999)).map(
    lambda batch: replace(batch, due_at=None) if batch.at_rest else batch
)
LOADS = drawn(Load, load_id=IDS, state=st.sampled_from(["OPEN", "FINISHED", "FAILED"]))


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
    is_blemished = batch.state is State.LOADED and bool(batch.counts.rejected or batch.counts.problems)
    told = batch.state is State.QUARANTINED or is_blemished
    assert ("open" in batch_item(batch)) == (batch.state not in AT_REST or told)
