"""Fields inside fields: the values at declared paths, and what they leave of a record. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

import pyarrow as pa

from tidemark.core.dataset import Field
from tidemark.core.path import Path

#: Members of an object that fields take: name → those of that member's value, or None if a field takes it whole.
Tree = Mapping[str, Optional["Tree"]]


def follow(value: Any, path: Path) -> Any:
    """The value at a path below a value; None if nothing is there."""
    for step in path:
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, dict) else None
        elif isinstance(value, list) and step is not None and -len(value) <= step < len(value):
            value = value[step]
        else:
            return None
    return value


def taken(fields: Sequence[Field]) -> Tree:
    """The members that fields take. Elements of a list stay in the record, because without them others would move."""
    return _planted(((_names(field), None) for field in fields), overgrown=True)


def are_apart(fields: Sequence[Field]) -> bool:
    """Whether names alone lead to the fields, and none lies inside of another or is another."""
    ways = [_names(field) for field in fields]
    outer = {way[:length] for way in ways for length in range(1, len(way))}
    return all(ways) and len({*ways}) == len(ways) and outer.isdisjoint(ways)


def nested_schema(fields: Sequence[Field], types: Iterable[pa.DataType]) -> pa.Schema:
    """The schema of the records that hold the fields at their paths, each in its type; the fields are apart."""
    return pa.schema(_members(_planted(zip(map(_names, fields), types))))


def _names(field: Field) -> tuple[str, ...]:
    """The names that lead to the field; empty if the way leads through a list."""
    names = tuple(step for step in field.steps if isinstance(step, str))
    return names if len(names) == len(field.steps) else ()


def _planted(leaves: Iterable[tuple[tuple[str, ...], Any]], *, overgrown: bool = False) -> dict[str, Any]:
    """A tree of the leaves at their names. If `overgrown`, a leaf stands for all that lies below it."""
    tree: dict[str, Any] = {}
    for names, leaf in leaves:
        place: Any = tree
        for name in names[:-1]:
            place = place.setdefault(name, {})
            if overgrown and place is None:
                break
        else:
            if names:
                place[names[-1]] = leaf
    return tree


def _members(tree: Mapping[str, Any]) -> list[tuple[str, pa.DataType]]:
    return [(name, pa.struct(_members(part)) if isinstance(part, dict) else part) for name, part in tree.items()]


def left_of(value: Any, tree: Tree) -> Any:
    """What fields leave of an object; None if nothing is left. Anything but an object is left as it is."""
    if not isinstance(value, dict):
        return value
    left = {}
    for name, part in value.items():
        if name not in tree:
            left[name] = part
        elif (below := tree[name]) is not None and (rest := left_of(part, below)) is not None:
            left[name] = rest
    return left or None
