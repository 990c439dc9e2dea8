"""Mutants: what is changed, what is left alone, and who is asked about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutation.operators import mutants
from tests.mutation.run import stages

HERE = Path("core/here.py")


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ("a < b", ["(a <= b)"]),
        ("a and b", ["(a or b)", "(b)", "(a)"]),
        ("not a", ["(a)"]),
        ("a + 1", ["(a - 1)", "a + 2"]),
        ("f(a, key=b)", ["pass", "f(a)"]),
        ("x = 'word'", ["x = 'wordX'"]),
        ("x = a if b else c", ["x = (c if b else a)"]),
        ("def f():\n    return a", ["def f():\n    return None"]),
        ("for a in b:\n    break", ["for a in b:\n    continue"]),
    ],
)
def test_each_piece_becomes_another(source: str, made: list[str]) -> None:
    """One mutant for each piece that may be another, and all else stays as it was written."""
    assert [mutant.source for mutant in mutants(HERE, source)] == made


@pytest.mark.parametrize(
    "source",
    ['"""What it is."""', "a: int", "raise ValueError('not 1')", "logger.info('moved', count=1)", "assert a, 'why'"],
)
def test_words_for_people_are_left_alone(source: str) -> None:
    """Nothing that only people read, or the type checker, is changed."""
    assert not mutants(HERE, source)


def test_what_stands_beside_a_piece_keeps_its_place() -> None:
    """Letters of several bytes before a piece do not move it."""
    assert [mutant.source for mutant in mutants(HERE, "x = a['ö'] < b")] == ["x = (a['ö'] <= b)", "x = a['öX'] < b"]


def test_a_mutant_is_shown_to_the_tests_of_its_module_first() -> None:
    """The test file of the same name comes before others that import the module."""
    first, *others = stages(Path("core/slots.py"))["its own tests"]
    assert Path(first).name == "test_slots.py"
    assert all("tidemark.core.slots" in Path(test).read_text("utf-8") for test in others)
