"""tidemark: files land, tables follow, exactly once.

Exit status 0: done. 1: done, and something needs a person. 2: the command could not be carried out as given.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from cli.connection import connect
from tidemark.core.errors import TidemarkError

Command = Callable[[argparse.Namespace, Console], int | None]


class Parser(argparse.ArgumentParser):
    """Usage errors in one line."""

    def error(self, message: str) -> None:  # type: ignore[override]
        """Say what is wrong and where help is; exit status 2."""
        self.exit(2, f"{self.prog}: {message} (see `{self.prog} --help`)\n")


def main(arguments: list[str] | None = None) -> int:
    """The command's exit status."""
    options = build_parser().parse_args(arguments)
    # The services log and count for Lambda; a person reads the commands' own words.
    os.environ.update(POWERTOOLS_LOG_LEVEL="CRITICAL", POWERTOOLS_METRICS_DISABLED="true")
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    try:
        return options.command(options, console) or 0
    except (TidemarkError, ClientError, BotoCoreError) as error:
        print(f"tidemark: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def build_parser() -> argparse.ArgumentParser:
    """Every command; the docs are tested against it."""
    parser = Parser(prog="tidemark", description="Files land, tables follow. Exactly once.")
    parser.add_argument("--stack", default=os.environ.get("TIDEMARK_STACK", "tidemark"), help="the deployed stack")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)

    demo = _add(commands, "demo", "make sample traffic and run the whole pipeline on this machine", _demo)
    demo.add_argument("--out", type=Path, default=Path("demo"), help="folder for the results; emptied first")

    local = commands.add_parser("local", help="the laptop cloud").add_subparsers(
        required=True, metavar="COMMAND", parser_class=Parser
    )
    run = _add(local, "run", "land every file below a folder, and drive to rest", _local_run)
    run.add_argument("folder", type=Path, help="the path below it is the S3 key")
    run.add_argument("--out", type=Path, required=True, help="new or empty folder for the results")
    run.add_argument("--nightly", action="store_true", help="run the nightly jobs too, for every day with rows")
    up = _add(local, "up", "keep the laptop cloud up until Ctrl-C", _local_up)
    up.add_argument("--port", type=_port, default=4566, help="0 picks a free one")

    traffic = _add(commands, "traffic", "write sample files of past days, as Firehose lands them", _traffic)
    traffic.add_argument("folder", type=Path)
    traffic.add_argument("--records", type=_count, default=2_000, help="per dataset")
    traffic.add_argument("--days", type=_count, default=14, help="whole UTC days before today")
    traffic.add_argument("--datasets", nargs="+", help="all of which samples can be made, if left out")
    traffic.add_argument("--seed", type=int, default=1)

    _add(commands, "status", "how every dataset stands", _status)
    batches = _add(commands, "batches", "the newest batches", _batches)
    batches.add_argument("--dataset")
    batches.add_argument("--limit", type=_count, default=20)
    story = _add(commands, "explain", "the story of a file: batch, attempts, rows, load", _explain)
    story.add_argument("uri", metavar="s3://BUCKET/KEY")
    query = _add(commands, "query", "run SQL in the warehouse", _query)
    query.add_argument("sql")

    _operations(commands)

    guess = _add(commands, "predict", "ask which segments customers belong to", _predict)
    guess.add_argument("file", help='JSON: one customer, a list, or {"customers": [...]}; - reads standard input')
    guess.add_argument("--json", action="store_true", help="print the answer as it came")
    model = _add(commands, "model", "the model that predicts, and its segments", _model)
    model.add_argument("--json", action="store_true", help="print the answer as it came")

    jobs = commands.add_parser("jobs", help="the Spark code").add_subparsers(
        required=True, metavar="COMMAND", parser_class=Parser
    )
    _add(jobs, "upload", "put the Spark code and its packages into the control bucket", _jobs_upload)

    check = _add(commands, "validate", "check the declarations in a folder", _validate)
    check.add_argument("folder", type=Path, nargs="?", default=Path("datasets"))
    _add(commands, "lifecycle", "print the lifecycle's diagram (Mermaid)", _lifecycle)
    return parser


def _operations(commands: argparse._SubParsersAction[Parser]) -> None:
    """What a person does when it matters; docs/operations.md says when."""
    missed = _add(commands, "reconcile", "bring in files whose events were missed", _reconcile)
    missed.add_argument("--dataset", default="all")
    old = _add(commands, "backfill", "bring in files that are older than the deployment", _backfill)
    old.add_argument("uri", metavar="s3://BUCKET/PREFIX")
    old.add_argument("--rate", type=_count, default=500, help="files a second")

    again = _add(commands, "replay", "run batches again; their rows are replaced, never added", _replay)
    again.add_argument("batches", nargs="*", metavar="BATCH")
    again.add_argument("--dataset")
    again.add_argument("--from", dest="since", type=_moment, help="batches created at or after, UTC")
    again.add_argument("--to", dest="until", type=_moment, help="batches created before, UTC")
    again.add_argument("--plan", action="store_true", help="only show what would be replaced")

    nights = commands.add_parser("nightly", help="jobs over whole days, weeks or months").add_subparsers(
        required=True, metavar="COMMAND", parser_class=Parser
    )
    _add(nights, "list", "every job, its newest period, and how many periods are due", _nightly_list)
    night = _add(nights, "run", "compute what is due now, without waiting for the night", _nightly_run)
    night.add_argument("jobs", nargs="*", metavar="JOB", help="all jobs, if left out")
    night.add_argument(
        "--date", dest="dates", action="append", type=_date, default=[], help="only its periods, ended or not"
    )
    night.add_argument("--plan", action="store_true", help="only show what is due, and why")

    aside = commands.add_parser("quarantine", help="what was set aside, with its reasons").add_subparsers(
        required=True, metavar="COMMAND", parser_class=Parser
    )
    _add(aside, "list", "batches, files and records that were set aside", _quarantine_list)
    decisions: tuple[tuple[str, str, Command], ...] = (
        ("show", "why, and the rejected records", _quarantine_show),
        ("release", "make a file normal again, or run a batch again", _quarantine_release),
        ("discard", "give a file or a batch up", _quarantine_discard),
    )
    for name, text, command in decisions:
        _add(aside, name, text, command).add_argument("name", metavar="BATCH|s3://BUCKET/KEY")

    halts: tuple[tuple[str, str, Command], ...] = (
        ("pause", "form no new batches; nothing is lost meanwhile", _pause),
        ("resume", "form batches again", _resume),
        ("drain", "pause, and wait until nothing is under way", _drain),
    )
    for name, text, command in halts:
        _add(commands, name, text, command).add_argument("dataset", help="or `all`")


def _add(commands: argparse._SubParsersAction[Parser], name: str, text: str, command: Command) -> Parser:
    parser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(command=command)
    return parser


def _demo(options: argparse.Namespace, console: Console) -> int:
    from cli.demo import run_demo

    return run_demo(console, options.out)


def _local_run(options: argparse.Namespace, console: Console) -> int:
    from cli.local_commands import run_local

    return run_local(console, options.folder, options.out, options.nightly)


def _local_up(options: argparse.Namespace, console: Console) -> int:
    from cli.local_commands import stay_up

    return stay_up(console, options.port)


def _traffic(options: argparse.Namespace, console: Console) -> None:
    from local.traffic import history, sampled, write
    from tidemark.clock import SystemClock
    from tidemark.declarations import load_all
    from tidemark.settings import DATASETS

    now = SystemClock().now()
    names = options.datasets or sampled(load_all(DATASETS))
    invented = [(name, history(name, options.seed, options.records, options.days, now)) for name in names]
    for name, landed in invented:
        made = write(landed, options.folder)
        found = f"{made.records:,} records ({made.dirty:,} to be rejected, {made.duplicates:,} repeated)"
        console.print(f"{name}: {found} in {options.folder}")


def _status(options: argparse.Namespace, console: Console) -> None:
    from cli.show import show_status

    show_status(connect(options.stack), console)


def _batches(options: argparse.Namespace, console: Console) -> None:
    from cli.show import show_batches

    show_batches(connect(options.stack), console, options.dataset, options.limit)


def _explain(options: argparse.Namespace, console: Console) -> None:
    from cli.show import show_file

    show_file(connect(options.stack), console, options.uri)


def _query(options: argparse.Namespace, console: Console) -> None:
    from cli.show import run_query

    run_query(connect(options.stack), console, options.sql)


def _predict(options: argparse.Namespace, console: Console) -> None:
    from cli.predict import show_predictions

    show_predictions(options.stack, console, options.file, options.json)


def _model(options: argparse.Namespace, console: Console) -> None:
    from cli.predict import show_model

    show_model(options.stack, console, options.json)


def _reconcile(options: argparse.Namespace, console: Console) -> None:
    from cli.operate import reconcile_prefixes

    reconcile_prefixes(connect(options.stack), console, options.dataset)


def _backfill(options: argparse.Namespace, console: Console) -> None:
    from cli.operate import backfill

    backfill(connect(options.stack), console, options.uri, options.rate)


def _replay(options: argparse.Namespace, console: Console) -> None:
    from cli.operate import choose_batches, replay_batches

    world = connect(options.stack)
    chosen = choose_batches(world, options.batches, options.dataset, options.since, options.until)
    replay_batches(world, console, chosen, options.plan)


def _nightly_list(options: argparse.Namespace, console: Console) -> None:
    from cli.nights import list_jobs

    list_jobs(connect(options.stack), console)


def _nightly_run(options: argparse.Namespace, console: Console) -> None:
    from cli.nights import run_night

    run_night(connect(options.stack), console, options.jobs, options.dates, options.plan)


def _quarantine_list(options: argparse.Namespace, console: Console) -> None:
    from cli.operate import list_quarantine

    list_quarantine(connect(options.stack), console)


def _quarantine_show(options: argparse.Namespace, console: Console) -> None:
    from cli.operate import show_quarantined

    show_quarantined(connect(options.stack), console, options.name, limit=20)


def _quarantine_release(options: argparse.Namespace, console: Console) -> None:
    from cli.operate import release

    release(connect(options.stack), console, options.name)


def _quarantine_discard(options: argparse.Namespace, console: Console) -> None:
    from cli.operate import discard

    discard(connect(options.stack), console, options.name)


def _pause(options: argparse.Namespace, console: Console) -> None:
    from cli.operate import pause

    pause(connect(options.stack), console, options.dataset, paused=True)


def _resume(options: argparse.Namespace, console: Console) -> None:
    from cli.operate import pause

    pause(connect(options.stack), console, options.dataset, paused=False)


def _drain(options: argparse.Namespace, console: Console) -> int:
    from cli.operate import drain

    return drain(connect(options.stack), console, options.dataset, seconds_max=3_600)


def _validate(options: argparse.Namespace, console: Console) -> None:
    from tidemark.declarations import load_all

    for name, dataset in load_all(options.folder).items():
        what = f"every {dataset.nightly.every}" if dataset.nightly else f"{len(dataset.record)} fields"
        console.print(f"{name}: {what}, tables {', '.join(table.name for table in dataset.tables)}")


def _jobs_upload(options: argparse.Namespace, console: Console) -> None:
    from cli.jobs import upload_jobs

    upload_jobs(connect(options.stack), console)


def _lifecycle(_: argparse.Namespace, console: Console) -> None:
    from cli.diagram import lifecycle_diagram

    console.print(lifecycle_diagram(), markup=False)


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, found {text!r}")
    return int(text)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected a time such as 2026-11-21 or 2026-11-21T08:00, found {text!r}"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a date such as 2026-11-20, found {text!r}") from None


def _count(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, found {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
