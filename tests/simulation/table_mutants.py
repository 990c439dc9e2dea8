"""Mutants of what keeps nightly jobs right, and tables of the latest row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from pyiceberg.expressions import AlwaysFalse

import tidemark.adapters.iceberg as iceberg_module
import tidemark.core.warehouse_sql as sql_module
import tidemark.service.artifacts as artifacts_module
import tidemark.service.nightly as nightly_module
import tidemark.service.publish as publish_module
from tests.simulation.patches import Patch
from tidemark.adapters.ledger.day_changes import DayChanges


def _marks_last() -> list[Patch]:
    save, mark = publish_module._save_published, publish_module.record_day_changes
    later: dict[tuple[str, int], list[Any]] = defaultdict(list)

    def remember(world: Any, table: Any, sequence: int, results: Any) -> None:
        later[(results[0].batch_id, results[0].attempt)].append((world, table, sequence, results))

    def save_first(world: Any, dataset: Any, batch: Any, result: Any) -> None:
        save(world, dataset, batch, result)
        for marks in later.pop((batch.batch_id, batch.attempt), ()):
            mark(*marks)

    return [(publish_module, "record_day_changes", remember), (publish_module, "_save_published", save_first)]


def _marks_fall() -> list[Patch]:
    def careless(self: Any, table: str, day: str, sequence: int) -> None:
        self.table.put({"pk": f"CHANGED#{table}", "sk": f"DAY#{day}", "committed": sequence})

    return [(DayChanges, "record", careless)]


def _forgets_after() -> list[Patch]:
    original = nightly_module.due

    def hasty(*arguments: Any) -> list[Any]:
        return [replace(found, waits_for=()) for found in original(*arguments)]

    return [(nightly_module, "due", hasty)]


def _points_anywhere() -> list[Patch]:
    def latest(world: Any, batch: Any, result: Any) -> None:
        if result.artifacts:
            body = f'{{"batch_id": "{batch.batch_id}", "attempt": {batch.attempt}, "period": "{batch.period}"}}'
            world.store.put(world.settings.lake_bucket, artifacts_module.artifacts_key(batch.dataset), body)

    return [(publish_module, "point_at_artifacts", latest)]


def _keeps_what_went() -> list[Patch]:
    original = sql_module._touch

    def lax(load: Any) -> list[str]:
        going = original(replace(load, manifest=None))[0].split(" AS ", 1)[1]
        return [sql.replace(going, f"{going} WHERE 1 = 0") for sql in original(load)]

    return [(sql_module, "_touch", lax)]


def _shows_what_went() -> list[Patch]:
    original = iceberg_module.latest_rows

    def lax(table: Any, shown: Any, stored: Any, batch_id: str) -> Any:
        def scan(where: Any = None, selected_fields: Any = ("*",)) -> Any:
            return shown.scan(AlwaysFalse() if selected_fields != ("*",) else where)

        blind = SimpleNamespace(scan=scan, current_snapshot=shown.current_snapshot, schema=shown.schema)
        return original(table, blind, stored, batch_id)

    return [(iceberg_module, "latest_rows", lax)]


TABLE_MUTANTS: dict[str, Callable[[], list[Patch]]] = {
    "marks the days only after the batch is PUBLISHED": _marks_last,
    "marks the days of new rows, and not those of replaced ones": lambda: [
        (publish_module, "replaced_results", lambda *_: [])
    ],
    "lets a mark fall": _marks_fall,
    "begins a job without waiting for those that go first": _forgets_after,
    "points at the artifacts that were published last": _points_anywhere,
    "leaves the warehouse's latest row where its batch has lost it": _keeps_what_went,
    "leaves the lake's latest row where its batch has lost it": _shows_what_went,
}
