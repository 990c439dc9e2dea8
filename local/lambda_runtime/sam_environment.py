"""The file of variables with which `sam local invoke` runs a function against the laptop cloud.

Without it, SAM gives a function the logical ids of resources instead of their names, and the endpoints of AWS. SAM
overrides only variables that the template declares, AWS_ENDPOINT_URL among them (docs/aws-facts.md#sam-cli).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from local.stack.deployment import FunctionSpec


def sam_variables(functions: Sequence[FunctionSpec], endpoint_url: str) -> dict[str, Mapping[str, str]]:
    """Logical id → variables, in the form that `--env-vars` takes; `endpoint_url` is the containers' one."""
    return {spec.logical_id: {**spec.environment, "AWS_ENDPOINT_URL": endpoint_url} for spec in functions}


def write_sam_variables(path: Path, functions: Sequence[FunctionSpec], endpoint_url: str) -> None:
    """Writes the file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(_text(functions, endpoint_url), encoding="utf-8")
    draft.replace(path)


def remove_sam_variables(path: Path, functions: Sequence[FunctionSpec], endpoint_url: str) -> None:
    """Deletes the file, unless another laptop cloud has written it since."""
    if path.is_file() and path.read_bytes() == _text(functions, endpoint_url).encode():
        path.unlink()


def _text(functions: Sequence[FunctionSpec], endpoint_url: str) -> str:
    return json.dumps(sam_variables(functions, endpoint_url), indent=1)
