"""What recovery writes into the ledger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest

from tidemark.adapters.ledger import Ledger
from tidemark.adapters.ledger.recovery import Recoverer
from tidemark.core.errors import Conflict
from tidemark.core.files import FileVersion, Holder
from tidemark.core.lifecycle import Batch

BATCH = "web.20260301T110000.aaaaaaaa"


def begun(ledger: Ledger, noon: datetime) -> Recoverer:
    """A recovery that may write."""
    ledger.recovery.break_seal(noon)
    return ledger.recovery.begin()


def test_only_the_latest_recovery_writes_and_none_once_the_ledger_is_sealed(
    ledger: Ledger, file: FileVersion, noon: datetime
) -> None:
    """Every write of an earlier one is refused, the seal as well."""
    first, second = begun(ledger, noon), begun(ledger, noon)
    batch = Batch(BATCH, "web", noon, noon, due_at=noon)
    writes: list[Callable[[Recoverer], object]] = [
        lambda one: one.hold(file, BATCH, noon, instead=None),
        lambda one: one.hold_older(file, BATCH, noon),
        lambda one: one.set_aside(file, BATCH, "not JSON", noon),
        lambda one: one.take_back(file),
        lambda one: one.record_keys(batch, 1, []),
        lambda one: one.save(batch),
        lambda one: one.seal(),
    ]
    for write in writes:
        with pytest.raises(Conflict):
            write(first)
    for write in writes:
        write(second)
    assert ledger.recovery.seal() == {"whole": ledger.table.identity()}
    for write in writes:
        with pytest.raises(Conflict):
            write(second)
    with pytest.raises(Conflict, match="functions may be at work"):
        ledger.recovery.begin()


def test_a_version_is_held_instead_of_the_one_that_was_looked_at(
    ledger: Ledger, file: FileVersion, noon: datetime
) -> None:
    """A recovery beside a pipeline that goes on: the second finds out."""
    recoverer = begun(ledger, noon)
    newer = replace(file, version="v2")
    recoverer.hold(file, BATCH, noon, instead=None)
    with pytest.raises(Conflict):
        recoverer.hold(file, BATCH, noon, instead=None)
    recoverer.hold_older(file, BATCH, noon)
    recoverer.hold(newer, BATCH, noon, instead=Holder(file, BATCH))
    with pytest.raises(Conflict):
        recoverer.hold(newer, BATCH, noon, instead=Holder(file, BATCH))
    assert ledger.files.holder(file.bucket, file.key) == Holder(newer, BATCH)
    assert ledger.files.older_holder(file) == Holder(file, BATCH)


def test_a_file_is_set_aside_once(ledger: Ledger, file: FileVersion, noon: datetime) -> None:
    """What a person has decided about it meanwhile stays decided."""
    recoverer = begun(ledger, noon)
    recoverer.set_aside(file, BATCH, "not JSON", noon)
    assert [(one.file, one.reason) for one in ledger.quarantine.contents()[1]] == [(file, "not JSON")]
    ledger.files.discard(file)
    recoverer.set_aside(file, BATCH, "not JSON", noon)
    assert ledger.quarantine.contents()[1] == []
    recoverer.take_back(file)
    assert ledger.files.refusals(file.bucket, file.key) == {}


def test_a_freed_segment_is_pending_again(ledger: Ledger, file: FileVersion, noon: datetime) -> None:
    """With its files; one that is gone stays gone."""
    ledger.segments.put("web", [file], noon)
    [pending] = ledger.segments.pending("web")
    ledger.batches.begin(Batch(BATCH, "web", noon, noon, due_at=noon, segments=(pending.sk,)))
    assert [one.batch_id for one in ledger.segments.pending("web")] == [BATCH]
    ledger.segments.free("web", pending.sk, background=False)
    assert ledger.segments.pending("web") == [pending]
    assert ledger.segments.files("web", pending.sk) == [file]
    ledger.segments.delete("web", pending.sk)
    ledger.segments.free("web", pending.sk, background=False)
    assert ledger.segments.pending("web") == []


def test_a_table_made_anew_is_another(ledger: Ledger) -> None:
    """Its name and its birth tell which it is."""
    assert ledger.table.identity().startswith("ledger made 2")
    assert ledger.table.made_at().tzinfo
    ledger.recovery.put_seal()
    assert ledger.recovery.seal() == {"whole": ledger.table.identity()}
