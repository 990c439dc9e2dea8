"""The JSON Schema for editors says what the parser says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.core.test_dataset_parser import WRONG, changed

DATASETS = Path(__file__).resolve().parents[2] / "datasets"
SCHEMA = json.loads((DATASETS / "schema.json").read_text())
#: What relates one part to another, the ranges inside a type's name, and what JSON cannot say are for the parser alone.
BEYOND = (
    "string(1..65535)",
    "found True",
    "found nan",
    "columns of the table",
    "column of the table",
    "field of the record",
    "leaves room",
    "Redshift",
    "columns of type",
    "that add up",
    "not summed",
    "facts",
    "of its own",
    "one column",
    "latest row is shown",
    "key only",
    "a new column",
    "name of an encoding",
    "or [*]",
    "another character",
    "at most 36500d",
    "expected texts that",
    "each name once",
    "at least one field that",
)
LOCAL = [(place, value) for place, value, error in WRONG if not any(words in error for words in BEYOND)]


@pytest.mark.parametrize("path", sorted(DATASETS.glob("*.yaml")), ids=lambda path: path.stem)
def test_declarations_are_valid(path: Path) -> None:
    """Every declaration that is shipped passes the schema, and tells editors where it is."""
    jsonschema.validate(yaml.safe_load(path.read_text()), SCHEMA)
    assert path.read_text().startswith("# yaml-language-server: $schema=schema.json\n")


@pytest.mark.parametrize(("place", "value"), LOCAL, ids=[f"{place}={value!r:.60}" for place, value in LOCAL])
def test_what_the_parser_refuses_the_schema_refuses(declaration: dict[str, Any], place: str, value: Any) -> None:
    """An editor marks each mistake that the parser's own tests know, unless it lies between two parts."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(changed(declaration, place, value), SCHEMA)
