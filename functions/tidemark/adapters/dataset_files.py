"""Reads the declarations in datasets/*.yaml and datasets/nightly/*.yaml. Every error names the file and line.

All errors are reported at once: those in one file, in all files, and conflicts between files.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tidemark.core.dataset import Dataset
from tidemark.core.dataset_checks import ConflictingDeclarations, conflicting_declarations, wide_tables
from tidemark.core.dataset_parser import parse_dataset
from tidemark.core.errors import DeclarationError, raise_all
from tidemark.core.suggestions import did_you_mean

NIGHTLY = "nightly"  # the folder of the nightly jobs' declarations
DEPTH_MAX = 20  # levels of nested YAML; a declaration needs six
#: Whether the dataset is a nightly job → the package of spark_jobs with its module, and the function in the module.
CODE = {False: ("transforms", "transform"), True: (NIGHTLY, "compute")}
EMR_PYTHON = (3, 9)


def load_file(path: Path) -> Dataset:
    """Returns the declaration in one file; raises `DeclarationError` with file, line, expected and found."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DeclarationError(f"cannot be read: {error}", (), str(path)) from error
    node, declared = _read(text, path)
    errors: list[DeclarationError] = []
    try:
        dataset = parse_dataset(declared)
        errors += wide_tables(dataset)
    except DeclarationError as error:
        errors += error.all
    if isinstance(declared, Mapping) and isinstance(declared.get("name"), str) and declared["name"] != path.stem:
        errors.append(DeclarationError(f"expected the file's name {path.stem}, found {declared['name']}", ("name",)))
    raise_all([error.at(str(path), _line(node, error.where)) for error in errors])
    return dataset


def load_all(folder: Path) -> dict[str, Dataset]:
    """Returns name → declaration for all files of a folder, nightly jobs last; checks each, and them together."""
    files = [path for place in (folder, folder / NIGHTLY) for path in sorted(place.glob("*")) if _is_yaml(path)]
    if not files:
        raise DeclarationError("expected declarations *.yaml, found none", (), str(folder))
    datasets: dict[str, Dataset] = {}
    paths: dict[str, Path] = {}
    errors: list[DeclarationError] = []
    for path in files:
        try:
            _check_name(path, paths)
            paths[path.stem] = path
            dataset = load_file(path)
            _check_folder(dataset, path)
            datasets[path.stem] = dataset
        except DeclarationError as error:
            errors += error.all
    errors += [
        _located(conflict, paths[conflict.dataset])
        for conflict in conflicting_declarations(datasets, complete=not errors)
    ]
    raise_all(errors)
    return datasets


def validate(folder: Path) -> dict[str, Dataset]:
    """Does what `load_all` does, and also checks that the project's spark_jobs/ has the code of each dataset.

    That folder lies beside `folder`, or beside the functions/ in which the declarations lie.
    """
    errors: list[DeclarationError] = []
    datasets: dict[str, Dataset] = {}
    try:
        datasets = load_all(folder)
    except DeclarationError as error:
        errors += error.all
    jobs = _jobs_of(folder)
    if jobs:
        errors += [error for dataset in datasets.values() for error in _code_errors(dataset, folder, jobs)]
    raise_all(errors)
    return datasets


def _jobs_of(folder: Path) -> Path | None:
    beside = (folder.absolute().parent, folder.resolve().parent, folder.resolve().parent.parent)
    return next((place / "spark_jobs" for place in beside if (place / "spark_jobs").is_dir()), None)


def _is_yaml(path: Path) -> bool:
    return path.suffix.lower() in (".yaml", ".yml") and path.is_file()


def _check_name(path: Path, known: Mapping[str, Path]) -> None:
    if path.suffix != ".yaml":
        raise DeclarationError(f"expected a name that ends with .yaml, found {path.name}", (), str(path))
    if path.stem in known:
        raise DeclarationError(f"expected a name of its own, found that of {known[path.stem]}", (), str(path))


def _check_folder(dataset: Dataset, path: Path) -> None:
    if (dataset.nightly is not None) != (path.parent.name == NIGHTLY):
        message = f"expected a nightly job (`every`) in datasets/{NIGHTLY}/ and there only, found {dataset.name}"
        raise DeclarationError(message, (), str(path))


def _located(conflict: ConflictingDeclarations, path: Path) -> DeclarationError:
    line = _line(yaml.compose(path.read_text(encoding="utf-8"), yaml.SafeLoader), conflict.where)
    return DeclarationError(conflict.message, conflict.where, str(path), line)


def _code_errors(dataset: Dataset, folder: Path, jobs: Path) -> Iterator[DeclarationError]:
    """Yields an error unless the dataset's module exists, parses in EMR's Python, and has the function."""
    package, function = CODE[dataset.nightly is not None]
    path = jobs / package / f"{dataset.transform}.py"
    if not path.is_file():
        modules = [module.stem for module in path.parent.glob("*.py")]
        message = f"expected spark_jobs/{package}/{path.name}, found no such file{did_you_mean(path.stem, modules)}"
        declared = (folder / NIGHTLY if dataset.nightly else folder) / f"{dataset.name}.yaml"
        yield _located(ConflictingDeclarations(dataset.name, message, ("transform",)), declared)
        return
    try:
        code = ast.parse(path.read_bytes(), feature_version=EMR_PYTHON)
    except SyntaxError as error:
        yield DeclarationError(f"expected Python 3.9, found: {error.msg}", (), str(path), error.lineno)
        return
    if function not in _names(code):
        yield DeclarationError(f"expected a function `{function}`, found none", (), str(path))


def _names(code: ast.Module) -> set[str]:
    """Returns the names that a module defines, assigns or imports from elsewhere, also inside conditions."""
    defined = {node.name for node in ast.walk(code) if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    assigned = {node.id for node in ast.walk(code) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    imports = [node for node in ast.walk(code) if isinstance(node, ast.ImportFrom)]
    return defined | assigned | {alias.asname or alias.name for node in imports for alias in node.names}


def _read(text: str, path: Path) -> tuple[yaml.Node | None, Any]:
    """Returns the document as nodes, which know their lines, and as plain data."""
    try:
        _refuse_aliases_and_depth(text, path)
        node = yaml.compose(text, yaml.SafeLoader)
        raise_all(list(_repeated_keys(node, path)))
        return node, yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise DeclarationError(f"expected YAML, found: {error.problem}", (), str(path), line) from error
    except (yaml.YAMLError, ValueError) as error:  # a control character; a date such as 2026-13-45
        raise DeclarationError(f"expected YAML, found: {error}", (), str(path)) from error


def _refuse_aliases_and_depth(text: str, path: Path) -> None:
    """Raises for YAML that can exhaust memory or the stack: aliases and deep nesting. A declaration needs neither."""
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        line = event.start_mark.line + 1 if event.start_mark else None
        name = getattr(event, "anchor", None)
        if name:
            message = f"expected every value where it belongs, found an anchor or alias {name}"
            raise DeclarationError(message, (), str(path), line)
        if depth > DEPTH_MAX:
            raise DeclarationError(f"expected at most {DEPTH_MAX} levels, found more", (), str(path), line)


def _repeated_keys(node: yaml.Node | None, path: Path) -> Iterator[DeclarationError]:
    """Yields an error for each repeated key: YAML silently keeps the last, but a column declared twice is a mistake."""
    for mapping in _mappings(node):
        seen: set[str] = set()
        for key, _ in mapping.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                yield DeclarationError("expected a key that is a word, found a list or mapping", (), str(path), line)
                continue
            if key.value in seen:
                yield DeclarationError(f"expected each key once, found `{key.value}` again", (), str(path), line)
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
    """Returns the line of the deepest key along the path `where` that exists in the file."""
    line = node.start_mark.line + 1 if node else None
    for step in where:
        if not isinstance(node, yaml.MappingNode):
            break
        pair = next(((key, value) for key, value in node.value if key.value == str(step)), None)
        if pair is None:
            break
        line, node = pair[0].start_mark.line + 1, pair[1]
    return line
