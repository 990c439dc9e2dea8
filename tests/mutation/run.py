"""`python -m tests.mutation.run --sample 150 --seed 1`: random mutants of core/ and service/, and who notices them.

Each mutant is first shown to the tests that import its module, then to all quick tests of core and services, and last
to the simulation: every scenario of `harms`, and a few rough seeds. Whatever fails first ends it. A child process is
forked for each, with the libraries imported already, and dies of its own CPU time when a mutant makes it loop.
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from pathlib import Path

from tests.mutation.operators import Mutant, mutants

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ROOT / "functions" / "tidemark"
PLACES = ("core", "service")
#: Folders of quick tests; none starts Spark.
QUICK = ("core", "service", "adapters", "functions")
CPU_SECONDS_MAX = 400  # of one stage; all quick tests take about 130
SEEDS = range(4)
#: Not those that are plugins of pytest: it wants to import these itself.
LIBRARIES = ("pytest", "boto3", "moto", "pyarrow", "pyiceberg.table", "aws_lambda_powertools.metrics")


def main(arguments: list[str]) -> int:
    """Print who died of what, the survivors and the share; 1 if that is below the goal."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation.run")
    parser.add_argument("--sample", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--goal", type=float, default=0.9)
    parser.add_argument("--only", default="", help="of modules whose path contains it")
    options = parser.parse_args(arguments)
    for name in LIBRARIES:
        with suppress(ImportError):
            importlib.import_module(name)
    chosen = sample(options.sample, options.seed, options.only)
    with tempfile.TemporaryDirectory() as folder:
        if noticed := chosen and _end_of(unchanged(chosen[0].path), Path(folder)):
            sys.stdout.write(f"{noticed} fail without any mutant: nothing can be learned from them\n")
            return 2
        ends = {mutant: _end_of(mutant, Path(folder)) for mutant in chosen}
    return _report(ends, options.goal)


def sample(size: int, seed: int, only: str = "") -> list[Mutant]:
    """So many mutants of all that there are, drawn by the seed, in the order of their places."""
    paths = [path for place in PLACES for path in sorted((PRODUCT / place).glob("*.py"))]
    every = [
        mutant
        for path in paths
        if only in str(path)
        for mutant in mutants(path.relative_to(PRODUCT), path.read_text("utf-8"))
    ]
    drawn = random.Random(seed).sample(range(len(every)), len(every))
    chosen = list(islice((number for number in drawn if every[number].is_python), size))
    sys.stdout.write(f"{len(chosen)} of {len(every)} mutants, seed {seed}\n")
    return [every[number] for number in sorted(chosen)]


def unchanged(path: Path) -> Mutant:
    """The module as it is, which nobody may take for a mutant."""
    return Mutant(path, 0, "", "", (PRODUCT / path).read_text("utf-8"))


def stages(path: Path) -> dict[str, list[str]]:
    """Which tests are asked one after the other about a mutant of that module."""
    name = f"tidemark.{path.parent.name}.{path.stem}"
    tests = [test for folder in QUICK for test in sorted((ROOT / "tests" / folder).glob("test_*.py"))]
    own = [test for test in tests if test.stem == f"test_{path.stem}" or name in test.read_text("utf-8")]
    own.sort(key=lambda test: test.stem != f"test_{path.stem}")
    folders = [ROOT / "tests" / folder for folder in ("core", "service")]
    return {"its own tests": [str(test) for test in own], "quick tests": [str(folder) for folder in folders]}


def _end_of(mutant: Mutant, folder: Path) -> str:
    """What noticed the mutant; empty for a survivor."""
    started = time.monotonic()
    shutil.rmtree(folder / "tidemark", ignore_errors=True)
    shutil.copytree(PRODUCT, folder / "tidemark", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "tidemark" / mutant.path).write_text(mutant.source, "utf-8")
    asked = {name: (lambda tests=tests: _tests(folder, tests)) for name, tests in stages(mutant.path).items() if tests}
    asked["the simulation"] = lambda: _simulation(folder)
    end = next((name for name, ask in asked.items() if _fails(ask)), "")
    sys.stdout.write(f"{time.monotonic() - started:6.1f} s {end or 'SURVIVES':15} {mutant}\n")
    sys.stdout.flush()
    return end


def _fails(ask: Callable[[], int]) -> bool:
    """Whether a child process that asks ends otherwise than well."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS_MAX, CPU_SECONDS_MAX))
            silence = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silence, 1)
            os.dup2(silence, 2)
            sys.dont_write_bytecode = True
            code = int(ask())
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] != 0


def _tests(folder: Path, tests: list[str]) -> int:
    import pytest

    path = f"pythonpath={folder} {ROOT} {ROOT / 'functions'}"
    return pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-o", path, "--rootdir", str(ROOT), *tests])


def _simulation(folder: Path) -> int:
    sys.path.insert(0, str(folder))
    from tests.simulation.harms import HARMS, suffer
    from tests.simulation.mutants import ROUGH
    from tests.simulation.scenario import run

    harmed = any(suffer(name, mutated=False) for name in HARMS)
    return int(harmed or any(run(seed, ROUGH).problem for seed in SEEDS))


def _report(ends: dict[Mutant, str], goal: float) -> int:
    survivors = [mutant for mutant, end in ends.items() if not end]
    share = 1 - len(survivors) / max(1, len(ends))
    sys.stdout.write("\n".join(["", *(f"survives  {mutant}" for mutant in survivors), ""]))
    for end, times in Counter(end for end in ends.values() if end).most_common():
        sys.stdout.write(f"{times:4} noticed by {end}\n")
    sys.stdout.write(f"{len(ends) - len(survivors)} of {len(ends)} noticed: {share:.0%}\n")
    return int(share < goal)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
