"""`tidemark prove`: the claims that only an account can prove, tried on a stack of its own, or here."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console

from cli.render import Sheet, line, plural, say, say_whole, show_table
from cli.text import name
from prove.plan import STEPS
from prove.report import RECORDINGS, REPORT, differences, read_recordings, report, write
from prove.stage import Stage
from prove.step import Finding, Verdict, all_hold, attempt_all, most_dollars
from tidemark.adapters.world import World
from tidemark.core.errors import TidemarkError

COLOURS = {Verdict.CONFIRMED: "green", Verdict.REFUTED: "red", Verdict.FAILED: "red", Verdict.SKIPPED: "dim"}
#: A deployment and its end: ten minutes of the smallest warehouse, requests, and storage for an hour.
DEPLOYMENT_DOLLARS = Decimal("0.75")


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
        return _prove(console, stage, out, compare, ACCOUNT, on_laptop=True)


def prove_in_account(stack: str, console: Console, out: Path, compare: Path | None, keep: bool, sure: bool) -> int:
    """Deploy a stack of its own, try every step, and take the stack down. Returns the exit status."""
    from prove.account import check_name

    check_name(stack)
    if not sure:
        total = most_dollars(STEPS) + DEPLOYMENT_DOLLARS
        raise TidemarkError(f"this deploys {stack} and costs up to ${total:.2f}: expected --yes, found none")
    with _deployed(console, stack, keep) as (stage, account):
        return _prove(console, stage, out, compare, account, on_laptop=False)


@contextmanager
def _deployed(console: Console, stack: str, keep: bool) -> Iterator[tuple[Stage, str]]:
    import boto3

    from cli.adopt import adopt
    from cli.connection import connect, region
    from cli.deploy import delete, deploy
    from prove.account import remove_retained, resources_of
    from tidemark.clock import SystemClock

    session: Any = boto3.Session()
    if resources_of(session.client, stack):
        raise TidemarkError(f"expected no stack {stack}, found one: a proof begins with a stack of its own")
    began, before = SystemClock().now(), []

    def deploy_again() -> World:
        before.extend(resources_of(session.client, stack))  # what is left of them, if the adoption fails
        delete(stack, console, sure=True, wait_seconds=None)
        adopt(stack, console, database="")
        deploy(stack, console, sure=True, wait_seconds=None)
        return connect(stack)

    account = str(session.client("sts").get_caller_identity()["Account"])
    try:
        deploy(stack, console, sure=True, wait_seconds=None)
        yield Stage(connect(stack), stack, region(), began, deploy_again=deploy_again), account
    finally:
        resources = resources_of(session.client, stack)
        if keep:
            say_whole(console, f"kept: {stack}, with {plural(len(resources), 'resource')}")
        elif resources or before:
            if resources:
                delete(stack, console, sure=True, wait_seconds=None)
            removed = remove_retained(session.client, dict.fromkeys([*resources, *before]))
            say(console, f"taken down: {stack}, and {plural(len(removed), 'resource')} that a deletion keeps")


def _prove(console: Console, stage: Stage, out: Path, compare: Path | None, account: str, *, on_laptop: bool) -> int:
    recorded = _recordings(compare) if compare else {}  # before anything is paid for
    findings = []
    for finding in attempt_all(STEPS, stage, on_laptop, time.monotonic):
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
