"""Compares Java's compilers on the first batch of a new JVM: `python -m benchmarks.cold [--megabytes 50] [--rounds 3]`

On EMR, every run is the first of its JVM. Each measurement is a separate process that starts Spark and runs one batch
of web logs. Prints the median CPU seconds of that process and its children, because EMR bills vCPU time, and because a
busy machine affects CPU time less than wall-clock time.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.jobs import ours
from benchmarks.stage import large_files, objects, session
from tidemark.core.sizing import QUICK_COMPILER

COMPILERS = {"C1 and C2": "", "C1 only": QUICK_COMPILER}
TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds() -> float:
    """CPU seconds of this process and all its descendants, from /proc."""
    spent: dict[int, float] = {}
    parents: dict[int, int] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:  # the process has ended in the meantime
            continue
        parents[int(status.parent.name)] = int(fields[1])
        spent[int(status.parent.name)] = sum(map(int, fields[11:15])) / TICKS
    return sum(seconds for process, seconds in spent.items() if _descends(process, parents))


def _descends(process: int, parents: dict[int, int]) -> bool:
    while process and process != os.getpid():
        process = parents.get(process, 0)
    return bool(process)


def first_batch(megabytes: int) -> None:
    """Prints the CPU seconds of a JVM's first batch."""
    with tempfile.TemporaryDirectory() as scratch, objects():
        folder, lake = Path(scratch, "raw"), Path(scratch, "lake")
        folder.mkdir()
        lake.mkdir()
        paths = large_files(folder, megabytes, 4)
        before = processor_seconds()
        spark = session(lake)
        ours(spark, paths, lake, 0)
        print(processor_seconds() - before)
        spark.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.once:
        first_batch(options.megabytes)
        return
    spent: dict[str, list[float]] = {name: [] for name in COMPILERS}
    command = [sys.executable, "-m", "benchmarks.cold", "--once", "--megabytes", str(options.megabytes)]
    for _ in range(options.rounds):
        for name, option in COMPILERS.items():
            process = subprocess.run(
                command, env=os.environ | {"JAVA_TOOL_OPTIONS": option}, check=True, capture_output=True, text=True
            )
            spent[name].append(float(process.stdout.split()[-1]))
    for name, seconds in spent.items():
        print(f"{name:10} {statistics.median(seconds):6.1f} s CPU time")


if __name__ == "__main__":
    main()
