"""New objects become pending segments."""

from __future__ import annotations

from tests.service.steps import asked, did
from tests.simulation.race import Hand
from tests.simulation.small_worlds import orders
from tidemark.core.files import FileVersion
from tidemark.service.collect import record_pending


def file(key: str, version: str = "v1") -> FileVersion:
    return FileVersion("raw", key, version, 5, "2025-12-31T23:00:00Z", "0A")


def pending(hand: Hand, background: bool = False) -> list[FileVersion]:
    """The files of all pending segments of `orders`."""

    def listed(world: object) -> list[FileVersion]:
        ledger = world.ledger  # type: ignore[attr-defined]
        segments = ledger.segments.pending("orders", background)
        return [one for segment in segments for one in ledger.segments.files("orders", segment.sk)]

    found: list[FileVersion] = asked(hand, listed)
    return found


def test_files_below_a_prefix_are_remembered_once(hand: Hand) -> None:
    """A file that is named twice is one; what lies below no prefix is left alone."""
    did(hand, orders())
    assert asked(hand, record_pending, [file("orders/a"), file("orders/a"), file("orders/b"), file("other/c")]) == 2
    assert sorted(one.key for one in pending(hand)) == ["orders/a", "orders/b"]


def test_two_versions_of_a_key_are_two_files(hand: Hand) -> None:
    """Which of them counts is decided when they are claimed."""
    did(hand, orders())
    assert asked(hand, record_pending, [file("orders/a"), file("orders/a", "v2")]) == 2
    assert sorted(one.version for one in pending(hand)) == ["v1", "v2"]


def test_what_a_person_brings_in_is_kept_apart(hand: Hand) -> None:
    """Background files leave room for fresh ones, so they have segments of their own."""
    did(hand, orders())
    asked(hand, record_pending, [file("orders/old")], True)
    assert pending(hand) == []
    assert [one.key for one in pending(hand, background=True)] == ["orders/old"]


def test_a_dataset_is_registered_with_its_first_file(hand: Hand) -> None:
    """What is under way outlives its declaration, so the ledger keeps the declaration."""
    did(hand, orders())
    asked(hand, record_pending, [file("orders/a")])
    assert set(asked(hand, lambda world: world.ledger.declarations.all())) == {"orders"}
