"""Reading the declarations in datasets/*.yaml and datasets/nightly/*.yaml, so that every error names file and line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tidemark.core.dataset import Dataset
from tidemark.core.declaration import parse_dataset
from tidemark.core.errors import DeclarationError
from tidemark.core.neighbours import Misfit, check_together

NIGHTLY = "nightly"  # the folder of the nightly jobs' declarations


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
    """Every declaration of a folder by name, nightly jobs last; what they say of each other is checked."""
    paths = {path.stem: path for pattern in ("*.yaml", f"{NIGHTLY}/*.yaml") for path in sorted(folder.glob(pattern))}
    if not paths:
        raise DeclarationError("expected declarations *.yaml, found none", (), str(folder))
    found = {name: _in_its_folder(load_file(path), path) for name, path in paths.items()}
    try:
        check_together(found)
    except Misfit as misfit:
        path = paths[misfit.dataset]
        line = _line(yaml.compose(path.read_text(encoding="utf-8"), yaml.SafeLoader), misfit.where)
        raise DeclarationError(misfit.message, misfit.where, str(path), line) from None
    return found


def _in_its_folder(dataset: Dataset, path: Path) -> Dataset:
    if (dataset.nightly is not None) != (path.parent.name == NIGHTLY):
        message = f"expected a nightly job (`every`) in datasets/{NIGHTLY}/ and there only, found {dataset.name}"
        raise DeclarationError(message, (), str(path))
    return dataset


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
