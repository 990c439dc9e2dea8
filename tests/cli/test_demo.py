"""A demo is marked as its own, and replaced by the next."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cli import demo, local_cloud
from cli.folders import clear_demo
from tests.cli.outcomes import everything
from tidemark.core.errors import TidemarkError


def test_a_second_demo_replaces_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second demo removes the first one's files; a file added afterwards stops the third."""
    runs: list[list[str]] = []

    def run(_: Console, __: Path, out: Path, ___: bool, ____: object, written: Callable[[Path], None]) -> int:
        runs.append(everything(out.parent))
        (out / "lake").mkdir(parents=True)
        (out / "lake" / "catalog.db").write_text("made")
        (out / "summary.json").write_text("{}")
        written(out)
        return 0

    monkeypatch.setattr(demo, "run_local", run)
    monkeypatch.setattr(demo, "_answer", lambda *_: None)
    monkeypatch.setattr(demo, "DEMO_RECORDS", 5)
    console = Console(file=io.StringIO())
    assert [demo.run_demo(console, tmp_path / "out") for _ in range(2)] == [0, 0]
    assert runs == [[], ["out"]]
    (tmp_path / "out" / "lake" / "mine").touch()
    with pytest.raises(TidemarkError, match=r"nothing but an earlier demo as it was, found .*lake/mine"):
        demo.run_demo(console, tmp_path / "out")


def test_a_demo_with_a_closed_output_is_still_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After `tidemark demo | head` the next demo may still replace the folder."""

    def drive(*words: Any) -> None:
        words[4].file("summary.json").write_text("{}")

    def print_nothing(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(local_cloud, "_drive_folder", drive)
    monkeypatch.setattr(local_cloud, "show_summary", print_nothing)
    monkeypatch.setattr(demo, "DEMO_RECORDS", 5)
    with pytest.raises(BrokenPipeError):
        demo.run_demo(Console(file=io.StringIO()), tmp_path / "out")
    clear_demo(tmp_path / "out")
    assert everything(tmp_path) == ["out"]
