"""Plays many seeds on several processes and keeps each outcome, so that a run of hours can go on where it stopped."""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import IO

from tests.simulation.scenario import Outcome

Play = Callable[[int], Outcome]
#: A process collects its garbage after so many seeds: Python's own collector takes a fifth of the time.
SEEDS_PER_COLLECTION = 8
#: It ends after so many collections, so that what libraries keep in memory goes with it.
COLLECTIONS_PER_PROCESS = 50


def play_all(play: Play, seeds: range, processes: int, kept: Path | None = None) -> list[Outcome]:
    """The outcomes of all seeds, in their order. Those that the file already has are not played again.

    `play` is a function of a module. `kept` has one JSON object a line; a last line that was cut off is played again.
    """
    known = {one.seed: one for one in (_read(kept) if kept else ()) if one.seed in seeds}
    missing = [seed for seed in seeds if seed not in known]
    parts = [missing[start : start + SEEDS_PER_COLLECTION] for start in range(0, len(missing), SEEDS_PER_COLLECTION)]
    pool = get_context("spawn").Pool(processes, _without_collector, maxtasksperchild=COLLECTIONS_PER_PROCESS)
    with pool, kept.open("a", encoding="utf-8") if kept else nullcontext() as file:
        for outcomes in pool.imap_unordered(partial(_play_part, play), parts):
            for one in outcomes:
                known[one.seed] = one
                _keep(one, file)
                _show_progress(one, len(known), len(seeds))
    return [known[seed] for seed in seeds]


def _without_collector() -> None:
    gc.freeze()
    gc.disable()


def _play_part(play: Play, seeds: list[int]) -> list[Outcome]:
    outcomes = [play(seed) for seed in seeds]
    gc.collect()
    return outcomes


def _read(kept: Path) -> Iterator[Outcome]:
    """The outcomes of a file, which is made if need be; a last line that was not written to its end is cut off."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.touch()
    os.truncate(kept, kept.read_bytes().rfind(b"\n") + 1)
    for line in kept.read_text(encoding="utf-8").splitlines():
        fields = json.loads(line)
        yield Outcome(**{**fields, "trace": tuple(fields["trace"])})


def _keep(outcome: Outcome, file: IO[str] | None) -> None:
    if file:
        file.write(json.dumps(asdict(outcome)) + "\n")
        file.flush()


def _show_progress(outcome: Outcome, number: int, total: int) -> None:
    if outcome.problem:
        sys.stderr.write(f"seed {outcome.seed}: {outcome.problem}\n")
    if number % 500 == 0:
        sys.stderr.write(f"{number} of {total}\n")
