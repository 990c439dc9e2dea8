"""Event patterns, which select the events for a rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from moto.events.exceptions import InvalidEventPatternException
from moto.events.models import EventPattern

if TYPE_CHECKING:
    from collections.abc import Mapping


OPERATORS = frozenset(
    {"prefix", "suffix", "anything-but", "numeric", "exists", "equals-ignore-case", "wildcard", "cidr"}
)


class InvalidPatternError(ValueError):
    """The event pattern is not JSON, is malformed, or uses an operator that the matcher does not support."""


@dataclass(frozen=True)
class Pattern:
    """A parsed event pattern; event source mappings use the same syntax for their filters."""

    matcher: EventPattern

    @classmethod
    def parse(cls, text: str) -> Pattern:
        try:
            matcher = EventPattern.load(text)
        except (InvalidEventPatternException, AttributeError) as error:
            raise InvalidPatternError(f"{error}: {text}") from error
        if not matcher.get_pattern():
            raise InvalidPatternError("an empty pattern matches nothing")
        _check_operators(matcher.get_pattern())
        return cls(matcher)

    def matches(self, event: Mapping[str, Any]) -> bool:
        return bool(self.matcher.matches_event(cast(Any, event)))


def _check_operators(node: Any) -> None:
    """Raises InvalidPatternError for an unknown operator, because the matcher would let every event pass."""
    if isinstance(node, dict):
        for value in node.values():
            _check_operators(value)
    for item in node if isinstance(node, list) else ():
        if isinstance(item, dict) and (unknown := item.keys() - OPERATORS) and not _is_alternative(item):
            raise InvalidPatternError(f"unknown operator {min(unknown)!r}")


def _is_alternative(item: Mapping[str, Any]) -> bool:
    """Whether `item` is one pattern of an `$or` list rather than an operator."""
    return all(isinstance(value, (dict, list)) for value in item.values())
