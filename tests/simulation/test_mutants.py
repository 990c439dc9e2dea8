"""The simulation's own proof: with one safeguard taken out, some seed notices."""

from __future__ import annotations

import pytest

from tests.simulation.mutants import MUTANTS, ROUGH, hunt
from tests.simulation.scenario import run

SEEDS = range(160)


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_missing_safeguard_is_noticed(mutant: str) -> None:
    """The product without this safeguard breaks a promise within a few seeds."""
    tries, problem = hunt(MUTANTS[mutant], SEEDS)
    assert tries, f"no seed of {SEEDS} noticed a product that {mutant}"
    assert problem


def test_the_product_itself_stands_the_same_weather() -> None:
    """What catches the mutants is their fault, not the weather's: unmutated, the same seeds go well."""
    problems = {seed: found.problem for seed in range(8) if (found := run(seed, ROUGH)).problem}
    assert not problems
