"""Files of strangers, each behind a declaration of its own, against what DuckDB alone reads from them."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.spark, pytest.mark.slow]

REAL = Path("tests/e2e/real")
TREE = ("cli", "functions", "layers", "local", "spark_jobs")
FOLDERS = {"retail": "tx_online_retail", "census": "cust_adult_uci", "nasa": "web_nasa_http"}

RETAIL = """
    SELECT InvoiceNo, StockCode, nullif(Description, '') AS Description, Quantity::INT AS quantity,
           InvoiceDate::TIMESTAMP AS invoiced_at, UnitPrice::DECIMAL(12,2) AS unit_price,
           CustomerID::DECIMAL(12,1)::BIGINT::VARCHAR AS customer_id, Country,
           (unit_price * Quantity::INT)::DECIMAL(18,2) AS amount, invoiced_at::DATE AS invoice_date
    FROM read_csv('{landed}/retail/*.csv', header = true, all_varchar = true)
"""
CENSUS_FIELDS = (
    "age", "workclass", "weight", "education", "education_num", "marital_status", "occupation", "relationship",
    "race", "sex", "capital_gain", "capital_loss", "hours", "native_country", "income",
)  # fmt: skip
CENSUS = f"""
    SELECT {", ".join(f"nullif(trim({name}), '?') AS {name}" for name in CENSUS_FIELDS)}
    FROM read_csv('{{landed}}/census/*.csv', header = false, all_varchar = true, names = {list(CENSUS_FIELDS)})
"""
NASA = """
    SELECT host, to_timestamp(time::BIGINT)::TIMESTAMP AS requested_at, method, url, response::INT AS response,
           bytes::BIGINT AS bytes
    FROM read_csv('{landed}/nasa/*.tsv', delim = '\\t', skip = 1, header = false, all_varchar = true, quote = '',
                  names = ['host', 'logname', 'time', 'method', 'url', 'response', 'bytes', 'more', 'and_more'])
"""


def nasty_texts(shared: Path) -> list[str]:
    """Texts that are known to break programs, and some that break lines."""
    listed = json.loads((shared / "data" / "corner_keys_strings" / "dev" / "blns.json").read_text(encoding="utf-8"))
    return [*listed, 'two\nlines, "quoted"', "carriage\r\nreturn", '"', "\\", ",", "\t", "'; DROP TABLE people; --"]


def nasty_files(shared: Path, landed: Path) -> None:
    """The same texts as JSON objects with nothing between them, and as quoted CSV."""
    rows = list(enumerate(nasty_texts(shared)))
    for name in ("nasty_json", "nasty_csv"):
        (landed / name).mkdir()
    objects = "".join(json.dumps({"number": number, "text": text}) for number, text in rows)
    (landed / "nasty_json" / "texts.json").write_text(objects, encoding="utf-8")
    lines = io.StringIO()
    writer = csv.writer(lines, quoting=csv.QUOTE_ALL)
    writer.writerow(("number", "text"))
    writer.writerows(rows)
    (landed / "nasty_csv" / "texts.csv").write_text(lines.getvalue(), encoding="utf-8", newline="")


@pytest.fixture(scope="module")
def landed(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everybody's files as they are, below their datasets' prefixes."""
    folder = tmp_path_factory.mktemp("real") / "landed"
    for name, source in FOLDERS.items():
        shutil.copytree(
            shared / "data" / source / "dev", folder / name, ignore=lambda _, names: {"SHA256SUMS"} & {*names}
        )
    nasty_files(shared, folder)
    return folder


@pytest.fixture(scope="module")
def done(root: Path, landed: Path) -> Path:
    """The results of one local run over all of it, in a copy of the product that has these declarations alone."""
    copy = landed.parent / "tidemark"
    without = shutil.ignore_patterns("__pycache__", "datasets")
    for name in TREE:
        shutil.copytree(root / name, copy / name, symlinks=True, ignore=without)
    shutil.copytree(root / REAL / "datasets", copy / "functions" / "datasets")
    shutil.copytree(root / REAL / "transforms", copy / "spark_jobs" / "transforms", dirs_exist_ok=True, ignore=without)
    shutil.copy(root / "template.yaml", copy)
    environment = {**os.environ, "PYTHONPATH": f"{copy}{os.pathsep}{copy / 'functions'}"}
    finished = subprocess.run(
        [sys.executable, "-m", "cli.main", "local", "run", str(landed), "--out", str(copy / "out")],
        cwd=copy, env=environment, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return copy / "out"


@pytest.fixture
def warehouse(done: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The run's warehouse."""
    with duckdb.connect(str(done / "warehouse.duckdb"), read_only=True) as connection:
        yield connection


@pytest.fixture
def raw(landed: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The raw files as DuckDB reads them, nothing of the product being asked."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name, sql in {"retail": RETAIL, "census": CENSUS, "nasa": NASA}.items():
            connection.execute(f"CREATE VIEW {name} AS {sql.format(landed=landed)}")
        yield connection


def rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    """The answer in an order that depends on the values alone."""
    return sorted(connection.execute(sql).fetchall(), key=repr)


def test_every_line_of_the_invoices_is_there(
    warehouse: duckdb.DuckDBPyConnection, raw: duckdb.DuckDBPyConnection
) -> None:
    """Quotes, commas, free text, prices and numbers that went through a spreadsheet: all as DuckDB reads them."""
    lines = rows(warehouse, "SELECT * EXCLUDE (_batch_id, _attempt, _file, _rescued) FROM retail_lines")
    assert lines == rows(raw, "SELECT * FROM retail")
    assert len(lines) == 25_281


def test_sales_and_refunds_of_a_day_are_right_to_the_penny(
    warehouse: duckdb.DuckDBPyConnection, raw: duckdb.DuckDBPyConnection
) -> None:
    """By customer and day, the third without a customer included; the view's average is a quotient of its sums."""
    expected = """
        SELECT COALESCE(customer_id, 'unknown'), invoice_date,
               SUM(greatest(amount, 0))::DECIMAL(18,2), SUM(greatest(-amount, 0))::DECIMAL(18,2), COUNT(*)
        FROM retail GROUP BY ALL
    """
    found = "SELECT customer_id, invoice_date, sales, refunds, lines FROM retail_days"
    assert rows(warehouse, found) == rows(raw, expected)
    assert rows(warehouse, "SELECT * FROM retail_days WHERE abs(average - sales::DOUBLE / lines) > 1e-9") == []


def test_a_census_without_header_is_read_by_position(
    warehouse: duckdb.DuckDBPyConnection, raw: duckdb.DuckDBPyConnection
) -> None:
    """Blanks behind commas are nobody's, and a question mark is null."""
    people = "age::INT AS age, workclass, occupation, sex, native_country, income"
    found = "SELECT age, workclass, occupation, sex, native_country, income FROM people"
    assert rows(warehouse, found) == rows(raw, f"SELECT {people} FROM census")
    assert rows(warehouse, "SELECT workclass, income, people, hours FROM people_by_work") == rows(
        raw, "SELECT workclass, income, COUNT(*), SUM(hours::INT) FROM census GROUP BY ALL"
    )
    assert rows(warehouse, "SELECT COUNT(*) FROM people WHERE workclass IS NULL") == [(585,)]


def test_lines_with_tabs_too_many_lose_nothing(
    warehouse: duckdb.DuckDBPyConnection, raw: duckdb.DuckDBPyConnection
) -> None:
    """Two empty fields more than the header has are no reason to reject a line; digits are a time."""
    columns = "host, requested_at, method, url, response, bytes"
    assert rows(warehouse, f"SELECT {columns} FROM nasa_requests") == rows(raw, f"SELECT {columns} FROM nasa")
    assert rows(warehouse, "SELECT response, requests, bytes FROM nasa_responses") == rows(
        raw, "SELECT response, COUNT(*), SUM(bytes) FROM nasa GROUP BY ALL"
    )


@pytest.mark.parametrize("name", ["nasty_json", "nasty_csv"])
def test_nasty_texts_arrive_as_they_were_sent(warehouse: duckdb.DuckDBPyConnection, shared: Path, name: str) -> None:
    """Quotes, injections, emoji, right-to-left and control characters are values; in CSV an empty text is null."""
    expected = [
        (number, text if name == "nasty_json" else text or None) for number, text in enumerate(nasty_texts(shared))
    ]
    assert warehouse.execute(f"SELECT number, text FROM {name} ORDER BY number").fetchall() == expected
