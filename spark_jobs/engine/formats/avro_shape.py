"""What an Avro schema allows that takes no bytes of a file: nesting and lists without an end.

fastavro's compiled reader recurses without looking how deeply, which ends the process; its Python does look.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from fastavro import _read_py

read_deep = _read_py.schemaless_reader


class Shape(NamedTuple):
    recursive: bool  # a value may hold values of its own type
    unbounded: bool  # an array may hold any number of items in no bytes


def shape_of(schema: Any) -> Shape:
    """The shape of a schema that fastavro has parsed: where a named type comes again, its name stands."""
    walk = _Walk()
    walk.takes_bytes(schema, ())
    return Shape(walk.recursive, walk.unbounded)


class _Walk:
    def __init__(self) -> None:
        self.recursive = self.unbounded = False
        self._named: dict[str, bool] = {}  # whether values of the type take bytes

    def takes_bytes(self, schema: Any, within: tuple[str, ...]) -> bool:
        """Whether each value of the schema takes at least a byte; `within` are the records around it."""
        if isinstance(schema, list):
            return bool([self.takes_bytes(part, within) for part in schema])  # a number says which it is
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
