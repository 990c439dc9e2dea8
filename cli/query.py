"""`tidemark query`: SQL in the warehouse, and its rows."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console

from cli.render import NOTHING, Record, Sheet, plural, say, show_json, show_table, wants_json
from tidemark.adapters.world import World
from tidemark.core.errors import TidemarkError

QUERY_SECONDS_MAX = 900
#: The Data API's names of numeric types; a figure is never folded.
NUMBERS = frozenset({"int2", "int4", "int8", "float4", "float8", "numeric"})


def run_query(world: World, console: Console, sql: str) -> None:
    """Run SQL in the warehouse and print its rows."""
    client = world.client("redshift-data")
    statement = client.execute_statement(**world.warehouse.target, Sql=sql)["Id"]
    outcome = _wait(client, statement)
    if outcome["Status"] != "FINISHED":
        raise TidemarkError(f"the warehouse refused the query: {outcome.get('Error', outcome['Status'])}")
    if outcome.get("HasResultSet"):
        columns = client.get_statement_result(Id=statement)["ColumnMetadata"]
        _show_rows(console, columns, world.warehouse.rows(statement))
        return
    if wants_json(console):
        show_json(console, [])
    say(console, f"done, {plural(max(0, outcome.get('ResultRows', 0)), 'row')}")


def _show_rows(console: Console, columns: Sequence[dict[str, Any]], rows: Iterable[Sequence[Any]]) -> None:
    titles = [column["name"] for column in columns]
    table = Sheet(*titles, whole=[column["name"] for column in columns if column.get("typeName") in NUMBERS])
    keys = keys_of(titles)
    for row in rows:
        cells = (NOTHING if value is None else str(value) for value in row)
        table.add_record(_record(keys, row), *cells)
    show_table(console, table)


def keys_of(titles: Iterable[str]) -> list[str]:
    """A key for each column of a result; a title that comes again gets a number: `count`, `count_2`."""
    keys: list[str] = []
    for title in titles:
        names = (title if place == 1 else f"{title}_{place}" for place in range(1, len(keys) + 2))
        keys.append(next(name for name in names if name not in keys))
    return keys


def _record(keys: Sequence[str], row: Sequence[Any]) -> Record:
    return {key: _json_value(value) for key, value in zip(keys, row, strict=True)}


def _json_value(value: Any) -> Any:
    """JSON has no word for NaN and the infinities; they are text, as Redshift writes them."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _wait(client: Any, statement: str) -> dict[str, Any]:
    pause, waited = 0.02, 0.0
    while waited < QUERY_SECONDS_MAX:
        description: dict[str, Any] = client.describe_statement(Id=statement)
        if description["Status"] in ("FINISHED", "FAILED", "ABORTED"):
            return description
        time.sleep(pause)
        waited, pause = waited + pause, min(1.0, pause * 1.5)
    raise TidemarkError(f"the query has not ended after {QUERY_SECONDS_MAX} s")
