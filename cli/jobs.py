"""`tidemark jobs list` and `use`: the uploaded versions of the Spark code, and a step back to an earlier one."""

from __future__ import annotations

from rich.console import Console

from cli.render import Record, Sheet, number, say, show_table
from cli.text import name
from tidemark.adapters.world import World
from tidemark.clock import iso
from tidemark.service.job_code import CodeVersion, code_versions, use_code


def list_jobs(world: World, console: Console) -> None:
    """List every uploaded version, latest first."""
    table = Sheet("code", "uploaded", "current", "batches under way", whole=("code",))
    for version in code_versions(world):
        uploaded = f"{version.uploaded_at:%Y-%m-%d %H:%M}"
        current = "current" if version.is_current else ""
        table.add_record(_record(version), name(version.code), uploaded, current, number(version.batches))
    show_table(console, table)


def use_job_code(world: World, console: Console, code: str) -> None:
    """Make an uploaded version current again; runs that are under way keep theirs."""
    use_code(world, code)
    say(console, f"job code {code} is current: new work takes it from now on")


def _record(version: CodeVersion) -> Record:
    return {
        "code": version.code,
        "uploaded_at": iso(version.uploaded_at),
        "current": version.is_current,
        "batches": version.batches,
    }
