"""docs/add-a-dataset.md is executed as it stands, so that it cannot rot."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path("docs/add-a-dataset.md")
#: A block with a path in bold above it is a file.
FILE = re.compile(r"\*\*`(?P<path>[^`]+)`\*\*\n\n```\w+\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
#: In a console block: the command, and what the page says that it prints.
CONSOLE = re.compile(r"```console\n\$ (?P<command>[^\n]+)\n(?P<printed>.*?)^```$", re.DOTALL | re.MULTILINE)
TREE = ("cli", "functions", "layers", "local", "spark_jobs")


@pytest.fixture
def page(root: Path) -> str:
    """The page's text."""
    return (root / PAGE).read_text(encoding="utf-8")


@pytest.fixture
def tree(root: Path, page: str, tmp_path: Path) -> Path:
    """A copy of the product with the page's files in place."""
    copy = tmp_path / "tidemark"
    copy.mkdir()
    for name in TREE:
        shutil.copytree(root / name, copy / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "datasets").symlink_to(Path("functions", "datasets"))
    shutil.copy(root / "template.yaml", copy)
    for found in FILE.finditer(page):
        path = copy / found["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(found["text"], encoding="utf-8")
    return copy


def run(tree: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the page in the copy; `tidemark` is the copy's own."""
    program, *arguments = command.split()
    start = {"tidemark": ["-m", "cli.main"], "python": []}[program]
    environment = {**os.environ, "PYTHONPATH": f"{tree}{os.pathsep}{tree / 'functions'}"}
    return subprocess.run(
        [sys.executable, *start, *arguments], cwd=tree, env=environment, check=False, capture_output=True, text=True
    )


def commands(page: str) -> dict[str, str]:
    """Command → what the page says that it prints."""
    return {found["command"]: found["printed"] for found in CONSOLE.finditer(page)}


def test_the_page_has_all_that_a_dataset_needs(page: str) -> None:
    """Declaration, transform, sample records and a query stand on the page as files."""
    assert [found["path"] for found in FILE.finditer(page)] == [
        "datasets/parking.yaml",
        "spark_jobs/transforms/parking.py",
        "landed/parking/2026/11/21/sample.json",
        "query.py",
    ]


def test_the_declaration_is_valid_and_prints_what_the_page_says(tree: Path, page: str) -> None:
    """`tidemark validate` in a tree with the new declaration prints the page's own words."""
    done = run(tree, "tidemark validate")
    assert (done.returncode, done.stdout, done.stderr) == (0, commands(page)["tidemark validate"], "")


def test_a_mistake_prints_the_line_that_the_page_shows(tree: Path, page: str) -> None:
    """A type that does not exist is one line with file, line, expected and found."""
    declaration = tree / "datasets" / "parking.yaml"
    text = declaration.read_text(encoding="utf-8")
    declaration.write_text(text.replace("fee:     decimal(8,2)", "fee:     money"), encoding="utf-8")
    done = run(tree, "tidemark validate")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"\n```\n{done.stderr}```\n" in page
    assert done.stderr.startswith("tidemark: ")


@pytest.mark.e2e
@pytest.mark.spark
@pytest.mark.slow
def test_the_sample_becomes_the_tables_that_the_page_shows(tree: Path, page: str) -> None:
    """A local run of the page's files ends clean, and its warehouse answers what the page says."""
    done = run(tree, "tidemark local run landed --out out")
    assert done.returncode == 0, done.stdout + done.stderr
    counts = done.stdout[done.stdout.index("\ndataset ") + 1 :].rstrip("\n")
    assert f"\n```\n{counts}\n```\n" in page
    rejected = "".join(path.read_text(encoding="utf-8") for path in (tree / "out" / "quarantine").iterdir())
    [shown] = re.findall(r'^\{"file":.*$', page, re.MULTILINE)
    assert re.fullmatch(".+".join(map(re.escape, shown.split("…"))), rejected.strip())
    assert run(tree, "python query.py").stdout == commands(page)["python query.py"]
