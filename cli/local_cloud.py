"""`tidemark local run` and `tidemark local up`: the pipeline on a laptop."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from cli.folders import Claim, refuse_used, whole_or_nothing
from cli.render import Sheet, capped, duration, line, number, plural, say, say_whole, size
from cli.summary import show_summary
from cli.text import name
from local.cloud import ROOT, Cloud
from local.drive import Progress, Stuck, drive
from local.endpoint.containers import find_containers
from local.lambda_runtime.sam_environment import remove_sam_variables, write_sam_variables
from local.landing import Survey, land, survey
from local.summary import Finding, Summary, export_lake, export_quarantine, show_plain_names, summarize
from local.world import LaptopWorld, laptop_world
from tidemark.core.errors import TidemarkError
from tidemark.core.lifecycle import State

EAGER = {"Eager": "true"}  # schedules take all pending files at once: a laptop's batches never fill
SIGNAL_SECONDS = 0.2  #: longest time until Ctrl-C is noticed
SPEED = 20.0  # a minute between schedules takes three seconds, the queue's batching window one
HOST = "127.0.0.1"
SAM_VARIABLES = ROOT / ".tidemark" / "sam-variables.json"  #: samconfig.toml names it


def run_local(
    console: Console,
    folder: Path,
    out: Path,
    nights: bool = False,
    at_rest: Callable[[Cloud], None] = lambda _: None,
    written: Callable[[Path], None] = lambda _: None,
) -> int:
    """Land every file below `folder`, drive to rest, leave the results in `out`. Returns the exit status.

    With `nights`, the nightly jobs run for every day that the files have rows of. `at_rest` is called before the cloud
    stops, `written` when `out` is complete and nothing has been printed about it.
    """
    landing = _files_below(folder)
    refuse_used(out)
    try:
        with _ended_in_order(), whole_or_nothing(out) as claim, _scratch() as scratch:
            summary = _drive_folder(console, folder, landing, scratch, claim, nights, at_rest)
            written(out)
    except Stuck as error:
        say(console, (str(error), "red"))
        return 1
    show_summary(console, summary, out)
    return 0 if summary.clean else 1


def stay_up(console: Console, port: int, docker: bool = False) -> int:
    """Keep the laptop cloud up until Ctrl-C; with `docker`, containers and `sam local invoke` may use it."""
    containers = find_containers() if docker else None
    for address in (HOST, *(containers.listens_on if containers else ())):
        _refuse_taken(address, port)
    signals: list[int] = []
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda received, _: signals.append(received))
    say(console, "starting the laptop cloud …")
    cloud = Cloud(parameters=EAGER, speed=SPEED, port=port, containers=containers)
    cloud.start()
    try:
        _explain_up(console, cloud)
        if docker:
            write_sam_variables(SAM_VARIABLES, cloud.deployment.functions, cloud.container_url)
            _explain_docker(console, cloud)
        while not signals:  # in short naps: a signal that another thread takes does not wake this one
            time.sleep(SIGNAL_SECONDS)
        say(console, "")
        say(console, "stopping …")
    finally:
        cloud.stop()
        if docker:
            remove_sam_variables(SAM_VARIABLES, cloud.deployment.functions, cloud.container_url)
    say_whole(console, f"stopped; nothing is left but the logs in {cloud.state_dir / 'logs'}")
    return 0


def _files_below(folder: Path) -> Survey:
    if not folder.is_dir():
        raise TidemarkError(f"expected a folder of files to land, found no folder {name(folder)}")
    landing = survey(folder)
    if not landing.keys:
        reasons = [f"{name(skipped.name)}: {skipped.reason}" for skipped in landing.skipped]
        why = f" that can land: {'; '.join(map(str, capped(reasons, 'the folder')))}" if reasons else ""
        raise TidemarkError(f"expected files below {name(folder)}, found none{why}")
    return landing


def _refuse_taken(address: str, port: int) -> None:
    """Raise one line for a port in use: the server itself would print three, and end the process."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise TidemarkError(f"cannot listen on {address}:{port}: {error.strerror or error}") from error


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """SIGTERM, as from `timeout` or a cancelled build, unwinds the run, so that it cleans up."""
    before = signal.signal(signal.SIGTERM, lambda received, _: sys.exit(128 + received))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder for the laptop cloud's state, removed at the end; kept for its logs if the drive is stuck."""
    scratch = Path(tempfile.mkdtemp(prefix="tidemark-"))
    try:
        yield scratch
    except Stuck as error:
        raise Stuck(f"{error}; the logs are in {scratch / 'logs'}") from error
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    shutil.rmtree(scratch, ignore_errors=True)


def _drive_folder(
    console: Console,
    folder: Path,
    landing: Survey,
    state_dir: Path,
    claim: Claim,
    nights: bool,
    at_rest: Callable[[Cloud], None],
) -> Summary:
    began = time.monotonic()
    with _spinning(console, "starting the laptop cloud from template.yaml"):
        cloud = Cloud(parameters=EAGER, state_dir=state_dir, speed=SPEED, schedules=False).start()
    try:
        world = laptop_world(cloud)
        landed = _land(console, world, folder, landing)
        _drive(console, cloud, world, nights)
        at_rest(cloud)
        with _spinning(console, "counting lake and warehouse"):
            summary = summarize(world, landed.keys, time.monotonic() - began, landed.skipped)
            export_lake(world, claim.folder("lake").resolve())
            export_quarantine(world, claim.folder("quarantine"))
    finally:
        cloud.stop()
    claim.file("summary.json").write_text(json.dumps(summary.to_json(), indent=1))
    show_plain_names(state_dir / "warehouse.duckdb")
    shutil.copyfile(state_dir / "warehouse.duckdb", claim.file("warehouse.duckdb"))
    return summary


def _land(console: Console, world: LaptopWorld, folder: Path, landing: Survey) -> Survey:
    client, bucket = world.client("s3"), world.settings.raw_bucket
    with _spinning(console, f"landing {plural(len(landing.keys), 'file')} in s3://{bucket}/"):
        landed = land(landing.keys, lambda key: client.upload_file(str(folder / key), bucket, key))
    skipped: tuple[Finding, ...] = (*landing.skipped, *landed.skipped)
    if skipped:
        say(console, (f"{plural(len(skipped), 'file')} did not land", "yellow"), ": see below")
    return Survey(landed.keys, skipped)


def _drive(console: Console, cloud: Cloud, world: LaptopWorld, nights: bool) -> None:
    if console.is_terminal:
        with Live(console=console, refresh_per_second=8, transient=True) as live:
            end = drive(cloud, world, lambda progress: live.update(_picture(progress)), nights=nights)
    else:
        lines: list[str] = []
        end = drive(cloud, world, lambda progress: _say_waiting(console, lines, progress), nights=nights)
    say(console, f"at rest after {duration(timedelta(seconds=end.seconds))}")
    say(console, "")


def _picture(progress: Progress) -> Group:
    states = [str(which) for which in State]
    rare = ("EMPTY", "SPLIT", "FORMING", "PLANNED", "LOADING", "PUBLISHED")
    table = Sheet("dataset", "pending", *states, figures=states, spare=rare)
    for dataset, pending in progress.pending.items():
        counted = progress.states(dataset)
        shown = (str(counted[which]) if counted[which] else "·" for which in State)
        table.add_row(dataset, number(pending), *shown)
    waiting = Spinner("dots", line(f" {progress.seconds:4.0f} s · waiting for {progress.waiting_for}"))
    return Group(table, Text(), waiting)


def _say_waiting(console: Console, lines: list[str], progress: Progress) -> None:
    """Without a terminal: one line whenever it waits for something else; `lines` are those printed so far."""
    states = ", ".join(f"{which} {count}" for which, count in progress.everything.items())
    waiting = f"waiting for {progress.waiting_for} ({states or 'no batch yet'})"
    if not progress.at_rest and (not lines or lines[-1] != waiting):
        lines.append(waiting)
        say(console, f"{progress.seconds:5.0f} s  {waiting}")


@contextmanager
def _spinning(console: Console, text: str) -> Iterator[None]:
    began = time.monotonic()
    if console.is_terminal:
        with console.status(line(text)):
            yield
    else:
        yield
    say(console, text, (f" ({time.monotonic() - began:.1f} s)", "dim"))


def _explain_up(console: Console, cloud: Cloud) -> None:
    bucket = cloud.settings["RAW_BUCKET"]
    say(console, "")
    say_whole(
        console, ("The laptop cloud is up", "bold"), f" at {cloud.url}, raw bucket s3://{bucket}/ — Ctrl-C ends it."
    )
    say(console, "")
    say(console, "In another terminal:")
    keys = "AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_DEFAULT_REGION=us-east-1"
    say_whole(console, f"  export AWS_ENDPOINT_URL={cloud.url} {keys}")
    for command in (  # no comments: zsh takes none at its prompt
        "tidemark traffic sample/",
        f"aws s3 cp --recursive sample/ s3://{bucket}/",
        "tidemark status",
        "tidemark batches",
        'tidemark query "SELECT COUNT(*) FROM web_events"',
    ):
        say_whole(console, f"  {command}")
    say_whole(console, f"Logs: {cloud.state_dir / 'logs'}")


def _explain_docker(console: Console, cloud: Cloud) -> None:
    say(console, "")
    say_whole(console, f"Containers reach it at {cloud.container_url}. After `make build`:")
    say_whole(console, "  sam local invoke Collect --event events/collect/usual.json")


def weight(folder: Path) -> str:
    """How many files there are below a folder, and their size."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return f"{plural(len(files), 'file')}, {size(sum(path.stat().st_size for path in files))}"
