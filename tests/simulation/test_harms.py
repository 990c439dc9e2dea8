"""Mutants that do harm only in a scenario of their own: there they are noticed, and the product is not."""

from __future__ import annotations

import pytest

from tests.simulation.harms import HARMS, suffer


@pytest.mark.parametrize("mutant", HARMS)
def test_a_scenario_does_harm_to_a_mutant_only(mutant: str) -> None:
    """The product comes through the scenario with every promise kept, and without this safeguard it does not."""
    assert not suffer(mutant, mutated=False)
    assert suffer(mutant)
