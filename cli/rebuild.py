"""`tidemark warehouse rebuild`: lost or dropped warehouse tables are made anew from the lake."""

from __future__ import annotations

from rich.console import Console

from cli.connection import connect, warehouse_loader
from cli.names import DATASET_ALL, named
from cli.render import Sheet, number, plural, say, show_table
from tidemark.adapters import aws
from tidemark.adapters.world import World
from tidemark.service.grant import as_administrator
from tidemark.service.rebuild import Lost, Rebuilder, look, rebuild, stored
from tidemark.service.seal import sealed


def rebuild_warehouse(stack: str, console: Console, dataset: str, secret_arn: str, sure: bool) -> None:
    """Show what would be made anew: all tables of a dataset, or what is missing of any. With `sure`, make it."""
    world = sealed(connect(stack))
    rebuilder = _rebuilder(stack, world, secret_arn)
    found = look(world, rebuilder.warehouse, named(world, dataset))
    chosen = found if dataset != DATASET_ALL else [lost for lost in found if lost.missing]
    if not chosen:
        say(console, "nothing is missing: the warehouse has every table that was ever published")
        return
    _show(world, console, chosen)
    if not sure:
        say(console, f"nothing was done; with --yes {plural(len(chosen), 'table')} would be filled from the lake")
        return
    for lost in chosen:
        rows = rebuild(world, rebuilder, lost)
        say(console, (lost.table.name, "green"), f": {number(rows)} rows of the lake are in the warehouse")


def _rebuilder(stack: str, world: World, secret_arn: str) -> Rebuilder:
    """The loader itself, if the stack has its secret, else the administrator, who acts as the loader."""
    if world.warehouse.connection.secret_arn:
        return Rebuilder(world.warehouse)
    admin = as_administrator(world.warehouse, aws.client("redshift-serverless"), secret_arn)
    return Rebuilder(admin, warehouse_loader(stack))


def _show(world: World, console: Console, chosen: list[Lost]) -> None:
    table = Sheet("dataset", "table", "missing", "files", "rows")
    for lost in chosen:
        files = stored(world, lost)
        rows = sum(file.rows for file in files)
        record = {"dataset": lost.dataset, "table": lost.table.name, "missing": list(lost.missing)}
        cells = (lost.dataset, lost.table.name, ", ".join(lost.missing) or "–", number(len(files)), number(rows))
        table.add_record({**record, "files": len(files), "rows": rows}, *cells)
    show_table(console, table)
