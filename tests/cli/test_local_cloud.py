"""`tidemark local run` and `local up`: what they refuse, what they say, and that they clean up."""

from __future__ import annotations

import io
import json
import os
import shlex
import signal
import socket
import sys
import tempfile
import tomllib
from ipaddress import IPv4Interface
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli import local_cloud
from cli.commands import tidemark
from cli.local_cloud import _explain_up, stay_up
from cli.main import main
from cli.program import Command
from cli.render import open_console
from local.cloud import ROOT
from local.endpoint.containers import Containers
from tests.cli.outcomes import everything, printed, refused

CLOUD: Any = SimpleNamespace(
    url="http://127.0.0.1:45661",
    settings={"RAW_BUCKET": "tidemark-raw-123456789012"},
    state_dir=Path("/tmp/tidemark-x"),
)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_each_line_can_be_pasted_as_it_is(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line can be pasted on screens of any width; none has a comment, which zsh does not take."""
    called: list[str | None] = []
    monkeypatch.setattr(Command, "invoke", lambda command, _: called.append(command.name))
    typed = [
        line for line in printed(lambda console: _explain_up(console, CLOUD), width).splitlines() if line[:2] == "  "
    ]
    words = [shlex.split(line) for line in typed]
    assert [line[0] for line in words] == ["export", "tidemark", "aws", "tidemark", "tidemark", "tidemark"]
    assert words[0][1] == "AWS_ENDPOINT_URL=http://127.0.0.1:45661"
    for line in words:
        if line[0] == "tidemark":
            with tidemark.make_context("tidemark", line[1:]) as context:
                tidemark.invoke(context)
    assert called == ["traffic", "status", "batches", "query"]


class Gone(io.StringIO):
    """A pipe that is closed after the first line, as by `| head -1`."""

    def write(self, text: str) -> int:
        """Takes the first line."""
        if "\n" in self.getvalue():
            raise BrokenPipeError
        return super().write(text)


def test_a_cloud_is_stopped_even_if_its_output_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed pipe ends `local up`, and the cloud's processes with it."""
    done: list[str] = []
    cloud = SimpleNamespace(start=lambda: done.append("start"), stop=lambda: done.append("stop"), **vars(CLOUD))
    monkeypatch.setattr(local_cloud, "Cloud", lambda **_: cloud)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(BrokenPipeError):
        stay_up(open_console(Gone()), 0)
    assert done == ["start", "stop"]


def test_containers_find_the_names_in_a_file_while_the_cloud_is_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--docker` writes SAM's variables where samconfig.toml looks for them, and removes them at the end."""
    seen: list[Any] = []
    path = tmp_path / "variables.json"

    class Up(SimpleNamespace):
        """A cloud with one function."""

        container_url = "http://172.17.0.1:4566"
        deployment = SimpleNamespace(functions=[SimpleNamespace(logical_id="Plan", environment={"RAW_BUCKET": "raw"})])

        def start(self) -> None:
            """Nothing."""

        def stop(self) -> None:
            """Nothing."""

    def interrupt(_: float) -> None:
        seen.append(json.loads(path.read_text()))
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(local_cloud, "SAM_VARIABLES", path)
    monkeypatch.setattr(local_cloud, "Cloud", lambda **options: Up(**vars(CLOUD) | options))
    monkeypatch.setattr(local_cloud.time, "sleep", interrupt)
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        said = printed(lambda console: stay_up(console, 0, docker=True))
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    assert seen == [{"Plan": {"RAW_BUCKET": "raw", "AWS_ENDPOINT_URL": "http://172.17.0.1:4566"}}]
    assert not path.exists()
    assert "Containers reach it at http://172.17.0.1:4566" in said
    assert "  sam local invoke Collect --event events/collect/usual.json" in said.splitlines()


def test_samconfig_names_the_file_of_variables() -> None:
    """In every environment, so that plain `sam local invoke` finds it; without the file, SAM refuses to run."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    for environment in ("default", "prod"):
        named = config[environment]["local_invoke"]["parameters"]["env_vars"]
        assert ROOT / named == local_cloud.SAM_VARIABLES


def test_a_taken_port_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A port in use is refused by its number."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in refused(
            ["local", "up", "--port", str(port)], capsys
        )


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all addresses of 127.0.0.0/8")
def test_a_port_that_is_taken_on_the_containers_bridge_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With `--docker`, both addresses must be free."""
    bridge = Containers("127.0.0.2", IPv4Interface("127.0.0.2/8"))
    monkeypatch.setattr(local_cloud, "find_containers", lambda: bridge)
    with socket.socket() as taken:
        taken.bind(("127.0.0.2", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = refused(["local", "up", "--docker", "--port", str(port)], capsys)
    assert f"cannot listen on 127.0.0.2:{port}: Address already in use" in said


def test_a_folder_without_a_file_that_can_land_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """If the only file has a name that cannot be a key, the error says so."""
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff")).touch()
    said = refused(["local", "run", str(tmp_path), "--out", str(tmp_path / "out")], capsys)
    assert "none that can land: bad\\xff: its name is not UTF-8" in said


def test_a_run_that_is_ended_from_outside_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM, as from `timeout`, leaves neither results nor scratch files, and is named by the exit status."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.json").write_text("{}")
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    monkeypatch.setattr(local_cloud, "_drive_folder", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as end:
        main(["local", "run", str(tmp_path / "in"), "--out", str(tmp_path / "out")])
    assert (end.value.code, signal.getsignal(signal.SIGTERM)) == (143, before)
    assert everything(tmp_path) == ["in", "in/a.json", "scratch"]
