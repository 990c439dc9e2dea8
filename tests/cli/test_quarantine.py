"""What `quarantine` shows of a batch that waits for a person."""

from __future__ import annotations

from cli.quarantine import list_quarantine, show_quarantined
from cli.render import PIPE_WIDTH
from tests.cli.batches import BATCH, FILES, hold, running
from tests.cli.outcomes import printed
from tests.service.nights import NightWorld
from tidemark.core.lifecycle import Poisoned
from tidemark.service.transitions import move


def test_a_quarantined_batch_names_its_files(world: NightWorld) -> None:
    """The list names a batch's first file, and `show` ten of them and the place of the others."""
    move(world, running(world), Poisoned(1, "counts do not agree"))
    listed = printed(lambda console: list_quarantine(world, console), PIPE_WIDTH)
    assert "s3://raw/shop/0.json and 11 more" in listed
    shown = printed(lambda console: show_quarantined(world, console, BATCH), PIPE_WIDTH)
    assert "counts do not agree" in shown
    assert [shown.count(f"{file.uri}\n") for file in FILES] == [1] * 10 + [0] * 2
    assert "and 2 more, see its manifest manifest" in shown


def test_files_in_the_list_are_names_and_fold(world: NightWorld) -> None:
    """Names of files fold in a column whose title stands for counts elsewhere."""
    key = f"shop/{'x' * 60}.json"
    hold(world, key)
    shown = printed(lambda console: list_quarantine(world, console), 100)
    heading, *rows = [row for row in shown.splitlines() if not row.startswith("not shown")]
    place = heading.index("files")
    assert "".join(row[place:].strip() for row in rows) == f"s3://raw/{key}–"
