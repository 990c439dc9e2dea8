"""A ledger that is set back to any moment, or lost, in the midst of faults: after `recover` every promise holds."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable

import pytest

import tidemark.service.putback as putback_module
import tidemark.service.recover as recover_module
import tidemark.service.seal as seal_module
from tests.simulation.mutants import ROUGH, hunt
from tests.simulation.patches import Patch
from tests.simulation.repeats import tell_story
from tests.simulation.restored import Plan, SetBackOnce, run

#: CI plays these, and a tenth of the `TIDEMARK_SEEDS` that one asks for.
SEEDS = max(12, int(os.environ.get("TIDEMARK_SEEDS", "60")) // 10)
CHUNKS = 4
ROWS_DELETED = Plan(after=2400, to=None, away=30, rows_deleted=True)
LOSSES = (Plan(after=1500, to=900, away=60), Plan(after=1500, to=0, away=60), ROWS_DELETED)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_ledger_set_back_is_made_whole(chunk: int) -> None:
    """Timers and events go on, old functions outlive their ledger, recovery dies: no row is lost, none there twice."""
    for seed in range(chunk, SEEDS, CHUNKS):
        found = run(seed)
        assert not found.problem, f"restored seed {seed}: {found.problem}"


def test_keys_are_remembered_by_a_ledger_that_was_set_back() -> None:
    """Two batches show no key twice, though the ledger had forgotten which keys are shown.

    Batches that take turns are at rest later: forty of them one after the other, each found by sweep where events are
    lost.
    """
    for seed in range(4):
        found = run(seed, ROUGH, story=tell_story, promises=SetBackOnce, rest_hours=24)
        assert not found.problem, f"restored seed {seed} of repeats: {found.problem}"


def test_ledgers_are_lost_and_recoveries_die() -> None:
    """Every kind occurs: a ledger set back, lost, or recovered anyway; recovery killed; a disagreement accepted."""
    faults: Counter[str] = Counter()
    wanted = {"ledger_set_back", "ledger_lost", "recovery_killed", "recovered_anyway", "disagreement_accepted"}
    for seed in range(12):
        faults.update(run(seed, chosen=lambda _, seed=seed: [LOSSES[seed % 3]]).faults)
        if wanted <= set(faults):
            return
    assert wanted <= set(faults)


MUTANTS: dict[str, Callable[[], list[Patch]]] = {
    "claims nothing": lambda: [(putback_module, "_claim", lambda *_: None)],
    "puts no batch back": lambda: [(recover_module, "_batches", lambda *_: [])],
    "goes on by whatever ledger there is": lambda: [(seal_module, "look", lambda _: seal_module.Seal.WHOLE)],
}


def test_a_recovery_that_compares_no_rows_is_noticed() -> None:
    """Rows that were deleted from the warehouse stay away, for no person is asked."""
    mutant = [(recover_module, "_unequal", lambda *_: [])]
    tries, _ = hunt(lambda: mutant, range(20), lambda seed: run(seed, chosen=lambda _: [ROWS_DELETED]))
    assert tries


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_recovery_without_a_safeguard_is_noticed(mutant: str) -> None:
    """One part taken out of it, and some seed breaks a promise."""
    tries, _ = hunt(MUTANTS[mutant], range(40), run)
    assert tries, f"no seed noticed a recovery that {mutant}"
