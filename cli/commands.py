"""Every command: its name, its line in the help, the function that does it, and its arguments and options.

Functions are named, not imported, so that `tidemark --help` and completion load none of the libraries that they use.
A test compares each function's parameters with what its command passes to it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from click import Option

from cli import arguments as of
from cli.arguments import Value
from cli.program import Argument, Command, Group, Program, Several

if TYPE_CHECKING:
    from tidemark.adapters.world import World

EXAMPLES = """\b
examples:
  tidemark demo                       the whole pipeline on this machine
  tidemark local run DIR --out OUT    the same with your own files
  tidemark local up                   a laptop cloud for any AWS client
  tidemark status                     the state of every dataset
  tidemark explain s3://BUCKET/KEY    what became of a file

exit status: 0 done, 1 done but a person is needed, 2 not possible as given
"""

TEXT = Value("text", of.text)
FOLDER = Value("folder", of.folder, completes="dir")
NEW_FOLDER = Value("folder", of.new_folder, completes="dir")
FILE = Value("file", of.text, completes="file")
COUNT = Value("n", of.count)
TIME = Value("time", of.moment)

JSON = Option(["--json", "as_json"], is_flag=True, help="print the table as JSON; all else goes to stderr")
ANSWER = Option(["--json", "as_json"], is_flag=True, help="print the API's answer as it came")
DATASET = Argument(["dataset"], type=TEXT, metavar="DATASET", description="or `all`")
SET_ASIDE = Argument(["named"], type=TEXT, metavar="BATCH|s3://BUCKET/KEY", description="a batch or a file")


def stack_name(stack: str) -> str:
    """For commands that speak to the stack's HTTP API."""
    return stack


def world(stack: str) -> World:
    """For commands that read, or that must work while the ledger is not whole."""
    from cli.connection import connect

    return connect(stack)


def sealed_world(stack: str) -> World:
    """For commands that change the ledger: refused unless the ledger is whole."""
    from tidemark.service.seal import sealed

    return sealed(world(stack))


def _dataset_option(description: str) -> Option:
    return Option(["--dataset"], type=TEXT, metavar="DATASET", help=description)


def _flag(name: str, variable: str, description: str) -> Option:
    return Option([name, variable], is_flag=True, help=description)


def _plan(description: str) -> Option:
    return _flag("--plan", "only_plan", description)


LAPTOP = (
    Command(
        "demo", "run the whole pipeline here, on sample traffic", "cli.demo:run_demo",
        Option(["--out"], type=NEW_FOLDER, default=Path("demo"), show_default=True,
               help="new or empty folder for the results, or an earlier demo's, which is replaced"),
        JSON,
    ),
    Group(
        "local", "the laptop cloud",
        Command(
            "run", "land a folder's files, and run until all is at rest", "cli.local_cloud:run_local",
            Argument(["folder"], type=FOLDER, description="a file's path below it is its S3 key"),
            Option(["--out"], type=NEW_FOLDER, required=True, help="new or empty folder for the results"),
            _flag("--nightly", "nights", "run the nightly jobs too, for every day with rows"),
            JSON,
        ),
        Command(
            "up", "keep the laptop cloud up until Ctrl-C", "cli.local_cloud:stay_up",
            Option(["--port"], type=Value("port", of.port), default=4566, show_default=True, help="0 picks a free one"),
            _flag("--docker", "docker", "let this machine's containers in, for `sam local invoke`"),
        ),
    ),
    Command(
        "traffic", "write sample files of past days, as Firehose does", "cli.traffic:write_traffic",
        Argument(["folder"], type=FOLDER, description="files that it has already stay unchanged"),
        Option(["--records"], type=COUNT, default=2_000, show_default=True, help="records of each dataset"),
        Option(["--days"], type=Value("n", of.days), default=14, show_default=True, help="whole UTC days before today"),
        Several(["--datasets"], type=TEXT, metavar="DATASET ...", help="all that have samples, if left out"),
        Option(["--seed"], type=Value("n", of.seed), default=1, show_default=True,
               help="another seed makes other records"),
    ),
)  # fmt: skip

READING = (
    Command("status", "the state of every dataset", "cli.status:show_status", JSON, opens=world),
    Command(
        "batches", "the latest batches", "cli.status:show_batches",
        _dataset_option("only its batches"),
        Option(["--limit"], type=COUNT, default=20, show_default=True, help="how many"),
        JSON, opens=world,
    ),
    Command(
        "explain", "the history of a file: batch, attempts, rows, load", "cli.status:show_file",
        Argument(["uri"], type=TEXT, metavar="s3://BUCKET/KEY", description="any file that has landed"),
        opens=world,
    ),
    Command(
        "query", "run SQL in the warehouse", "cli.query:run_query",
        Argument(["sql"], type=TEXT, metavar="SQL", description="one statement"),
        JSON, opens=world,
    ),
)  # fmt: skip

#: docs/operations.md says when to use them.
OPERATIONS = (
    Command(
        "reconcile", "bring in files whose events were missed", "cli.operate:reconcile_prefixes",
        Option(["--dataset"], type=TEXT, metavar="DATASET", default="all", help="only its files"),
        opens=sealed_world,
    ),
    Command(
        "backfill", "bring in files that are older than the deployment", "cli.operate:backfill",
        Argument(["uri"], type=TEXT, metavar="s3://BUCKET/PREFIX", description="a dataset's prefix, or a part of it"),
        Option(["--rate", "files_per_second"], type=COUNT, default=500, show_default=True, help="files a second"),
        opens=sealed_world,
    ),
    Command(
        "replay", "run batches again: rows are replaced, never added", "cli.operate:replay_batches",
        Argument(["ids"], type=TEXT, nargs=-1, metavar="[BATCH]...", description="ids of batches"),
        _dataset_option("instead of ids: its batches, all or those of a time"),
        Option(["--from", "since"], type=TIME, help="created at this time or later, UTC"),
        Option(["--to", "until"], type=TIME, help="created before this time, UTC"),
        _plan("only show what would be replaced"),
        JSON, opens=sealed_world,
    ),
    Command(
        "recover", "make a ledger whole that was restored or lost", "cli.recover:run_recovery",
        _flag("--dry-run", "only_plan", "only show what would be put back"),
        _flag("--accept", "accept", "go on although lake, warehouse and results disagree"),
        _flag("--anyway", "anyway", "stop everything and check, even if the ledger is whole"),
        Option(["--wait", "wait_seconds"], type=Value("n", of.seconds),
               help="seconds after which every function that had begun has ended  [default: 960]"),
        opens=world,
    ),
    Group(
        "lake", "the Iceberg tables",
        Command(
            "register", "register the tables of a retained lake bucket", "cli.lake:register_lake",
            opens=world,
        ),
    ),
    Group(
        "warehouse", "the tables in Redshift",
        Command(
            "rebuild", "make lost or dropped tables anew from the lake", "cli.rebuild:rebuild_warehouse",
            Argument(["dataset"], type=TEXT, required=False, default="all", metavar="[DATASET]",
                     description="all its tables; if left out, every table that is missing"),
            Option(["--secret", "secret_arn"], type=TEXT, metavar="ARN", default="",
                   help="secret of the administrator, if the warehouse is not the stack's own"),
            _flag("--yes", "sure", "do it; without --yes it is only shown"),
            JSON, opens=stack_name,
        ),
    ),
    Command("pause", "form no new batches; files are remembered meanwhile", "cli.operate:pause", DATASET, opens=world),
    Command("resume", "form batches again", "cli.operate:resume", DATASET, opens=world),
    Command("drain", "pause, and wait until nothing is under way", "cli.operate:drain", DATASET, opens=world),
)  # fmt: skip

NIGHTLY = (
    Group(
        "nightly", "jobs over whole days, weeks or months",
        Command(
            "list", "every job, its latest period, and what is due", "cli.nightly:list_jobs",
            JSON, opens=world,
        ),
        Command(
            "run", "compute what is due, without waiting for the night", "cli.nightly:run_night",
            Argument(["jobs"], type=TEXT, nargs=-1, metavar="[JOB]...", description="all jobs, if left out"),
            Option(["--date", "dates"], type=Value("date", of.day), multiple=True,
                   help="only periods with this date, ended or not; may be repeated"),
            _plan("only show what is due, and why"),
            JSON, opens=sealed_world,
        ),
    ),
)  # fmt: skip


QUARANTINE = (
    Group(
        "quarantine", "what was set aside, with its reasons",
        Command(
            "list", "batches, files and records that were set aside", "cli.quarantine:list_quarantine",
            JSON, opens=world,
        ),
        Command(
            "show", "why, and the rejected records", "cli.quarantine:show_quarantined",
            SET_ASIDE, JSON, opens=world,
        ),
        Command(
            "release", "make a file normal again, or let a batch run again", "cli.quarantine:release",
            SET_ASIDE, opens=sealed_world,
        ),
        Command(
            "discard", "give up a file or a batch", "cli.quarantine:discard",
            SET_ASIDE, opens=sealed_world,
        ),
        Command(
            "acknowledge", "take a batch's rejected records off the list", "cli.quarantine:acknowledge_rejected",
            Argument(["batch_id"], type=TEXT, metavar="BATCH", description="its id"), opens=sealed_world,
        ),
    ),
)  # fmt: skip

SEGMENTS = (
    Command(
        "predict", "ask which segments customers belong to", "cli.predict:show_predictions",
        Argument(["file"], type=FILE, metavar="FILE",
                 description='JSON: one customer, a list, or {"customers": [...]}; - reads standard input'),
        ANSWER, opens=stack_name,
    ),
    Command(
        "model", "the model that predicts, and its segments", "cli.predict:show_model",
        ANSWER, opens=stack_name,
    ),
)  # fmt: skip

COMPARE = Option(["--compare"], type=FOLDER, help="an earlier proof's folder: show what answers differently")

PROOF = (
    Group(
        "prove", "what only an account can prove",
        Command(
            "list", "every step: its claim, and what it costs", "cli.prove:list_steps",
            JSON,
        ),
        Command(
            "here", "try every step against a laptop cloud", "cli.prove:prove_here",
            Option(["--out"], type=NEW_FOLDER, required=True, help="new or empty folder for report and answers"),
            COMPARE,
        ),
        Command(
            "account", "deploy a stack, try every step, take it down", "cli.prove:prove_in_account",
            Option(["--out"], type=NEW_FOLDER, required=True, help="new or empty folder for report and answers"),
            COMPARE,
            _flag("--keep", "keep", "leave the stack up"),
            _flag("--yes", "sure", "deploy, and pay for it"),
            opens=stack_name,
        ),
    ),
)  # fmt: skip

SURE = _flag("--yes", "sure", "do not ask")
PATIENCE = Option(
    ["--wait", "wait_seconds"],
    type=Value("n", of.seconds),
    help="seconds to wait for unfinished job runs  [default: 7200]",
)

PROJECT = (
    Command(
        "build", "build the functions and their layer", "cli.build:build",
    ),
    Command(
        "deploy", "deploy the stack, its Spark code, its warehouse", "cli.deploy:deploy",
        SURE, PATIENCE, _flag("--force", "force", "remove datasets although they have files or batches"),
        opens=stack_name,
    ),
    Command(
        "delete", "delete the stack; what holds data stays", "cli.deploy:delete",
        SURE, PATIENCE, opens=stack_name,
    ),
    Command(
        "adopt", "make a new stack of what a deleted one has left", "cli.adopt:adopt",
        Option(["--database"], type=TEXT, metavar="NAME", default="",
               help="the Glue database, if LakeDatabaseName is set"),
        opens=stack_name,
    ),
    Group(
        "jobs", "the Spark code",
        Command(
            "upload", "upload the Spark code and its packages", "cli.upload_jobs:upload_jobs",
            opens=world,
        ),
        Command(
            "list", "the uploaded versions, and which one is current", "cli.jobs:list_jobs",
            JSON, opens=world,
        ),
        Command(
            "use", "make an earlier version current again", "cli.jobs:use_job_code",
            Argument(["code"], type=TEXT, metavar="HASH", description="of `tidemark jobs list`"),
            opens=world,
        ),
    ),
    Command(
        "removals", "is a removed dataset still at work?", "cli.removals:check_removals",
        _flag("--force", "force", "deploy anyway: its batches finish, its files stay pending"),
        opens=stack_name,
    ),
    Command(
        "validate", "check the declarations in a folder", "cli.validate:validate_declarations",
        Argument(["folder"], type=FOLDER, required=False, default=Path("datasets"), metavar="[FOLDER]",
                 description="datasets, if left out"),
        Option(["--sample"], type=FOLDER, help="folder with raw files at their keys: say what fits not"),
    ),
    Command("lifecycle", "print the lifecycle's diagram (Mermaid)", "cli.diagram:print_lifecycle"),
)  # fmt: skip

tidemark = Program(
    "tidemark",
    "Files land, tables follow. Exactly once",
    {
        "On this machine": LAPTOP,
        "Look": READING,
        "Operate": OPERATIONS,
        "Nightly jobs": NIGHTLY,
        "Quarantine": QUARANTINE,
        "Segments": SEGMENTS,
        "Project": PROJECT,
        "Proof": PROOF,
    },
    params=[
        Option(["--stack"], type=TEXT, metavar="NAME", envvar="TIDEMARK_STACK", default="tidemark",
               help="the deployed stack  [default: $TIDEMARK_STACK, or tidemark]"),
    ],
    epilog=EXAMPLES,
)  # fmt: skip
