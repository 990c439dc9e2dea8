"""`tidemark lake register`: a lake bucket that outlived its stack gets its tables in Glue back."""

from __future__ import annotations

from rich.console import Console

from cli.render import plural, say, say_whole
from tidemark.adapters.world import World


def register_lake(world: World, console: Console) -> None:
    """Register every table of the lake bucket that the Glue database lacks, by its newest metadata."""
    from tidemark.adapters.retained_lake import RetainedLake
    from tidemark.service.register import look, register

    retained = RetainedLake(world.lake, world.client("s3"))
    for table in register(retained):
        say_whole(console, (table.name, "green"), f" is registered: {table.metadata}")
    known = len(look(retained))
    say(console, f"Glue has {plural(known, 'table')} of s3://{world.settings.lake_bucket}/")
