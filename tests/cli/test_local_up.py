"""`tidemark local up` says what to type in another terminal."""

from __future__ import annotations

import io
import shlex
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli import local_cloud
from cli.local_cloud import _explain_up, stay_up
from cli.main import build_parser
from cli.render import open_console
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


class Gone(io.StringIO):
    """A pipe whose reader goes after the first line, as of `| head -1`."""

    def write(self, text: str) -> int:
        """Takes the first line."""
        if "\n" in self.getvalue():
            raise BrokenPipeError
        return super().write(text)


def test_a_cloud_is_stopped_even_if_nobody_hears_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its processes would outlive it."""
    done: list[str] = []
    cloud = SimpleNamespace(start=lambda: done.append("start"), stop=lambda: done.append("stop"), **vars(CLOUD))
    monkeypatch.setattr(local_cloud, "Cloud", lambda **_: cloud)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(BrokenPipeError):
        stay_up(open_console(Gone()), 0)
    assert done == ["start", "stop"]
