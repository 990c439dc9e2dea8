"""What the pages show is what the product does: the lifecycle's picture, every command, every link.

`python tests/test_docs.py` writes the picture into the pages anew.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from cli.commands import tidemark
from cli.diagram import lifecycle_diagram, lifecycle_table
from cli.program import Command, leaves

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(path for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")] if path.is_file())
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


@pytest.fixture
def parses(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[str]], bool]:
    """Whether the command line takes the arguments; nothing is carried out."""
    monkeypatch.setattr(Command, "invoke", lambda *_: None)

    def taken(arguments: list[str]) -> bool:
        try:
            with tidemark.make_context("tidemark", list(arguments)) as context:
                tidemark.invoke(context)
        except click.UsageError:
            return False
        return True

    return taken


LEAVES = sorted(path for path, _ in leaves(tidemark))
COMMANDS = {path[:length] for path in LEAVES for length in (1, 2)}


@pytest.mark.parametrize("page", sorted(DRAWN))
def test_the_picture_is_drawn_from_the_table(page: str) -> None:
    """A page that shows the lifecycle shows the one that the code has; `python tests/test_docs.py` mends it."""
    path = ROOT / page
    found = drawn_between(path.read_text(encoding="utf-8"))
    assert found == DRAWN[page] or (found is None and page == "README.md")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_that_a_page_shows_can_be_given(page: Path, parses: Callable[[list[str]], bool]) -> None:
    """A command in a block parses as it stands; a mention in the text names a command at least."""
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
