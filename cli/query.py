"""`tidemark query`: SQL in the warehouse, and its rows."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console

from cli.render import NOTHING, Sheet, plural, say
from tidemark.adapters.world import World
from tidemark.core.errors import TidemarkError

QUERY_SECONDS_MAX = 900
#: As the Data API calls them; a figure is never folded.
NUMBERS = frozenset({"int2", "int4", "int8", "float4", "float8", "numeric"})


def run_query(world: World, console: Console, sql: str) -> None:
    """Run SQL in the warehouse and print its rows."""
    settings = world.settings
    client = world.client("redshift-data")
    target = {"WorkgroupName": settings.warehouse_workgroup, "Database": settings.warehouse_database}
    statement = client.execute_statement(**target, Sql=sql)["Id"]
    found = _wait(client, statement)
    if found["Status"] != "FINISHED":
        raise TidemarkError(f"the warehouse refused the query: {found.get('Error', found['Status'])}")
    if not found.get("HasResultSet"):
        say(console, f"done, {plural(max(0, found.get('ResultRows', 0)), 'row')}")
        return
    columns = client.get_statement_result(Id=statement)["ColumnMetadata"]
    figures = [column["name"] for column in columns if column.get("typeName") in NUMBERS]
    table = Sheet(*(column["name"] for column in columns), whole=figures)
    for row in world.warehouse.rows(statement):
        table.add_row(*(NOTHING if value is None else str(value) for value in row))
    console.print(table)


def _wait(client: Any, statement: str) -> dict[str, Any]:
    pause, waited = 0.02, 0.0
    while waited < QUERY_SECONDS_MAX:
        found: dict[str, Any] = client.describe_statement(Id=statement)
        if found["Status"] in ("FINISHED", "FAILED", "ABORTED"):
            return found
        time.sleep(pause)
        waited, pause = waited + pause, min(1.0, pause * 1.5)
    raise TidemarkError(f"the query has not ended after {QUERY_SECONDS_MAX} s")
