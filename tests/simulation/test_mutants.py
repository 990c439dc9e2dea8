"""The simulation's own proof: with one safeguard taken out, some seed notices."""

from __future__ import annotations

import pytest

from tests.simulation.mutants import MUTANTS, RARELY_CAUGHT, ROUGH, hunt
from tests.simulation.scenario import run

SEEDS = range(160)


def test_only_mutants_that_there_are_are_left_to_the_long_run() -> None:
    """A mutant that was renamed would else be hunted by nobody."""
    assert set(MUTANTS) > RARELY_CAUGHT


@pytest.mark.parametrize("mutant", [name for name in MUTANTS if name not in RARELY_CAUGHT])
def test_a_missing_safeguard_is_noticed(mutant: str) -> None:
    """The product without this safeguard breaks a promise within a few seeds."""
    tries, problem = hunt(MUTANTS[mutant], SEEDS)
    assert tries, f"no seed of {SEEDS} noticed a product that {mutant}"
    assert problem


def test_the_product_itself_stands_the_same_weather() -> None:
    """What catches the mutants is their fault, not the weather's: unmutated, the same seeds go well."""
    problems = {seed: found.problem for seed in range(8) if (found := run(seed, ROUGH)).problem}
    assert not problems
