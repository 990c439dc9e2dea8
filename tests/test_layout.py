"""Rules of the repository that no linter knows."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import group_of

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "functions" / "tidemark" / "core"
HANDLERS = sorted(path.stem for path in (ROOT / "functions").glob("*.py"))
REQUIREMENTS = sorted({*ROOT.glob("requirements/*.txt"), *ROOT.glob("functions/*.txt"), *ROOT.glob("layers/*/*.txt")})
LEFT_OUT = {
    ".git",
    ".venv",
    ".venv-fuzz",
    ".aws-sam",
    ".tidemark",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
    "build",
}
# Written in two halves, or this file would be its own finding.
FOREIGN = [
    "pypi" + ".org",
    "python" + "hosted.org",
    "npmjs" + ".org",
    "debian" + ".org",
    "/work" + "/main",
    "/work" + "/shared",
]


def imports(path: Path) -> Iterator[str]:
    """Dotted names of all modules that a file imports, wherever the import stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "" if not node.level else "tidemark.core"


def files() -> Iterator[Path]:
    for path in sorted(ROOT.iterdir()):
        if path.name not in LEFT_OUT:
            below = [path] if path.is_file() else path.rglob("*")
            yield from (each for each in below if each.is_file() and each.suffix != ".pyc")


@pytest.mark.parametrize("path", sorted(CORE.rglob("*.py")), ids=lambda path: path.stem)
def test_the_core_imports_the_standard_library_and_itself(path: Path) -> None:
    """Nothing of AWS, Spark or Iceberg, and no adapter, can be reached from the core."""
    foreign = {
        name
        for name in imports(path)
        if name.split(".")[0] not in sys.stdlib_module_names and not (name + ".").startswith("tidemark.core.")
    }
    assert foreign == set()


@pytest.mark.parametrize("name", HANDLERS)
def test_every_handler_module_imports_and_takes_event_and_context(name: str) -> None:
    """A handler needs neither environment nor network until it is called."""
    handler = importlib.import_module(name).handler
    assert list(inspect.signature(inspect.unwrap(handler)).parameters)[:2] == ["event", "context"]


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_requirement_is_pinned_and_hashed(path: Path) -> None:
    """An install takes exactly the files that were looked at, from whichever index the person uses."""
    text = path.read_text(encoding="utf-8")
    lines = text.replace("\\\n", " ").splitlines()
    requirements = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    unpinned = [line for line in requirements if not re.match(r"\S+==\S+ .*--hash=sha256:[0-9a-f]{64}", line)]
    assert requirements
    assert unpinned == []
    assert "http" not in text


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    """The clone installs from any mirror and runs in any directory."""
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in files()
        for name in FOREIGN
        if name.encode() in path.read_bytes()
    ]
    assert found == []


def test_every_test_makes_a_claim() -> None:
    """A test without a docstring leaves its reader to guess what is promised."""
    silent = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert silent == []


@pytest.mark.parametrize("call", ["datetime.now(UTC)", "datetime.utcnow()", "time.time()"])
def test_whoever_reads_the_wall_clock_is_shown_the_clock(call: str) -> None:
    """In the product, time is injected; the linter says where from."""
    code = f"import time\nfrom datetime import UTC, datetime\n\nprint({call}, UTC, datetime, time)\n"
    place = ["--stdin-filename", "functions/tidemark/service/new.py"]
    command = [sys.executable, "-m", "ruff", "check", "--config", "pyproject.toml", *place, "-"]
    answer = subprocess.run(command, cwd=ROOT, input=code, capture_output=True, text=True, check=False)
    assert "TID251" in answer.stdout
    assert "tidemark's Clock" in answer.stdout


def test_make_help_names_every_command() -> None:
    """`make` alone tells all that one can ask of it."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    answer = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(re.findall(r"^  make ([a-z-]+) +\S", answer.stdout, re.MULTILINE)) == targets


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="one process has all groups")
def test_a_group_of_tests_keeps_to_its_worker(request: pytest.FixtureRequest) -> None:
    """Else every cloud and every Spark session would be there twice; xdist shows the group behind the test's name."""
    assert request.node.nodeid.endswith("@rest")


def test_every_worker_has_its_tests() -> None:
    """Three groups, and the end-to-end tests in two of them."""
    groups = {path: group_of(path) for path in (ROOT / "tests").rglob("test_*.py")}
    assert set(groups.values()) == {"stories", "commands", "rest"}
    assert {group for path, group in groups.items() if path.parent.name == "e2e"} == {"stories", "commands"}


#: Who may import what of the product: folder → the packages that it must not know.
WALLS = {
    "functions": ("local", "cli", "spark_jobs", "prove"),
    "spark_jobs": (
        "local", "cli", "prove", "tidemark.adapters", "tidemark.service", "tidemark.wiring", "tidemark.settings",
    ),
    "local": ("cli", "prove"),
    "prove": ("cli",),
}  # fmt: skip
#: What a user writes: transforms and nightly jobs.
USERS = [path for folder in ("transforms", "nightly") for path in sorted((ROOT / "spark_jobs" / folder).glob("*.py"))]


def is_in(name: str, package: str) -> bool:
    return (name + ".").startswith(package + ".")


@pytest.mark.parametrize("folder", sorted(WALLS))
def test_no_room_reaches_into_one_that_stands_on_it(folder: str) -> None:
    """Functions run without the laptop cloud and the command line, jobs without the control plane."""
    paths = sorted((ROOT / folder).rglob("*.py"))
    assert paths
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in paths
        for name in imports(path)
        if any(is_in(name, package) for package in WALLS[folder])
    ]
    assert found == []


@pytest.mark.parametrize("name", ["model", "profiles"])
def test_what_a_job_brings_along_of_segmentation_is_pure(name: str) -> None:
    """The job and the function predict with the same code, so that code knows neither Spark nor AWS."""
    path = ROOT / "functions" / "tidemark" / "segmentation" / f"{name}.py"
    allowed = ("tidemark.core", "tidemark.segmentation")
    foreign = {
        one
        for one in imports(path)
        if one.split(".")[0] not in sys.stdlib_module_names and not any(is_in(one, package) for package in allowed)
    }
    assert foreign == set()


@pytest.mark.parametrize("path", USERS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_transforms_and_nightly_jobs_import_nothing_of_the_engine(path: Path) -> None:
    """What a user's code needs comes from the two packages that it is written in."""
    engine = {name for name in imports(path) if is_in(name, "spark_jobs.engine")}
    assert path.name == "__init__.py" or engine == set()


#: Where the tests of a folder's modules are.
MIRROR = {"functions/tidemark": "tests"} | {
    folder: f"tests/{folder}" for folder in ("cli", "local", "prove", "spark_jobs")
}
#: Modules without a test file of their own → why.
UNTESTED = {
    "cli/diagram.py": "tests/test_docs.py redraws every page's picture with it",
    "cli/validate.py": "tests/cli/test_arguments.py and tests/e2e/test_local.py run it as a command",
    "functions/tidemark/wiring.py": "one line, which every handler's test replaces",
    "local/account.py": "constants and an error class",
    "prove/laptop.py": "tests/e2e/test_prove.py plays the whole list on it",
    "prove/story.py": "tests/e2e/test_prove.py tries every step",
    "prove/trials.py": "tests/e2e/test_prove.py tries every step",
    "spark_jobs/nightly/clusters.py": "a part of the job segment_customers, tested with it",
}
#: Test files about something else than one module → what.
TOPICS = {
    "tests/adapters/ledger/test_survival.py": "what a newer release has added, through each save of every kind of item",
    "tests/cli/test_json.py": "--json of every command that prints a table",
    "tests/cli/test_printing.py": "untrusted text in every command's output",
    "tests/core/test_schema.py": "datasets/schema.json and the parser agree",
    "tests/local/test_two_stacks.py": "two stacks of the template in one laptop account",
    "tests/service/test_newer_release.py": "items and documents of a newer release, through every function",
    "tests/service/test_slow_runs.py": "a run at its time limit, through submit, publish and the local EMR Serverless",
    "tests/spark_jobs/engine/formats/test_formats.py": "the choice of a reader, in the package itself",
    "tests/spark_jobs/engine/test_restating.py": "late files restate a day, through batch and period",
    "tests/spark_jobs/test_datasets.py": "the shipped datasets against the generator's totals",
    "tests/spark_jobs/test_transforms.py": "what every shipped transform promises",
    "tests/test_code_tour.py": "docs/code-tour.md",
    "tests/test_docs.py": "the documentation",
    "tests/test_figures.py": "figures in the documentation",
    "tests/test_layout.py": "the repository",
    "tests/test_types_in_engines.py": "column types in Spark, Iceberg, Arrow and Redshift",
}


def modules() -> dict[str, str]:
    """Module → the test file of its name; a package's `__init__` is tested with its modules."""
    return {
        str(path.relative_to(ROOT)): str(Path(tests) / path.relative_to(ROOT / source).with_name(f"test_{path.name}"))
        for source, tests in MIRROR.items()
        for path in sorted((ROOT / source).rglob("*.py"))
        if path.name != "__init__.py"
    }


def test_every_module_has_a_test_file_of_its_name() -> None:
    """Someone who edits `service/settle.py` finds `tests/service/test_settle.py`."""
    assert len(modules()) > 100
    missing = {module for module, test in modules().items() if not (ROOT / test).is_file()}
    assert missing == set(UNTESTED)


def test_every_test_file_names_a_module() -> None:
    """Or it says what it is about: a file that is left over from a renaming is found by nobody."""
    mirrored = [folder for folder in (ROOT / "tests").iterdir() if (ROOT / "functions/tidemark" / folder.name).is_dir()]
    folders = [*mirrored, *(ROOT / tests for tests in MIRROR.values() if tests != "tests")]
    files = [*(ROOT / "tests").glob("test_*.py"), *(path for folder in folders for path in folder.rglob("test_*.py"))]
    nameless = {str(path.relative_to(ROOT)) for path in files} - set(modules().values())
    assert nameless == set(TOPICS)
