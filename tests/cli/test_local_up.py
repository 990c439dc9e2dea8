"""`tidemark local up` says what to type in another terminal."""

from __future__ import annotations

import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.local_commands import _explain_up
from cli.main import build_parser
from tests.cli.nasty import printed

CLOUD: Any = SimpleNamespace(
    url="http://127.0.0.1:45661",
    settings={"RAW_BUCKET": "tidemark-raw-123456789012"},
    state_dir=Path("/tmp/tidemark-x"),
)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_each_line_can_be_pasted_as_it_is(width: int) -> None:
    """On a narrow screen, too; no comment stands in it, for zsh takes none from its prompt."""
    typed = [
        line for line in printed(lambda console: _explain_up(console, CLOUD), width).splitlines() if line[:2] == "  "
    ]
    words = [shlex.split(line) for line in typed]
    assert [line[0] for line in words] == ["export", "tidemark", "aws", "tidemark", "tidemark", "tidemark"]
    assert words[0][1] == "AWS_ENDPOINT_URL=http://127.0.0.1:45661"
    for line in words:
        assert line[0] != "tidemark" or build_parser().parse_args(line[1:])
