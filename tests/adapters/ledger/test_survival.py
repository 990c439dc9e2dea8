"""What a newer release has added to an item is still there after this release has saved the item."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.adapters.ledger.conftest import NOON, batch, in_memory, newer
from tests.simulation.dynamodb import Item, SimDynamoDB
from tidemark.adapters.ledger import Ledger
from tidemark.adapters.ledger.recovery import Recoverer
from tidemark.core.dataset_lock import LockHolder
from tidemark.core.files import FileVersion, Holder
from tidemark.core.job import DataFile
from tidemark.core.lifecycle import Batch, Counts, State
from tidemark.core.loading import Load

FILE = FileVersion("raw", "web/a.json", "v1", 5, "2026-03-01T11:59:00Z", "0A")
PENDING = replace(FILE, key="web/pending.json")
RAW = st.sampled_from([{"S": "x"}, {"N": "1.5"}, {"B": b"1"}, {"BOOL": False}, {"SS": ["a"]}, {"M": {"a": {"N": "1"}}}])
NAMES = st.text("abcdefgh_", min_size=1, max_size=9).map("tomorrow_{}".format)


def filled() -> tuple[SimDynamoDB, Ledger]:
    """A ledger with items of every kind: a LOADED batch with a file in quarantine, and one that is being loaded."""
    dynamodb = in_memory()
    ledger = Ledger(dynamodb, "ledger")
    ledger.segments.put("web", [PENDING], NOON)
    ledger.files.claim(FILE, "web", "web.t.1", NOON)
    refused = ledger.batches.save(batch("web.t.1", state=State.RUNNING))
    ledger.files.refuse(replace(refused, state=State.LOADED, due_at=None, changes=1, reason="not JSON"), FILE)
    published = ledger.batches.save(batch("web.t.2", state=State.PUBLISHED, counts=Counts(read=1, kept=1)))
    loading = replace(published, state=State.LOADING, load_id="load.1")
    ledger.loads.begin(Load("load.1", NOON, (("web.t.2", 1),), ("web",)), [loading])
    ledger.table.transact([ledger.seen_keys.record(batch("web.t.2"), 1, [DataFile("s3://lake/keys", 1, 2)])])
    ledger.day_changes.record("web_events", "2026-03-01", 7)
    ledger.locks.take("web", LockHolder("web.t.1", 1), None)
    ledger.declarations.register("web", {"name": "web"})
    ledger.warehouse_tables.put_columns("web_events", {"day": "date"})
    ledger.controls.set("NIGHT", {"started": "x"})
    return dynamodb, ledger


def known(ledger: Ledger, name: str) -> Batch:
    found = ledger.batches.get(name)
    assert found
    return found


def holder(ledger: Ledger) -> Holder:
    found = ledger.files.holder(FILE.bucket, FILE.key)
    assert found
    return found


def load(ledger: Ledger) -> Load:
    found = ledger.loads.get("load.1")
    assert found
    return found


def revised(ledger: Ledger) -> Batch:
    one = known(ledger, "web.t.1")
    return replace(one, changes=one.changes + 1)


def begun(ledger: Ledger) -> object:
    taken = ledger.segments.pending("web")[0].sk
    return ledger.batches.begin(batch("web.t.3", segments=(taken,)))


#: Each kind of write of an item that may exist already.
SAVES: dict[str, Callable[[Ledger], object]] = {
    "a batch": lambda ledger: ledger.batches.save(replace(known(ledger, "web.t.2"), reason="")),
    "several batches": lambda ledger: ledger.batches.save_all([known(ledger, "web.t.1"), known(ledger, "web.t.2")]),
    "a batch with new counts": lambda ledger: ledger.batches.save(
        replace(known(ledger, "web.t.2"), counts=Counts(read=2, kept=1, rejected=1), state=State.LOADED, due_at=None)
    ),
    "a taken segment": begun,
    "a freed segment": lambda ledger: ledger.segments.free("web", ledger.segments.pending("web")[0].sk, False),
    "a segment that comes again": lambda ledger: ledger.segments.put("web", [PENDING], NOON),
    "a load": lambda ledger: ledger.loads.save(replace(load(ledger), state="FINISHED")),
    "a superseded version": lambda ledger: ledger.files.supersede(holder(ledger), newer(FILE), revised(ledger)),
    "an appended version": lambda ledger: ledger.files.append(holder(ledger), newer(FILE), "web.t.2"),
    "an older version": lambda ledger: ledger.files.claim_older(holder(ledger), newer(FILE), "web", "web.t.2", NOON),
    "a file refused again": lambda ledger: ledger.files.refuse(revised(ledger), FILE),
    "a released file": lambda ledger: ledger.files.restore(revised(ledger), FILE, latest=True),
    "a discarded file": lambda ledger: ledger.files.discard(FILE),
    "a control": lambda ledger: ledger.controls.set("NIGHT", {"started": "y"}),
    "a control that is set": lambda ledger: ledger.controls.set_once("NIGHT", {"started": "y"}),
    "a lock": lambda ledger: ledger.locks.take("web", LockHolder("web.t.2", 1), LockHolder("web.t.1", 1)),
    "a declaration": lambda ledger: ledger.declarations.register("web", {"name": "web", "prefix": "web/"}),
    "a warehouse table": lambda ledger: ledger.warehouse_tables.put_columns("web_events", {"day": "timestamp"}),
    "seen keys": lambda ledger: ledger.table.transact([ledger.seen_keys.record(known(ledger, "web.t.2"), 2, [])]),
    "a published batch with keys": lambda ledger: ledger.seen_keys.save_with_batch(known(ledger, "web.t.2"), []),
    "a day change": lambda ledger: ledger.day_changes.record("web_events", "2026-03-01", 8),
    "a recovered claim": lambda ledger: begun(ledger).hold(FILE, "web.t.2", NOON, instead=holder(ledger)),
    "a recovered quarantine": lambda ledger: begun(ledger).set_aside(FILE, "web.t.1", "no", NOON),
}


def begun(ledger: Ledger) -> Recoverer:
    """A recovery that may write."""
    ledger.recovery.break_seal(NOON)
    return ledger.recovery.begin()


def everything(dynamodb: SimDynamoDB) -> dict[tuple[str, str], Item]:
    return {(pk, sk): item for pk, items in dynamodb.items.items() for sk, item in items.items()}


def added(item: Item, extra: dict[str, Any]) -> Item:
    """The item as tomorrow's release would have written it: with more attributes, also inside of its maps."""
    maps = {name: {"M": {**item[name]["M"], **extra}} for name in ("counts", "failures") if name in item}
    return {**item, **maps, **extra}


def has(item: Item, before: Item, extra: dict[str, Any]) -> bool:
    """Whether all that was added is there, at the top and inside of the maps that it was in."""
    inner = [item[name]["M"] for name in ("counts", "failures") if name in before]
    return all(extra.items() <= one.items() for one in (item, *inner))


@pytest.mark.parametrize("name", SAVES)
@settings(max_examples=8)
@given(extra=st.dictionaries(NAMES, RAW, min_size=1, max_size=3))
def test_what_tomorrows_release_has_added_is_there_after_todays_save(name: str, extra: dict[str, Any]) -> None:
    """Of every item that the save does not delete. What was added to a key's version stays with that version."""
    dynamodb, ledger = filled()
    for item in everything(dynamodb).values():
        dynamodb.put_item(Item=added(item, extra))
    before = everything(dynamodb)
    SAVES[name](ledger)
    after = everything(dynamodb)
    moved = {("FILE#raw/web/a.json", "FILE"): ("FILE#raw/web/a.json", "V#v1")}
    for key, item in before.items():
        now = after.get(moved[key], after[key]) if key in moved else after.get(key)
        assert now is None or has(now, item, extra), key
    assert {key for key in before if key not in after} <= {("FILE#raw/web/a.json", "REFUSED#v1")}
    assert after != before or name in ("a segment that comes again", "a control that is set", "a recovered quarantine",
                                       "a freed segment")  # fmt: skip
