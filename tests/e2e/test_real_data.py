"""Real records, landed the way Firehose lands them, against an independent computation over the raw files."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from tests.e2e.conftest import Laptop
from tests.e2e.independent import Row, Totals, content_performance, latest_customers, totals

pytestmark = [pytest.mark.e2e, pytest.mark.spark, pytest.mark.slow]

DIALECTS = [("none", "gzip"), ("none", "none"), ("newline", "gzip"), ("newline", "none")]


def land_real(shared: Path, out: Path, name: str, separator: str, compression: str, seed: int) -> dict[str, int]:
    """Write one real data set with dirt and duplicates; returns what its writer says must come out."""
    options = {"--separator": separator, "--compression": compression, "--seed": str(seed), "--out": str(out)}
    options |= {"--dirt": "0.02", "--duplicate": "0.01"}
    command = [sys.executable, str(shared / "tools" / "land.py"), name]
    subprocess.run([*command, *(part for pair in options.items() for part in pair)], check=True, capture_output=True)
    expected = json.loads((out / "expected.json").read_text())
    return {key: expected[key] for key in ("clean", "dirty", "duplicates")}


def shown_by_warehouse(laptop: Laptop) -> Totals:
    """The same totals, as the warehouse's tables and views show them."""
    one = lambda sql: int(str(laptop.warehouse(sql)[0][0]))  # noqa: E731 - the Data API gives numerics as text
    return Totals(
        web_events=one("SELECT COUNT(*) FROM web_events"),
        events=one("SELECT COALESCE(SUM(events), 0) FROM user_activity"),
        errors=one("SELECT COALESCE(SUM(errors), 0) FROM error_patterns"),
        error_pairs=one("SELECT COUNT(*) FROM error_patterns"),
        users_by_day=one("SELECT COUNT(*) FROM user_activity"),
        transactions=one("SELECT COUNT(*) FROM transactions"),
        total_amount=Decimal(
            str(laptop.warehouse("SELECT COALESCE(SUM(total_amount), 0) FROM daily_user_totals")[0][0])
        ),
        customers_by_day=one("SELECT COUNT(*) FROM daily_user_totals"),
    )


def summed(left: Totals, right: Totals) -> Totals:
    """Field by field."""
    return Totals(**{name: value + getattr(right, name) for name, value in vars(left).items()})


def with_keys_of(found: Totals, union: Totals) -> Totals:
    """Views show a key once however many batches have it, and transactions are remembered: theirs are the union's."""
    return replace(
        found,
        error_pairs=union.error_pairs,
        users_by_day=union.users_by_day,
        transactions=union.transactions,
        total_amount=union.total_amount,
        customers_by_day=union.customers_by_day,
    )


def test_every_dialect_of_real_data_reconciles_to_the_cent(laptop: Laptop, shared: Path, tmp_path: Path) -> None:
    """After each dialect lake and warehouse show exactly what DuckDB alone finds in the raw files, to the cent."""
    expected, landed = totals([]), []
    for seed, (separator, compression) in enumerate(DIALECTS, start=1):
        said, paths = {}, []
        for name in ("web_logs", "transactions"):
            out = tmp_path / f"{seed}-{name}"
            said[name] = land_real(shared, out, name, separator, compression, seed)
            laptop.land_folder(out / name, under=f"{name}/{separator}-{compression}/")
            paths += [path for path in (out / name).rglob("*") if path.is_file()]
        laptop.rest()
        found = totals(paths)
        assert found.web_events == said["web_logs"]["clean"] + said["web_logs"]["duplicates"]
        assert found.transactions == said["transactions"]["clean"]
        landed += paths
        expected = summed(expected, found)
        shown = with_keys_of(expected, totals(landed))
        assert shown_by_warehouse(laptop) == shown
        assert laptop.lake_count("web_events") == shown.web_events
        assert laptop.lake_count("transactions") == shown.transactions


def test_views_and_clicks_reconcile_key_by_key(laptop: Laptop, shared: Path, tmp_path: Path) -> None:
    """Each content, site, device and day has the views, clicks and rate that DuckDB finds in the raw files."""
    said = land_real(shared, tmp_path, "content", "none", "gzip", 5)
    laptop.land_folder(tmp_path / "content", under="content/")
    laptop.rest()
    shown = laptop.warehouse(
        "SELECT content_id, site, device, CAST(event_date AS VARCHAR), views, clicks, ROUND(click_through_rate, 9)"
        " FROM content_performance ORDER BY 1, 2, 3, 4"
    )
    assert shown == content_performance(path for path in (tmp_path / "content").rglob("*") if path.is_file())
    assert said["dirty"] > 30 < said["duplicates"]
    assert laptop.lake_count("content_events") == said["clean"]


def changed_export(export: Path, out: Path) -> None:
    """Another export as time goes by: some have grown older, one is new, and a few lines are broken."""
    header, *lines = export.read_text(encoding="utf-8").splitlines()
    changed = [line.replace("45-54", "55-64") for line in lines[::3]]
    broken = [
        '"1001","45-54"',
        ',"45-54",,,,,,',
        '"1003","45-54","50-74K",,,"1","1 Adult No Kids","0","of another export"',
    ]
    new = '"99999","65+","250K+","Homeowner","Married","2","2 Adults No Kids","0"'
    out.write_text("\r\n".join([header, *changed, *broken, new, changed[0], ""]), encoding="utf-8", newline="")


def customers_in_warehouse(laptop: Laptop) -> list[Row]:
    """What people see of the households."""
    return laptop.warehouse(
        "SELECT household_id, age, income, home_ownership, marital_status, household_size, household_comp, kids_count"
        " FROM customers ORDER BY household_id"
    )


def customers_in_lake(laptop: Laptop) -> list[Row]:
    """The same of the Iceberg table."""
    found = laptop.lake("customers").scan().to_arrow().to_pylist()
    return sorted(tuple(value for name, value in row.items() if not name.startswith("_")) for row in found)


def test_of_each_household_the_latest_row_is_shown(laptop: Laptop, shared: Path, tmp_path: Path) -> None:
    """After every export, lake and warehouse show one row of each household: the last that came, as DuckDB says."""
    land_real(shared, tmp_path, "customers", "none", "none", 1)
    first, *rest = sorted(path for path in (tmp_path / "customers").rglob("*") if path.is_file())
    changed_export(first, tmp_path / "changed.csv")
    exports = [first, *rest, tmp_path / "changed.csv"]
    for number in range(len(exports)):
        laptop.land(f"customers/export-{number}", exports[number].read_bytes())
        laptop.rest()
        expected = latest_customers(exports[: number + 1])
        assert customers_in_warehouse(laptop) == expected
        assert customers_in_lake(laptop) == expected
    assert len(expected) == 479
    assert laptop.lake_count("customers_by_batch") == 478 + len(range(0, 400, 3)) + 2
