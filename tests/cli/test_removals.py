"""`tidemark removals`, before a deployment."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

import cli.removals as removals_module
from cli.removals import check_removals
from tests.service.lost import A, Shop
from tidemark.core.errors import TidemarkError


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A stack with a pending file of the shop, which this repository does not declare."""
    shop = Shop()
    shop.world.ledger.declarations.register("shop", {"name": "shop"})
    shop.world.ledger.segments.put("shop", [A], shop.world.clock.now())
    monkeypatch.setattr(removals_module, "connect", lambda stack: shop.world)
    return shop


def said(act: Callable[[Console], Any]) -> str:
    text = io.StringIO()
    act(Console(file=text, width=200))
    return text.getvalue()


def test_a_removed_dataset_with_files_stops_the_deployment(shop: Shop) -> None:
    """The error names it; nothing else is said."""
    with pytest.raises(TidemarkError, match=r"^no longer declared: shop \(pending files: 1, batches under way: 0\)"):
        check_removals("tidemark", Console(file=io.StringIO()), force=False)


def test_force_goes_on_and_says_so(shop: Shop) -> None:
    """A person has decided."""
    assert said(lambda console: check_removals("tidemark", console, force=True)).endswith("not checked: --force\n")


def test_where_nothing_is_left_the_deployment_goes_on(shop: Shop) -> None:
    """In one line."""
    shop.world.ledger.segments.delete("shop", shop.world.ledger.segments.pending("shop")[0].sk)
    text = said(lambda console: check_removals("tidemark", console, force=False))
    assert text == "no removed declaration has files or batches\n"


def test_a_stack_that_cannot_be_reached_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the first deployment there is none."""

    def unreachable(stack: str) -> None:
        raise TidemarkError(f"expected the stack {stack!r} in AWS, found none")

    monkeypatch.setattr(removals_module, "connect", unreachable)
    text = said(lambda console: check_removals("tidemark", console, force=False))
    assert text == "removed declarations are not checked: expected the stack 'tidemark' in AWS, found none\n"
