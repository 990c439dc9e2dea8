"""Files: which batch has them, and what happened to them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.adapters.ledger.conftest import NOON, batch, newer, stored
from tidemark.adapters.ledger import Holder, Ledger, RefusedFile
from tidemark.core.errors import Conflict
from tidemark.core.files import Change, FileVersion
from tidemark.core.lifecycle import Batch, State


def test_of_two_batches_one_claims_a_file(ledger: Ledger, file: FileVersion) -> None:
    """The first put wins; the second is told by whom, in the same call."""
    assert ledger.claim(file, "web", "web.t.1", NOON) is None
    assert ledger.claim(file, "web", "web.t.2", NOON) == Holder(file, "web.t.1")
    assert ledger.holder("raw", "web/a b.json") == Holder(file, "web.t.1")


def test_a_claim_repeated_by_its_batch_finds_itself(ledger: Ledger, file: FileVersion) -> None:
    """A crash is rolled forward."""
    ledger.claim(file, "web", "web.t.1", NOON)
    assert ledger.claim(file, "web", "web.t.1", NOON) == Holder(file, "web.t.1")


def test_another_version_of_a_claimed_key_is_told_apart(ledger: Ledger, file: FileVersion) -> None:
    """An overwritten key answers with the version that it was claimed in."""
    ledger.claim(file, "web", "web.t.1", NOON)
    assert ledger.claim(newer(file), "web", "web.t.2", NOON) == Holder(file, "web.t.1")


def test_a_key_nobody_claimed_has_no_holder(ledger: Ledger) -> None:
    """The ledger says so instead of guessing."""
    assert ledger.holder("raw", "web/unknown") is None
    assert ledger.holders("raw", "web/unknown") == []


def test_superseding_moves_file_and_batch_together(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """The new version is held, the old one remembered, and the batch's next attempt knows of the change."""
    read = ledger.batch("web.t.1")
    assert read is not None
    ledger.supersede(held, newer(file), replace(read, state=State.FORMING, attempt=2, changes=1, due_at=NOON))
    assert ledger.holder(file.bucket, file.key) == Holder(newer(file), "web.t.1")
    assert ledger.holders(file.bucket, file.key) == [Holder(newer(file), "web.t.1"), held]
    assert ledger.changes("web.t.1") == [Change(file.bucket, file.key, newer(file))]
    assert [past.attempt for past in ledger.attempts("web.t.1")] == [1, 2]


def test_of_two_newer_versions_each_replaces_the_one_it_saw(
    ledger: Ledger, dynamodb: Any, held: Holder, file: FileVersion
) -> None:
    """A supersession that was decided against an outdated holder changes nothing."""
    read = ledger.batch("web.t.1")
    assert read is not None
    revised = ledger.supersede(held, newer(file, "v3"), replace(read, attempt=2, changes=1))
    before = stored(dynamodb)
    with pytest.raises(Conflict):
        ledger.supersede(held, newer(file, "v2"), replace(revised, attempt=3, changes=2))
    assert stored(dynamodb) == before


def test_a_batch_that_moved_on_is_not_superseded(
    ledger: Ledger, dynamodb: Any, held: Holder, file: FileVersion
) -> None:
    """Were the file replaced without the batch, its new version would be claimed and never read."""
    read = ledger.batch("web.t.1")
    assert read is not None
    ledger.save(read)
    before = stored(dynamodb)
    with pytest.raises(Conflict):
        ledger.supersede(held, newer(file), replace(read, attempt=2, changes=1))
    assert stored(dynamodb) == before


def test_appending_keeps_both_versions_with_their_batches(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """The latest version answers for the key, the older one stays where it was."""
    ledger.append(held, newer(file), "web.t.2")
    assert ledger.holder(file.bucket, file.key) == Holder(newer(file), "web.t.2")
    assert held in ledger.holders(file.bucket, file.key)


@pytest.mark.parametrize("outdated", ["version", "holder"])
def test_of_two_appended_versions_one_looks_again(
    ledger: Ledger, dynamodb: Any, held: Holder, file: FileVersion, outdated: str
) -> None:
    """Appending to a holder that has changed raises, and changes nothing."""
    if outdated == "version":
        ledger.append(held, newer(file, "v3"), "web.t.3")
    known = held if outdated == "version" else Holder(file, "web.t.9")
    before = stored(dynamodb)
    with pytest.raises(Conflict):
        ledger.append(known, newer(file, "v2"), "web.t.2")
    assert stored(dynamodb) == before


def test_an_older_version_is_claimed_once(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """It stands beside the latest; whoever comes second loses the race, and finds whose it is."""
    older = replace(file, version="v0")
    ledger.claim_older(held, older, "web", "web.t.2", NOON)
    with pytest.raises(Conflict):
        ledger.claim_older(held, older, "web", "web.t.3", NOON)
    assert ledger.older_holder(older) == Holder(older, "web.t.2")
    assert ledger.holder(file.bucket, file.key) == held


def test_no_version_is_both_the_latest_and_an_older_one(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """Two batches claim it, one by an event and one by a listing that did not tell: the second one looks again."""
    ledger.claim_older(held, newer(file), "web", "web.t.2", NOON)
    with pytest.raises(Conflict):
        ledger.append(held, newer(file), "web.t.3")
    ledger.append(held, newer(file, "v3"), "web.t.3")
    with pytest.raises(Conflict):
        ledger.claim_older(held, newer(file, "v4"), "web", "web.t.2", NOON)


def test_a_refused_file_is_out_of_the_next_attempt(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """Its claim stays, so it is not taken for a new file."""
    read = ledger.batch("web.t.1")
    assert read is not None
    ledger.refuse(replace(read, attempt=2, changes=1), file)
    [change] = ledger.changes("web.t.1")
    assert change == Change(file.bucket, file.key, None, file.version)
    assert change.apply({file.identity: file, newer(file).identity: newer(file)}) == {newer(file).identity: newer(file)}
    assert ledger.holder(file.bucket, file.key) == held


def refused(ledger: Ledger, file: FileVersion) -> Batch:
    """The batch that holds the file, at its second attempt, without the file."""
    read = ledger.batch("web.t.1")
    assert read is not None
    return ledger.refuse(replace(read, attempt=2, changes=1, reason="not JSON"), file)


def test_what_waits_for_a_person_is_listed(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """Quarantined batches and refused files stand in one list, each with its reason."""
    refused(ledger, file)
    poisoned = ledger.save(batch("web.t.2", state=State.QUARANTINED, due_at=None, reason="beyond repair"))
    assert ledger.quarantine() == (
        [poisoned],
        [RefusedFile(file, "web.t.1", "not JSON", ledger.quarantine()[1][0].since)],
    )
    assert ledger.open_batches("web") == []


def test_a_restored_file_is_a_normal_one_again(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """It is back in the next attempt and off the list."""
    revised = refused(ledger, file)
    ledger.restore(replace(revised, attempt=3, changes=2), file, latest=True)
    assert ledger.changes("web.t.1") == [Change(file.bucket, file.key, file, file.version)]
    assert ledger.quarantine() == ([], [])


def test_an_outdated_version_is_not_restored(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """Its key was written again meanwhile: releasing it would replace the newer version's rows, so it is refused."""
    revised = ledger.supersede(held, newer(file), replace(refused(ledger, file), attempt=3, changes=2))
    with pytest.raises(Conflict):
        ledger.restore(replace(revised, attempt=4, changes=3), file, latest=True)
    assert ledger.quarantine() == ([], [])


def test_an_older_version_is_restored_beside_the_latest(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """Where both count, the newer version stays the key's."""
    revised = refused(ledger, file)
    ledger.append(held, newer(file), "web.t.2")
    ledger.restore(replace(revised, attempt=3, changes=2), file, latest=False)
    assert ledger.changes("web.t.1") == [Change(file.bucket, file.key, file, file.version)]
    assert ledger.holder(file.bucket, file.key) == Holder(newer(file), "web.t.2")


def test_changes_before_a_discard_do_not_count(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """They are numbered, so the batch says up to which one its files were given up."""
    revised = refused(ledger, file)
    ledger.restore(replace(revised, attempt=3, changes=2), file, latest=True)
    assert ledger.changes("web.t.1", after=1) == ledger.changes("web.t.1")
    assert ledger.changes("web.t.1", after=2) == []


def test_a_file_is_restored_to_the_batch_as_it_is(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """Two people at once: the second gets a conflict, and the list is as the first left it."""
    revised = refused(ledger, file)
    ledger.save(revised)
    with pytest.raises(Conflict):
        ledger.restore(replace(revised, attempt=3, changes=2), file, latest=True)
    assert len(ledger.quarantine()[1]) == 1


def test_a_discarded_file_is_off_the_list_and_not_forgotten(
    ledger: Ledger, dynamodb: Any, held: Holder, file: FileVersion
) -> None:
    """Years later the ledger still says why its rows are missing."""
    refused(ledger, file)
    ledger.discard(file)
    assert ledger.quarantine() == ([], [])
    assert [item["reason"] for item in stored(dynamodb) if item["sk"]["S"] == "REFUSED#v1"] == [{"S": "not JSON"}]
    assert ledger.holders(file.bucket, file.key) == [held]


def test_known_versions_leave_out_what_nobody_claimed(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """Reconciling asks for a hundred keys at once; two versions of a key are one question."""
    others = [replace(file, key=f"web/{number}") for number in range(98)]
    assert ledger.known_versions([file, newer(file), *others]) == {("raw", "web/a b.json"): "v1"}


def test_the_last_change_of_a_key_counts(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """A file that was refused and then written again is in the batch with its new version."""
    read = ledger.batch("web.t.1")
    assert read is not None
    revised = ledger.refuse(replace(read, attempt=2, changes=1), file)
    ledger.supersede(held, newer(file), replace(revised, attempt=3, changes=2))
    files = {file.identity: file}
    for change in ledger.changes("web.t.1"):
        files = change.apply(files)
    assert files == {newer(file).identity: newer(file)}
