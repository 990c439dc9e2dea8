"""Each command, from its options to the call that does it; what it needs is imported when it is given."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from rich.console import Console

from cli.render import one_line, say, say_whole

if TYPE_CHECKING:
    from tidemark.adapters.world import World


def _world(options: argparse.Namespace) -> World:
    from cli.connection import connect

    return connect(options.stack)


def _whole_world(options: argparse.Namespace) -> World:
    """For what changes the ledger: refused while it is not whole."""
    from tidemark.service.seal import sealed

    return sealed(_world(options))


def demo(options: argparse.Namespace, console: Console) -> int:
    from cli.demo import run_demo

    return run_demo(console, options.out)


def local_run(options: argparse.Namespace, console: Console) -> int:
    from cli.local_cloud import run_local

    return run_local(console, options.folder, options.out, options.nightly)


def local_up(options: argparse.Namespace, console: Console) -> int:
    from cli.local_cloud import stay_up

    return stay_up(console, options.port)


def traffic(options: argparse.Namespace, console: Console) -> None:
    from cli.traffic import write_traffic

    write_traffic(console, options.folder, options.records, options.days, options.datasets, options.seed)


def status(options: argparse.Namespace, console: Console) -> None:
    from cli.status import show_status

    show_status(_world(options), console)


def batches(options: argparse.Namespace, console: Console) -> None:
    from cli.status import show_batches

    show_batches(_world(options), console, options.dataset, options.limit)


def explain(options: argparse.Namespace, console: Console) -> None:
    from cli.status import show_file

    show_file(_world(options), console, options.uri)


def query(options: argparse.Namespace, console: Console) -> None:
    from cli.query import run_query

    run_query(_world(options), console, options.sql)


def predict(options: argparse.Namespace, console: Console) -> None:
    from cli.predict import show_predictions

    show_predictions(options.stack, console, options.file, options.json)


def model(options: argparse.Namespace, console: Console) -> None:
    from cli.predict import show_model

    show_model(options.stack, console, options.json)


def reconcile(options: argparse.Namespace, console: Console) -> None:
    from cli.operate import reconcile_prefixes

    reconcile_prefixes(_whole_world(options), console, options.dataset)


def backfill(options: argparse.Namespace, console: Console) -> None:
    from cli.operate import backfill

    backfill(_whole_world(options), console, options.uri, options.rate)


def replay(options: argparse.Namespace, console: Console) -> None:
    from cli.operate import choose_batches, replay_batches

    world = _whole_world(options)
    chosen = choose_batches(world, options.batches, options.dataset, options.since, options.until)
    replay_batches(world, console, chosen, options.plan)


def nightly_list(options: argparse.Namespace, console: Console) -> None:
    from cli.nightly import list_jobs

    list_jobs(_world(options), console)


def nightly_run(options: argparse.Namespace, console: Console) -> None:
    from cli.nightly import run_night

    run_night(_whole_world(options), console, options.jobs, options.dates, options.plan)


def quarantine_list(options: argparse.Namespace, console: Console) -> None:
    from cli.operate import list_quarantine

    list_quarantine(_world(options), console)


def quarantine_show(options: argparse.Namespace, console: Console) -> None:
    from cli.operate import show_quarantined

    show_quarantined(_world(options), console, options.name, limit=20)


def quarantine_release(options: argparse.Namespace, console: Console) -> None:
    from cli.operate import release

    release(_whole_world(options), console, options.name)


def quarantine_discard(options: argparse.Namespace, console: Console) -> None:
    from cli.operate import discard

    discard(_whole_world(options), console, options.name)


def quarantine_acknowledge(options: argparse.Namespace, console: Console) -> None:
    from cli.operate import acknowledge_rejected

    acknowledge_rejected(_whole_world(options), console, options.batch)


def pause(options: argparse.Namespace, console: Console) -> None:
    from cli.operate import pause

    pause(_world(options), console, options.dataset, paused=True)


def resume(options: argparse.Namespace, console: Console) -> None:
    from cli.operate import pause

    pause(_world(options), console, options.dataset, paused=False)


def drain(options: argparse.Namespace, console: Console) -> int:
    from cli.operate import drain

    return drain(_world(options), console, options.dataset, seconds_max=3_600)


def recover(options: argparse.Namespace, console: Console) -> int:
    from cli.recover import run_recovery

    return run_recovery(_world(options), console, options.plan, options.accept, options.anyway, options.wait)


def validate(options: argparse.Namespace, console: Console) -> int:
    from tidemark.adapters.dataset_files import validate as read_all
    from tidemark.core.errors import DeclarationError, TidemarkError

    if not options.folder.is_dir():
        raise TidemarkError(f"expected a folder of declarations, found no folder {options.folder}")
    try:
        datasets = read_all(options.folder)
    except DeclarationError as found:
        for error in found.all:
            print(f"tidemark: {one_line(error)}", file=sys.stderr)
        return 2
    for name, dataset in datasets.items():
        what = f"every {dataset.nightly.every}" if dataset.nightly else f"{len(dataset.record)} fields"
        say(console, f"{name}: {what}, tables {', '.join(table.name for table in dataset.tables)}")
    return 0


def jobs_upload(options: argparse.Namespace, console: Console) -> None:
    from cli.upload_jobs import upload_jobs

    upload_jobs(_world(options), console)


def lifecycle(_: argparse.Namespace, console: Console) -> None:
    from cli.diagram import lifecycle_diagram

    for row in lifecycle_diagram().splitlines():
        say_whole(console, row)
