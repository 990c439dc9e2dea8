"""The pipeline under faults: in every seed, every promise holds after every step and at the end."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from tests.simulation.faults import CALM, Rates
from tests.simulation.mutants import ROUGH
from tests.simulation.scenario import land_files, run

#: CI plays these; `python -m tests.simulation.report` plays any number.
SEEDS = int(os.environ.get("TIDEMARK_SEEDS", "60"))
CHUNKS = 8


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_seed_keeps_every_promise(chunk: int) -> None:
    """Whatever fails, each file's rows are in lake and warehouse exactly once, or it is quarantined with a reason."""
    for seed in range(chunk, SEEDS, CHUNKS):
        found = run(seed)
        assert not found.problem, f"python -m tests.simulation.replay {seed}: {found.problem}"


def test_a_seed_plays_the_same_twice() -> None:
    """A failing seed can be replayed: all calls, faults and the end are the same."""
    assert run(7) == run(7)


def test_without_faults_nobody_is_troubled() -> None:
    """Without faults there is one run for each attempt, and only poison files are quarantined."""
    found = run(3, CALM, story=land_files)
    assert not found.problem
    assert not found.faults


def test_the_faults_really_happen() -> None:
    """Every kind of fault occurs within a few seeds, with the rarest made frequent, so none is dead code."""
    frequent = replace(ROUGH, copy_short=0.1, load_conflict=0.2, result_expired=0.3, statement_forgotten=0.2)
    missing = set(Rates.__dataclass_fields__)
    for seed in range(200, 240):
        missing -= {fault for fault, times in run(seed, frequent).faults.items() if times}
        if not missing:
            return
    assert not missing
