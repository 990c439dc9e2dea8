"""A ledger that was set back or lost is whole again, or says why it is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import tidemark.service.recover as recover_module
from tests.service.lost import LOAD, ONE, TWO, A, B, Shop
from tidemark.adapters.ledger.batches import Batches
from tidemark.adapters.ledger.declarations import Declarations
from tidemark.adapters.world import World
from tidemark.core.errors import Conflict, TidemarkError
from tidemark.core.files import Holder
from tidemark.core.lifecycle import Batch, State
from tidemark.core.traces import children_of
from tidemark.service.evidence import Evidence, gather
from tidemark.service.recover import Findings, look, recover, roots, stop
from tidemark.service.seal import Seal
from tidemark.service.seal import look as seal_of

LOST_ROWS = f"{ONE}: warehouse, sales: expected 2 rows of attempt 1, found 1 rows of attempt 1"


def states(found: Findings) -> dict[str, tuple[State, int]]:
    """What is, or would be, put back: state and attempt by batch."""
    return {batch.batch_id: (batch.state, batch.attempt) for batch in found.batches}


def recovered(world: World, accept: bool = False) -> Findings:
    """What a person does, once every function has ended."""
    stop(world)
    return recover(world, accept)


def split(shop: Shop) -> tuple[str, str]:
    """Leave a batch of two files that was split, of whose children only the first has left a document."""
    first, second = children_of(ONE)
    shop.form(ONE, A, B)
    shop.order(ONE)
    shop.form(first, A)
    return first, second


def dies_with(batch_id: str) -> Callable[..., Batch]:
    """`Batches.save` that dies before it writes that batch."""
    save = Batches.save

    def dying(self: Batches, batch: Batch, *more: Any) -> Batch:
        if batch.batch_id == batch_id:
            raise KeyboardInterrupt
        return save(self, batch, *more)

    return dying


def test_a_lost_ledger_is_made_whole(shop: Shop) -> None:
    """Each batch is put where its traces say; then nothing is left to do, and the ledger bears its seal."""
    shop.load(ONE, A)
    shop.form(TWO, B)
    assert states(look(shop.world)) == {ONE: (State.LOADED, 1), TWO: (State.PLANNED, 1)}
    assert shop.world.ledger.batches.get(ONE) is None
    found = recovered(shop.world)
    assert states(found) == {ONE: (State.LOADED, 1), TWO: (State.PLANNED, 1)}
    assert (found.left_out, found.disagreements) == ((), ())
    assert shop.world.ledger.files.holder("raw", "shop/b") == Holder(B, TWO)
    assert look(shop.world) == Findings((), (), ())
    assert seal_of(shop.world) is Seal.WHOLE


def test_only_what_the_ledger_is_behind_with_is_put_back(shop: Shop) -> None:
    """A batch of which it knows as much as the documents tell stays as it is."""
    shop.form(ONE, A)
    shop.order(ONE)
    shop.run(ONE)
    known = shop.know(ONE, State.RUNNING)
    shop.form(TWO, B)
    assert states(recovered(shop.world)) == {TWO: (State.PLANNED, 1)}
    assert shop.world.ledger.batches.get(ONE) == known


def test_nothing_is_written_while_rows_are_missing(shop: Shop) -> None:
    """A person looks first; who accepts it has the ledger made whole, and is told once more."""
    shop.load(ONE, A)
    shop.warehouse.database.execute("DELETE FROM sales WHERE rowid = 1")
    found = recovered(shop.world)
    assert found.disagreements == (LOST_ROWS,)
    assert (shop.world.ledger.batches.get(ONE), seal_of(shop.world)) == (None, Seal.FOREIGN)
    assert recovered(shop.world, accept=True).disagreements == (LOST_ROWS,)
    assert (shop.world.ledger.batches.get(ONE).state, seal_of(shop.world)) == (State.LOADED, Seal.WHOLE)  # type: ignore[union-attr]


def test_rows_missing_from_a_batch_that_the_ledger_knows_are_found_as_well(shop: Shop) -> None:
    """The restored ledger may be right about it, and the tables wrong."""
    shop.load(ONE, A)
    recovered(shop.world)
    shop.lake.tables["sales"] = {}
    [line] = recovered(shop.world).disagreements
    assert line == f"{ONE}: lake, sales: expected 2 rows of attempt 1, found no rows"


@pytest.mark.parametrize("state", [State.PUBLISHED, State.LOADING, State.LOADED])
def test_what_the_warehouse_has_recorded_as_loaded_is_compared(shop: Shop, state: State) -> None:
    """The restored ledger may be older than the load: settle would believe the load's own count."""
    shop.load(ONE, A)
    shop.know(ONE, state, rows={"sales": 2})
    assert recovered(shop.world).disagreements == ()
    shop.warehouse.database.execute("DELETE FROM sales WHERE rowid = 1")
    assert recovered(shop.world).disagreements == (LOST_ROWS,)


@pytest.mark.parametrize("state", [State.PUBLISHED, State.LOADING])
def test_what_is_not_loaded_yet_is_compared_in_the_lake_only(shop: Shop, state: State) -> None:
    """The warehouse gets it in time."""
    shop.form(ONE, A)
    shop.order(ONE)
    shop.show(ONE, 2)
    shop.know(ONE, state, rows={"sales": 2})
    assert recovered(shop.world).disagreements == ()
    shop.lake.tables["sales"] = {}
    [line] = recovered(shop.world).disagreements
    assert line == f"{ONE}: lake, sales: expected 2 rows of attempt 1, found no rows"


@pytest.mark.parametrize("attempt", [1, 2])
def test_rows_that_nothing_else_knows_of_are_for_a_person(shop: Shop, attempt: int) -> None:
    """Of a batch, or of an attempt, without any document: to form it anew would have its rows twice."""
    shop.show(ONE, 2, attempt)
    if attempt == 2:
        shop.know(ONE, State.RUNNING)
    [line] = recovered(shop.world).disagreements
    assert line.startswith(f"lake, sales: rows of {ONE}, attempt {attempt}, which is in neither the ledger nor")


def test_a_version_that_readers_may_have_seen_twice_is_for_a_person(shop: Shop) -> None:
    """Something went on by a ledger that was set back, and claimed the file once more."""
    shop.load(ONE, A)
    shop.load(TWO, A)
    [line] = recovered(shop.world).disagreements
    assert line == f"s3://raw/shop/a version v1 is in {ONE} and in {TWO}"


def test_a_batch_that_came_to_nothing_is_left_out(shop: Shop) -> None:
    """A planner that outlived its ledger wrote its manifest, and nothing more; the file is another batch's."""
    shop.load(ONE, A)
    shop.form(TWO, A)
    found = recovered(shop.world)
    assert (states(found), found.left_out, found.disagreements) == ({ONE: (State.LOADED, 1)}, (TWO,), ())
    assert shop.world.ledger.batches.get(TWO) is None
    assert seal_of(shop.world) is Seal.WHOLE


def test_a_document_that_cannot_be_read_keeps_the_seal_away(shop: Shop) -> None:
    """What it says may concern the files of others."""
    shop.put("control", ONE, 1, "manifest.json", "{")
    assert len(recovered(shop.world).disagreements) == 1
    assert seal_of(shop.world) is Seal.FOREIGN


def test_a_split_batch_comes_back_with_both_of_its_children(shop: Shop) -> None:
    """One has left documents, the other is formed anew of its part; files are claimed for the parent."""
    first, second = split(shop)
    assert states(recovered(shop.world)) == {
        ONE: (State.SPLIT, 1),
        first: (State.PLANNED, 1),
        second: (State.FORMING, 1),
    }
    assert {held.batch_id for key in "ab" for held in shop.world.ledger.files.holders("raw", f"shop/{key}")} == {ONE}
    assert shop.world.ledger.batches.get(second).file_range == (1, 2)  # type: ignore[union-attr]


@pytest.mark.parametrize("dies_at", [ONE, *children_of(ONE)])
def test_a_recovery_may_die_between_a_split_batch_and_its_children(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, dies_at: str
) -> None:
    """The child without documents is found all the same: else half the files would be lost."""
    split(shop)
    with monkeypatch.context() as dying:
        dying.setattr(Batches, "save", dies_with(dies_at))
        with pytest.raises(KeyboardInterrupt):
            recovered(shop.world)
    recovered(shop.world)
    known = {batch.batch_id: batch.state for batch in shop.world.ledger.batches.named([ONE, *children_of(ONE)])}
    assert known == dict(zip((ONE, *children_of(ONE)), (State.SPLIT, State.PLANNED, State.FORMING), strict=True))


def test_the_root_of_a_family_is_the_batch_that_was_formed(shop: Shop) -> None:
    """By the ledger where it knows a parent, and else by the ids."""
    first, _ = children_of(ONE)
    _, grandchild = children_of(first)
    for batch_id in (ONE, first, grandchild, TWO):
        shop.form(batch_id, A)
    assert roots(gather(shop.world)) == {ONE: ONE, first: ONE, grandchild: ONE, TWO: TWO}
    known = replace(shop.new("shop.20261121T080000.eeeeeeee"), parent=TWO)
    shop.world.ledger.batches.save(known)
    assert roots(gather(shop.world))[known.batch_id] == TWO


def test_reconcile_begins_anew(shop: Shop) -> None:
    """Files that landed in the time that is forgotten may lie before the places that it has reached."""
    ledger = shop.world.ledger
    for name in ("RECONCILE#shop/", "RECONCILED#shop", "PAUSE#shop"):
        ledger.controls.set(name, {"at": "somewhere"})
    recovered(shop.world)
    assert (ledger.controls.with_prefix("RECONCILE"), ledger.controls.paused("shop")) == ({}, True)


def test_what_comes_between_keeps_the_seal_away(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function of the old table was still at work: the second look finds it, and the person recovers again."""
    shop.form(ONE, A)
    put_back = recover_module.put_back

    def beside(*arguments: Any) -> None:
        put_back(*arguments)
        shop.form(TWO, B)

    with monkeypatch.context() as busy:
        busy.setattr(recover_module, "put_back", beside)
        with pytest.raises(TidemarkError, match=f"run it again: {TWO} is still to be put back"):
            recovered(shop.world)
    assert seal_of(shop.world) is Seal.FOREIGN
    assert states(recovered(shop.world)) == {TWO: (State.PLANNED, 1)}
    assert seal_of(shop.world) is Seal.WHOLE


def test_who_accepts_a_disagreement_has_not_accepted_the_next(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that go while the ledger is made whole were not on the person's screen."""
    shop.load(ONE, A)
    shop.load(TWO, B)
    shop.warehouse.database.execute("DELETE FROM sales WHERE rowid = 1")
    register = Declarations.register

    def beside(self: Declarations, dataset: str, declared: Any) -> None:
        register(self, dataset, declared)
        shop.warehouse.database.execute(f"DELETE FROM sales WHERE _batch_id = '{TWO}'")

    monkeypatch.setattr(Declarations, "register", beside)
    with pytest.raises(TidemarkError, match=f"{TWO}: warehouse, sales: expected 2 rows"):
        recovered(shop.world, accept=True)
    assert seal_of(shop.world) is Seal.FOREIGN


def test_a_recovery_that_died_goes_on(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it has put back is not touched again."""
    shop.load(ONE, A)
    shop.load(TWO, B)
    with monkeypatch.context() as dying:
        dying.setattr(Batches, "save", dies_with(TWO))
        with pytest.raises(KeyboardInterrupt):
            recovered(shop.world)
    assert states(recovered(shop.world)) == {TWO: (State.LOADED, 1)}
    assert shop.world.ledger.loads.get(LOAD)


def test_a_recovery_that_another_one_has_overtaken_writes_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """It looked before the other one had sealed the ledger; meanwhile a run has refused a file, which stays refused."""
    shop.form(ONE, A, B)
    shop.order(ONE)
    seen = gather(shop.world)

    def overtaken(world: World) -> Evidence:
        monkeypatch.setattr(recover_module, "gather", gather)
        recovered(world)
        batch = world.ledger.batches.get(ONE)
        assert batch
        world.ledger.files.refuse(replace(batch, reason="not JSON"), A)
        return seen

    monkeypatch.setattr(recover_module, "gather", overtaken)
    with pytest.raises(Conflict):
        recovered(shop.world)
    assert shop.world.ledger.files.refusals(A.bucket, A.key) == {A.version: "not JSON"}
    assert seal_of(shop.world) is Seal.WHOLE


def test_nothing_is_recovered_while_functions_may_be_at_work(shop: Shop) -> None:
    """Another person's recovery has sealed the ledger while this one waited for functions to end."""
    recovered(shop.world)
    with pytest.raises(Conflict, match="functions may be at work"):
        recover(shop.world)
