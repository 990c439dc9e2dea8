"""`python -m tests.simulation.report --seeds 10000 --out docs/evidence/simulation.md`: the long run, written down."""

from __future__ import annotations

import argparse
import multiprocessing
import platform
import sqlite3
import subprocess
import sys
from collections import Counter
from importlib.metadata import version
from itertools import product
from pathlib import Path

from tests.simulation import restored
from tests.simulation.harms import HARMS, suffer
from tests.simulation.interleavings import CAUGHT_IN, Caught, catch, explore
from tests.simulation.killpoints import KINDS, STORIES, coverage, points
from tests.simulation.long_run import play_all
from tests.simulation.mutants import MUTANTS, hunt
from tests.simulation.peers import PEERS, play
from tests.simulation.scenario import CHAOS_SECONDS, Outcome, run
from tests.simulation.schedules import Explored
from tests.simulation.small_worlds import WORLDS

#: Where outcomes are kept, in a folder for each commit: a run that was stopped goes on there.
KEPT = Path("build/simulation")
UNKNOWN, CHANGED = "unknown", "-changed"  #: code without a commit, and the ending of one whose files were changed
#: Of so many seeds one more is played in which the ledger is restored.
RESTORED_EVERY = 10
#: What happens in these, as it is counted and as the page says it.
RESTORED = {
    "ledger_set_back": "ledgers set back",
    "ledger_lost": "ledgers lost",
    "recovered_anyway": "recoveries though nothing was lost",
    "recovery_killed": "recoveries that died",
    "rows_deleted": "batches whose rows somebody deleted from the warehouse",
    "disagreement_accepted": "disagreements that a person accepted",
}


def main(arguments: list[str]) -> int:
    """Play, write the page, and answer 1 if a promise was broken or a mutant lived."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.report")
    parser.add_argument("--seeds", type=int, default=1_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("--kept", type=Path, default=KEPT, help="folder of the outcomes that are not played again")
    options = parser.parse_args(arguments)
    seeds = range(options.first, options.first + options.seeds)
    kept, processes = kept_below(options.kept, _commit()), options.processes
    outcomes = play_all(run, seeds, processes, kept and kept / "seeds.jsonl")
    again = seeds[: options.seeds // RESTORED_EVERY]
    recovered = play_all(restored.run, again, processes, kept and kept / "restored.jsonl")
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        mutants = pool.map(_hunt, MUTANTS, chunksize=1)
        harms = dict(zip(HARMS, pool.map(suffer, HARMS, chunksize=1), strict=True))
        days = [point for found in pool.map(_points, product(STORIES, KINDS), chunksize=1) for point in found]
        races = dict(zip(WORLDS, pool.map(explore, WORLDS, chunksize=1), strict=True))
        caught = pool.map(catch, CAUGHT_IN, chunksize=1)
        peers = pool.map(_peer, PEERS, chunksize=1)
    failed = sorted((one for one in outcomes if one.problem), key=lambda one: one.seed)
    lines = [
        *_head(options.first, outcomes, recovered), *_broken(failed), *_faults(outcomes),
        *_restored(recovered), *_mutants(mutants), *_harms(harms), *_days(days), *_races(races), *_caught(caught),
        *_peers(peers),
    ]  # fmt: skip
    text = "\n".join(lines) + "\n"
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    broken = bool(failed) or any(one.problem for one in (*recovered, *days))
    broken |= any(found.broken for found in races.values())
    return int(broken or not all(tries for _, tries, _ in mutants) or not all(one.problem for one in caught))


def _hunt(mutant: str) -> tuple[str, int, str]:
    return mutant, *hunt(MUTANTS[mutant], range(200))


def _points(story_and_kind: tuple[str, str]) -> list[object]:
    story, kind = story_and_kind
    return list(points(story, (kind,)))


def _peer(name: str) -> tuple[str, int, int, int]:
    played = [play(PEERS[name], seed) for seed in range(300)]
    return name, *(sum(column) for column in zip(*played, strict=True))  # type: ignore[return-value]


def _head(first: int, outcomes: list[Outcome], recovered: list[Outcome]) -> list[str]:
    files, hours = sum(one.files for one in outcomes), sum(one.hours for one in outcomes)
    broken = Counter(kind_of(one.problem) for one in outcomes if one.problem)
    return [
        "# What the simulation found", "",
        "The real handlers, services and adapters run over simulated AWS clients, in one process, one thread at a",
        "time, with a simulated clock (tests/simulation). In each seed, files land for 25 minutes or throughout, and",
        f"faults are injected for {CHAOS_SECONDS // 60} minutes. Then everything has to come to rest by the schedules.",
        "People, deployers, the bucket's owners and other tools act as well, and whole services fail for hours.",
        "Promises are checked after every step. In every fourth seed nothing fails by itself, and each file must be",
        "queryable in time. [What is not simulated](not-simulated.md).", "",
        "There are two datasets, each with a table of facts and one of sums; one also shows the latest row of each",
        "user. There are two nightly jobs, and the second reads the first. Every 15 minutes they check the days that",
        "have ended: rows arrive late, are replaced and are taken out while nights are under way, and a day ends in",
        "between.", "",
        f"Python {platform.python_version()}, boto3 {version('boto3')}, pyiceberg {version('pyiceberg')},",
        f"powertools {version('aws-lambda-powertools')}, SQLite {sqlite3.sqlite_version}; commit {_commit()}.", "",
        "| | |", "|---|---|",
        f"| seeds | {first:,} to {first + len(outcomes) - 1:,} |",
        f"| file versions | {files:,} |",
        f"| batches | {sum(one.batches for one in outcomes):,} |",
        f"| ledgers restored | {_times(recovered, 'ledger_set_back', 'ledger_lost'):,} |",
        f"| handler invocations | {sum(one.invocations for one in outcomes):,} |",
        f"| AWS calls | {sum(one.calls for one in outcomes):,} |",
        f"| simulated time | {hours:,.0f} h |",
        *(f"| seeds in which {kind} | **{broken[kind]}** |" for kind in (*KINDS_OF_BREACH, OTHER)), "",
    ]  # fmt: skip


#: What a reader would say of a breach, and the words by which `Violation` says it.
KINDS_OF_BREACH = {
    "a file or a row was lost": ("lost",),
    "a file or a row was there twice": ("twice", "two live batches", "too many", "at once", "second run"),
    "a file or a batch was stuck": ("stuck",),
}
OTHER = "any other promise was broken"


def kind_of(problem: str) -> str:
    """Which of `KINDS_OF_BREACH` a problem is."""
    return next((kind for kind, words in KINDS_OF_BREACH.items() if any(word in problem for word in words)), OTHER)


def _commit() -> str:
    """The code that is played: seed and commit replay a history exactly, unless files were changed since."""
    done = subprocess.run(
        ["git", "describe", "--always", "--exclude=*", "--dirty=" + CHANGED],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or UNKNOWN


def kept_below(folder: Path, commit: str) -> Path | None:
    """Where the outcomes of this code are kept; None if no commit says what the code is."""
    return None if commit == UNKNOWN or commit.endswith(CHANGED) else folder / commit


def _broken(failed: list[Outcome]) -> list[str]:
    if not failed:
        return []
    listed = [f"- `python -m tests.simulation.replay {one.seed}`: {one.problem}" for one in failed]
    return ["## Broken promises", "", *listed, ""]


def _faults(outcomes: list[Outcome]) -> list[str]:
    faults: Counter[str] = Counter()
    for one in outcomes:
        faults.update(one.faults)
    rows = [f"| {kind.replace('_', ' ')} | {times:,} |" for kind, times in faults.most_common()]
    return ["## Faults injected", "", "| fault | times |", "|---|--:|", *rows, ""]


def _restored(recovered: list[Outcome]) -> list[str]:
    wrong = [one for one in recovered if one.problem]
    text = (
        f"In {len(recovered):,} seeds more, the ledger becomes what it was some time ago, as a new table, or is empty,"
        " once or twice among the faults. A person recovers it, and then every promise has to hold as if nothing had"
        f" happened (tests/simulation/restored.py): **{len(wrong)}** seeds ended wrong."
    )
    rows = [f"| {what} | {_times(recovered, kind):,} |" for kind, what in RESTORED.items()]
    listed = [f"- restored seed {one.seed}: {one.problem}" for one in wrong]
    return ["## Ledgers restored", "", text, "", "| | |", "|---|--:|", *rows, "", *listed, *([""] if listed else [])]


def _times(outcomes: list[Outcome], *kinds: str) -> int:
    return sum(one.faults.get(kind, 0) for one in outcomes for kind in kinds)


def _mutants(mutants: list[tuple[str, int, str]]) -> list[str]:
    rows = [f"| {name} | {tries or 'never'} | {problem[:110].replace('|', '/')} |" for name, tries, problem in mutants]
    head = ["| a product that … | caught by seed no. | what was noticed |", "|---|--:|---|"]
    return [
        "## Mutants",
        "",
        "One safeguard is removed at a time, and the simulation has to notice.",
        "",
        *head,
        *rows,
        "",
    ]


def _harms(harms: dict[str, str]) -> list[str]:
    rows = [
        f"| {name} | {(HARMS[name].scenario.__doc__ or '').strip()} | {problem[:90] or '**nothing**'} |"
        for name, problem in harms.items()
    ]
    text = (
        "These need a scenario of their own to do harm (tests/simulation/harms.py); the product itself passes them all."
    )
    return [text, "", "| a product that … | scenario | what was noticed |", "|---|---|---|", *rows, ""]


def _days(days: list[object]) -> list[str]:
    rows = [f"| {where} | {times} |" for where, times in coverage(days).items()]  # type: ignore[arg-type]
    bad = sum(bool(point.problem) for point in days)  # type: ignore[attr-defined]
    text = (
        f"Two stories, one with files and one with nights, were played {len(days):,} times, each with one fault"
        f" ({', '.join(KINDS)}) at one AWS call: **{bad}** ended wrong."
    )
    return ["## One fault at every call", "", text, "", "| handler and call | faults |", "|---|--:|", *rows, ""]


def _races(races: dict[str, Explored]) -> list[str]:
    total = sum(found.count.schedules for found in races.values())
    broken = [(name, *one) for name, found in races.items() for one in found.broken]
    text = (
        "In small worlds two actors run at the same time, and before each AWS call the other may take over. All"
        " schedules with up to two preemptions and one crash are tried (a death before or after a call, a write's lost"
        " reply, or a cancelled transaction). A schedule is played until a state whose continuations have all been"
        " played, or until its end; and then to"
        f" rest, unless that end is known. **{total:,}** schedules, of which **{len(broken)}** ended wrong."
    )
    rows = [
        f"| {name} | {found.calls} | {found.count.schedules:,} | {found.count.crashes:,} | {found.played:,} |"
        f" {found.rested:,} | {len(found.broken)} |"
        for name, found in races.items()
    ]
    head = [
        "| who race | calls | schedules | with a crash | played | to rest | wrong |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    listed = [f"- {name}: `{schedule}`: {problem}" for name, schedule, problem in broken]
    return ["## Every interleaving", "", text, "", *head, *rows, "", *listed, *([""] if listed else [])]


def _caught(caught: list[Caught]) -> list[str]:
    rows = [f"| {one.mutant} | {CAUGHT_IN[one.mutant]} | {one.played if one.problem else 'never'} |" for one in caught]
    text = "The same with one safeguard removed, schedules with few deviations first: how many it took to notice."
    return [text, "", "| a product that … | who race | schedules |", "|---|---|--:|", *rows, ""]


def _peers(peers: list[tuple[str, int, int, int]]) -> list[str]:
    rows = [f"| {name} | {files:,} | {lost:,} | {doubled:,} |" for name, files, lost, doubled in peers]
    text = (
        "Models of other algorithms, fed with the events of 300 seeds, sixty times as fast (tests/simulation/peers.py)."
    )
    return [
        "## Other algorithms",
        "",
        text,
        "",
        "| algorithm | file versions | lost | doubled |",
        "|---|--:|--:|--:|",
        *rows,
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
