"""The documents of a batch's attempts."""

from __future__ import annotations

import pytest

from tests.service.steps import asked, batch_of, did
from tests.simulation.race import Hand
from tests.simulation.small_worlds import PLANNED, RAN, land, orders, plan, submit
from tidemark.service.documents import attempt_key, declaration_of, read_control, read_manifest, read_result


def test_a_document_that_is_gone_is_named(hand: Hand) -> None:
    """The ledger names it, so its absence is an error and no empty document."""
    with pytest.raises(FileNotFoundError, match=r"^s3://control/batches/none$"):
        asked(hand, read_control, "batches/none")


def test_a_manifest_is_read_back(hand: Hand) -> None:
    """It holds the files that the batch has claimed."""
    did(hand, *PLANNED)
    batch = batch_of(hand)
    manifest = asked(hand, read_manifest, batch.manifest)
    assert manifest.batch_id == batch.batch_id
    assert [file.key for file in manifest.files] == ["orders/a", "orders/b"]


def test_a_result_is_that_of_the_present_attempt(hand: Hand) -> None:
    """There is none until its run has ended."""
    did(hand, *PLANNED)
    assert asked(hand, read_result, batch_of(hand)) is None
    did(hand, *RAN[len(PLANNED) :])
    result = asked(hand, read_result, batch_of(hand))
    assert (result.batch_id, result.attempt, result.total("kept")) == (hand.batch(0), 1, 2)


def test_an_attempt_keeps_the_declaration_that_its_run_was_given(hand: Hand) -> None:
    """Before the run starts, the present declaration is the attempt's; a later deployment changes nothing for it."""
    did(hand, orders(max_files=10), land("a", "a1"), plan, orders(max_files=11))
    assert asked(hand, declaration_of, batch_of(hand)).batch.max_files == 11
    did(hand, submit(0), orders(max_files=12))
    assert asked(hand, declaration_of, batch_of(hand)).batch.max_files == 11


def test_documents_lie_below_the_attempt(hand: Hand) -> None:
    """So no attempt overwrites a document of another."""
    did(hand, *PLANNED)
    assert attempt_key(batch_of(hand), "x.json") == f"batches/orders/{hand.batch(0)}/0001/x.json"
