"""Files: which batch has them, and what happened to them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.adapters.ledger.conftest import NOON, newer, refused, stored
from tidemark.adapters.ledger import Ledger
from tidemark.core.errors import Conflict
from tidemark.core.files import Change, FileVersion, Holder
from tidemark.core.lifecycle import State


def test_of_two_batches_one_claims_a_file(ledger: Ledger, file: FileVersion) -> None:
    """The first put wins; the second is told by whom, in the same call."""
    assert ledger.files.claim(file, "web", "web.t.1", NOON) is None
    assert ledger.files.claim(file, "web", "web.t.2", NOON) == Holder(file, "web.t.1")
    assert ledger.files.holder("raw", "web/a b.json") == Holder(file, "web.t.1")


def test_a_claim_repeated_by_its_batch_finds_itself(ledger: Ledger, file: FileVersion) -> None:
    """A crash is rolled forward."""
    ledger.files.claim(file, "web", "web.t.1", NOON)
    assert ledger.files.claim(file, "web", "web.t.1", NOON) == Holder(file, "web.t.1")


def test_another_version_of_a_claimed_key_is_told_apart(ledger: Ledger, file: FileVersion) -> None:
    """An overwritten key answers with the version that it was claimed in."""
    ledger.files.claim(file, "web", "web.t.1", NOON)
    assert ledger.files.claim(newer(file), "web", "web.t.2", NOON) == Holder(file, "web.t.1")


def test_a_key_nobody_claimed_has_no_holder(ledger: Ledger) -> None:
    """The ledger says so instead of guessing."""
    assert ledger.files.holder("raw", "web/unknown") is None
    assert ledger.files.holders("raw", "web/unknown") == []


def test_superseding_moves_file_and_batch_together(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """The new version is held, the old one remembered, and the batch's next attempt knows of the change."""
    read = ledger.batches.get("web.t.1")
    assert read is not None
    ledger.files.supersede(held, newer(file), replace(read, state=State.FORMING, attempt=2, changes=1, due_at=NOON))
    assert ledger.files.holder(file.bucket, file.key) == Holder(newer(file), "web.t.1")
    assert ledger.files.holders(file.bucket, file.key) == [Holder(newer(file), "web.t.1"), held]
    assert ledger.files.changes("web.t.1") == [Change(file.bucket, file.key, newer(file))]
    assert [past.attempt for past in ledger.batches.attempts("web.t.1")] == [1, 2]


def test_of_two_newer_versions_each_replaces_the_one_it_saw(
    ledger: Ledger, dynamodb: Any, held: Holder, file: FileVersion
) -> None:
    """A supersession that was decided against an outdated holder changes nothing."""
    read = ledger.batches.get("web.t.1")
    assert read is not None
    revised = ledger.files.supersede(held, newer(file, "v3"), replace(read, attempt=2, changes=1))
    before = stored(dynamodb)
    with pytest.raises(Conflict):
        ledger.files.supersede(held, newer(file, "v2"), replace(revised, attempt=3, changes=2))
    assert stored(dynamodb) == before


def test_a_batch_that_moved_on_is_not_superseded(
    ledger: Ledger, dynamodb: Any, held: Holder, file: FileVersion
) -> None:
    """Were the file replaced without the batch, its new version would be claimed and never read."""
    read = ledger.batches.get("web.t.1")
    assert read is not None
    ledger.batches.save(read)
    before = stored(dynamodb)
    with pytest.raises(Conflict):
        ledger.files.supersede(held, newer(file), replace(read, attempt=2, changes=1))
    assert stored(dynamodb) == before


def test_appending_keeps_both_versions_with_their_batches(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """The latest version answers for the key, the older one stays where it was."""
    ledger.files.append(held, newer(file), "web.t.2")
    assert ledger.files.holder(file.bucket, file.key) == Holder(newer(file), "web.t.2")
    assert held in ledger.files.holders(file.bucket, file.key)


@pytest.mark.parametrize("outdated", ["version", "holder"])
def test_of_two_appended_versions_one_looks_again(
    ledger: Ledger, dynamodb: Any, held: Holder, file: FileVersion, outdated: str
) -> None:
    """Appending to a holder that has changed raises, and changes nothing."""
    if outdated == "version":
        ledger.files.append(held, newer(file, "v3"), "web.t.3")
    known = held if outdated == "version" else Holder(file, "web.t.9")
    before = stored(dynamodb)
    with pytest.raises(Conflict):
        ledger.files.append(known, newer(file, "v2"), "web.t.2")
    assert stored(dynamodb) == before


def test_an_older_version_is_claimed_once(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """It stands beside the latest; whoever comes second loses the race, and finds whose it is."""
    older = replace(file, version="v0")
    ledger.files.claim_older(held, older, "web", "web.t.2", NOON)
    with pytest.raises(Conflict):
        ledger.files.claim_older(held, older, "web", "web.t.3", NOON)
    assert ledger.files.older_holder(older) == Holder(older, "web.t.2")
    assert ledger.files.holder(file.bucket, file.key) == held


def test_no_version_is_both_the_latest_and_an_older_one(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """Two batches claim it, one by an event and one by a listing that did not tell: the second one looks again."""
    ledger.files.claim_older(held, newer(file), "web", "web.t.2", NOON)
    with pytest.raises(Conflict):
        ledger.files.append(held, newer(file), "web.t.3")
    ledger.files.append(held, newer(file, "v3"), "web.t.3")
    with pytest.raises(Conflict):
        ledger.files.claim_older(held, newer(file, "v4"), "web", "web.t.2", NOON)


def test_a_refused_file_is_out_of_the_next_attempt(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """Its claim stays, so it is not taken for a new file."""
    read = ledger.batches.get("web.t.1")
    assert read is not None
    ledger.files.refuse(replace(read, attempt=2, changes=1), file)
    [change] = ledger.files.changes("web.t.1")
    assert change == Change(file.bucket, file.key, None, file.version)
    assert change.apply({file.identity: file, newer(file).identity: newer(file)}) == {newer(file).identity: newer(file)}
    assert ledger.files.holder(file.bucket, file.key) == held


def test_a_restored_file_is_a_normal_one_again(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """It is back in the next attempt and off the list."""
    revised = refused(ledger, file)
    ledger.files.restore(replace(revised, attempt=3, changes=2), file, latest=True)
    assert ledger.files.changes("web.t.1") == [Change(file.bucket, file.key, file, file.version)]
    assert ledger.quarantine.contents() == ([], [])


def test_an_outdated_version_is_not_restored(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """Its key was written again meanwhile: releasing it would replace the newer version's rows, so it is refused."""
    revised = ledger.files.supersede(held, newer(file), replace(refused(ledger, file), attempt=3, changes=2))
    with pytest.raises(Conflict):
        ledger.files.restore(replace(revised, attempt=4, changes=3), file, latest=True)
    assert ledger.quarantine.contents() == ([], [])


def test_an_older_version_is_restored_beside_the_latest(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """Where both count, the newer version stays the key's."""
    revised = refused(ledger, file)
    ledger.files.append(held, newer(file), "web.t.2")
    ledger.files.restore(replace(revised, attempt=3, changes=2), file, latest=False)
    assert ledger.files.changes("web.t.1") == [Change(file.bucket, file.key, file, file.version)]
    assert ledger.files.holder(file.bucket, file.key) == Holder(newer(file), "web.t.2")


def test_changes_before_a_discard_do_not_count(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """They are numbered, so the batch says up to which one its files were given up."""
    revised = refused(ledger, file)
    ledger.files.restore(replace(revised, attempt=3, changes=2), file, latest=True)
    assert ledger.files.changes("web.t.1", after=1) == ledger.files.changes("web.t.1")
    assert ledger.files.changes("web.t.1", after=2) == []


def test_a_file_is_restored_to_the_batch_as_it_is(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """Two people at once: the second gets a conflict, and the list is as the first left it."""
    revised = refused(ledger, file)
    ledger.batches.save(revised)
    with pytest.raises(Conflict):
        ledger.files.restore(replace(revised, attempt=3, changes=2), file, latest=True)
    assert len(ledger.quarantine.contents()[1]) == 1


def test_known_versions_leave_out_what_nobody_claimed(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """Reconciling asks for a hundred keys at once; two versions of a key are one question."""
    others = [replace(file, key=f"web/{number}") for number in range(98)]
    assert ledger.files.known_versions([file, newer(file), *others]) == {("raw", "web/a b.json"): "v1"}


def test_the_last_change_of_a_key_counts(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """A file that was refused and then written again is in the batch with its new version."""
    read = ledger.batches.get("web.t.1")
    assert read is not None
    revised = ledger.files.refuse(replace(read, attempt=2, changes=1), file)
    ledger.files.supersede(held, newer(file), replace(revised, attempt=3, changes=2))
    files = {file.identity: file}
    for change in ledger.files.changes("web.t.1"):
        files = change.apply(files)
    assert files == {newer(file).identity: newer(file)}
