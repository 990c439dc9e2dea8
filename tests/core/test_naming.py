from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.core import naming

NOW = datetime(2026, 3, 1, 12, 0, 7, tzinfo=UTC)
DATASETS = st.from_regex(r"[a-z][a-z0-9_]{0,31}", fullmatch=True)
LONGEST = "x" * 32
PARTS = st.lists(st.text(), max_size=5)


@given(PARTS, st.integers(1, 99_999))
def test_every_token_fits_where_it_is_used(segments: list[str], attempt: int) -> None:
    """AWS takes client tokens of 64 characters; the longest dataset name leaves room for 99,999 attempts."""
    batch = naming.batch_id(LONGEST, segments, NOW)
    assert len(batch) <= 57
    assert len(naming.run_token(batch, attempt)) <= 64
    assert len(naming.load_id([(batch, attempt)] * 45, NOW)) <= 64


@given(DATASETS, PARTS, st.integers(0, 1), st.integers(1, 99_999))
def test_ids_hold_only_safe_characters(dataset: str, segments: list[str], half: int, attempt: int) -> None:
    """Ids go into S3 keys, tokens and SQL literals as they are."""
    batch = naming.batch_id(dataset, segments, NOW)
    child = naming.child_id(batch, half)
    for name in (batch, child, naming.run_token(child, attempt), naming.load_id([(batch, attempt)], NOW)):
        assert re.fullmatch(r"[A-Za-z0-9._-]+", name)


def test_a_batch_id_tells_dataset_and_time() -> None:
    """Ids read well, and sort by time within a dataset."""
    first, later = (naming.batch_id("web", ["s1"], NOW + timedelta(seconds=step)) for step in (0, 1))
    assert re.fullmatch(r"web\.20260301T120007\.[0-9a-f]{8}", first)
    assert first < later


@given(PARTS, PARTS)
def test_ids_are_derived_not_drawn(one: list[str], other: list[str]) -> None:
    """A repeated step finds its own id again; other segments, batches or halves make another."""
    assert naming.batch_id("web", one, NOW) == naming.batch_id("web", one, NOW)
    assert naming.load_id([("b", 1)], NOW) == naming.load_id([("b", 1)], NOW) != naming.load_id([("b", 2)], NOW)
    assert naming.segment_id(b"1") == naming.segment_id(b"1") != naming.segment_id(b"2")


def test_children_keep_the_name_and_time_of_their_parent() -> None:
    """A split batch's family can be told by its ids, and no two of it have the same one."""
    parent = naming.batch_id("web", ["s1"], NOW)
    family = {parent, naming.child_id(parent, 0), naming.child_id(parent, 1)}
    family |= {naming.child_id(child, half) for child in family for half in (0, 1)}
    assert {name.rsplit(".", 1)[0] for name in family} == {"web.20260301T120007"}
    assert len(family) == 7


@given(DATASETS, PARTS)
def test_a_batch_and_its_children_name_their_dataset(dataset: str, segments: list[str]) -> None:
    """The warehouse's record and lost ledgers know batches by their ids alone."""
    batch = naming.batch_id(dataset, segments, NOW)
    assert naming.dataset_name(batch) == naming.dataset_name(naming.child_id(batch, 1)) == dataset


@given(DATASETS, PARTS, st.integers(1, 99_999))
def test_a_run_name_tells_batch_and_attempt(dataset: str, segments: list[str], attempt: int) -> None:
    """EMR gives the name back, and nothing else says whose run it is."""
    batch = naming.batch_id(dataset, segments, NOW)
    assert naming.parse_run_name(naming.run_name(batch, attempt)) == (batch, attempt)


@pytest.mark.parametrize("name", ["", "adhoc", "a.b.c", "a.b.c.d", "a.b.c.d.1", "a.b.1", "a.b.c.-1", "a.b.c.²"])
def test_a_foreign_run_is_told_by_its_name(name: str) -> None:
    """People may start runs of their own in the application."""
    assert naming.parse_run_name(name) is None


def test_an_attempt_has_a_prefix_of_its_own() -> None:
    """Attempts sort as text, and no prefix begins another."""
    assert naming.attempt_prefix("web", "web.t.1", 2) == "batches/web/web.t.1/0002/"
    assert naming.load_manifest_key("load.t.1", "web_events") == "loads/load.t.1/web_events.manifest"


@pytest.mark.parametrize("stack", ["tidemark", "tidemark-prod"])
def test_a_statement_is_named_after_stack_and_load(stack: str) -> None:
    """The load is found in the name, and no stack's statements begin as another's."""
    load = naming.load_id([("web.t.1", 1)], NOW)
    assert naming.load_of(naming.statement_name(stack, load)) == load
    assert not naming.statement_name(stack, load).startswith("tidemark.load.") or stack == "tidemark"


def test_a_period_of_a_job_has_one_name() -> None:
    """Whoever begins it, whenever: the same id; another kind of period of the same first day has another."""
    names = [naming.nightly_id(LONGEST, every, date(2026, 6, 1)) for every in ("day", "week", "month")]
    assert names[0] == naming.nightly_id(LONGEST, "day", date(2026, 6, 1))
    assert len(set(names)) == 3
    assert {len(name) for name in names} == {57}
    assert naming.parse_run_name(naming.run_name(names[0], 2)) == (names[0], 2)
