"""Functions of a few lines each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from local.lambda_runtime.functions import Functions
from local.stack.deployment import FunctionSpec

CODE = Path(__file__).parents[1] / "small" / "functions"


WORK = FunctionSpec(
    logical_id="Work",
    name="tidemark-Work",
    arn="arn:aws:lambda:us-east-1:123456789012:function:tidemark-Work",
    handler="work.handler",
    code_dir=CODE,
    environment={"TABLE": "t"},
    timeout_seconds=30,
    memory_mb=256,
    role_arn="arn:aws:iam::123456789012:role/r",
    log_group="/tidemark/functions",
)


@pytest.fixture
def functions(tmp_path: Path) -> Iterator[Functions]:
    specs = [
        WORK,
        replace(WORK, logical_id="Hasty", timeout_seconds=1),
        replace(WORK, logical_id="Lost", handler="no.x"),
        replace(WORK, logical_id="Empty", handler="work.missing"),
    ]
    made = Functions(specs, "http://127.0.0.1:1", tmp_path)
    yield made
    made.stop()
