"""Plays many seeds on several processes and keeps each outcome, so that a run of hours can go on where it stopped."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

from tests.simulation.scenario import Outcome

#: A process plays so many seeds, so that what libraries keep in memory goes with it.
SEEDS_PER_PROCESS = 400
#: Garbage is collected after so many seeds: Python's own collector takes a fifth of the time.
SEEDS_PER_COLLECTION = 8


def play_all(play: Callable[[int], Outcome], seeds: range, processes: int, kept: Path | None = None) -> list[Outcome]:
    """The outcomes of all seeds, in their order. Those that the file already has are not played again.

    `play` is a function of a module. `kept` has one JSON object a line; a last line that was cut off is played again.
    """
    known = {one.seed: one for one in (_read(kept) if kept else ())}
    missing = [seed for seed in seeds if seed not in known]
    with get_context("spawn").Pool(processes, _without_collector, maxtasksperchild=SEEDS_PER_PROCESS) as pool:
        for one in _keep(pool.imap_unordered(_Player(play), missing), kept):
            known[one.seed] = one
            _show_progress(one, len(known), len(seeds))
    return [known[seed] for seed in seeds]


class _Player:
    """Plays a seed in a process of the pool, and collects its garbage now and then."""

    def __init__(self, play: Callable[[int], Outcome]) -> None:
        self.play = play

    def __call__(self, seed: int) -> Outcome:
        outcome = self.play(seed)
        if seed % SEEDS_PER_COLLECTION == 0:
            gc.collect()
        return outcome


def _without_collector() -> None:
    gc.freeze()
    gc.disable()


def _read(kept: Path) -> Iterator[Outcome]:
    lines = kept.read_text(encoding="utf-8").splitlines(keepends=True) if kept.exists() else []
    for line in lines:
        if line.endswith("\n"):
            fields = json.loads(line)
            yield Outcome(**{**fields, "trace": tuple(fields["trace"])})


def _keep(outcomes: Iterable[Outcome], kept: Path | None) -> Iterator[Outcome]:
    if kept is None:
        yield from outcomes
        return
    kept.parent.mkdir(parents=True, exist_ok=True)
    whole = [json.dumps(asdict(one)) + "\n" for one in _read(kept)]
    kept.write_text("".join(whole), encoding="utf-8")
    with kept.open("a", encoding="utf-8") as file:
        for one in outcomes:
            file.write(json.dumps(asdict(one)) + "\n")
            file.flush()
            yield one


def _show_progress(outcome: Outcome, number: int, total: int) -> None:
    if outcome.problem:
        sys.stderr.write(f"seed {outcome.seed}: {outcome.problem}\n")
    if number % 500 == 0:
        sys.stderr.write(f"{number} of {total}\n")
