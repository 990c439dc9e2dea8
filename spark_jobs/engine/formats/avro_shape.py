"""Detects dangerous Avro schemas: recursive types, and arrays whose items take no bytes.

fastavro's compiled reader does not limit its recursion, which crashes the process; its Python reader does.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from fastavro import _read_py

read_deep = _read_py.schemaless_reader


class Shape(NamedTuple):
    recursive: bool  # a value may contain values of its own type
    unbounded: bool  # an array may have any number of items in zero bytes


def shape_of(schema: Any) -> Shape:
    """The shape of a schema parsed by fastavro, in which repeated named types are replaced by their names."""
    walk = _Walk()
    walk.takes_bytes(schema, ())
    return Shape(walk.recursive, walk.unbounded)


class _Walk:
    def __init__(self) -> None:
        self.recursive = self.unbounded = False
        self._named: dict[str, bool] = {}  # whether values of the type take bytes

    def takes_bytes(self, schema: Any, within: tuple[str, ...]) -> bool:
        """Whether each value of the schema takes at least a byte; `within` has the names of the enclosing records."""
        if isinstance(schema, list):
            return bool([self.takes_bytes(part, within) for part in schema])  # a union's value begins with an index
        if isinstance(schema, str):
            self.recursive |= schema in within
            return self._named.get(schema, schema != "null")
        return self._of_object(schema, within)

    def _of_object(self, schema: Any, within: tuple[str, ...]) -> bool:
        kind = schema["type"]
        if kind in ("record", "error"):
            parts = [self.takes_bytes(field["type"], (*within, schema["name"])) for field in schema["fields"]]
            return self._named.setdefault(schema["name"], any(parts))
        if kind == "array":
            self.unbounded |= not self.takes_bytes(schema["items"], within)
        elif kind == "map":
            self.takes_bytes(schema["values"], within)
        elif kind == "fixed":
            return self._named.setdefault(schema["name"], schema["size"] > 0)
        elif not isinstance(kind, str):
            return self.takes_bytes(kind, within)
        return bool(kind != "null")
