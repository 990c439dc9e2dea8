"""The simulator finds the faults that peers are known for: their algorithms lose or double files on our traces."""

from __future__ import annotations

import pytest

from tests.simulation.peers import PEERS, play
from tests.simulation.scenario import run

SEEDS = range(40)


@pytest.mark.parametrize(
    "peer", ["manifest from a stale read", "message deleted before the work", "cursor of modification times"]
)
def test_a_peer_loses_files(peer: str) -> None:
    """This way of gathering files loses some of them without an error, as its users report."""
    assert sum(play(PEERS[peer], seed)[1] for seed in SEEDS) > 0


@pytest.mark.parametrize("peer", ["check, then act", "COPY sent again"])
def test_a_peer_doubles_files(peer: str) -> None:
    """This way of loading shows some files' rows twice, as its users report."""
    assert sum(play(PEERS[peer], seed)[2] for seed in SEEDS) > 0


def test_tidemark_does_neither_on_the_same_seeds() -> None:
    """On the first of these seeds, with its events dropped and functions killed as well, nothing is lost or doubled."""
    assert [run(seed).problem for seed in SEEDS[:5]] == [""] * 5
