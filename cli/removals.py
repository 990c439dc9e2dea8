"""`tidemark removals`: a deployment must not remove a declaration that still has files or batches."""

from __future__ import annotations

from rich.console import Console

from cli.connection import connect
from cli.render import say
from tidemark.adapters.dataset_files import load_all
from tidemark.core.errors import TidemarkError
from tidemark.service.removals import refuse_removals
from tidemark.settings import DATASETS


def check_removals(stack: str, console: Console, force: bool) -> None:
    """Compare this folder's declarations with the deployed stack's ledger, before a deployment.

    A stack that cannot be reached has perhaps never been deployed: this is said, and is no error.
    """
    declared = load_all(DATASETS)
    try:
        world = connect(stack)
    except TidemarkError as unreachable:
        say(console, ("removed declarations are not checked", "yellow"), f": {unreachable}")
        return
    if force:
        say(console, ("removed declarations are not checked", "yellow"), ": --force")
        return
    refuse_removals(world, declared)
    say(console, "no removed declaration has files or batches")
