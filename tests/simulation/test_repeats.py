"""Deduplication across batches under faults: two batches never show the same key."""

from __future__ import annotations

import pytest

from tests.simulation.mutants import hunt
from tests.simulation.repeats import MUTANTS, run

SEEDS = range(16)


def test_no_key_is_shown_twice_and_none_is_lost() -> None:
    """Despite crashes, zombies, retries and overwritten files, lake and warehouse show each key exactly once."""
    problems = {seed: problem for seed in SEEDS if (problem := run(seed).problem)}
    assert not problems


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_missing_safeguard_is_noticed(mutant: str) -> None:
    """The product without this safeguard shows a key twice within a few seeds."""
    tries, problem = hunt(MUTANTS[mutant], SEEDS, run)
    assert tries, f"no seed of {SEEDS} noticed a product that {mutant}"
    assert "is shown by" in problem
