"""Fuzz the readers: `python -m tests.fuzz.run [--format json] [--seconds 600] [--keep build/fuzz]`

Each format has its seconds, in a process of its own that is started again when a library takes it down. What is found
is kept, one input for each kind of fault, under `KEEP/FORMAT/findings`; `--replay FILE` shows what an input does.
The corpus stays under `KEEP/FORMAT/corpus`, and another run goes on from there. Exit code 1 when anything was found.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

if "--child" in sys.argv:  # what is imported from here on tells the fuzzer which lines were reached
    import atheris

    with atheris.instrument_imports(include=["spark_jobs"]):
        import spark_jobs.engine.formats.avro
        import spark_jobs.engine.formats.columnar  # noqa: F401 -- imported here to be instrumented

from tests.fuzz.cases import AS_IT_IS, TYPES, case_of
from tests.fuzz.choices import Choices
from tests.fuzz.damage import damaged
from tests.fuzz.oracles import faults

BODY_MAX = 1 << 14
#: Of one input: what takes longer or needs more is a finding.
SECONDS_MAX, MEGABYTES_MAX = 30, 3_000
SEEDS = 60


class Outcome(NamedTuple):
    type: str
    executions: int
    corpus: int
    seconds: float
    findings: int


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--format", choices=TYPES, help="one alone; all in turn without it")
    asked.add_argument("--seconds", type=int, default=600, help="for each format")
    asked.add_argument("--keep", type=Path, default=Path("build/fuzz"), help="where corpus and findings are kept")
    asked.add_argument("--replay", type=Path, help="an input of --format")
    asked.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = asked.parse_args()
    if options.replay:
        return _replay(options.format, options.replay.read_bytes())
    if options.child:
        return _fuzz(options.format, options.keep / options.format, options.seconds)
    types = [options.format] if options.format else TYPES
    outcomes = [_supervised(type_, options.keep, options.seconds) for type_ in types]
    print(f"{'format':<9}{'executions':>11}{'corpus':>8}{'seconds':>9}{'findings':>10}")
    for one in outcomes:
        print(f"{one.type:<9}{one.executions:>11}{one.corpus:>8}{one.seconds:>9.0f}{one.findings:>10}")
    return int(any(one.findings for one in outcomes))


def _replay(type_: str, data: bytes) -> int:
    case = case_of(type_, data)
    print(case)
    found = faults(case)
    print("\n".join(found) or "nothing is wrong")
    return int(bool(found))


# ---------------------------------------------------------------------------------------------- the supervisor


def _supervised(type_: str, keep: Path, seconds: int) -> Outcome:
    """Fuzz one format for so long, however often the process ends before."""
    place = keep / type_
    for folder in ("corpus", "findings"):
        (place / folder).mkdir(parents=True, exist_ok=True)
    _seed(type_, place / "corpus")
    started, executions = time.monotonic(), 0
    while (left := seconds - (time.monotonic() - started)) > 5:
        own = ["--child", "--format", type_, "--seconds", str(int(left)), "--keep", str(keep)]
        with (place / "log.txt").open("w", encoding="utf-8") as log:
            code = subprocess.run([sys.executable, "-m", "tests.fuzz.run", *own], stderr=log, check=False).returncode
        executions += _executions((place / "log.txt").read_text(encoding="utf-8", errors="replace"))
        if code:
            print(f"{type_}: the process ended with {code}; its input is kept", file=sys.stderr)
    corpus, findings = (len(list((place / folder).iterdir())) for folder in ("corpus", "findings"))
    return Outcome(type_, executions, corpus, time.monotonic() - started, findings)


def _seed(type_: str, corpus: Path) -> None:
    """Decisions at random, and bodies as they are, of which each is one behind a declaration."""
    decide = random.Random(type_)
    for number in range(SEEDS):
        data = bytes([decide.randrange(64)]) + decide.randbytes(decide.randrange(64))
        body = case_of(type_, data).body[:BODY_MAX]
        (corpus / f"seed-{number}-decisions").write_bytes(data)
        (corpus / f"seed-{number}-body").write_bytes(bytes([AS_IT_IS, data[0]]) + body)


def _executions(log: str) -> int:
    return max((int(number) for number in re.findall(r"^#(\d+)\s", log, re.MULTILINE)), default=0)


# ---------------------------------------------------------------------------------------------- the process


def _fuzz(type_: str, place: Path, seconds: int) -> int:
    known: set[str] = {path.name.partition("-")[0] for path in (place / "findings").iterdir()}

    def one_input(data: bytes) -> None:
        for fault in faults(case_of(type_, data)):
            kind = hashlib.sha256(_kind(fault).encode()).hexdigest()[:12]
            if kind not in known:
                known.add(kind)
                (place / "findings" / f"{kind}-input").write_bytes(data)
                (place / "findings" / f"{kind}-fault.txt").write_text(fault, encoding="utf-8", errors="replace")

    def mutated(data: bytes, size_max: int, seed: int) -> bytes:
        decide = random.Random(seed)
        if data[:1] != bytes([AS_IT_IS]) or decide.random() < 0.5:
            return bytes(atheris.Mutate(data, len(data)) if len(data) >= size_max else atheris.Mutate(data, size_max))
        return (data[:2] + damaged(data[2:], Choices(decide.randbytes(32))))[:size_max]

    arguments = [
        sys.argv[0],
        str(place / "corpus"),
        f"-max_total_time={seconds}",
        f"-max_len={BODY_MAX}",
        f"-timeout={SECONDS_MAX}",
        f"-rss_limit_mb={MEGABYTES_MAX}",
        f"-artifact_prefix={place / 'findings'}/",
        "-print_final_stats=1",
    ]
    atheris.Setup(arguments, one_input, custom_mutator=mutated)
    atheris.Fuzz()
    return 0


def _kind(fault: str) -> str:
    """What two faults of the same cause have in common: their words."""
    return " ".join(re.findall(r"[A-Za-z_]{3,}", re.sub(r"'[^']*'|\{.*|\b[kx]\d+\b", "", fault)))[:70]


if __name__ == "__main__":
    sys.exit(main())
