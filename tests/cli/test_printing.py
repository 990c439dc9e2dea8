"""Every command that prints what came from outside prints it as text, at any width."""

from __future__ import annotations

import pytest

from cli.nightly import list_jobs, run_night
from cli.operate import replay_batches
from cli.quarantine import list_quarantine, show_quarantined
from cli.status import show_batches, show_file, show_status
from cli.text import name, visible
from tests.cli.batches import BATCH, hold
from tests.cli.nasty import NASTY
from tests.cli.outcomes import checked
from tests.service.nights import NightWorld

#: What S3 and DynamoDB can be handed: UTF-8; one text that is closed by what it does not open, and all of them in one.
KEYS = [text for text in NASTY if not any(0xD800 <= ord(one) < 0xE000 for one in text)]
ALL = ("[/x]", "/".join(text for text in KEYS if len(text) < 60))


@pytest.mark.parametrize("reason", ALL, ids=["markup", "all"])
def test_what_the_ledger_holds_is_printed_as_text(world: NightWorld, reason: str) -> None:
    """No key or reason of the ledger disturbs a screen, whichever command prints it."""
    key = f"shop/{reason}"
    hold(world, key, reason=reason)
    uri, why = f"s3://raw/{key}", visible(reason).strip()
    checked(lambda console: show_batches(world, console, None, 20), BATCH, why)
    checked(lambda console: show_file(world, console, uri), name(uri), why)
    checked(lambda console: list_quarantine(world, console), BATCH, name(uri), why)
    checked(lambda console: show_quarantined(world, console, BATCH), BATCH, name(uri), why)
    checked(lambda console: show_status(world, console), "QUARANTINED 1")
    chosen = [BATCH], None, None, None
    checked(lambda console: replay_batches(world, console, *chosen, only_plan=True), BATCH, "sales 1")
    checked(lambda console: list_jobs(world, console), "totals")
    checked(lambda console: run_night(world, console, [], [], only_plan=True))
