"""What the errors say, and which kind is what."""

from __future__ import annotations

import pytest

from tidemark.core.errors import (
    DeclarationError,
    DeclarationErrors,
    Terminal,
    TidemarkError,
    Transient,
    Unbalanced,
    Unsealed,
    raise_all,
)


def test_a_declaration_error_says_file_line_and_key() -> None:
    """As far as they are known, in this order."""
    error = DeclarationError("expected a type", ("record", 0, "type"))
    assert str(error) == "record.0.type: expected a type"
    assert str(error.at("web.yaml", 7)) == "web.yaml:7: record.0.type: expected a type"
    assert str(error.at("web.yaml", None)) == "web.yaml: record.0.type: expected a type"


def test_several_errors_are_one_that_counts_the_others() -> None:
    """The text is the first one's, and all of them can be asked for."""
    first, second = DeclarationError("one", ("a",), "x.yaml", 1), DeclarationError("two")
    together = DeclarationErrors([first, second])
    assert str(together) == "x.yaml:1: a: one (and 1 more)"
    assert together.all == (first, second)
    assert first.all == (first,)


def test_one_error_is_raised_as_itself_and_none_is_not() -> None:
    """Only several become one."""
    raise_all([])
    with pytest.raises(DeclarationError, match="one") as raised:
        raise_all([DeclarationError("one")])
    assert not isinstance(raised.value, DeclarationErrors)
    with pytest.raises(DeclarationErrors, match="more"):
        raise_all([DeclarationError("one"), DeclarationError("two")])


@pytest.mark.parametrize(("kind", "what_to_do"), [(Unsealed, Transient), (Unbalanced, Terminal)])
def test_a_special_error_is_treated_as_its_kind(kind: type[TidemarkError], what_to_do: type[TidemarkError]) -> None:
    """A ledger that is not whole makes every step wait; counts that differ stop the batch."""
    assert issubclass(kind, what_to_do)
    assert not issubclass(Transient, Terminal)
    assert not issubclass(Terminal, Transient)
