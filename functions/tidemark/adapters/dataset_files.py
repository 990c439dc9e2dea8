"""Reading the declarations in datasets/*.yaml and datasets/nightly/*.yaml, so that every error names file and line.

All that is wrong is told at once: in a file, in all files, and between them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tidemark.core.dataset import Dataset
from tidemark.core.dataset_checks import ConflictingDeclarations, conflicting_declarations
from tidemark.core.dataset_parser import parse_dataset
from tidemark.core.errors import DeclarationError, raise_all
from tidemark.core.suggestions import did_you_mean

NIGHTLY = "nightly"  # the folder of the nightly jobs' declarations
DEPTH_MAX = 20  # of YAML inside YAML; a declaration needs six
#: Package of spark_jobs and function that a dataset's, or a nightly job's, code has.
CODE = {False: ("transforms", "transform"), True: (NIGHTLY, "compute")}
EMR_PYTHON = (3, 9)


def load_file(path: Path) -> Dataset:
    """One declaration; raises `DeclarationError` with file, line, expected and found."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DeclarationError(f"cannot be read: {error}", (), str(path)) from error
    node, declared = _read(text, path)
    errors: list[DeclarationError] = []
    try:
        dataset = parse_dataset(declared)
    except DeclarationError as error:
        errors += error.all
    if isinstance(declared, Mapping) and isinstance(declared.get("name"), str) and declared["name"] != path.stem:
        errors.append(DeclarationError(f"expected the file's name {path.stem}, found {declared['name']}", ("name",)))
    raise_all([error.at(str(path), _line(node, error.where)) for error in errors])
    return dataset


def load_all(folder: Path) -> dict[str, Dataset]:
    """Every declaration of a folder by name, nightly jobs last; what they say of each other is checked."""
    files = [path for place in (folder, folder / NIGHTLY) for path in sorted(place.glob("*")) if _is_yaml(path)]
    if not files:
        raise DeclarationError("expected declarations *.yaml, found none", (), str(folder))
    found: dict[str, Dataset] = {}
    paths: dict[str, Path] = {}
    errors: list[DeclarationError] = []
    for path in files:
        try:
            _well_named(path, paths)
            paths[path.stem] = path
            found[path.stem] = _in_its_folder(load_file(path), path)
        except DeclarationError as error:
            errors += error.all
    errors += [
        _located(conflict, paths[conflict.dataset]) for conflict in conflicting_declarations(found, complete=not errors)
    ]
    raise_all(errors)
    return found


def validate(folder: Path) -> dict[str, Dataset]:
    """`load_all`, and the code beside the folder, in spark_jobs/, has what each declaration names."""
    errors: list[DeclarationError] = []
    datasets: dict[str, Dataset] = {}
    try:
        datasets = load_all(folder)
    except DeclarationError as error:
        errors += error.all
    jobs = folder.resolve().parent / "spark_jobs"
    if jobs.is_dir():
        errors += [error for dataset in datasets.values() for error in _code_errors(dataset, folder, jobs)]
    raise_all(errors)
    return datasets


def _is_yaml(path: Path) -> bool:
    return path.suffix.lower() in (".yaml", ".yml") and path.is_file()


def _well_named(path: Path, known: Mapping[str, Path]) -> None:
    if path.suffix != ".yaml":
        raise DeclarationError(f"expected a name that ends with .yaml, found {path.name}", (), str(path))
    if path.stem in known:
        raise DeclarationError(f"expected a name of its own, found that of {known[path.stem]}", (), str(path))


def _in_its_folder(dataset: Dataset, path: Path) -> Dataset:
    if (dataset.nightly is not None) != (path.parent.name == NIGHTLY):
        message = f"expected a nightly job (`every`) in datasets/{NIGHTLY}/ and there only, found {dataset.name}"
        raise DeclarationError(message, (), str(path))
    return dataset


def _located(conflict: ConflictingDeclarations, path: Path) -> DeclarationError:
    line = _line(yaml.compose(path.read_text(encoding="utf-8"), yaml.SafeLoader), conflict.where)
    return DeclarationError(conflict.message, conflict.where, str(path), line)


def _code_errors(dataset: Dataset, folder: Path, jobs: Path) -> Iterator[DeclarationError]:
    """The module is there, EMR's Python reads it, and it has the function."""
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
    """What a module defines or imports under a name of its own; also inside of conditions."""
    defined = {node.name for node in ast.walk(code) if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    assigned = {node.id for node in ast.walk(code) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    imports = [node for node in ast.walk(code) if isinstance(node, ast.ImportFrom)]
    return defined | assigned | {alias.asname or alias.name for node in imports for alias in node.names}


def _read(text: str, path: Path) -> tuple[yaml.Node | None, Any]:
    """The document as nodes, which know their lines, and as plain data."""
    try:
        _refuse_what_grows(text, path)
        node = yaml.compose(text, yaml.SafeLoader)
        raise_all(list(_repeated_keys(node, path)))
        return node, yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise DeclarationError(f"expected YAML, found: {error.problem}", (), str(path), line) from error
    except (yaml.YAMLError, ValueError) as error:  # a control character; a date such as 2026-13-45
        raise DeclarationError(f"expected YAML, found: {error}", (), str(path)) from error


def _refuse_what_grows(text: str, path: Path) -> None:
    """Aliases can make a page of a line, and a deep one no reader comes back from; a declaration needs neither."""
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
    """YAML takes the last of two equal keys in silence; a column declared twice is a mistake."""
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
