"""What `local run` and `demo` print at their end: counts side by side, and everything that is not in the tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console

from cli.render import Part, Record, Sheet, capped, line, number, plural, say, say_whole, shortened, show_table
from cli.text import name
from local.summary import DatasetSummary, Finding, Summary, TableSummary

WHERE = "summary.json"
NAME_MAX = 200  # characters of a file's name on the screen
COUNTED = ("files", "batches", "read", "kept", "rejected", "duplicate_records")
ALL_IS_WELL = "Every file at rest, every row accounted for: lake = warehouse = kept."


def show_summary(console: Console, summary: Summary, out: Path) -> None:
    """Counts side by side, what is wrong or missing with its reason, and the place of each result."""
    show_table(console, _counts(summary))
    say(console, "")
    for heading, colour, listed in _troubles(console, summary):
        say(console, (heading, colour))
        for row in capped(listed, WHERE):
            say(console, "  ", row)
    if summary.clean:
        say(console, (ALL_IS_WELL, "green"))
    else:
        say(console, ("Something needs a person: see above.", "yellow"))
    for place, what in (
        ("warehouse.duckdb", "the warehouse (DuckDB)"),
        ("lake/", "the Iceberg tables"),
        ("quarantine/", "rejected records, with file, position and reason"),
        ("summary.json", "these figures"),
    ):
        say_whole(console, f"  {name(out / place)}  ", (what, "dim"))


def _counts(summary: Summary) -> Sheet:
    counted = ("files", "batches", "read", "kept", "rejected", "duplicates")
    table = Sheet(
        "dataset", "table", *counted, "lake", "warehouse",
        spare=("files", "batches", "duplicates", "kept", "read"), figures=("batches",),
    )  # fmt: skip
    for dataset, counts in summary.datasets.items():
        for title, rows in counts.tables.items():
            record = _record(dataset, counts, title, rows)
            first = title == next(iter(counts.tables))  # a dataset's own counts appear once
            shown = [number(record[key]) if first else "" for key in COUNTED]
            table.add_record(record, dataset if first else "", title, *shown, number(rows.lake), number(rows.warehouse))
    return table


def _record(dataset: str, counts: DatasetSummary, table: str, rows: TableSummary) -> Record:
    return {
        "dataset": dataset,
        "table": table,
        "files": counts.files,
        "batches": len(counts.batches),
        "read": counts.read,
        "kept": counts.kept,
        "rejected": counts.rejected,
        "duplicate_records": counts.duplicate_records,
        "lake": rows.lake,
        "warehouse": rows.warehouse,
    }


def _troubles(console: Console, summary: Summary) -> Iterable[tuple[str, str, Sequence[Part]]]:
    """(heading, colour, lines) of each kind of trouble."""
    groups: tuple[tuple[str, str, str, Sequence[Part]], ...] = (
        ("difference", "", "red", summary.differences),
        ("file", "did not land", "yellow", _named(console, summary.skipped)),
        ("file", "under no dataset's prefix", "yellow", [name(key) for key in summary.unclaimed_files]),
        ("file", "not read to the end", "yellow", _named(console, summary.unread)),
        ("file", "in quarantine", "yellow", _named(console, summary.refused)),
        ("batch", "in quarantine", "red", _quarantined(summary)),
        ("dataset", "with more records rejected than tolerated", "yellow", summary.beyond_tolerance),
    )
    for noun, what, colour, listed in groups:
        if listed:
            yield f"{plural(len(listed), noun)} {what}".rstrip() + ":", colour, listed


def _named(console: Console, findings: Iterable[Finding]) -> list[Part]:
    return [line(shortened(name(each.name), NAME_MAX, console), f": {each.reason}") for each in findings]


def _quarantined(summary: Summary) -> list[Part]:
    return [
        line(f"{batch.batch_id}: {batch.reason}", f" ({_files(batch.files)})" if batch.files else "")
        for batch in summary.quarantined
    ]


def _files(uris: Sequence[str]) -> str:
    return ", ".join(map(str, capped([name(uri) for uri in uris], WHERE)))
