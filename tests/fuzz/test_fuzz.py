"""The fuzzer's oracles, for a few seconds: what `make fuzz` looks for all day."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_jobs.engine.formats import records
from tests.fuzz import oracles, samples
from tests.fuzz.cases import TYPES, Case, case_of
from tests.fuzz.choices import Choices
from tests.fuzz.damage import DAMAGES, Damage
from tidemark.core.dataset import Format

ROWS = [samples.row(number) for number in range(3)]


@pytest.mark.parametrize("type_", TYPES)
@settings(max_examples=12)
@given(data=st.binary(min_size=1, max_size=40))
def test_no_file_is_read_in_part_without_a_word(type_: str, data: bytes) -> None:
    """Nor with an exception, nor in another way when it arrives in other parts, whatever happened to it."""
    assert oracles.faults(case_of(type_, data)) == []


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("packing", ["none", *samples.STREAMS])
def test_a_file_that_nothing_happened_to_is_read_whole(type_: str, packing: str) -> None:
    """In every packing, and however it is cut."""
    format_ = Format(type_, delimiter="\t" if type_ == "tsv" else ",")
    content = samples.WRITERS[type_](ROWS, Choices(b""), format_)
    body = samples.STREAMS.get(packing, bytes)(content)
    assert oracles.faults(Case(format_, samples.FIELDS, body, content, len(ROWS), True)) == []


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_all_that_may_happen_does(damage: Damage) -> None:
    """A damage that leaves every file as it is would find nothing."""
    body = b"id,n\n1,2\n"
    assert any(damage(body, Choices(bytes([0, at, how, how, how]))) != body for at in range(9) for how in range(4))


def test_a_record_that_is_lost_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that forgets what does not fit has a fault by the oracles."""
    monkeypatch.setattr(records.RecordReader, "_checked", lambda *_: [])
    body = json.dumps(samples.plain(ROWS)).encode()
    found = oracles.faults(Case(Format("json"), samples.FIELDS, body, body, len(ROWS), True))
    assert "silence: 0 rows of 3" in found
    assert "silence: k0000, k0001, k0002, x0000, x0001, x0002 of the text" in found
