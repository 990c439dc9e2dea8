"""What recovery writes into the ledger."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from tidemark.adapters.ledger import Holder, Ledger
from tidemark.core.errors import Conflict
from tidemark.core.files import FileVersion
from tidemark.core.lifecycle import Batch

BATCH = "web.20260301T110000.aaaaaaaa"


def test_a_version_is_held_instead_of_the_one_that_was_looked_at(
    ledger: Ledger, file: FileVersion, noon: datetime
) -> None:
    """Two recoveries at once, or one beside a pipeline that goes on: the second finds out."""
    newer = replace(file, version="v2")
    ledger.hold(file, BATCH, noon, instead=None)
    with pytest.raises(Conflict):
        ledger.hold(file, BATCH, noon, instead=None)
    ledger.hold_older(file, BATCH, noon)
    ledger.hold(newer, BATCH, noon, instead=Holder(file, BATCH))
    with pytest.raises(Conflict):
        ledger.hold(newer, BATCH, noon, instead=Holder(file, BATCH))
    assert ledger.holder(file.bucket, file.key) == Holder(newer, BATCH)
    assert ledger.older_holder(file) == Holder(file, BATCH)


def test_a_file_is_set_aside_once(ledger: Ledger, file: FileVersion, noon: datetime) -> None:
    """What a person has decided about it meanwhile stays decided."""
    ledger.set_aside(file, BATCH, "not JSON", noon)
    assert [(one.file, one.reason) for one in ledger.quarantine()[1]] == [(file, "not JSON")]
    ledger.discard(file)
    ledger.set_aside(file, BATCH, "not JSON", noon)
    assert ledger.quarantine()[1] == []
    ledger.take_back(file)
    assert ledger.refusals(file.bucket, file.key) == {}


def test_a_freed_segment_is_pending_again(ledger: Ledger, file: FileVersion, noon: datetime) -> None:
    """With its files; one that is gone stays gone."""
    ledger.put_segment("web", [file], noon)
    [pending] = ledger.segments("web")
    ledger.begin(Batch(BATCH, "web", noon, noon, due_at=noon, segments=(pending.sk,)))
    assert [one.batch_id for one in ledger.segments("web")] == [BATCH]
    ledger.free_segment("web", pending.sk, background=False)
    assert ledger.segments("web") == [pending]
    assert ledger.segment_files("web", pending.sk) == [file]
    ledger.delete_segment("web", pending.sk)
    ledger.free_segment("web", pending.sk, background=False)
    assert ledger.segments("web") == []


def test_a_table_made_anew_is_another(ledger: Ledger) -> None:
    """Its name and its birth tell which it is."""
    assert ledger.identity().startswith("ledger made 2")
    assert ledger.made_at().tzinfo
    ledger.put_seal()
    assert ledger.seal() == {"whole": ledger.identity()}
