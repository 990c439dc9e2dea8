"""docs/code-tour.md names every package, its pictures agree with the imports, and its links lead to what they name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOUR = (ROOT / "docs" / "code-tour.md").read_text(encoding="utf-8")
TREES = ("functions", "local", "prove", "spark_jobs", "cli")
#: Every module of the product.
MODULES = frozenset(path.relative_to(ROOT).as_posix() for tree in TREES for path in (ROOT / tree).rglob("*.py"))
PACKAGES = sorted({str(Path(path).parent) for path in MODULES})
NODE = re.compile(r'(\w+)\["([^"]+)"\]')
ARROW = re.compile(r"^ +(\w+)(?:\[[^\]]+\])? --> (\w+)", re.MULTILINE)
CODE_LINK = re.compile(r"\[`(\w+)`\]\(\.\./([\w/]+\.py)\)")
NAMED_PATH = re.compile(r"`((?:functions|local|prove|spark_jobs|cli|tests|datasets|events|layers|benchmarks)/[\w/.]*)`")

Edge = tuple[str, str]


def picture(name: str) -> str:
    """The diagram between a pair of markers."""
    return TOUR.split(f"<!-- {name}:begin -->")[1].split(f"<!-- {name}:end -->")[0]


def rooms(text: str) -> dict[str, str]:
    """Path of a module or package → the node that stands for it."""
    return {path: node for node, label in NODE.findall(text) for path in label.split("<br>")}


def room_of(path: str, known: dict[str, str]) -> str:
    """The node of the longest path that holds the module; "" where the picture has none."""
    holders = [room for room in known if path == room or path.startswith(f"{room}/")]
    return known[max(holders, key=len)] if holders else ""


def module_of(name: str) -> str:
    """The file of a dotted name, which may go on with a function; "" for a foreign one."""
    parts = name.split(".")
    base = ["functions"] if parts[0] == "tidemark" else []
    places = ["/".join([*base, *parts[:length]]) for length in range(len(parts), 0, -1)]
    files = [file for place in places for file in (f"{place}.py", f"{place}/__init__.py")]
    return next((file for file in files if file in MODULES), "")


def imported(path: str) -> Iterator[str]:
    """Dotted names that a file imports, wherever the import stands."""
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


#: Importing module and imported one. `local/spark/driver.py` imports `local` only to find its folder.
IMPORTS = {(path, module_of(name)) for path in MODULES for name in imported(path)} - {
    ("local/spark/driver.py", "local/__init__.py")
}


def real_edges(known: dict[str, str]) -> set[Edge]:
    """The imports between the rooms of a picture, without those to or from a module that it does not show."""
    edges = {(room_of(one, known), room_of(other, known)) for one, other in IMPORTS}
    return {(one, other) for one, other in edges if one and other and one != other}


def closure(edges: set[Edge]) -> set[Edge]:
    """Every pair of which the second is reached from the first by following arrows."""
    reached = set(edges)
    while more := {(a, d) for a, b in reached for c, d in reached if b == c} - reached:
        reached |= more
    return reached


@pytest.mark.parametrize("name", ["product", "laptop"])
def test_the_arrows_drawn_are_the_imports_of_the_code(name: str) -> None:
    """Each arrow is an import, each import follows arrows, and no arrow leads back."""
    known, drawn = rooms(picture(name)), set(ARROW.findall(picture(name)))
    real = real_edges(known)
    assert len(drawn) >= 10
    assert drawn - real == set()
    assert real - closure(drawn) == set()
    assert {one for one, other in closure(drawn) if one == other} == set()


def test_the_first_picture_shows_every_module() -> None:
    """No package of the product can be added without a place in the picture."""
    known = rooms(picture("product"))
    assert {path for path in MODULES if not room_of(path, known)} <= {"functions/tidemark/__init__.py"}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_is_a_room_of_the_tour(package: str) -> None:
    """A stranger finds each package in the tables."""
    rows = re.findall(r"^\| `([\w/]+)/` \| \S", TOUR, re.MULTILINE)
    headings = re.findall(r"`([\w/]+)/`", "\n".join(re.findall(r"^### .+$", TOUR, re.MULTILINE)))
    assert package in rows + headings


def test_every_path_that_the_tour_names_exists() -> None:
    """A module that was moved or removed is no longer named."""
    named = set(NAMED_PATH.findall(TOUR)) | set(rooms(picture("product"))) | set(rooms(picture("laptop")))
    assert len(named) > 30
    assert sorted(path for path in named if not (ROOT / path).exists()) == []


def test_every_function_that_the_tour_follows_is_in_the_file_that_it_links() -> None:
    """The text of a link is a name that the linked module defines."""
    links = CODE_LINK.findall(TOUR)
    assert len(links) > 30
    assert [link for link in links if link[0] not in defined(ROOT / link[1])] == []


def defined(path: Path) -> set[str]:
    """Names of a module's functions, classes and methods."""
    tree = ast.parse(path.read_text(encoding="utf-8")) if path.is_file() else ast.Module([], [])
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
