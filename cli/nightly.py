"""`tidemark nightly`: which jobs there are, what is due and why, and a run without waiting for the night."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from rich.console import Console

from cli.render import NOTHING, Record, Sheet, line, number, plural, say, show_table, state
from tidemark.adapters.world import World
from tidemark.core.dataset import Nightly, Read
from tidemark.core.due_periods import Due, jobs_in_order
from tidemark.core.errors import TidemarkError
from tidemark.core.lifecycle import Batch
from tidemark.service.nightly import due_report, last_pass, nightly

WHOLE = ("job", "latest period", "state")


def list_jobs(world: World, console: Console) -> None:
    """Every nightly job in order: what it reads, its latest period, and how many periods are due."""
    due = due_report(world).due
    table = Sheet("job", "every", "reads", "latest period", "state", "due", spare=("reads", "every"), whole=WHOLE)
    for name in jobs_in_order(world.datasets):
        job = world.datasets[name].nightly
        assert job
        _add_job(
            table,
            name,
            job,
            latest=max(world.ledger.batches.all(name), key=lambda batch: batch.period, default=None),
            paused=world.ledger.controls.paused(name),
            due=sum(period.job == name for period in due),
        )
    show_table(console, table, "no nightly job is declared")
    night = last_pass(world)
    say(console, f"last pass over all jobs: {night:%Y-%m-%d %H:%M} UTC" if night else "no pass over all jobs yet")


def _add_job(table: Sheet, name: str, job: Nightly, latest: Batch | None, paused: bool, due: int) -> None:
    record = {
        "job": name,
        "every": job.every,
        "reads": [{"table": read.table, "whole": read.whole, "back_days": read.back} for read in job.reads],
        "after": list(job.after),
        "paused": paused,
        "latest_period": latest.period if latest else None,
        "state": str(latest.state) if latest else None,
        "due": due,
    }
    period, in_state = (latest.period, state(latest.state)) if latest else (NOTHING, NOTHING)
    title = line(name, (" paused", "yellow") if paused else "")
    table.add_record(record, title, job.every, _reads(job), period, in_state, number(due))


def _reads(job: Nightly) -> str:
    return ", ".join(map(_read, job.reads)) + (f"; after {', '.join(job.after)}" if job.after else "")


def _read(read: Read) -> str:
    if read.whole:
        return f"{read.table} whole"
    return f"{read.table} and {plural(read.back, 'day')} back" if read.back else read.table


def run_night(world: World, console: Console, jobs: Sequence[str], dates: Sequence[date], only_plan: bool) -> None:
    """Begin what is due, or show it with its reason."""
    known = jobs_in_order(world.datasets)
    for job in jobs:
        if job not in known:
            raise TidemarkError(f"expected a nightly job ({', '.join(known) or 'none is declared'}), found {job!r}")
    due = due_report(world, jobs or None, dates).due
    table = Sheet("job", "period", "why", "waits for", whole=WHOLE)
    for period in due:
        waits_for = ", ".join(period.waits_for) or NOTHING
        table.add_record(_due_record(period), period.job, period.period.name, period.reason, waits_for)
    show_table(console, table, "nothing is due")
    # A pass that begins nothing counts, too: the alarm on missed nights goes by the latest pass.
    begun = 0 if only_plan else nightly(world, jobs or None, dates)
    if only_plan and due:
        say(console, "nothing was done; without --plan these are computed")
    elif due:
        rest = "; what waits for these follows by itself" if begun < len(due) else ""
        say(console, f"{plural(begun, 'period')} begun{rest}")


def _due_record(due: Due) -> Record:
    return {"job": due.job, "period": due.period.name, "reason": due.reason, "waits_for": list(due.waits_for)}
