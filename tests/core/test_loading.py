from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Column, Dataset, LoadPolicy, Table
from tidemark.core.lifecycle import Batch, State
from tidemark.core.load_limits import STATEMENTS_MAX, statements_needed
from tidemark.core.loading import BATCHES_MAX, Load, due_loads, is_due, of_one_layout
from tidemark.core.warehouse_ddl import SHARDS, shard_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OLD, YOUNG = NOW - timedelta(minutes=5), NOW - timedelta(minutes=4, seconds=59)


def dataset(name: str, tables: int = 1, every: timedelta = timedelta(minutes=5), kind: str = "facts") -> Dataset:
    column = Column("n", ColumnType("int"))
    made = tuple(Table(f"{name}_{number}", kind, (column,), key="n") for number in range(tables))
    return Dataset(name, f"{name}/", (), name, made, load=LoadPolicy(every))


def batch(name: str, published_at: datetime = OLD, **changes: Any) -> Batch:
    fields: dict[str, Any] = {"state": State.PUBLISHED, **changes}
    return Batch(name, name.split(".", maxsplit=1)[0], OLD, published_at, **fields)


#: `web` and `ads` are of one shard, `wide` and `mail` of one, `crm` and `sms` of one, `app` alone.
DATASETS = {
    "web": dataset("web"),
    "ads": dataset("ads"),
    "app": dataset("app"),
    "wide": dataset("wide", 8),
    "mail": dataset("mail"),
    "crm": dataset("crm", 5, kind="latest"),
    "sms": dataset("sms"),
}


def load(*datasets: str) -> Load:
    """A load that is under way."""
    return Load("load.1", NOW, (), datasets)


def test_the_warehouse_sleeps_until_a_dataset_has_waited() -> None:
    """A wake-up costs a minute at least, so nobody's turn means nobody is loaded."""
    assert due_loads([batch("web.1", YOUNG)], DATASETS, NOW) == []
    assert due_loads([], DATASETS, NOW, eager=True) == []


def test_a_wake_up_takes_everything_along() -> None:
    """One batch is due; those of its shard ride with it, oldest first, and other shards have loads of their own."""
    young, old, other = batch("ads.1", YOUNG), batch("web.1"), batch("app.1", YOUNG)
    assert due_loads([young, old, other], DATASETS, NOW) == [[old, young], [other]]


def test_while_the_warehouse_is_awake_a_shard_goes_by_its_own_datasets() -> None:
    """A load of `crm` is under way: `app` would gain little by a load of its own before it is due, `web` is due."""
    young, old = batch("app.1", YOUNG), batch("web.1")
    assert due_loads([young, old], DATASETS, NOW, [load("crm")]) == [[old]]
    assert due_loads([young, old], DATASETS, NOW, [load("crm")], eager=True) == [[old], [young]]


def test_loads_of_a_shard_go_one_after_the_other() -> None:
    """`ads` waits for the load of `web`, with which it shares a lock; `app` does not."""
    waiting = [batch("ads.1"), batch("app.1")]
    assert due_loads(waiting, DATASETS, NOW, [load("web")]) == [[batch("app.1")]]
    assert due_loads(waiting, DATASETS, NOW, [load("web"), load("app")]) == []


def test_two_hundred_datasets_take_all_shards_at_once() -> None:
    """Their loads do not wait for one another, but for those of their own shard alone; every shard has its share."""
    many = {f"d{number}": dataset(f"d{number}") for number in range(200)}
    groups = due_loads([batch(f"{name}.1") for name in many], many, NOW)
    assert len(groups) == len(SHARDS)
    assert all(len({shard_of(one.dataset) for one in group}) == 1 for group in groups)
    sizes = Counter(map(shard_of, many))
    assert max(sizes.values()) <= 20


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
    assert due_loads([three, other, two, one], DATASETS, NOW) == [[other]]
    assert due_loads([three, two, one], DATASETS, NOW) == [[one, two]]
    assert due_loads([three], DATASETS, NOW) == [[three]]


def test_batches_of_limited_company_do_not_wait_for_an_end_of_the_others() -> None:
    """Where others are published all the time, they go first after three times `load.every`, and not before."""
    other = batch("web.9", YOUNG)
    for minutes, expected in ((14, "web.9"), (15, "web.1")):
        limited = batch("web.1", NOW - timedelta(minutes=minutes), company=2)
        assert [[one.batch_id for one in group] for group in due_loads([limited, other], DATASETS, NOW)] == [[expected]]


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
    """Forty statements hold the tables of `wide`, or those of the other; the oldest batch goes first."""
    wide, mail = batch("wide.1"), batch("mail.1", YOUNG)
    assert due_loads([wide, mail], DATASETS, NOW) == [[wide]]
    assert due_loads([mail], DATASETS, NOW, eager=True) == [[mail]]


def test_tables_of_the_latest_row_take_more_room() -> None:
    """Five of them fill the forty statements, so even one table more takes a second load."""
    assert due_loads([batch("crm.1"), batch("sms.1")], DATASETS, NOW) == [[batch("crm.1")]]


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


@given(st.lists(st.sampled_from(sorted(DATASETS)), max_size=100))
def test_loads_hold_every_batch_once_within_the_limits(names: list[str]) -> None:
    """Load after load, nothing is lost or repeated, and every group fits one transaction of ledger and warehouse."""
    waiting = [batch(f"{name}.{number}") for number, name in enumerate(names)]
    loaded: list[Batch] = []
    while groups := due_loads([one for one in waiting if one not in loaded], DATASETS, NOW):
        for group in groups:
            assert len(group) <= BATCHES_MAX
            assert len({shard_of(one.dataset) for one in group}) == 1
            tables = [table for name in {one.dataset for one in group} for table in DATASETS[name].tables]
            assert statements_needed(tables) <= STATEMENTS_MAX
        loaded += [one for group in groups for one in group]
    assert sorted(one.batch_id for one in loaded) == sorted(one.batch_id for one in waiting)


def test_a_batch_is_due_when_its_policy_says_so_or_a_failure_does() -> None:
    """Settle points at the next load of a shard by this; what is held back waits all the same."""
    later = NOW + timedelta(seconds=1)
    assert is_due(batch("web.1"), DATASETS, NOW)
    assert not is_due(batch("web.1", YOUNG), DATASETS, NOW)
    assert is_due(batch("web.1", YOUNG, company=2), DATASETS, NOW)
    assert not is_due(batch("web.1", company=2, not_before=later), DATASETS, NOW)
