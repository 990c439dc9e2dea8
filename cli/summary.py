"""What `local run` and `demo` print of what came of a drive: counts side by side, and all that is not in the tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console

from cli.render import Part, Sheet, capped, line, name, number, plural, say, say_whole, shortened
from local.summary import Finding, Summary

WHERE = "summary.json"
NAME_MAX = 200  # characters of a file's name on the screen
ALL_IS_WELL = "Every file at rest, every row accounted for: lake = warehouse = kept."


def show_summary(console: Console, summary: Summary, out: Path) -> None:
    """Counts side by side, what is wrong or missing with its reason, and where everything lies."""
    console.print(_counts(summary))
    say(console, "")
    for heading, colour, listed in _troubles(console, summary):
        say(console, (heading, colour))
        for told in capped(listed, WHERE):
            say(console, "  ", told)
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
    counted = ("files", "batches", "read", "kept", "rejected", "repeated")
    table = Sheet(
        "dataset", "table", *counted, "lake", "warehouse",
        spare=("files", "batches", "repeated", "kept", "read"), figures=("batches",),
    )  # fmt: skip
    for dataset, found in summary.datasets.items():
        counts = (found.files, len(found.batches), found.read, found.kept, found.rejected, found.duplicate_records)
        for position, (title, rows) in enumerate(found.tables.items()):
            shown = [number(value) for value in counts] if position == 0 else [""] * len(counts)
            table.add_row(dataset if position == 0 else "", title, *shown, number(rows.lake), number(rows.warehouse))
    return table


def _troubles(console: Console, summary: Summary) -> Iterable[tuple[str, str, Sequence[Part]]]:
    """(heading, colour, lines) of each kind of trouble that there is."""
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
    return [line(shortened(name(found.name), NAME_MAX, console), f": {found.reason}") for found in findings]


def _quarantined(summary: Summary) -> list[Part]:
    return [
        line(f"{batch.batch_id}: {batch.reason}", f" ({_files(batch.files)})" if batch.files else "")
        for batch in summary.quarantined
    ]


def _files(uris: Sequence[str]) -> str:
    return ", ".join(str(told) for told in capped([name(uri) for uri in uris], WHERE))
