"""A command that writes into a folder leaves alone what it did not make."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.folders import MARKER, clear_demo, mark_demo, refuse_used, whole_or_nothing
from cli.main import main
from tests.cli.outcomes import everything
from tidemark.core.errors import TidemarkError


def leave_demo(out: Path) -> None:
    """Make what a demo leaves, the marker last."""
    (out / "lake" / "sales" / "data").mkdir(parents=True)
    (out / "quarantine").mkdir()
    for name in ("summary.json", "warehouse.duckdb", "lake/catalog.db", "lake/sales/data/00000.parquet"):
        (out / name).write_text("made")
    mark_demo(out)


def precious(folder: Path) -> None:
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "thesis.txt").write_text("years of work")


def marked_by_hand(folder: Path) -> None:
    precious(folder)
    (folder / MARKER).write_text("[]")


def marked_as_by_others(folder: Path) -> None:
    precious(folder)
    (folder / MARKER).write_text(json.dumps(["sub", "sub/thesis.txt", MARKER]))


def marked_with_nonsense(folder: Path) -> None:
    precious(folder)
    (folder / MARKER).write_text('{"sub": 1, "sub/thesis.txt')


def beside_a_demo(folder: Path) -> None:
    leave_demo(folder)
    (folder / "notes.txt").write_text("mine")


def deep_in_a_demo(folder: Path) -> None:
    leave_demo(folder)
    (folder / "lake" / "sales" / "data" / "mine.parquet").write_text("mine")


def written_over_in_a_demo(folder: Path) -> None:
    leave_demo(folder)
    (folder / "summary.json").write_text("mine")


def link_in_place_of_a_folder(folder: Path) -> None:
    leave_demo(folder)
    (folder / "quarantine").rmdir()
    (folder / "quarantine").symlink_to(folder.parent)


def folder_in_a_demo(folder: Path) -> None:
    leave_demo(folder)
    (folder / "mine").mkdir()


def link_in_a_demo(folder: Path) -> None:
    precious(folder.parent / "elsewhere")
    leave_demo(folder)
    (folder / "lake" / "link").symlink_to(folder.parent / "elsewhere")


def older_demo(folder: Path) -> None:
    leave_demo(folder)
    (folder / MARKER).unlink()


def marker_is_a_link(folder: Path) -> None:
    leave_demo(folder)
    (folder / MARKER).rename(folder.parent / "marker")
    (folder / MARKER).symlink_to(folder.parent / "marker")


FOREIGN = (
    precious, marked_by_hand, marked_as_by_others, marked_with_nonsense, beside_a_demo, deep_in_a_demo,
    written_over_in_a_demo, link_in_place_of_a_folder, folder_in_a_demo, link_in_a_demo, older_demo, marker_is_a_link,
)  # fmt: skip


@pytest.mark.parametrize("make", FOREIGN, ids=lambda make: make.__name__)
def test_a_demo_touches_no_folder_with_foreign_files(
    make: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder with anything that no demo made is refused in one line, and left unchanged."""
    make(tmp_path / "out")  # type: ignore[operator]
    before = everything(tmp_path)
    assert main(["demo", "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert everything(tmp_path) == before


@pytest.mark.parametrize("command", [["demo"], ["local", "run", "in"]], ids=["demo", "local run"])
@pytest.mark.parametrize("out", [".", "/", "link", "file", "dangling", "file/below", "full"])
def test_results_go_only_into_a_new_or_empty_folder(
    command: list[str], out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The working directory, the root, a link, a file and a folder in use are refused."""
    precious(tmp_path / "full")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.json").write_text("{}")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("empty")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "file").write_text("mine")
    monkeypatch.chdir(tmp_path)
    before = everything(tmp_path)
    assert main([*command, "--out", out]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert everything(tmp_path) == before


def test_an_earlier_demo_makes_room_for_the_next(tmp_path: Path) -> None:
    """Everything that a demo made is removed, empty folders included; the folder itself stays."""
    leave_demo(tmp_path / "out")
    clear_demo(tmp_path / "out")
    assert everything(tmp_path) == ["out"]
    refuse_used(tmp_path / "out")


def test_a_file_added_while_a_demo_runs_is_not_marked_as_its_own(tmp_path: Path) -> None:
    """A foreign file in a demo's folder makes the next demo refuse it."""
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "summary.json").write_text("made")
    mark_demo(tmp_path)
    with pytest.raises(TidemarkError, match=r"found .*notes\.txt new or changed"):
        clear_demo(tmp_path)
    assert everything(tmp_path) == [MARKER, "notes.txt", "summary.json"]


@pytest.mark.parametrize("title", ["lake", "quarantine", "summary.json", "warehouse.duckdb"])
def test_a_file_added_in_the_place_of_a_result_stays(title: str, tmp_path: Path) -> None:
    """A folder that was empty at the start may hold another run's results at the end, and keeps them."""
    out = tmp_path / "out"

    def run() -> None:
        with whole_or_nothing(out) as claim:
            precious(out / title)
            for one in ("lake", "quarantine"):
                (claim.folder(one) / "data").write_text("made")
            for one in ("summary.json", "warehouse.duckdb"):
                claim.file(one).write_text("made")

    with pytest.raises(TidemarkError, match=f"to stay empty meanwhile, found .*{title}"):
        run()
    assert everything(out) == [title, f"{title}/sub", f"{title}/sub/thesis.txt"]


def test_a_link_in_the_way_of_a_result_is_not_followed(tmp_path: Path) -> None:
    """A dangling link in the place of a result is refused, too."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "summary.json").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TidemarkError, match="to stay empty meanwhile"), whole_or_nothing(tmp_path / "out") as claim:
        claim.file("summary.json")
    assert everything(tmp_path) == ["out", "out/summary.json"]


def test_a_run_that_fails_leaves_a_folder_as_it_was(tmp_path: Path) -> None:
    """After a failed run a new folder is gone, and an older one has only what others put there."""
    (tmp_path / "old").mkdir()
    for out in (tmp_path / "old", tmp_path / "new"):
        with pytest.raises(KeyboardInterrupt), whole_or_nothing(out) as claim:  # noqa: PT012
            (claim.folder("lake") / "catalog.db").write_text("made")
            if out.name == "old":
                (out / "notes.txt").write_text("mine")
            raise KeyboardInterrupt
    assert everything(tmp_path) == ["old", "old/notes.txt"]
