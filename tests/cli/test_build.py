"""SAM builds with the Python that the functions run on, or nothing is built."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

import cli.build as command
from cli.build import environment_for, run_sam, runtime
from tests.conftest import ROOT
from tidemark.core.errors import TidemarkError

FUNCTIONS = ROOT / "functions"


def program(folder: Path, name: str, answer: str) -> Path:
    """A program that prints the answer, whatever it is asked; exit status 1 without one."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n[ -n '{answer}' ] && echo '{answer}'\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on the path. It has a Python 3.13, and a uv that knows no other."""
    folder = tmp_path / "bin"
    program(folder, "python3", "python3.13")
    program(folder, "uv", "")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(command.sys, "executable", str(folder / "python3"))
    return folder


@pytest.mark.parametrize("name", ["python3.11", "python3", "python"])
def test_a_python_of_the_runtime_on_the_path_is_taken(machine: Path, name: str) -> None:
    """SAM finds it under any of these names."""
    program(machine, name, "python3.11")
    assert environment_for("python3.11") == dict(os.environ)


def test_a_python_that_uv_knows_is_put_on_the_path(machine: Path, tmp_path: Path) -> None:
    """It need not be installed for anybody else."""
    found = program(tmp_path / "managed", "python3.11", "python3.11")
    program(machine, "uv", str(found))
    assert environment_for("python3.11")["PATH"] == f"{tmp_path / 'managed'}:{os.environ['PATH']}"


def test_without_it_one_line_says_what_to_do(machine: Path) -> None:
    """Before anything was built."""
    with pytest.raises(TidemarkError) as error:
        environment_for("python3.11")
    assert str(error.value) == (
        "expected python3.11, the functions' runtime, to build them, found python3.13:"
        " `uv python install 3.11` gets it, without changing any other Python"
    )


def test_the_runtime_is_the_templates(machine: Path) -> None:
    """Not a copy of it in the code."""
    assert f"Runtime: {runtime()}" in (ROOT / "template.yaml").read_text(encoding="utf-8")


def test_sams_output_is_shown_and_returned(machine: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The person sees the progress; the command reads the change set from it."""
    program(machine, "sam", "built")
    assert run_sam("build") == "built\n"
    assert capfd.readouterr().out == "built\n"


def test_a_failing_sam_is_named(machine: Path) -> None:
    """Its own words stand above."""
    program(machine, "sam", "")
    with pytest.raises(TidemarkError, match="`sam build` failed with exit status 1"):
        run_sam("build")
