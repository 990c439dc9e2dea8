"""Exit statuses: errors of the world, interrupts, readers that have gone, faults of the program."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from boto3.exceptions import S3UploadFailedError
from botocore.parsers import ResponseParserError

from cli import diagram
from cli.main import main
from tests.cli.outcomes import refused

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        S3UploadFailedError("a\nb"),
        ResponseParserError("x"),
        TimeoutError("y"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_the_world_in_any_command_is_one_line(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error of the disk, of AWS or of the network is one line."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(diagram, "print_lifecycle", fail)
    assert refused(["lifecycle"], capsys).startswith("tidemark: ")


def test_an_interrupt_is_quiet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C prints nothing and gives exit status 130, as in a shell."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(diagram, "print_lifecycle", interrupt)
    assert (main(["lifecycle"]), capsys.readouterr()) == (130, ("", ""))


def test_a_fault_of_the_program_is_not_passed_off_as_wrong_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of the program is raised with its stack trace, for the bug report."""
    monkeypatch.setattr(diagram, "print_lifecycle", lambda _: {}["missing"])
    with pytest.raises(KeyError):
        main(["lifecycle"])


def process(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """A command as a process of its own."""
    paths = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "functions")])}
    return subprocess.run([sys.executable, *words], text=True, check=False, env=paths, **options)


@pytest.mark.parametrize("word", ["lifecycle", "--help"])
@pytest.mark.parametrize(("output", "status", "lines"), [("closed", 141, 0), ("full", 2, 1)])
def test_output_that_cannot_be_written_is_no_stack_trace(word: str, output: str, status: int, lines: int) -> None:
    """A closed pipe ends a command without a word; a full disk is one line."""
    reading, writing = os.pipe()
    os.close(reading)
    sink = writing if output == "closed" else os.open("/dev/full", os.O_WRONLY)
    done = process("-m", "cli.main", word, stdout=sink, stderr=subprocess.PIPE)
    os.close(sink)
    assert (done.returncode, done.stderr.count("\n")) == (status, lines), done.stderr


#: Each takes a tenth of a second or more to import.
HEAVY = ("boto3", "botocore", "duckdb", "moto", "pyarrow", "pyiceberg", "pyspark", "rich")


def test_help_and_completion_import_none_of_the_heavy_libraries() -> None:
    """`tidemark --help` answers at once: a command's libraries are imported when it is called."""
    code = f"""
import os, sys
from cli.main import main
assert main(["--help"]) == 0
os.environ.update(_TIDEMARK_COMPLETE="bash_complete", COMP_WORDS="tidemark local run ", COMP_CWORD="3")
assert main([]) == 0
print(set({HEAVY!r}) & set(sys.modules))
"""
    done = process("-c", code, capture_output=True)
    assert (done.stdout.splitlines()[-1:], done.stderr) == (["set()"], "")


def test_no_command_at_all_prints_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    """`tidemark` alone prints the same as `tidemark --help`, with exit status 0."""
    assert (main([]), main(["--help"])) == (0, 0)
    said = capsys.readouterr()
    once, rest = said.out[: len(said.out) // 2], said.out[len(said.out) // 2 :]
    assert (once == rest, "quarantine acknowledge" in once, said.err) == (True, True, "")


@pytest.mark.parametrize(
    ("words", "position", "suggestions"),
    [
        ("tidemark re", 1, {"plain,reconcile", "plain,replay", "plain,recover", "plain,resume", "plain,removals"}),
        ("tidemark quarantine r", 2, {"plain,release"}),
        ("tidemark batches --l", 2, {"plain,--limit"}),
        ("tidemark local run ", 3, {"dir,"}),
    ],
)
def test_a_shell_completes_commands_options_and_folders(
    words: str,
    position: int,
    suggestions: set[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Bash gets commands, options and folders for the words so far and the position of the cursor."""
    for name, value in {"_TIDEMARK_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": position}.items():
        monkeypatch.setenv(name, str(value))
    assert main([]) == 0
    assert set(capsys.readouterr().out.split()) == suggestions
