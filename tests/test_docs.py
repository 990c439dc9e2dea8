"""What the pages show is what the product does: the lifecycle's picture, every command, every link and citation.

`python tests/test_docs.py` writes the picture into the pages anew.
"""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.diagram import lifecycle_diagram, lifecycle_table
from cli.main import build_parser
from tidemark.adapters import ledger

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
CODE = ("benchmarks", "cli", "datasets", "functions/*.py", "functions/tidemark", "local", "spark_jobs", "tests")
#: What a comment cites: a page, and mostly one of its headings.
CITATION = re.compile(r"\bdocs/[\w/-]+\.md(?:#[\w-]+)?")
BEGIN, END = "<!-- lifecycle:begin -->\n", "<!-- lifecycle:end -->"
DIAGRAM = f"```mermaid\n{lifecycle_diagram()}\n```\n"
#: What stands between the markers of a page; the README has the picture alone.
DRAWN = {"README.md": DIAGRAM, "docs/lifecycle.md": f"{DIAGRAM}\n{lifecycle_table()}\n"}
FENCE = re.compile(r"^ *```(\w*)[^\n]*\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`(tidemark [^`]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")


def name(path: Path) -> str:
    """The page as one says it."""
    return path.relative_to(ROOT).as_posix()


def drawn_between(text: str) -> str | None:
    """What a page has between its markers; None without markers."""
    return text.split(BEGIN)[1].split(END, maxsplit=1)[0] if BEGIN in text else None


def redrawn(path: Path) -> str:
    """The page's text with the picture of today."""
    text = path.read_text(encoding="utf-8")
    found = drawn_between(text)
    return text if found is None else text.replace(f"{BEGIN}{found}{END}", f"{BEGIN}{DRAWN[name(path)]}{END}")


def shown_commands(text: str) -> Iterator[str]:
    """Command lines in fenced blocks."""
    for _, block in FENCE.findall(text):
        for line in block.splitlines():
            words = line.strip().removeprefix("$ ").removeprefix(".venv/bin/")
            if words.startswith("tidemark "):
                yield words


def mentioned_commands(text: str) -> Iterator[str]:
    """Commands between backticks in running text."""
    yield from INLINE.findall(FENCE.sub("", text))


def parses(arguments: list[str]) -> bool:
    """Whether the parser takes the arguments."""
    try:
        build_parser().parse_args(arguments)
    except SystemExit as end:
        return end.code == 0
    return True


def paths_of(parser: argparse.ArgumentParser, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command below the parser, groups before their members."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, child in action.choices.items():
                yield (*path, word)
                yield from paths_of(child, (*path, word))


COMMANDS = set(paths_of(build_parser()))
LEAVES = sorted(path for path in COMMANDS if not any(other[:-1] == path for other in COMMANDS))


@pytest.mark.parametrize("page", sorted(DRAWN))
def test_the_picture_is_drawn_from_the_table(page: str) -> None:
    """Both pages show the lifecycle that the code has; `python tests/test_docs.py` draws it anew."""
    assert drawn_between((ROOT / page).read_text(encoding="utf-8")) == DRAWN[page]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_that_a_page_shows_can_be_given(page: Path) -> None:
    """What stands in a block is taken by the parser as it stands; a mention in the text names a command at least."""
    text = page.read_text(encoding="utf-8")
    wrong = [line for line in shown_commands(text) if not parses(shlex.split(line, comments=True)[1:])]
    for mention in mentioned_commands(text):
        words = shlex.split(mention)[1:]
        if tuple(words) not in COMMANDS and not parses(words):
            wrong.append(mention)
    assert wrong == []


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_is_documented(path: tuple[str, ...]) -> None:
    """A command that no page names might as well not exist."""
    texts = (page.read_text(encoding="utf-8") for page in PAGES)
    pages = [text for text in texts for line in (*shown_commands(text), *mentioned_commands(text))
             if tuple(line.split()[1 : len(path) + 1]) == path]  # fmt: skip
    assert pages


def test_the_readme_shows_the_example_of_the_walk_through() -> None:
    """What README.md shows of a dataset stands in docs/add-a-dataset.md, which is executed by a test."""
    page = (ROOT / "docs" / "add-a-dataset.md").read_text(encoding="utf-8")
    shown = [
        body for language, body in FENCE.findall((ROOT / "README.md").read_text()) if language in ("yaml", "python")
    ]
    assert len(shown) == 2
    assert all(body in page for body in shown)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    """A link names a file that is there, and its anchor a heading of that file."""
    broken = [link for link in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))) if not leads(page, link)]
    assert broken == []


def sources() -> Iterator[Path]:
    """Every file whose comments may cite a page."""
    yield from (ROOT / "template.yaml", ROOT / "Makefile", ROOT / "pyproject.toml", ROOT / "samconfig.toml")
    for pattern in CODE:
        for path in sorted(ROOT.glob(pattern)):
            yield from [path] if path.is_file() else sorted(path.rglob("*.py")) + sorted(path.rglob("*.yaml"))


def test_every_page_and_heading_that_a_comment_cites_is_there() -> None:
    """A fact about AWS or an invariant can be looked up in the clone; a heading that is renamed loses no citation."""
    cited = [(path, link) for path in sources() for link in CITATION.findall(path.read_text(encoding="utf-8"))]
    assert len([link for _, link in cited if link.startswith("docs/aws-facts.md#")]) >= 20
    assert [(name(path), link) for path, link in cited if not leads(ROOT / "README.md", link)] == []


def test_a_comment_cites_nothing_that_the_clone_lacks() -> None:
    """Neither a fact sheet by its sections nor a design by its numbers: both stand in docs."""
    foreign = re.compile(r"aws-facts\s*§|\bdesign invariant")
    lines = [
        f"{name(path)}: {line.strip()}"
        for path in sources()
        for line in path.read_text(encoding="utf-8").splitlines()
        if foreign.search(line) and path != Path(__file__)
    ]
    assert lines == []


def test_the_ledger_table_of_the_architecture_has_every_kind_of_item() -> None:
    """The keys on the page are those of the ledger's own description."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\| `([A-Z]+#?)[^`]*` \| `([A-Z]*)", page, re.MULTILINE)
    code = re.findall(r"^    ([A-Z]+#?)\S* +([A-Z]*)", str(ledger.__doc__), re.MULTILINE)
    assert len(code) > 10
    assert set(shown) - {("CONTROL", word) for _, word in shown} == set(code) - {("CONTROL", "")}


def leads(page: Path, link: str) -> bool:
    """Whether the link's file and heading exist; links to the web are not asked for."""
    if re.match(r"[a-z]+:", link):
        return True
    place, _, anchor = link.partition("#")
    target = (page.parent / place).resolve() if place else page
    return target.exists() and (not anchor or anchor in anchors(target))


def anchors(page: Path) -> set[str]:
    """The anchors that headings get: lower case, spaces to dashes, punctuation dropped."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


if __name__ == "__main__":
    for drawn in DRAWN:
        (ROOT / drawn).write_text(redrawn(ROOT / drawn), encoding="utf-8")
