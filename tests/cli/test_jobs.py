"""`tidemark jobs list` and `use`."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from cli.jobs import list_jobs, use_job_code
from cli.render import open_console
from tests.service.lost import Shop
from tidemark.core.errors import TidemarkError
from tidemark.service.job_code import current_code, put_code


def said(act: Any, *arguments: Any) -> list[list[str]]:
    text = io.StringIO()
    act(*arguments[:1], Console(file=text, width=140), *arguments[1:])
    return [line.split() for line in text.getvalue().splitlines()]


def test_every_version_is_listed_with_the_batches_that_have_it() -> None:
    """One is current; for a program, too."""
    world = Shop().world
    codes = {name: put_code(world, {"run_batch.py": name.encode()}) for name in ("old", "new")}
    lines = said(list_jobs, world)
    assert {line[0]: line[3:] for line in lines[1:]} == {codes["old"]: ["0"], codes["new"]: ["current", "0"]}


def test_a_step_back_is_said_and_done() -> None:
    """The version is current then."""
    world = Shop().world
    old = put_code(world, {"run_batch.py": b"old"})
    put_code(world, {"run_batch.py": b"new"})
    assert said(use_job_code, world, old) == [f"job code {old} is current: new work takes it from now on".split()]
    assert current_code(world) == old


def test_an_unknown_hash_is_one_line() -> None:
    """Exit status 2, like all that is not possible as given."""
    with pytest.raises(TidemarkError, match=r"^expected the hash of uploaded job code .*, found 'c0de'$"):
        use_job_code(Shop().world, open_console(), "c0de")
