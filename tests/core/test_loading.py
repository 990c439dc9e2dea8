from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.core.dataset import Column, ColumnType, Dataset, LoadPolicy, Table
from tidemark.core.lifecycle import Batch, State
from tidemark.core.loading import BATCHES_MAX, LOADS_AT_ONCE, due_loads, of_one_layout
from tidemark.core.warehouse_sql import STATEMENTS_MAX, statements_needed

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OLD, YOUNG = NOW - timedelta(minutes=5), NOW - timedelta(minutes=4, seconds=59)


def dataset(name: str, tables: int = 1, every: timedelta = timedelta(minutes=5), kind: str = "facts") -> Dataset:
    column = Column("n", ColumnType("int"))
    made = tuple(Table(f"{name}_{number}", kind, (column,), key="n") for number in range(tables))
    return Dataset(name, f"{name}/", (), name, made, load=LoadPolicy(every))


def batch(name: str, published_at: datetime = OLD, **changes: Any) -> Batch:
    fields: dict[str, Any] = {"state": State.PUBLISHED, **changes}
    return Batch(name, name.split(".", maxsplit=1)[0], OLD, published_at, **fields)


DATASETS = {
    "web": dataset("web"),
    "app": dataset("app"),
    "wide": dataset("wide", 8),
    "crm": dataset("crm", 5, kind="latest"),
}


def test_the_warehouse_sleeps_until_a_dataset_has_waited() -> None:
    """A wake-up costs a minute at least, so nobody's turn means nobody is loaded."""
    assert due_loads([batch("web.1", YOUNG)], DATASETS, NOW) == []
    assert due_loads([], DATASETS, NOW, eager=True) == []


def test_a_wake_up_takes_everything_along() -> None:
    """One batch is due; those of other datasets ride with it, oldest first."""
    young, old = batch("app.1", YOUNG), batch("web.1")
    assert due_loads([young, old], DATASETS, NOW) == [[old, young]]


def test_every_dataset_waits_as_long_as_it_declares() -> None:
    """A slow dataset does not wake the warehouse."""
    slow = {"web": dataset("web", every=timedelta(hours=1))}
    assert due_loads([batch("web.1")], slow, NOW) == []


def test_an_eager_loader_does_not_wait() -> None:
    """Whoever asks for it gets all that is published, at once."""
    assert due_loads([batch("web.1", NOW)], DATASETS, NOW, eager=True) == [[batch("web.1", NOW)]]


@pytest.mark.parametrize("state", sorted(set(State) - {State.PUBLISHED}))
def test_only_published_batches_are_loaded(state: State) -> None:
    """What the index says of other states is nothing to load."""
    assert due_loads([batch("web.1", state=state)], DATASETS, NOW, eager=True) == []


def test_batches_of_limited_company_wait_for_no_policy_and_drag_nobody_along() -> None:
    """They are loaded at once, after the others, and in groups as small as the smallest limit."""
    one, two, three = (batch(f"web.{number}", YOUNG, company=2) for number in (1, 2, 3))
    other = batch("web.4", YOUNG)
    assert due_loads([three, other, two, one], DATASETS, NOW) == [[other], [one, two], [three]]


def test_the_wait_counts_from_the_first_publication() -> None:
    """A batch that is published again and again is due when its first attempt would have been."""
    hot = batch("web.1", NOW, waiting_since=OLD)
    assert due_loads([hot], DATASETS, NOW) == [[hot]]


def test_a_batch_that_is_held_back_stays_behind() -> None:
    """Backoff holds, also for who is eager; when it is over the batch comes along."""
    held = batch("web.1", company=1, not_before=NOW + timedelta(seconds=1))
    assert due_loads([held], DATASETS, NOW, eager=True) == []
    assert due_loads([held], DATASETS, NOW + timedelta(seconds=1)) == [[held]]


def test_tables_that_do_not_fit_one_transaction_make_two() -> None:
    """Forty statements hold the tables of `wide`, or those of the others."""
    wide, web, app = batch("wide.1"), batch("web.1"), batch("app.1")
    assert due_loads([wide, web, app], DATASETS, NOW) == [[app, web], [wide]]


def test_tables_of_the_newest_row_take_more_room() -> None:
    """Five of them fill the forty statements, so even one table more takes a second load."""
    assert due_loads([batch("crm.1"), batch("web.1")], DATASETS, NOW) == [[batch("crm.1")], [batch("web.1")]]


def test_files_of_before_and_after_a_new_column_take_two_loads() -> None:
    """COPY maps by position: the first batch of a dataset decides, those of other columns wait for the next wake-up."""
    wider = Dataset(
        "web",
        "web/",
        (),
        "web",
        (Table("web_0", "facts", (Column("n", ColumnType("int")), Column("m", ColumnType("int")))),),
    )
    old, new, other = batch("web.1"), batch("web.2"), batch("app.1")
    declared = {"web.1": DATASETS["web"], "web.2": wider, "app.1": DATASETS["app"]}
    assert of_one_layout([old, new, other], declared) == [old, other]
    assert of_one_layout([new], declared) == [new]


@given(st.lists(st.sampled_from(["web", "app", "wide", "crm"]), max_size=100))
def test_loads_hold_every_batch_once_within_the_limits(names: list[str]) -> None:
    """Packing loses and repeats nothing, and every group fits one transaction of ledger and warehouse."""
    batches = [batch(f"{name}.{number}") for number, name in enumerate(names)]
    groups = due_loads(batches, DATASETS, NOW)
    assert sorted(one.batch_id for group in groups for one in group) == sorted(one.batch_id for one in batches)
    for group in groups:
        assert len(group) <= BATCHES_MAX
        tables = [table for name in {one.dataset for one in group} for table in DATASETS[name].tables]
        assert statements_needed(tables) <= STATEMENTS_MAX


def test_loads_under_way_hold_back_new_ones() -> None:
    """Four transactions wait for one another's lock already: what is published meanwhile makes the next ones larger."""
    waiting = [batch(f"web.t.{number}", company=1) for number in range(6)]
    assert len(due_loads(waiting, DATASETS, NOW)) == LOADS_AT_ONCE
    assert len(due_loads(waiting, DATASETS, NOW, under_way=LOADS_AT_ONCE - 1)) == 1
    assert due_loads(waiting, DATASETS, NOW, under_way=LOADS_AT_ONCE + 1) == []
