"""Steps that do not wait for each other's success."""

from __future__ import annotations

import pytest

from tidemark.core.errors import Conflict, Transient
from tidemark.service.errors import Efforts


def fails(error: Exception) -> int:
    raise error


def test_every_step_runs_and_its_answer_is_returned() -> None:
    """A step that returns nothing, or fails, counts as 0."""
    efforts = Efforts()
    assert [efforts.make(abs, -3), efforts.make(fails, Conflict("x")), efforts.make(lambda: None)] == [3, 0, 0]
    assert [str(error) for error in efforts.errors] == ["x"]


def test_without_an_error_nothing_is_raised() -> None:
    """The end of a good pass."""
    efforts = Efforts()
    efforts.make(abs, -3)
    efforts.finish()


def test_a_single_error_is_raised_as_itself() -> None:
    """So that its kind still says what to do."""
    efforts = Efforts()
    efforts.make(fails, Transient("later"))
    with pytest.raises(Transient, match=r"^later$"):
        efforts.finish()


def test_several_errors_are_raised_together() -> None:
    """None hides another."""
    efforts, errors = Efforts(), [Transient("later"), Conflict("lost")]
    for error in errors:
        efforts.make(fails, error)
    with pytest.raises(ExceptionGroup, match="2 steps failed") as raised:
        efforts.finish()
    assert list(raised.value.exceptions) == errors
