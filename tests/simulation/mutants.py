"""Tidemark with one safeguard taken out at a time: what the simulation must notice, or it proves nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

import tidemark.adapters.iceberg as iceberg_module
import tidemark.core.failures as failures_module
import tidemark.core.lifecycle as lifecycle_module
import tidemark.core.warehouse_sql as sql_module
import tidemark.service.plan as plan_module
import tidemark.service.publish as publish_module
import tidemark.service.settle as settle_module
import tidemark.service.submit as submit_module
from tests.simulation.faults import Rates
from tests.simulation.patches import Patch, applied
from tests.simulation.scenario import Outcome, run
from tests.simulation.table_mutants import TABLE_MUTANTS
from tidemark.adapters.ledger.batches import Batches
from tidemark.adapters.ledger.files import Files
from tidemark.adapters.ledger.segments import Segments
from tidemark.adapters.ledger.table import Table

#: Rough weather, so that few seeds are needed.
ROUGH = Rates(
    kill_before=0.012, kill_after=0.012, lost_reply=0.012, repeated=0.012, pause=0.03, event_doubled=0.4,
    run_transient=0.15, run_unknown=0.12, run_short=0.03, load_failed=0.2, load_late=0.3, cancelled_transaction=0.12,
    poison_named=0.03, poison_unnamed=0.02, landing_dropped=0.03,
)  # fmt: skip


def _claims_unconditionally() -> list[Patch]:
    put = Table.put

    def careless(self: Any, values: Any, **options: Any) -> None:
        put(self, values, **({} if values["sk"] == "FILE" else options))

    return [(Table, "put", careless)]


def _saves_unconditionally() -> list[Patch]:
    return [(Table, "unwritten_since", staticmethod(lambda _: {}))]


def _split_in_pieces() -> list[Patch]:
    def piecemeal(self: Any, batches: Sequence[Any], also: Any = ()) -> list[Any]:
        return [self.save(batch, also if batch is batches[0] else ()) for batch in batches]

    return [(Batches, "save_all", piecemeal)]


def _segments_forgotten_first() -> list[Patch]:
    original = plan_module._files

    def hasty(world: Any, batch: Any) -> Any:
        found = original(world, batch)
        for segment in batch.segments:
            world.ledger.segments.delete(batch.dataset, segment)
        return found

    return [(plan_module, "_files", hasty)]


def _collect_forgets() -> list[Patch]:
    original = Segments.put

    def lax(self: Any, *arguments: Any) -> None:
        with suppress(ClientError):
            original(self, *arguments)

    return [(Segments, "put", lax)]


def _accepts_stale_loads() -> list[Patch]:
    original = sql_module._accept

    def lax(batches: Any, history: str) -> str:
        return original(batches, history).split(" WHERE NOT EXISTS")[0]

    return [(sql_module, "_accept", lax)]


def _loads_without_clearing() -> list[Patch]:
    original = sql_module._table_statements

    def lax(load: Any, role: str) -> list[str]:
        return [sql for sql in original(load, role) if not sql.startswith("DELETE")]

    return [(sql_module, "_table_statements", lax)]


def _appends_to_the_lake() -> list[Patch]:
    return [(iceberg_module, "_delete", lambda *_: None)]


def _file_range_stays() -> list[Patch]:
    original = lifecycle_module._next_attempt

    def old(batch: Any, now: Any, reason: str) -> Any:
        return replace(original(batch, now, reason), file_range=batch.file_range)

    return [(lifecycle_module, "_next_attempt", old)]


def _glue_repeats() -> list[Patch]:
    original = iceberg_module.glue_properties

    def old(*arguments: Any) -> Any:
        return {**original(*arguments), "glue.max-retries": 10}

    return [(iceberg_module, "glue_properties", old)]


def _closes_too_soon() -> list[Patch]:
    def old(world: Any, closed: Any) -> None:
        try:
            world.ledger.loads.save(closed)
        except settle_module.Conflict:
            return

    return [(settle_module, "_close", old)]


def _any_token() -> list[Patch]:
    count = iter(range(1 << 30))
    return [(submit_module, "run_token", lambda batch, attempt: f"{batch}-{attempt}-{next(count)}"),
            (submit_module, "_find", lambda *_: None)]  # fmt: skip


def _unbalanced_manifest() -> list[Patch]:
    def old(result: Any, manifest: Any, *rest: Any) -> None:
        original(result, replace(manifest, attempt=1), *rest)

    original = publish_module.verify
    return [(publish_module, "verify", old)]


def _retries_forever() -> list[Patch]:
    return [(failures_module, "UNKNOWN_MAX", 10**9)]


MUTANTS: dict[str, Callable[[], list[Patch]]] = {
    "saves a batch without looking whether somebody else has": _saves_unconditionally,
    "claims a file without the condition that it is free": _claims_unconditionally,
    "splits a batch in several transactions": _split_in_pieces,
    "forgets segments before the manifest stands": _segments_forgotten_first,
    "deletes messages whose segment was not written": _collect_forgets,
    "forgets which files of a batch were overwritten": lambda: [(Files, "changes", lambda *_, **__: [])],
    "starts a run without the attempt's token": _any_token,
    "believes a result without counting": lambda: [(publish_module, "verify", lambda *_: None)],
    "publishes without the attempt fence": lambda: [(iceberg_module, "_published_attempt", lambda *_: 0)],
    "adds a new attempt beside the old one in the lake": _appends_to_the_lake,
    "lets botocore repeat a commit to Glue": _glue_repeats,
    "loads whatever attempt the load was made for": _accepts_stale_loads,
    "inserts without deleting the batch's older rows": _loads_without_clearing,
    "closes a load whose batches have not moved": _closes_too_soon,
    "slices a child's own manifest by its part of the parent's": _file_range_stays,
    "compares a retry's result with the first attempt's number": _unbalanced_manifest,
    "never asks a person about a run that cannot succeed": _retries_forever,
    **TABLE_MUTANTS,
}

#: It takes five seeds and more to catch these: `make simulate` hunts them, a run of the tests the others.
RARELY_CAUGHT = frozenset(
    {
        "saves a batch without looking whether somebody else has",
        "lets botocore repeat a commit to Glue",
        "closes a load whose batches have not moved",
        "slices a child's own manifest by its part of the parent's",
        "marks the days of new rows, and not those of replaced ones",
        "lets a mark fall",
        "leaves the warehouse's latest row where its batch has lost it",
        "leaves the lake's latest row where its batch has lost it",
    }
)


def hunt(
    mutant: Callable[[], list[Patch]], seeds: range, play: Callable[[int], Outcome] = lambda seed: run(seed, ROUGH)
) -> tuple[int, str]:
    """How many seeds it took to catch the mutant (0: never), and what was noticed."""
    for tries, seed in enumerate(seeds, start=1):
        with applied(mutant()):
            found = play(seed)
        if found.problem:
            return tries, found.problem
    return 0, ""
