"""Producers that send a record twice, in two batches: lake, warehouse and sums have it once."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from tests.e2e.conftest import Laptop
from tidemark.core.lifecycle import State
from tidemark.service.operate import replay

pytestmark = [pytest.mark.e2e, pytest.mark.spark, pytest.mark.slow]

#: File → the numbers of its transactions; what stands in two files was sent twice.
LANDED = {
    "transactions/first.json": (1, 2, 3),
    "transactions/second.json": (2, 4, 4, 1),
    "transactions/third.json": (5, 3, 6),
    "transactions/fourth.json": (6, 5, 7),
}
OVERWRITTEN = (1, 3)


def purchases(*numbers: int) -> bytes:
    """One record a line; the same number is the same record."""
    records = (
        {
            "transaction_id": f"t{number}", "user_id": f"u{number % 2}", "amount": f"{number}.25",
            "timestamp": f"2026-11-{18 + number % 3}T21:30:00Z",
        }
        for number in numbers
    )  # fmt: skip
    return b"\n".join(json.dumps(record).encode() for record in records)


def expected(*bodies: bytes) -> tuple[list[str], list[tuple[str, str, Decimal, int]]]:
    """What DuckDB makes of the raw files: the transactions, and the totals by user and day, of each id once."""
    lines = [(line.decode(),) for body in bodies for line in body.splitlines()]
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE raw (line JSON)")
        connection.executemany("INSERT INTO raw VALUES (?)", lines)
        connection.execute("CREATE TABLE once AS SELECT DISTINCT line->>'$.transaction_id' AS id, line FROM raw")
        ids = connection.execute("SELECT id FROM once ORDER BY id").fetchall()
        totals = connection.execute("""
            SELECT line->>'$.user_id', (line->>'$.timestamp')[:10], sum((line->>'$.amount')::DECIMAL(12, 2)), count(*)
            FROM once GROUP BY ALL ORDER BY ALL
        """).fetchall()
    return [id_ for (id_,) in ids], totals


def shown(laptop: Laptop) -> dict[str, Any]:
    """What readers see: ids in lake and warehouse, and the warehouse's totals."""
    lake = sorted(laptop.lake("transactions").scan().to_arrow()["transaction_id"].to_pylist())
    warehouse = [id_ for (id_,) in laptop.warehouse("SELECT transaction_id FROM transactions ORDER BY 1")]
    totals = laptop.warehouse("SELECT user_id, transaction_date, total_amount, transactions FROM daily_user_totals")
    typed = sorted((user, str(day), Decimal(str(amount)), int(count)) for user, day, amount, count in totals)
    return {"lake": lake, "warehouse": warehouse, "totals": typed}


def everywhere(*bodies: bytes) -> dict[str, Any]:
    """What `shown` must give when these files have landed."""
    ids, totals = expected(*bodies)
    return {"lake": ids, "warehouse": ids, "totals": totals}


def test_what_was_sent_twice_is_there_once(laptop: Laptop) -> None:
    """One batch after the other, two at a time, the first again, and a file overwritten: each id counts once."""
    bodies = {key: purchases(*numbers) for key, numbers in LANDED.items()}
    first, second, third, fourth = LANDED

    for key in (first, second):
        laptop.land(key, bodies[key])
        laptop.rest()
    assert shown(laptop) == everywhere(bodies[first], bodies[second])
    assert (laptop.batch(second).counts.kept, laptop.batch(second).counts.duplicate_records) == (1, 3)

    for key in (third, fourth):  # two batches in flight: the second waits for the first one's keys
        laptop.land(key, bodies[key])
        laptop.cloud.dispatcher.wait_idle(60)
        laptop.cloud.invoke("Plan", {"eager": True})
    laptop.rest()
    assert len({laptop.batch(key).batch_id for key in LANDED}) == 4
    assert shown(laptop) == everywhere(*bodies.values())

    replay(laptop.world, laptop.batch(first))
    laptop.rest()
    assert laptop.batch(first).attempt == 2
    assert shown(laptop) == everywhere(*bodies.values())

    # Without its holder's copy, a key that another batch dropped comes back when that batch is run again.
    laptop.land(first, purchases(*OVERWRITTEN))
    laptop.rest()
    assert shown(laptop)["lake"] == ["t1", "t3", "t4", "t5", "t6", "t7"]
    replay(laptop.world, laptop.batch(second))
    laptop.rest()
    assert {laptop.batch(key).state for key in LANDED} == {State.LOADED}
    assert shown(laptop) == everywhere(*bodies.values())
