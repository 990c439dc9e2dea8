"""Reading the declarations in datasets/*.yaml, so that every error names file and line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tidemark.core.dataset import Dataset
from tidemark.core.declaration import parse_dataset
from tidemark.core.errors import DeclarationError


def load_file(path: Path) -> Dataset:
    """One declaration; raises `DeclarationError` with file, line, expected and found."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DeclarationError(f"cannot be read: {error}", (), str(path)) from error
    node, declared = _read(text, path)
    try:
        dataset = parse_dataset(declared)
        if dataset.name != path.stem:
            raise DeclarationError(f"expected the file's name {path.stem}, found {dataset.name}", ("name",))
    except DeclarationError as error:
        raise error.at(str(path), _line(node, error.where)) from None
    return dataset


def load_all(folder: Path) -> dict[str, Dataset]:
    """Every declaration of a folder by name; prefixes must not overlap, for a file has one dataset."""
    found = {path.stem: load_file(path) for path in sorted(folder.glob("*.yaml"))}
    if not found:
        raise DeclarationError("expected declarations *.yaml, found none", (), str(folder))
    for one in found.values():
        for other in found.values():
            if one is not other and one.prefix.startswith(other.prefix):
                message = f"expected a prefix outside {other.name}'s {other.prefix!r}, found {one.prefix!r}"
                raise DeclarationError(message, ("prefix",), str(folder / f"{one.name}.yaml"))
    _refuse_shared_tables(found, folder)
    return found


def _read(text: str, path: Path) -> tuple[yaml.Node | None, Any]:
    """The document as nodes, which know their lines, and as plain data."""
    try:
        node = yaml.compose(text, yaml.SafeLoader)
        _refuse_repeated_keys(node, path)
        return node, yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise DeclarationError(f"expected YAML, found: {error.problem}", (), str(path), line) from error
    except (yaml.YAMLError, ValueError) as error:  # a control character; a date such as 2026-13-45
        raise DeclarationError(f"expected YAML, found: {error}", (), str(path)) from error


def _refuse_shared_tables(found: dict[str, Dataset], folder: Path) -> None:
    owners: dict[str, str] = {}
    for dataset in found.values():
        for name in {name: None for table in dataset.tables for name in (table.name, table.physical_name)}:
            owner = owners.setdefault(name, dataset.name)
            if owner != dataset.name:
                message = f"expected a table of its own, found {name} of {owner}"
                raise DeclarationError(message, ("tables",), str(folder / f"{dataset.name}.yaml"))


def _refuse_repeated_keys(node: yaml.Node | None, path: Path) -> None:
    """YAML takes the last of two equal keys in silence; a column declared twice is a mistake."""
    for mapping in _mappings(node):
        seen: set[str] = set()
        for key, _ in mapping.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise DeclarationError("expected a key that is a word, found a list or mapping", (), str(path), line)
            if key.value in seen:
                raise DeclarationError(f"expected each key once, found `{key.value}` again", (), str(path), line)
            seen.add(key.value)


def _mappings(node: yaml.Node | None) -> Iterator[yaml.MappingNode]:
    if isinstance(node, yaml.MappingNode):
        yield node
        for _, value in node.value:
            yield from _mappings(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _mappings(value)


def _line(node: yaml.Node | None, where: tuple[Any, ...]) -> int | None:
    """The line of the deepest key of `where` that the file has."""
    line = node.start_mark.line + 1 if node else None
    for step in where:
        if not isinstance(node, yaml.MappingNode):
            break
        pair = next(((key, value) for key, value in node.value if key.value == str(step)), None)
        if pair is None:
            break
        line, node = pair[0].start_mark.line + 1, pair[1]
    return line
