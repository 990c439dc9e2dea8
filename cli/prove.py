"""`tidemark prove`: the claims that only an account can prove, and the steps that try them, played here."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from rich.console import Console

from cli.render import Sheet, line, say, say_whole, show_table
from cli.text import name
from prove.plan import STEPS
from prove.report import RECORDINGS, REPORT, differences, read_recordings, report, write
from prove.stage import Stage
from prove.step import Finding, Verdict, all_hold, attempt_all, most_dollars
from tidemark.core.errors import TidemarkError

COLOURS = {Verdict.CONFIRMED: "green", Verdict.REFUTED: "red", Verdict.FAILED: "red", Verdict.SKIPPED: "dim"}
#: A deployment and its end: ten minutes of the smallest warehouse, requests, and storage for an hour.
DEPLOYMENT_DOLLARS = 1


def list_steps(console: Console) -> None:
    """Every step: its claim, the answer that confirms it, where it runs, and what it costs at most."""
    table = Sheet("step", "claim", "confirmed by", "runs", "dollars", spare=("confirmed by",), whole=("dollars",))
    for step in STEPS:
        where = "account" if step.account_only else "anywhere"
        record = {
            "step": step.name, "claim": step.claim, "expected": step.expected,
            "account_only": step.account_only or None, "dollars": f"{step.dollars:.2f}",
        }  # fmt: skip
        table.add_record(record, step.name, step.claim, step.expected, where, f"{step.dollars:.2f}")
    show_table(console, table)
    total = most_dollars(STEPS) + DEPLOYMENT_DOLLARS
    say(console, f"at most ${total:.2f} together, with a deployment of its own")


def prove_here(console: Console, out: Path, compare: Path | None) -> int:
    """Try every step against a fresh laptop cloud. Returns the exit status."""
    from local.account import ACCOUNT
    from prove.laptop import laptop_stage

    with tempfile.TemporaryDirectory(prefix="tidemark-") as state_dir, laptop_stage(Path(state_dir)) as stage:
        return _prove(console, stage, out, compare, ACCOUNT)


def _prove(console: Console, stage: Stage, out: Path, compare: Path | None, account: str) -> int:
    recorded = _recordings(compare) if compare else {}  # before anything is paid for
    findings = []
    for finding in attempt_all(STEPS, stage, on_laptop=True, clock=time.monotonic):
        findings.append(finding)
        _say_finding(console, finding)
    write(out, report(stage.stack, stage.region, stage.began, STEPS, findings), findings, account)
    say_whole(console, f"report: {name(out / REPORT)}, answers: {name(out / RECORDINGS)}")
    different = list(differences(recorded, _recordings(out)))
    for difference in different:
        say(console, ("different", "yellow"), f": {difference}")
    return int(not all_hold(findings) or bool(different))


def _recordings(folder: Path) -> dict[str, object]:
    """The answers of a proof, as they were written."""
    try:
        return read_recordings(folder / RECORDINGS if (folder / RECORDINGS).is_dir() else folder)
    except ValueError as error:
        raise TidemarkError(f"expected the recordings of a proof in {name(folder)}, found {error}") from error


def _say_finding(console: Console, finding: Finding) -> None:
    verdict = line((finding.verdict.value, COLOURS.get(finding.verdict, "")))
    say(console, verdict, f" {finding.step}: {finding.found}", (f" ({finding.seconds:.0f} s)", "dim"))
