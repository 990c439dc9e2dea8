"""The simulation itself is tested: with one safeguard removed, some seed breaks a promise."""

from __future__ import annotations

import pytest

from tests.simulation.mutants import MUTANTS, RARELY_CAUGHT, ROUGH, hunt
from tests.simulation.scenario import run

SEEDS = range(160)


def test_only_mutants_that_there_are_are_left_to_the_long_run() -> None:
    """Otherwise a renamed mutant would not be hunted at all."""
    assert set(MUTANTS) > RARELY_CAUGHT


@pytest.mark.parametrize("mutant", [name for name in MUTANTS if name not in RARELY_CAUGHT])
def test_a_missing_safeguard_is_noticed(mutant: str) -> None:
    """The product without this safeguard breaks a promise within a few seeds."""
    tries, problem = hunt(MUTANTS[mutant], SEEDS)
    assert tries, f"no seed of {SEEDS} noticed a product that {mutant}"
    assert problem


def test_the_product_itself_stands_the_same_weather() -> None:
    """The missing safeguard is what fails, not the rates: the product keeps its promises on the same seeds."""
    problems = {seed: found.problem for seed in range(8) if (found := run(seed, ROUGH)).problem}
    assert not problems
