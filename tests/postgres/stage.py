"""What a test plays with: two sessions, one that watches them, and the tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tests.postgres.interleavings import Played, every_order, play
from tests.postgres.loads import Load, create, load, seen
from tests.postgres.sessions import Rows, Session, Watcher
from tidemark.core.dataset import Table

HISTORY = "SELECT load_id, batch_id, attempt, table_name, row_count FROM tidemark.load_history ORDER BY 1, 2, 3, 4"
#: Tables that have or had rows.
TOUCHED = """
    SELECT name
    FROM (SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
          WHERE schemaname IN ('public', 'tidemark')) AS _
    WHERE pg_relation_size(name::regclass) > 0
"""
#: Every column of every table and view.
SHAPE = """
    SELECT table_schema, table_name, column_name FROM information_schema.columns
    WHERE table_schema IN ('public', 'tidemark') ORDER BY 1, 2, 3
"""


@dataclass(frozen=True)
class Stage:
    url: str
    sessions: tuple[Session, ...]
    watcher: Watcher

    def prepare(self, made: Rows) -> None:
        """Makes the tables, or empties them if they still have the shape that they were `made` with."""
        if made and self.watcher.execute(SHAPE) == made:
            self.reset()
        else:
            create(self.watcher)
            made[:] = self.watcher.execute(SHAPE)

    def load(self, *loads: Load) -> Rows:
        """Runs the loads one by one; the counts that the last one answers with."""
        return load(self.watcher, *loads)

    def every_order(self, *programs: Sequence[str]) -> Iterator[Played]:
        """Plays every order of the programs' statements, each on the rows that the tables have at first."""
        saved = self._touched()
        self.watcher.execute("DROP SCHEMA IF EXISTS saved CASCADE", "CREATE SCHEMA saved")
        for number, table in enumerate(saved):
            self.watcher.execute(f"CREATE TABLE saved.t{number} AS SELECT * FROM {table}")
        restore = [f"INSERT INTO {table} SELECT * FROM saved.t{number}" for number, table in enumerate(saved)]

        def play_one(order: Sequence[int]) -> Played:
            self.reset(*restore)
            return play(self.sessions, self.watcher, programs, order)

        yield from every_order(play_one)

    def reset(self, *restore: str) -> None:
        """Empties every table, and runs the statements that fill them again, all at once."""
        self.watcher.execute("; ".join([*(f"DELETE FROM {table}" for table in self._touched()), *restore, ""]))

    def _touched(self) -> list[str]:
        return [name for (name,) in self.watcher.execute(TOUCHED)]

    def seen(self, tables: Iterable[Table]) -> dict[str, Rows]:
        """What readers see of the tables."""
        return seen(self.watcher, tables)

    def history(self) -> Rows:
        """What is recorded of all loads, without the time."""
        return self.watcher.execute(HISTORY)
