"""What must come out, computed by DuckDB alone from the raw files: no code of the product has a part in it.

A record is a flat JSON object, so a regular expression finds the complete ones however they are glued; what is
cut off or no JSON is not matched, and DuckDB's own JSON reader and casts decide about the rest.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb

OBJECTS = {
    "web_logs": r'\{"timestamp"[^{}]*\}',
    "transactions": r'\{"transaction_id"[^{}]*\}',
    "content": r'\{"event_id"[^{}]*\}',
}

WEB_LOGS = """
    SELECT json->>'user_id' AS user_id, TRY_CAST(json->>'timestamp' AS TIMESTAMPTZ) AS event_time,
           TRY_CAST(json->>'status_code' AS INTEGER) AS status_code, json->>'path' AS path
    FROM found WHERE user_id IS NOT NULL AND event_time IS NOT NULL AND status_code IS NOT NULL
"""
TRANSACTIONS = """
    SELECT DISTINCT json->>'transaction_id' AS transaction_id, json->>'user_id' AS user_id,
           TRY_CAST(json->>'timestamp' AS TIMESTAMPTZ) AS event_time,
           TRY_CAST(json->>'amount' AS DECIMAL(12,2)) AS amount
    FROM found
    WHERE transaction_id IS NOT NULL AND user_id IS NOT NULL AND event_time IS NOT NULL AND amount IS NOT NULL
"""
CONTENT = """
    SELECT DISTINCT json->>'event_id' AS event_id, json->>'event_type' AS event_type, json->>'content_id' AS content_id,
           TRY_CAST(json->>'timestamp' AS TIMESTAMPTZ) AS event_time, json->>'site' AS site, json->>'device' AS device
    FROM found
    WHERE event_id IS NOT NULL AND content_id IS NOT NULL AND event_time IS NOT NULL
      AND event_type IN ('view', 'click')
      AND (json->>'position' IS NULL OR TRY_CAST(json->>'position' AS INTEGER) IS NOT NULL)
"""
PERFORMANCE = """
    SELECT content_id, coalesce(site, 'unknown'), coalesce(device, 'unknown'), event_time::DATE::VARCHAR,
           count(*) FILTER (event_type = 'view') AS views, count(*) FILTER (event_type = 'click') AS clicks,
           CASE WHEN views > 0 THEN round(clicks / views, 9) END
    FROM content_rows GROUP BY ALL ORDER BY ALL
"""
Row = tuple[object, ...]


@dataclass(frozen=True)
class Totals:
    """What the tables of both datasets must show."""

    web_events: int
    events: int
    errors: int
    error_pairs: int  # distinct (status, path, date) with errors
    users_by_day: int
    transactions: int
    total_amount: Decimal
    customers_by_day: int


def totals(paths: Iterable[Path]) -> Totals:
    """Read the raw files, gzipped or not, and count."""
    texts = [(path.name, _text(path)) for path in paths]
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        logs = _parse(connection, "web_logs", [text for name, text in texts if name.startswith("web-logs")], WEB_LOGS)
        sales = [text for name, text in texts if name.startswith("transactions")]
        bought = _parse(connection, "transactions", sales, TRANSACTIONS)
        one = lambda sql: connection.execute(sql).fetchone()[0]  # noqa: E731 - a name for eight one-line queries
        return Totals(
            web_events=one(f"SELECT COUNT(*) FROM {logs}"),
            events=one(f"SELECT COUNT(*) FROM {logs}"),
            errors=one(f"SELECT COUNT(*) FROM {logs} WHERE status_code >= 400"),
            error_pairs=one(
                f"SELECT COUNT(DISTINCT (status_code, path, event_time::DATE)) FROM {logs} WHERE status_code >= 400"
            ),
            users_by_day=one(f"SELECT COUNT(DISTINCT (user_id, event_time::DATE)) FROM {logs}"),
            transactions=one(f"SELECT COUNT(*) FROM {bought}"),
            total_amount=one(f"SELECT COALESCE(SUM(amount), 0) FROM {bought}"),
            customers_by_day=one(f"SELECT COUNT(DISTINCT (user_id, event_time::DATE)) FROM {bought}"),
        )


def content_performance(paths: Iterable[Path]) -> list[Row]:
    """Content, site, device, day, views, clicks and their quotient, of raw files of content."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        _parse(connection, "content", [_text(path) for path in paths], CONTENT)
        return connection.execute(PERFORMANCE).fetchall()


def latest_customers(exports: Sequence[Path]) -> list[Row]:
    """The last row of each household in exports that arrived in this order; ragged and nameless rows left out."""
    with duckdb.connect() as connection:
        parts = " UNION ALL ".join(
            f"SELECT {number} AS export, row_number() OVER () AS line, * FROM read_csv({str(path)!r}, header = true,"
            " all_varchar = true, quote = '\"', delim = ',', ignore_errors = true, parallel = false)"
            for number, path in enumerate(exports)
        )
        return connection.execute(
            f"SELECT * EXCLUDE (export, line) FROM ({parts}) WHERE household_id IS NOT NULL"
            " QUALIFY row_number() OVER (PARTITION BY household_id ORDER BY export DESC, line DESC) = 1"
            " ORDER BY household_id"
        ).fetchall()


def _parse(connection: duckdb.DuckDBPyConnection, name: str, texts: list[str], select: str) -> str:
    connection.execute("CREATE OR REPLACE TEMP TABLE raw (text VARCHAR)")
    for text in texts:
        connection.execute("INSERT INTO raw VALUES (?)", [text])
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE found AS SELECT object::JSON AS json FROM"
        " (SELECT UNNEST(regexp_extract_all(text, ?)) AS object FROM raw) WHERE json_valid(object)",
        [OBJECTS[name]],
    )
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {name}_rows AS {select}")
    return f"{name}_rows"


def _text(path: Path) -> str:
    body = path.read_bytes()
    return (gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body).decode("utf-8", "replace")
