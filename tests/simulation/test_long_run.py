"""The long run: what it has played stays played."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulation.long_run import play_all
from tests.simulation.report import kept_below
from tests.simulation.scenario import Outcome


def played(seed: int) -> Outcome:
    """An outcome that shows its seed."""
    return Outcome(seed, files=seed * 10, batches=1, calls=2, invocations=3, hours=0.5, faults={"throttle": 1})


def played_again(seed: int) -> Outcome:
    """What no seed should become that was played before."""
    return Outcome(seed, files=-1, batches=1, calls=2, invocations=3, hours=0.5, faults={})


def test_a_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Seeds whose outcomes are kept are not played again; a line that was cut off is, and the file is whole again."""
    kept = tmp_path / "run" / "seeds.jsonl"
    play_all(played, range(3), 1, kept)
    kept.write_text(kept.read_text()[:-20])  # as if the process had died while it wrote seed 2

    outcomes = play_all(played_again, range(4), 1, kept)

    assert [one.files for one in outcomes] == [0, 10, -1, -1]
    assert outcomes[:2] == [played(0), played(1)]
    assert len(kept.read_text().splitlines()) == 4
    assert play_all(played, range(4), 1, kept) == outcomes


def test_outcomes_of_other_seeds_stay_in_the_file(tmp_path: Path) -> None:
    """A run of fewer seeds answers with those alone, and loses none of the others."""
    kept = tmp_path / "seeds.jsonl"
    play_all(played, range(3), 1, kept)
    assert play_all(played_again, range(1, 2), 1, kept) == [played(1)]
    assert play_all(played_again, range(3), 1, kept) == [played(0), played(1), played(2)]


@pytest.mark.parametrize(
    ("commit", "below"), [("6b1a7cc", "kept/6b1a7cc"), ("6b1a7cc-changed", None), ("unknown", None)]
)
def test_outcomes_are_kept_only_for_the_code_of_a_commit(commit: str, below: str | None) -> None:
    """Else a run after an edit would answer with what the code did before it."""
    assert kept_below(Path("kept"), commit) == (below and Path(below))
