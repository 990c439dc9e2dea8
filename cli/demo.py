"""`tidemark demo`: sample traffic of every dataset, the nightly jobs after it, a few questions and a prediction."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from cli.folders import clear_demo, mark_demo
from cli.local_cloud import run_local, weight
from cli.predict import Api, identity, prediction_table
from cli.render import Sheet, say
from local.cloud import Cloud
from local.sample_data.generate import generate, sampled, write
from tidemark.adapters.dataset_files import load_all
from tidemark.settings import DATASETS

DEMO_RECORDS = 6_000
DEMO_SEED = 7
DEMO_START = datetime(2026, 11, 20, 8, tzinfo=UTC)
QUESTIONS = {
    "web_logs": (
        "Which pages fail most?",
        (
            "SELECT path, status_code, SUM(errors) AS errors FROM error_patterns GROUP BY path, status_code"
            " ORDER BY errors DESC, path LIMIT 3"
        ),
    ),
    "transactions": (
        "What do the best customers spend?",
        (
            "SELECT user_id, SUM(total_amount) AS spent, SUM(transactions) AS purchases FROM daily_user_totals"
            " GROUP BY user_id ORDER BY spent DESC LIMIT 3"
        ),
    ),
    "": (
        "Which batches made these tables?",
        (
            "SELECT batch_id, attempt, SUM(row_count) AS rows FROM tidemark.load_history"
            " GROUP BY batch_id, attempt ORDER BY batch_id LIMIT 5"
        ),
    ),
}
#: A customer who is in no segment yet.
CUSTOMER = {
    "household_id": "new-customer", "age": "35-44", "income": "75-99K", "home_ownership": "Homeowner",
    "marital_status": "Married", "household_size": "4", "household_comp": "2 Adults Kids", "kids_count": "2",
    "recency": 3, "frequency": 12, "monetary": 480.0,
}  # fmt: skip


def run_demo(console: Console, out: Path) -> int:
    """Drive sample traffic and its nightly jobs to rest; then ask a few questions. Returns the exit status."""
    clear_demo(out)
    datasets = sampled(load_all(DATASETS))
    predicted: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="tidemark-") as scratch:
        landed = Path(scratch) / "landed"
        for dataset in datasets:
            write(generate(dataset, DEMO_SEED, DEMO_RECORDS, DEMO_START, dirt=0.004, duplicates=0.01), landed)
        say(console, ("Sample traffic", "bold"), f" for {', '.join(datasets)}: {weight(landed)}, as Firehose lands it")
        say(console, "")
        status = run_local(console, landed, out, True, lambda cloud: predicted.append(_predict(cloud)), mark_demo)
    if not (out / "summary.json").is_file():  # the drive was stuck, and run_local has printed so
        return status
    _answer(console, out / "warehouse.duckdb", set(datasets))
    for answer in predicted:
        _ask(console, "POST /predict: in which segment would a new customer be?", prediction_table(answer))
        say(console, (identity(answer["model"]), "dim"))
    return status


def _predict(cloud: Cloud) -> dict[str, Any]:
    return Api(cloud.url, cloud.session).ask("POST", "/predict", CUSTOMER)


def _answer(console: Console, database: Path, datasets: set[str]) -> None:
    import duckdb

    with duckdb.connect(str(database), read_only=True) as connection:
        for dataset, (question, sql) in QUESTIONS.items():
            if dataset and dataset not in datasets:
                continue
            result = connection.execute(sql)
            table = Sheet(*(column[0] for column in result.description or ()))
            for row in result.fetchall():
                table.add_row(*map(str, row))
            _ask(console, question, table)


def _ask(console: Console, question: str, answer: Sheet) -> None:
    say(console, "")
    say(console, (question, "italic"))
    console.print(answer)
