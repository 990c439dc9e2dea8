"""`tidemark deploy` and `tidemark delete`: the stack, its job code and its warehouse's grant, without a lost batch."""

from __future__ import annotations

import re
import sys
import time
import uuid
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta

import click
from rich.console import Console

from cli.build import ROOT, build, run_sam
from cli.connection import connect, warehouse_loader
from cli.removals import check_removals
from cli.render import Sheet, duration, plural, say, say_whole, show_table
from cli.target import Target, find_target
from cli.upload_jobs import upload_jobs
from tidemark.adapters import aws
from tidemark.adapters.cloudformation import Stacks
from tidemark.adapters.emr import RUN_MINUTES_MAX
from tidemark.adapters.world import World
from tidemark.clock import SystemClock
from tidemark.core.deployment import NEW, ResourceChange, has_ended, has_succeeded, needs_drain, obstacle, removed
from tidemark.core.errors import TidemarkError
from tidemark.core.stack_names import check_stack_name
from tidemark.core.warehouse_grant import grant_statements
from tidemark.service.drain import Lease, drained
from tidemark.service.grant import grant

LOOK_SECONDS = 5.0
#: No run takes longer, so none is unfinished then.
PATIENCE = timedelta(minutes=RUN_MINUTES_MAX)
#: How long CloudFormation may take: a Redshift Serverless workgroup is created in minutes.
STACK_MINUTES_MAX = 60
CHANGE_SET = re.compile(r"arn:[\w-]+:cloudformation:\S+?:changeSet/[\w/-]+")
#: What a deleted stack leaves behind, because nothing can make it again.
KEPT = "what holds data: the buckets, the ledger, the lake's database and the warehouse's namespace"


def deploy(stack: str, console: Console, sure: bool, wait_seconds: float | None, force: bool = False) -> None:
    """Build, show the changes, ask, and carry them out; then upload the job code and grant the loader its rights."""
    began = time.monotonic()
    target = find_target(stack, ROOT / "samconfig.toml")
    stacks = Stacks(aws.client("cloudformation"))
    before = stacks.state(stack).status
    _refuse([*check_stack_name(stack, target.account, target.region), obstacle(before)])
    say(console, f"deploying {stack} to account {target.account}, {target.region}")
    if before not in NEW:
        check_removals(stack, console, force)
    build(console)
    change_set = _propose(target)
    if change_set:
        changes = stacks.changes(change_set)
        _show(console, changes)
        if not _is_sure(f"Deploy {plural(len(changes), 'change')}?", sure):
            stacks.discard(change_set)
            raise TidemarkError("nothing was deployed: the change set was deleted")
        drains = needs_drain(changes) and before not in NEW
        with _drained(console, stack, _patience(wait_seconds)) if drains else nullcontext() as lease:
            _execute(console, stacks, stack, change_set, lease)
    else:
        say(console, "no resource changes")
    _complete(console, stack)
    took = duration(timedelta(seconds=time.monotonic() - began))
    say(console, (f"{stack} is deployed", "green"), f" after {took}")


def delete(stack: str, console: Console, sure: bool, wait_seconds: float | None) -> None:
    """Stop the application, and delete the stack; what holds data stays."""
    find_target(stack, ROOT / "samconfig.toml")
    stacks = Stacks(aws.client("cloudformation"))
    status = stacks.state(stack).status
    if not status:
        raise TidemarkError(f"expected a stack {stack!r}, found none")
    say(console, f"deleting {stack} keeps {KEPT}")
    if not _is_sure(f"Delete {stack}?", sure):
        raise TidemarkError("nothing was deleted")
    is_running = status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
    with _drained(console, stack, _patience(wait_seconds)) if is_running else nullcontext() as lease:
        since = SystemClock().now()
        stacks.delete(stack)
        ended = _await_stack(console, stacks, stack, lease)
        if ended:
            raise TidemarkError(f"{stack} is in {ended}: {stacks.failure(stack, since)}")
    say(console, (f"{stack} is deleted", "green"))


# ── steps ───────────────────────────────────────────────────────────────────────────────────────────────────


def _refuse(problems: Sequence[str]) -> None:
    found = [problem for problem in problems if problem]
    if found:
        raise TidemarkError("; ".join(found))


def _propose(target: Target) -> str:
    """Uploads what was built, and returns the ARN of the change set; "" if nothing would change."""
    output = run_sam(
        "deploy",
        *("--config-env", target.environment, "--stack-name", target.stack, "--region", target.region),
        *("--no-execute-changeset", "--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"),
    )
    found = CHANGE_SET.search(output)
    return found[0] if found else ""


def _execute(console: Console, stacks: Stacks, stack: str, change_set: str, lease: Lease | None) -> None:
    since = SystemClock().now()
    stacks.execute(change_set)
    status = _await_stack(console, stacks, stack, lease)
    if not has_succeeded(status):
        raise TidemarkError(f"{stack} is in {status}, as before the deployment: {stacks.failure(stack, since)}")


def _complete(console: Console, stack: str) -> None:
    """What a stack needs besides its resources. Repeating it changes nothing."""
    world, loader = connect(stack), warehouse_loader(stack)
    upload_jobs(world, console)
    if world.warehouse.connection.is_of_stack:
        grant(world.warehouse, aws.client("redshift-serverless"), loader)
        say(console, f"{loader} may create schemas in the warehouse")
    else:
        _tell_grant(console, world, loader)


def _tell_grant(console: Console, world: World, loader: str) -> None:
    """The stack has no secret of an existing warehouse's administrator."""
    database = world.warehouse.connection.database
    if not loader:
        say(console, f"the user of WarehouseSecretArn needs CREATE on database {database}")
        return
    say(console, f"the warehouse is not the stack's own: its administrator runs, once, in database {database}")
    for statement in grant_statements(loader, database):
        say_whole(console, f"  {statement};")


def _drained(console: Console, stack: str, patience: timedelta) -> AbstractContextManager[Lease]:
    say(console, "the Spark application is drained: no run starts until this is done")
    return drained(connect(stack), uuid.uuid4().hex, patience, time.sleep, _Progress(console))


class _Progress:
    """One line whenever the number of unfinished runs has changed."""

    def __init__(self, console: Console) -> None:
        self.console, self.said = console, ""

    def __call__(self, runs: Sequence[str], waited: timedelta) -> None:
        waiting = (
            f"waiting for {plural(len(runs), 'run')}" if runs else "no run is unfinished, stopping the application"
        )
        if waiting != self.said:
            say(self.console, f"{duration(waited)}  {waiting}")
        self.said = waiting


def _await_stack(console: Console, stacks: Stacks, stack: str, lease: Lease | None) -> str:
    """Waits until CloudFormation has ended; returns the stack's status, "" if it is gone."""
    said = ""
    for _ in range(int(STACK_MINUTES_MAX * 60 / LOOK_SECONDS)):
        status = stacks.state(stack).status
        if status != said:
            say(console, f"stack {status or 'gone'}")
        said = status
        if has_ended(status):
            return status
        if lease:
            lease.renew()
        time.sleep(LOOK_SECONDS)
    raise TidemarkError(f"{stack} is still in {said} after {STACK_MINUTES_MAX} minutes: see CloudFormation's console")


def _patience(seconds: float | None) -> timedelta:
    return PATIENCE if seconds is None else timedelta(seconds=seconds)


def _is_sure(question: str, sure: bool) -> bool:
    if sure:
        return True
    if not sys.stdin.isatty():
        raise TidemarkError("expected --yes, because nobody can be asked here")
    return click.confirm(question)


def _show(console: Console, changes: Sequence[ResourceChange]) -> None:
    table = Sheet("change", "resource", "type", "replacement", whole=("change",))
    for change in changes:
        table.add_row(change.action, change.logical_id, change.type, change.replacement or "–")
    show_table(console, table)
    gone = removed(changes)
    if gone:
        say(console, ("removed or replaced: ", "yellow"), ", ".join(change.logical_id for change in gone))
