"""`tidemark local run` and `tidemark local up`: the laptop cloud for a person."""

from __future__ import annotations

import json
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from cli.show import duration, number, size, state
from local.cloud import Cloud
from local.drive import Progress, Stuck, drive
from local.laptop import LaptopWorld, laptop_world
from local.summary import Summary, export_lake, export_quarantine, show_plain_names, summarize
from tidemark.core.errors import TidemarkError
from tidemark.core.lifecycle import State

EAGER = {"Eager": "true"}  # schedules take all that is pending at once: nobody waits for a laptop's batch to fill
SIGNAL_SECONDS = 0.2  #: after which Ctrl-C is heard at the latest
SPEED = 20.0  # a minute between schedules lasts three seconds, the batching window of the queue one


def run_local(
    console: Console,
    folder: Path,
    out: Path,
    nights: bool = False,
    at_rest: Callable[[Cloud], None] = lambda _: None,
) -> int:
    """Land every file below `folder`, drive to rest, leave everything in `out`. Returns the exit status.

    With `nights`, the nightly jobs run for every day that the files have rows of. `at_rest` may ask the cloud something
    before it ends.
    """
    if not folder.is_dir():
        raise TidemarkError(f"expected a folder of files to land, found no folder {folder}")
    keys = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    if not keys:
        raise TidemarkError(f"expected files below {folder}, found none")
    _refuse_used(out)
    with tempfile.TemporaryDirectory(prefix="tidemark-") as scratch, _whole_or_nothing(out):
        summary = _drive_folder(console, folder, keys, Path(scratch), out, nights, at_rest)
    show_summary(console, summary, out)
    return 0 if summary.clean else 1


def stay_up(console: Console, port: int) -> int:
    """Keep the laptop cloud up until Ctrl-C."""
    asked: list[int] = []
    for number_ in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number_, lambda signalled, _: asked.append(signalled))
    console.print("starting the laptop cloud …")
    cloud = Cloud(parameters=EAGER, speed=SPEED, port=port)
    try:
        cloud.start()
    except OSError as error:
        raise TidemarkError(f"cannot listen on 127.0.0.1:{port}: {error.strerror or error}") from error
    try:
        _explain_up(console, cloud)
        while not asked:  # never without end: a signal that another thread takes does not wake this one
            time.sleep(SIGNAL_SECONDS)
    finally:
        console.print("\nstopping …")
        cloud.stop()
    console.print("stopped; nothing is left behind but the logs in " + str(cloud.state_dir / "logs"))
    return 0


def show_summary(console: Console, summary: Summary, out: Path) -> None:
    """Counts side by side, differences in red, and where everything lies."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("dataset", "table"):
        table.add_column(column)
    for column in ("files", "batches", "read", "kept", "rejected", "repeated", "lake", "warehouse"):
        table.add_column(column, justify="right")
    for name, found in summary.datasets.items():
        counts = (found.files, len(found.batches), found.read, found.kept, found.rejected, found.repeated)
        for position, (title, rows) in enumerate(found.tables.items()):
            shown = [number(value) for value in counts] if position == 0 else [""] * len(counts)
            table.add_row(name if position == 0 else "", title, *shown, number(rows.lake), number(rows.warehouse))
    console.print(table)
    console.print()
    for line in summary.differences:
        console.print(f"[red]difference[/] {line}")
    for line in summary.beyond_tolerance:
        console.print(f"[yellow]set aside[/] {line}")
    if summary.clean:
        console.print("[green]Every file at rest, every row accounted for: lake = warehouse = kept.[/]")
    for name, what in (
        ("warehouse.duckdb", "the warehouse (DuckDB)"),
        ("lake/", "the Iceberg tables"),
        ("quarantine/", "rejected records, with file, position and reason"),
        ("summary.json", "these figures"),
    ):
        console.print(f"  {out / name}  [dim]{what}[/]")


def _drive_folder(
    console: Console,
    folder: Path,
    keys: list[str],
    state_dir: Path,
    out: Path,
    nights: bool,
    at_rest: Callable[[Cloud], None],
) -> Summary:
    began = time.monotonic()
    with _spinning(console, "starting the laptop cloud from template.yaml"):
        cloud = Cloud(parameters=EAGER, state_dir=state_dir, speed=SPEED, schedules=False).start()
    try:
        world = laptop_world(cloud)
        with _spinning(console, f"landing {number(len(keys))} files in s3://{world.settings.raw_bucket}/"):
            for key in keys:
                cloud.client("s3").upload_file(str(folder / key), world.settings.raw_bucket, key)
        _drive(console, cloud, world, nights)
        at_rest(cloud)
        with _spinning(console, "counting lake and warehouse"):
            summary = summarize(world, keys, time.monotonic() - began)
            export_lake(world, out.resolve() / "lake")
            export_quarantine(world, out / "quarantine")
    finally:
        cloud.stop()
    (out / "summary.json").write_text(json.dumps(summary.to_json(), indent=1))
    shutil.move(state_dir / "warehouse.duckdb", out / "warehouse.duckdb")
    show_plain_names(out / "warehouse.duckdb")
    return summary


def _drive(console: Console, cloud: Cloud, world: LaptopWorld, nights: bool) -> None:
    try:
        if console.is_terminal:
            with Live(console=console, refresh_per_second=8, transient=True) as live:
                end = drive(cloud, world, lambda progress: live.update(_picture(progress)), nights=nights)
        else:
            said: list[str] = []
            end = drive(cloud, world, lambda progress: _say(console, said, progress), nights=nights)
    except Stuck as error:
        raise SystemExit(_stuck(console, error, cloud)) from error
    console.print(f"at rest after {duration(timedelta(seconds=end.seconds))}\n")


def _stuck(console: Console, error: Stuck, cloud: Cloud) -> int:
    console.print(f"[red]{error}[/]; the logs are in {cloud.state_dir / 'logs'}")
    return 1


def _picture(progress: Progress) -> Group:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("dataset", "pending", *(str(which) for which in State)):
        table.add_column(column, justify="left" if column == "dataset" else "right")
    for name, pending in progress.pending.items():
        states = progress.states(name)
        table.add_row(name, number(pending), *(str(states[which]) if states[which] else "·" for which in State))
    waiting = Spinner("dots", f" {progress.seconds:4.0f} s · waiting for {progress.waiting_for}")
    return Group(table, Text(), waiting)


def _say(console: Console, said: list[str], progress: Progress) -> None:
    """Without a terminal: a line whenever what is waited for changes."""
    states = ", ".join(f"{state(which)} {count}" for which, count in progress.everything.items())
    line = f"waiting for {progress.waiting_for} ({states or 'no batch yet'})"
    if not progress.at_rest and (not said or said[-1] != line):
        said.append(line)
        console.print(f"{progress.seconds:5.0f} s  {line}")


@contextmanager
def _spinning(console: Console, text: str) -> Iterator[None]:
    began = time.monotonic()
    if console.is_terminal:
        with console.status(text):
            yield
    else:
        yield
    console.print(f"{text} [dim]({time.monotonic() - began:.1f} s)[/]")


def _explain_up(console: Console, cloud: Cloud) -> None:
    bucket = cloud.settings["RAW_BUCKET"]
    console.print(f"""
[bold]The laptop cloud is up[/] at {cloud.url}, raw bucket s3://{bucket}/ — Ctrl-C ends it.

In another terminal:
  export AWS_ENDPOINT_URL={cloud.url} AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_DEFAULT_REGION=us-east-1
  tidemark traffic sample/                                     [dim]# sample files, as Firehose lands them[/]
  aws s3 cp --recursive sample/ s3://{bucket}/
  tidemark status
  tidemark batches
  tidemark query "SELECT COUNT(*) FROM web_events"
Logs: {cloud.state_dir / "logs"}""", soft_wrap=True)  # fmt: skip


def _refuse_used(out: Path) -> None:
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise TidemarkError(f"expected an empty or new folder for the results, found {out} in use")


@contextmanager
def _whole_or_nothing(out: Path) -> Iterator[None]:
    """A run that fails leaves no half-written results."""
    out.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        shutil.rmtree(out)
        raise


def weight(folder: Path) -> str:
    """How many files there are below a folder, and their size."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return f"{number(len(files))} files, {size(sum(path.stat().st_size for path in files))}"
