"""tidemark: files land, tables follow, exactly once.

Exit status 0: done. 1: done, and something needs a person. 2: the command could not be carried out as given.
130: interrupted. 141: the reader of the output has gone. 143: ended by a signal.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from cli import arguments as of
from cli import commands as run
from cli.render import one_line, open_console

Command = Callable[[argparse.Namespace, Console], int | None]
INTERRUPTED, READER_GONE = 130, 141
EXAMPLES = """\
examples:
  tidemark demo                       the whole pipeline on this machine
  tidemark local run DIR --out OUT    the same with your own files
  tidemark local up                   a laptop cloud for any AWS client
  tidemark status                     how every dataset stands
  tidemark explain s3://BUCKET/KEY    what came of a file

exit status: 0 done, 1 done but a person is needed, 2 not possible as given
"""


def main(arguments: list[str] | None = None) -> int:
    """The command's exit status."""
    try:
        options = build_parser().parse_args(arguments)
        # The services log and count for Lambda; a person reads the commands' own words.
        os.environ.update(POWERTOOLS_LOG_LEVEL="CRITICAL", POWERTOOLS_METRICS_DISABLED="true")
        status = options.command(options, open_console()) or 0
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _write_nothing_more()
        return READER_GONE
    except Exception as error:
        if not _is_expected(error):
            raise
        return _refused(error)
    return status


def _refused(error: Exception) -> int:
    """One line on standard error says why."""
    print(f"tidemark: {one_line(error)}", file=sys.stderr)
    if isinstance(error, OSError):  # perhaps the output itself: the disk is full
        with suppress(OSError):
            sys.stdout.flush()
            return of.NOT_POSSIBLE
        _write_nothing_more()
    return of.NOT_POSSIBLE


def _is_expected(error: Exception) -> bool:
    """Whether the error is about what was given, or about the world, and not about this program."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    from tidemark.core.errors import TidemarkError

    return isinstance(error, (TidemarkError, OSError, Boto3Error, BotoCoreError, ClientError, ResponseParserError))


def _write_nothing_more() -> None:
    """What is left in the buffer goes nowhere, or Python would complain about it at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def build_parser() -> argparse.ArgumentParser:
    """Every command; the docs are tested against it."""
    parser = of.Parser(prog="tidemark", description="Files land, tables follow. Exactly once.", epilog=EXAMPLES)
    stack = os.environ.get("TIDEMARK_STACK", "tidemark")
    stack_help = "the deployed stack (default: $TIDEMARK_STACK, or tidemark)"
    parser.add_argument("--stack", type=of.text, default=stack, help=stack_help)
    commands = _group(parser)
    _laptop(commands)
    _reading(commands)
    _operations(commands)
    _nights_and_quarantine(commands)
    _models(commands)
    _project(commands)
    return parser


def _laptop(commands: argparse._SubParsersAction[of.Parser]) -> None:
    demo = _add(commands, "demo", "make sample traffic and run the whole pipeline on this machine", run.demo)
    out_help = "new or empty folder for the results, or an earlier demo's, which is replaced (default: demo)"
    demo.add_argument("--out", type=of.new_folder, default=Path("demo"), help=out_help)

    local = _group(_parser(commands, "local", "the laptop cloud"))
    once = _add(local, "run", "land every file below a folder, and drive to rest", run.local_run)
    once.add_argument("folder", type=of.folder, metavar="FOLDER", help="a file's path below it is its S3 key")
    once.add_argument("--out", type=of.new_folder, required=True, help="new or empty folder for the results")
    once.add_argument("--nightly", action="store_true", help="run the nightly jobs too, for every day with rows")
    up = _add(local, "up", "keep the laptop cloud up until Ctrl-C", run.local_up)
    up.add_argument("--port", type=of.port, default=4566, help="0 picks a free one (default: %(default)s)")

    traffic = _add(commands, "traffic", "write sample files of past days, as Firehose lands them", run.traffic)
    traffic.add_argument(
        "folder", type=of.folder, metavar="FOLDER", help="files that lie in it already stay as they are"
    )
    traffic.add_argument("--records", type=of.count, metavar="N", default=2_000, help="per dataset (%(default)s)")
    days_help = "whole UTC days before today (%(default)s)"
    traffic.add_argument("--days", type=of.days, metavar="N", default=14, help=days_help)
    datasets_help = "all that there are samples of, if left out"
    traffic.add_argument("--datasets", type=of.text, metavar="DATASET", nargs="+", help=datasets_help)
    seed_help = "another seed invents other records (%(default)s)"
    traffic.add_argument("--seed", type=int, metavar="N", default=1, help=seed_help)


def _reading(commands: argparse._SubParsersAction[of.Parser]) -> None:
    _add(commands, "status", "how every dataset stands", run.status)
    batches = _add(commands, "batches", "the latest batches", run.batches)
    batches.add_argument("--dataset", type=of.text, help="only its batches")
    batches.add_argument("--limit", type=of.count, metavar="N", default=20, help="how many (%(default)s)")
    story = _add(commands, "explain", "the story of a file: batch, attempts, rows, load", run.explain)
    story.add_argument("uri", type=of.text, metavar="s3://BUCKET/KEY")
    query = _add(commands, "query", "run SQL in the warehouse", run.query)
    query.add_argument("sql", type=of.text, metavar="SQL")


def _operations(commands: argparse._SubParsersAction[of.Parser]) -> None:
    """What a person does when it matters; docs/operations.md says when."""
    missed = _add(commands, "reconcile", "bring in files whose events were missed", run.reconcile)
    missed.add_argument("--dataset", type=of.text, default="all", help="only its files")
    old = _add(commands, "backfill", "bring in files that are older than the deployment", run.backfill)
    old.add_argument("uri", type=of.text, metavar="s3://BUCKET/PREFIX")
    old.add_argument("--rate", type=of.count, metavar="N", default=500, help="files a second (%(default)s)")

    again = _add(commands, "replay", "run batches again; their rows are replaced, never added", run.replay)
    again.add_argument("batches", type=of.text, nargs="*", metavar="BATCH")
    again.add_argument("--dataset", type=of.text, help="instead of ids: its batches, all or of a time")
    again.add_argument("--from", dest="since", type=of.moment, metavar="TIME", help="created then or later, UTC")
    again.add_argument("--to", dest="until", type=of.moment, metavar="TIME", help="created before, UTC")
    again.add_argument("--plan", action="store_true", help="only show what would be replaced")

    back = _add(commands, "recover", "make a ledger whole that was set back or lost", run.recover)
    back.add_argument("--dry-run", dest="plan", action="store_true", help="only show what would be put back")
    back.add_argument("--accept", action="store_true", help="go on although lake, warehouse and results disagree")
    back.add_argument("--anyway", action="store_true", help="stop everything and look, though the ledger is whole")
    wait_help = "seconds after which every function that had begun has ended (960)"
    back.add_argument("--wait", type=of.seconds, metavar="N", help=wait_help)

    halts: tuple[tuple[str, str, Command], ...] = (
        ("pause", "form no new batches; nothing is lost meanwhile", run.pause),
        ("resume", "form batches again", run.resume),
        ("drain", "pause, and wait until nothing is under way", run.drain),
    )
    for name, text, command in halts:
        _add(commands, name, text, command).add_argument("dataset", type=of.text, help="or `all`")


def _nights_and_quarantine(commands: argparse._SubParsersAction[of.Parser]) -> None:
    nights = _group(_parser(commands, "nightly", "jobs over whole days, weeks or months"))
    _add(nights, "list", "every job, its latest period, and how many periods are due", run.nightly_list)
    night = _add(nights, "run", "compute what is due now, without waiting for the night", run.nightly_run)
    night.add_argument("jobs", type=of.text, nargs="*", metavar="JOB", help="all jobs, if left out")
    date_help = "only its periods, ended or not; may be given again"
    night.add_argument("--date", dest="dates", action="append", type=of.day, metavar="DATE", default=[], help=date_help)
    night.add_argument("--plan", action="store_true", help="only show what is due, and why")

    aside = _group(_parser(commands, "quarantine", "what was set aside, with its reasons"))
    _add(aside, "list", "batches, files and records that were set aside", run.quarantine_list)
    decisions: tuple[tuple[str, str, Command], ...] = (
        ("show", "why, and the rejected records", run.quarantine_show),
        ("release", "make a file normal again, or let a batch run again", run.quarantine_release),
        ("discard", "give a file or a batch up", run.quarantine_discard),
    )
    for name, text, command in decisions:
        _add(aside, name, text, command).add_argument("name", type=of.text, metavar="BATCH|s3://BUCKET/KEY")
    seen = _add(aside, "acknowledge", "take a batch's rejected records off the list", run.quarantine_acknowledge)
    seen.add_argument("batch", type=of.text, metavar="BATCH")


def _models(commands: argparse._SubParsersAction[of.Parser]) -> None:
    guess = _add(commands, "predict", "ask which segments customers belong to", run.predict)
    file_help = 'JSON: one customer, a list, or {"customers": [...]}; - reads standard input'
    guess.add_argument("file", metavar="FILE", help=file_help)
    model = _add(commands, "model", "the model that predicts, and its segments", run.model)
    for parser in (guess, model):
        parser.add_argument("--json", action="store_true", help="print the answer as it came")


def _project(commands: argparse._SubParsersAction[of.Parser]) -> None:
    jobs = _group(_parser(commands, "jobs", "the Spark code"))
    _add(jobs, "upload", "put the Spark code and its packages into the control bucket", run.jobs_upload)
    check = _add(commands, "validate", "check the declarations in a folder", run.validate)
    check.add_argument(
        "folder", type=of.folder, metavar="FOLDER", nargs="?", default=Path("datasets"), help="(datasets)"
    )
    _add(commands, "lifecycle", "print the lifecycle's diagram (Mermaid)", run.lifecycle)


def _add(commands: argparse._SubParsersAction[of.Parser], name: str, text: str, command: Command) -> of.Parser:
    parser = _parser(commands, name, text)
    parser.set_defaults(command=command)
    return parser


def _parser(commands: argparse._SubParsersAction[of.Parser], name: str, text: str) -> of.Parser:
    return commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")


def _group(parser: of.Parser) -> argparse._SubParsersAction[of.Parser]:
    return parser.add_subparsers(title="commands", required=True, metavar="COMMAND", parser_class=of.Parser)


if __name__ == "__main__":
    sys.exit(main())
