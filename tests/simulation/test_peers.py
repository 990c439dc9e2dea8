"""The simulation finds known faults of other tools: their algorithms lose or duplicate files on the same seeds."""

from __future__ import annotations

import pytest

from tests.simulation.peers import PEERS, play
from tests.simulation.scenario import run

SEEDS = range(40)


@pytest.mark.parametrize(
    "peer", ["manifest from a stale read", "message deleted before the work", "cursor of modification times"]
)
def test_a_peer_loses_files(peer: str) -> None:
    """This algorithm loses files without an error, as the tool's users report."""
    assert sum(play(PEERS[peer], seed)[1] for seed in SEEDS) > 0


@pytest.mark.parametrize("peer", ["check, then act", "COPY sent again"])
def test_a_peer_doubles_files(peer: str) -> None:
    """This algorithm loads some files twice, as the tool's users report."""
    assert sum(play(PEERS[peer], seed)[2] for seed in SEEDS) > 0


def test_tidemark_does_neither_on_the_same_seeds() -> None:
    """On the first of these seeds, even with dropped events and killed functions, no file is lost or duplicated."""
    assert [run(seed).problem for seed in SEEDS[:5]] == [""] * 5
