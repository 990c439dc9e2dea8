"""The long run: what it has played stays played."""

from __future__ import annotations

from pathlib import Path

from tests.simulation.long_run import play_all
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
