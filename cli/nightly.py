"""`tidemark nightly`: which jobs there are, what is due and why, and a night out of turn."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from rich.console import Console

from cli.render import NOTHING, Sheet, line, number, plural, say, state
from tidemark.adapters.world import World
from tidemark.core.dataset import Nightly
from tidemark.core.due_periods import jobs_in_order
from tidemark.core.errors import TidemarkError
from tidemark.service.nightly import due_report, last_pass, nightly

WHOLE = ("job", "latest period", "state")


def list_jobs(world: World, console: Console) -> None:
    """Every nightly job in order: what it reads, its latest period, and how many are due."""
    due = due_report(world).due
    table = Sheet("job", "every", "reads", "latest period", "state", "due", spare=("reads", "every"), whole=WHOLE)
    for name in jobs_in_order(world.datasets):
        job = world.datasets[name].nightly
        latest = max(world.ledger.batches.all(name), key=lambda batch: batch.period, default=None)
        period, stands = (latest.period, state(latest.state)) if latest else (NOTHING, NOTHING)
        paused = (" paused", "yellow") if world.ledger.controls.paused(name) else ""
        assert job
        due_here = sum(one.job == name for one in due)
        table.add_row(line(name, paused), job.every, _reads(job), period, stands, number(due_here))
    console.print(table if table.row_count else "no nightly job is declared")
    night = last_pass(world)
    say(console, f"last pass over all jobs: {night:%Y-%m-%d %H:%M} UTC" if night else "no pass over all jobs yet")


def run_night(world: World, console: Console, jobs: Sequence[str], dates: Sequence[date], only_plan: bool) -> None:
    """Begin what is due, or show it with its reason."""
    known = jobs_in_order(world.datasets)
    for job in jobs:
        if job not in known:
            raise TidemarkError(f"expected a nightly job ({', '.join(known) or 'none is declared'}), found {job!r}")
    found = due_report(world, jobs or None, dates).due
    table = Sheet("job", "period", "why", "waits for", whole=WHOLE)
    for one in found:
        table.add_row(one.job, one.period.name, one.reason, ", ".join(one.waits_for) or NOTHING)
    console.print(table if found else "nothing is due")
    # A pass that finds nothing due is one nevertheless: the alarm on missed nights goes by it.
    begun = 0 if only_plan else nightly(world, jobs or None, dates)
    if only_plan and found:
        say(console, "nothing was done; without --plan these are computed")
    elif found:
        rest = "; what waits for these follows by itself" if begun < len(found) else ""
        say(console, f"{plural(begun, 'period')} begun{rest}")


def _reads(job: Nightly) -> str:
    reads = (
        f"{read.table} whole" if read.whole else f"{read.table} and {plural(read.back, 'day')} back"
        if read.back else read.table
        for read in job.reads
    )  # fmt: skip
    return ", ".join(reads) + (f"; after {', '.join(job.after)}" if job.after else "")
