"""What a batch's traces put back into the ledger, and what the ledger knew better."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.service.lost import DAY, LOAD, ONE, SHOP, TWO, A, B, Shop
from tidemark.adapters.ledger import Ledger
from tidemark.adapters.ledger.batches import Batches
from tidemark.core.dataset import Dataset
from tidemark.core.dataset_parser import parse_dataset
from tidemark.core.errors import Conflict
from tidemark.core.files import Holder
from tidemark.core.job import DataFile
from tidemark.core.lifecycle import State
from tidemark.core.recovery import rebuilt
from tidemark.service.evidence import gather
from tidemark.service.putback import put_back
from tidemark.service.recover import stop

A2 = replace(A, version="v2", sequencer="0C")
ONCE: Dataset = parse_dataset(
    {**SHOP.declared, "tables": {"sales": {
        "columns": {"day": "date", "amount": "bigint"}, "day": "day",
        "deduplicate": "amount", "deduplication_window": "7d",
    }}}
)  # fmt: skip


def back(shop: Shop, batch_id: str = ONE, root: str = "") -> Ledger:
    """Put one batch back, and answer the ledger."""
    seen = gather(shop.world)
    batch = rebuilt(seen.traces[batch_id], seen.known.get(batch_id), False, "", shop.world.clock.now())
    stop(shop.world)
    put_back(shop.world, shop.world.ledger.recovery.begin(), seen, batch, root or batch_id)
    return shop.world.ledger


def test_every_file_of_any_attempt_is_claimed(shop: Shop) -> None:
    """Of a key the newer version is the latest; the one before it stays known beside it."""
    shop.form(ONE, A, B)
    shop.form(ONE, A2, B, attempt=2)
    ledger = back(shop)
    assert (ledger.files.holder("raw", "shop/a"), ledger.files.older_holder(A)) == (Holder(A2, ONE), Holder(A, ONE))
    assert ledger.files.holder("raw", "shop/b") == Holder(B, ONE)


def test_a_child_claims_for_the_batch_from_which_it_was_split(shop: Shop) -> None:
    """As when that batch was formed: whose child has a key is looked up."""
    shop.form(ONE, A)
    assert back(shop, root=TWO).files.holder("raw", "shop/a") == Holder(A, TWO)


@pytest.mark.parametrize(("known", "latest"), [(A, A2), (A2, A2)], ids=["older", "the same"])
def test_what_the_ledger_knows_of_a_key_stays(shop: Shop, known: object, latest: object) -> None:
    """A version that another batch holds is not taken from it; a newer one comes above it."""
    ledger = shop.world.ledger
    ledger.files.claim(known, "shop", TWO, shop.world.clock.now())  # type: ignore[arg-type]
    shop.form(ONE, A2)
    back(shop)
    held = {one.file: one.batch_id for one in ledger.files.holders("raw", "shop/a")}
    assert held[known] == TWO  # type: ignore[index]
    assert ledger.files.holder("raw", "shop/a").file == latest  # type: ignore[union-attr]


def test_a_file_that_a_run_has_blamed_waits_for_a_person(shop: Shop) -> None:
    """With the run's words, as if it had been refused just then."""
    shop.form(ONE, A, B)
    shop.order(ONE)
    shop.blame(ONE, A)
    shop.form(ONE, B, attempt=2)
    [refused] = back(shop).quarantine.contents()[1]
    assert (refused.file, refused.batch_id, refused.reason) == (A, ONE, "NoSuchVersion")


def test_a_file_that_a_person_has_released_is_a_normal_one(shop: Shop) -> None:
    """The ledger is older than the release, and a manifest has the file again."""
    shop.form(ONE, A, B)
    shop.order(ONE)
    shop.blame(ONE, A)
    shop.form(ONE, B, attempt=2)
    shop.form(ONE, A, B, attempt=3)
    stop(shop.world)
    shop.world.ledger.recovery.begin().set_aside(A, ONE, "NoSuchVersion", shop.world.clock.now())
    assert back(shop).quarantine.contents()[1] == []


@pytest.mark.parametrize(("on_overwrite", "waiting"), [("supersede", []), ("append", [A])])
def test_a_blamed_file_that_was_overwritten_waits_only_if_every_version_counts(
    shop: Shop, on_overwrite: str, waiting: list[object]
) -> None:
    """Else the newer version has taken its place."""
    shop.form(ONE, A, B)
    shop.order(ONE)
    shop.blame(ONE, A)
    shop.form(ONE, A2, B, attempt=2)
    shop.order(ONE, attempt=2, by=2, dataset=parse_dataset({**SHOP.declared, "on_overwrite": on_overwrite}))
    assert [one.file for one in back(shop).quarantine.contents()[1]] == waiting


def test_segments_of_a_batch_that_was_forming_are_free_again(shop: Shop) -> None:
    """Some of their files may be another batch's changes, which the ledger has forgotten."""
    ledger = shop.world.ledger
    ledger.segments.put("shop", [A], shop.world.clock.now())
    [pending] = ledger.segments.pending("shop")
    now = shop.world.clock.now()
    ledger.batches.begin(replace(shop.new(ONE), segments=(pending.sk,), due_at=now))
    assert [one.batch_id for one in ledger.segments.pending("shop")] == [ONE]
    shop.form(ONE, A)
    assert [one.batch_id for one in back(shop).segments.pending("shop")] == [""]


def test_a_load_is_noted_with_all_that_were_in_it(shop: Shop) -> None:
    """So that its story can be told; and its tables are known to be there."""
    shop.load(ONE, A)
    shop.load(TWO, B)
    ledger = back(shop)
    load = ledger.loads.get(LOAD)
    assert load
    assert (set(load.batches), load.datasets, load.state) == ({(ONE, 1), (TWO, 1)}, ("shop",), "FINISHED")
    assert set(ledger.warehouse_tables.columns("sales") or ()) > {"day", "amount"}
    assert back(shop, TWO).loads.get(LOAD) == load


def test_what_the_ledger_knows_of_a_table_stays(shop: Shop) -> None:
    """It may have a column that the batch's declaration did not have yet."""
    shop.world.ledger.warehouse_tables.put_columns("sales", {"day": "DATE", "later": "INT"})
    shop.load(ONE, A)
    assert back(shop).warehouse_tables.columns("sales") == {"day": "DATE", "later": "INT"}


def test_days_of_a_loaded_batch_count_as_changed(shop: Shop) -> None:
    """By the latest commit; those of one that is only in the lake are marked when it is published again."""
    shop.load(ONE, A)
    assert back(shop).day_changes.of("sales") == {DAY: 7}


def test_days_of_a_batch_that_is_not_loaded_are_left_to_publish(shop: Shop) -> None:
    """It sees the commit by which they changed."""
    shop.form(ONE, A)
    shop.order(ONE)
    shop.report(ONE, 2)
    shop.show(ONE, 2)
    shop.run(ONE)
    assert back(shop).day_changes.of("sales") == {}


def test_keys_that_the_lake_shows_are_remembered(shop: Shop) -> None:
    """Of the attempt that readers see, which need not be the latest."""
    seen, keys = gather(shop.world), (DataFile("s3://lake/keys", 2, 9),)
    assert not seen.left
    shop.form(ONE, A)
    shop.order(ONE, dataset=ONCE)
    shop.report(ONE, 2, keys=keys)
    shop.order(ONE, attempt=2, dataset=ONCE)
    shop.show(ONE, 2)
    ledger, batch = back(shop), shop.world.ledger.batches.get(ONE)
    assert batch
    assert ledger.seen_keys.shown("shop", batch.created_at, batch.created_at, besides="") == list(keys)


def test_the_declaration_is_registered(shop: Shop) -> None:
    """What is under way outlives the declaration of its dataset."""
    shop.form(ONE, A)
    assert back(shop).declarations.all() == {"shop": SHOP.declared}


def test_a_batch_comes_last_and_everything_may_be_put_back_twice(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recovery that died before the batch was written finds it again, and comes to the same."""
    shop.form(ONE, A, B)
    shop.order(ONE)
    shop.blame(ONE, A)
    shop.form(ONE, B, attempt=2)
    with monkeypatch.context() as dying:
        dying.setattr(Batches, "save", dies)
        with pytest.raises(Conflict):
            back(shop)
    assert shop.world.ledger.batches.get(ONE) is None
    ledger = back(shop)
    batch = ledger.batches.get(ONE)
    assert batch
    assert (batch.state, batch.attempt) == (State.PLANNED, 2)
    assert [one.file for one in ledger.quarantine.contents()[1]] == [A]
    assert ledger.files.holders("raw", "shop/a") == [Holder(A, ONE)]


def dies(*_: object) -> None:
    """Nothing is written."""
    raise Conflict("died")
