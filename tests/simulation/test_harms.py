"""Mutants that do harm only in a scenario of their own, which catches them and which the product passes."""

from __future__ import annotations

import pytest

from tests.simulation.harms import HARMS, suffer


@pytest.mark.parametrize("mutant", HARMS)
def test_a_scenario_does_harm_to_a_mutant_only(mutant: str) -> None:
    """The product keeps every promise in the scenario, and without this safeguard it does not."""
    assert not suffer(mutant, mutated=False)
    assert suffer(mutant)
