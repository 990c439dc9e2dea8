"""Writes the SQL that fills a warehouse table from the lake, in one transaction beside the loads under way. Pure.

The lake has every batch before the warehouse has it, so the files that the lake's table has after the warehouse's table
exists hold all rows that the warehouse has ever lost. What a load commits in between must not be undone:

1. The transaction locks the shard's load history, as a load does, so no load of the shard runs at the same time.
2. `_accepted` has the batches and attempts in the files, except those of which the history has a newer attempt in this
   table: that load has committed since, and its rows stay.
3. Accepted batches' rows are replaced, and recorded in the history. So a load of an older attempt changes nothing, and
   a load of the same one replaces the rows by equal ones.

Files of other column orders (from before a column was added, or compacted by another tool) go into stages of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tidemark.core.dataset import Column, Table
from tidemark.core.errors import TidemarkError
from tidemark.core.load_limits import STATEMENTS_MAX
from tidemark.core.warehouse_ddl import definitions, history_of, quoted, relations, shard_of
from tidemark.core.warehouse_sql import ACCEPTED, column_names, latest_of_each, literal


@dataclass(frozen=True)
class StoredFile:
    """A data file of a lake table."""

    uri: str
    bytes: int
    rows: int
    columns: tuple[str, ...]  # in the file's order


@dataclass(frozen=True)
class Stage:
    """Files with the same columns, which one COPY reads."""

    number: int
    columns: tuple[Column, ...]
    files: tuple[StoredFile, ...]
    manifest: str = ""  # s3:// URI of the COPY manifest, once it is written

    @property
    def name(self) -> str:
        """Quoted name of the temporary table."""
        return quoted(f"_stage_{self.number}")


def missing_relations(table: Table, existing: Iterable[str]) -> list[str]:
    """The names that readers and loads use of a declared table, and that the warehouse lacks."""
    names = dict.fromkeys([*relations(table), table.name])
    return [name for name in names if name not in set(existing)]


def stages(table: Table, files: Sequence[StoredFile]) -> list[Stage]:
    """The files with rows, grouped by their columns. Raises `TidemarkError` for a column that is not declared."""
    declared = {column.name: column for column in table.all_columns}
    layouts = dict.fromkeys(file.columns for file in files if file.rows)
    for name in (name for layout in layouts for name in layout):
        if name not in declared:
            raise TidemarkError(f"{table.name}: the lake has a column {name!r}, which is not declared")
    return [
        Stage(
            number,
            tuple(declared[name] for name in layout),
            tuple(file for file in files if file.rows and file.columns == layout),
        )
        for number, layout in enumerate(layouts)
    ]


def rebuild_statements(rebuild: str, dataset: str, table: Table, staged: Sequence[Stage], copy_role: str) -> list[str]:
    """The transaction's statements; `rebuild` is the id under which the history records the rows.

    The last statement returns the number of rows in all stages. Raises `TidemarkError` if the statements are too many
    for one transaction.
    """
    history, name = history_of(shard_of(dataset)), quoted(table.physical_name)
    statements = [
        f"LOCK {history}",
        *(sql for stage in staged for sql in _copy(stage, copy_role)),
        _accept(table, staged, history),
        f'DELETE FROM {name} USING {ACCEPTED} AS _a WHERE {name}."_batch_id" = _a.batch_id',
        *(_insert(name, stage) for stage in staged),
        *(_show(table) if table.kind == "latest" else ()),
        _record(rebuild, table, history),
        f"SELECT {' + '.join(f'(SELECT COUNT(*) FROM {stage.name})' for stage in staged)}",
    ]
    if len(statements) >= STATEMENTS_MAX:  # one more is needed to act as the loader
        raise TidemarkError(f"{table.name}: its files have {len(staged)} column orders: compact the lake's table first")
    return statements


def _copy(stage: Stage, copy_role: str) -> list[str]:
    source = f"{literal(stage.manifest)} IAM_ROLE {literal(copy_role)} FORMAT AS PARQUET MANIFEST"
    return [f"CREATE TEMP TABLE {stage.name} ({definitions(stage.columns)})", f"COPY {stage.name} FROM {source}"]


def _accept(table: Table, staged: Sequence[Stage], history: str) -> str:
    found = " UNION ALL ".join(f'SELECT "_batch_id", "_attempt" FROM {stage.name}' for stage in staged)
    chosen = 'SELECT DISTINCT _s."_batch_id" AS batch_id, _s."_attempt" AS attempt'
    return (
        f"CREATE TEMP TABLE {ACCEPTED} AS {chosen} FROM ({found}) AS _s"
        f" WHERE NOT EXISTS (SELECT 1 FROM {history} AS h WHERE h.table_name = {literal(table.physical_name)}"
        ' AND h.batch_id = _s."_batch_id" AND h.attempt > _s."_attempt")'
    )


def _insert(name: str, stage: Stage) -> str:
    accepted = f'{ACCEPTED} AS _a ON _s."_batch_id" = _a.batch_id AND _s."_attempt" = _a.attempt'
    chosen = f"SELECT {column_names(stage.columns, '_s')} FROM {stage.name} AS _s JOIN {accepted}"
    return f"INSERT INTO {name} ({column_names(stage.columns)}) {chosen}"


def _show(table: Table) -> list[str]:
    """Replaces all rows that readers see by the latest stored row of each key."""
    return [f"DELETE FROM {quoted(table.name)}", latest_of_each(table)]


def _record(rebuild: str, table: Table, history: str) -> str:
    name = quoted(table.physical_name)
    return (
        f"INSERT INTO {history} (load_id, batch_id, attempt, table_name, row_count, loaded_at)"
        f" SELECT {literal(rebuild)}, _a.batch_id, _a.attempt, {literal(table.physical_name)}, COUNT(*), GETDATE()"
        f' FROM {ACCEPTED} AS _a JOIN {name} AS _t ON _t."_batch_id" = _a.batch_id GROUP BY _a.batch_id, _a.attempt'
    )
