"""`tidemark recover` over the laptop cloud's warehouse and lake: a ledger that was restored, and one that is lost."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from tests.e2e.conftest import Laptop, Tidemark
from tidemark.core.lifecycle import State

pytestmark = [pytest.mark.e2e, pytest.mark.spark, pytest.mark.slow]

BANDS = "household_id,age,income,home_ownership,marital_status,household_size,household_comp,kids_count"
SECONDS_MAX = 120


def purchases(*numbers: int) -> bytes:
    """One transaction of 1.25 a line; the same number is the same transaction."""
    fields = {"user_id": "u", "amount": "1.25", "timestamp": "2026-11-18T21:30:00Z"}
    return b"\n".join(json.dumps({"transaction_id": f"t{number}", **fields}).encode() for number in numbers)


def households(**ages: str) -> bytes:
    """An export of these households, by age."""
    lines = [f"{household},{age},50-74K,Homeowner,Married,2,2 Adults,None" for household, age in ages.items()]
    return "\n".join([BANDS, *lines, ""]).encode()


def transactions(laptop: Laptop) -> dict[str, Any]:
    """What readers see of transactions: those in lake and warehouse, and the warehouse's totals."""
    totals = laptop.warehouse("SELECT total_amount, transactions FROM daily_user_totals")
    return {
        "lake": sorted(laptop.lake("transactions").scan().to_arrow()["transaction_id"].to_pylist()),
        "warehouse": [name for (name,) in laptop.warehouse("SELECT transaction_id FROM transactions ORDER BY 1")],
        "totals": [(Decimal(str(amount)), int(count)) for amount, count in totals],
    }


def shown(laptop: Laptop) -> dict[str, Any]:
    """What readers see of transactions and households."""
    by_household = "SELECT household_id, age FROM customers ORDER BY household_id"
    exports = laptop.lake("customers").scan().to_arrow().to_pylist()
    return {
        **transactions(laptop),
        "exported": sorted((row["household_id"], row["age"]) for row in exports),
        "households": laptop.warehouse(by_household),
    }


def expected(*numbers: int, **ages: str) -> dict[str, Any]:
    """What `shown` must give: each of these once."""
    names = [f"t{number}" for number in numbers]
    return {
        "lake": names,
        "warehouse": names,
        "totals": [(Decimal("1.25") * len(numbers), len(numbers))],
        "exported": sorted(ages.items()),
        "households": sorted(ages.items()),
    }


def publish(laptop: Laptop, key: str, body: bytes) -> None:
    """Bring a file into the lake, and not into the warehouse."""
    laptop.land(key, body)
    laptop.cloud.wait_idle(SECONDS_MAX)
    laptop.cloud.invoke("Plan", {"eager": True})
    deadline = time.monotonic() + SECONDS_MAX
    while (batch := laptop.batch(key)).state is not State.PUBLISHED:
        assert time.monotonic() < deadline, f"{batch.batch_id} is {batch.state}"
        time.sleep(0.2)
    laptop.cloud.wait_idle(SECONDS_MAX)


def restore(laptop: Laptop, backup: str) -> None:
    """Do as docs/operations.md says: the ledger comes back as a new table of the same name, without a stream."""
    table = laptop.world.settings.ledger_table
    client = laptop.cloud.client("dynamodb")
    client.delete_table(TableName=table)
    client.restore_table_from_backup(TargetTableName=table, BackupArn=backup)


def lose(laptop: Laptop) -> None:
    """Put an empty table where the ledger was."""
    table, client = laptop.world.settings.ledger_table, laptop.cloud.client("dynamodb")
    made: Mapping[str, Any] = client.describe_table(TableName=table)["Table"]
    wanted = {name: made[name] for name in ("KeySchema", "AttributeDefinitions")}
    indexes = [
        {name: index[name] for name in ("IndexName", "KeySchema", "Projection")}
        for index in made["GlobalSecondaryIndexes"]
    ]
    client.delete_table(TableName=table)
    client.create_table(TableName=table, BillingMode="PAY_PER_REQUEST", GlobalSecondaryIndexes=indexes, **wanted)


def test_a_ledger_that_was_set_back_is_made_whole(laptop: Laptop, tidemark: Tidemark) -> None:
    """Every transaction and household is there once, in lake and warehouse, whatever the ledger had forgotten."""
    laptop.land("transactions/1.json", purchases(1, 2, 3))
    laptop.land("customers/1.csv", households(h1="25-34", h2="35-44"))
    laptop.rest()
    table = laptop.world.settings.ledger_table
    backup = laptop.cloud.client("dynamodb").create_backup(TableName=table, BackupName="before")
    # What the backup does not know: two loaded batches, a second attempt, and one that is only published.
    laptop.land("transactions/1.json", purchases(1, 2, 3, 8))
    laptop.land("transactions/2.json", purchases(3, 4))
    laptop.land("customers/2.csv", households(h2="45-54", h3="55-64"))
    laptop.rest()
    assert laptop.batch("transactions/1.json").attempt == 2
    assert shown(laptop) == expected(1, 2, 3, 4, 8, h1="25-34", h2="45-54", h3="55-64")
    publish(laptop, "transactions/3.json", purchases(5))

    restore(laptop, backup["BackupDetails"]["BackupArn"])
    laptop.land("transactions/4.json", purchases(6))
    laptop.cloud.wait_idle(SECONDS_MAX)
    refused = laptop.cloud.invoke("Plan", {"eager": True})
    assert refused.error
    assert "nothing goes on before `tidemark recover`" in refused.payload["errorMessage"]
    assert "`tidemark recover`" in tidemark("status").out

    planned = tidemark("recover", "--dry-run")
    assert (planned.status, planned.err) == (0, "")
    assert "4 batches would be put back: LOADED 3, RUNNING 1" in planned.out
    recovered = tidemark("recover", "--wait", "0")
    assert (recovered.status, recovered.err) == (0, "")
    assert "4 batches put back: LOADED 3, RUNNING 1" in recovered.out
    assert recovered.out.endswith("the ledger is whole: everything goes on by itself")
    laptop.rest_in_time()
    assert shown(laptop) == expected(1, 2, 3, 4, 5, 6, 8, h1="25-34", h2="45-54", h3="55-64")


def test_a_ledger_that_was_lost_is_made_whole(laptop: Laptop, tidemark: Tidemark) -> None:
    """Every batch is loaded as before, and a transaction that is sent again is known."""
    laptop.land("transactions/31.json", purchases(31, 32))
    laptop.rest_in_time()
    before = transactions(laptop)["lake"]
    lose(laptop)
    recovered = tidemark("recover", "--wait", "0")
    assert (recovered.status, recovered.err) == (0, "")
    assert "put back: LOADED" in recovered.out
    laptop.land("transactions/33.json", purchases(31, 33))
    laptop.rest_in_time()
    assert laptop.batch("transactions/31.json").state is State.LOADED
    assert laptop.batch("transactions/33.json").counts.duplicate_records == 1
    after = sorted([*before, "t33"])
    assert (transactions(laptop)["lake"], transactions(laptop)["warehouse"]) == (after, after)
    assert tidemark("recover").out.startswith("the ledger is whole")


def test_rows_that_somebody_deleted_are_found_and_come_back(laptop: Laptop, tidemark: Tidemark) -> None:
    """Recovery names the table and the rows, goes on only when a person accepts that, and a replay brings them back."""
    laptop.land("transactions/deleted.json", purchases(21, 22))
    laptop.rest_in_time()
    before, batch = transactions(laptop), laptop.batch("transactions/deleted.json")
    laptop.world.warehouse.apply("by-hand", [f"DELETE FROM transactions WHERE _batch_id = '{batch.batch_id}'"])
    found = tidemark("recover", "--anyway", "--wait", "0")
    told = f"{batch.batch_id}: warehouse, transactions: expected 2 rows of attempt 1, found no rows"
    assert found.status == 1
    assert f"disagrees: {told}" in found.out
    assert "nothing was done" in found.out
    assert laptop.cloud.invoke("Plan", {"eager": True}).error

    accepted = tidemark("recover", "--accept", "--wait", "0")
    assert accepted.status == 0
    assert told in accepted.out
    assert tidemark("replay", batch.batch_id).status == 0
    laptop.rest_in_time()
    assert transactions(laptop) == before
