"""Wrong input, and a world that does not answer, are one line on standard error and exit status 2."""

from __future__ import annotations

import errno
import http.server
import io
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from boto3 import Session
from boto3.exceptions import S3UploadFailedError
from botocore.awsrequest import AWSPreparedRequest
from botocore.httpsession import URLLib3Session
from botocore.parsers import ResponseParserError

from cli import main as command
from cli.main import main
from cli.predict import Api
from tests.cli.nasty import is_plain

ROOT = Path(__file__).resolve().parents[2]
CLOSED = "http://127.0.0.1:9"


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a wrong command gets."""
    try:
        status = main(arguments)
    except SystemExit as end:  # of the parser
        status = end.code if isinstance(end.code, int) else -1
    said = capsys.readouterr()
    assert (status, said.out) == (2, "")
    assert said.err.count("\n") == 1
    assert is_plain(said.err)
    return said.err


class Elsewhere(http.server.BaseHTTPRequestHandler):
    """A web server that is not AWS."""

    status, body = 200, b"<html>hello</html>"

    def do_POST(self) -> None:
        """Every request is answered alike."""
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """Its address."""
    server = http.server.HTTPServer(("127.0.0.1", 0), Elsewhere)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    "url", ["foo", "http://", "ftp://127.0.0.1", "http://[::1", "http://host:99999999", "127.0.0.1:9"]
)
@pytest.mark.parametrize("words", [["status"], ["model"]], ids=["status", "model"])
def test_an_endpoint_that_is_no_url_is_named(
    words: list[str], url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the variable that says so."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    assert f"expected a URL such as http://127.0.0.1:4566 in AWS_ENDPOINT_URL, found {url!r}" in refused(words, capsys)


@pytest.mark.parametrize(
    "words",
    [["status"], ["batches"], ["explain", "s3://b/k"], ["query", "SELECT 1"], ["quarantine", "list"], ["model"]],
    ids=" ".join,
)  # fmt: skip
def test_an_endpoint_that_refuses_is_one_line(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And where it was looked for."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", CLOSED)
    assert CLOSED in refused(words, capsys)


def test_what_is_not_aws_is_one_line(
    elsewhere: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Any other web server may listen on the port."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", elsewhere)
    assert "this is not what AWS answers" in refused(["status"], capsys)


@pytest.mark.parametrize(
    "body", ["[]", "null", "1", "[" * 9_000, '{"Parameter": []}', '{"Parameter": {"Value": "[1]"}}']
)
def test_json_of_others_is_one_line(
    body: str, elsewhere: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of any form."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", elsewhere)
    monkeypatch.setattr(Elsewhere, "body", body.encode())
    assert "this is not what AWS answers" in refused(["status"], capsys)


@pytest.mark.parametrize("problems", ["null", "5", "{}", "[1]", "[{}]", '"x"'])
def test_complaints_of_others_are_one_line(
    problems: str, elsewhere: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What they call problems need not be a list of customers."""
    (tmp_path / "in.json").write_text("{}")
    monkeypatch.setenv("AWS_ENDPOINT_URL", elsewhere)
    monkeypatch.setattr(Elsewhere, "status", 422)
    monkeypatch.setattr(Elsewhere, "body", f'{{"error": "no", "problems": {problems}}}'.encode())
    assert "POST /predict answered 422: no" in refused(["predict", str(tmp_path / "in.json")], capsys)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"AWS_DEFAULT_REGION": "", "AWS_REGION": ""}, "must specify a region"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "Unable to locate credentials"),
        ({"AWS_PROFILE": "nobody"}, "nobody"),
    ],
    ids=["region", "credentials", "profile"],
)
def test_missing_configuration_is_one_line(
    variables: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It names what is missing."""
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    monkeypatch.setenv("AWS_ENDPOINT_URL", CLOSED)
    for name, value in variables.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)
    assert message in refused(["status"], capsys)


@pytest.mark.parametrize(
    "text", ["not json", "", "[" * 100_000, '{"a": 1e999'], ids=["words", "nothing", "deep", "cut off"]
)
def test_customers_that_are_no_json_are_one_line(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From a file or from standard input."""
    (tmp_path / "in.json").write_text(text)
    assert "expected JSON, found" in refused(["predict", str(tmp_path / "in.json")], capsys)
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    assert "standard input: expected JSON, found" in refused(["predict", "-"], capsys)


def test_null_is_sent_as_the_json_that_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The API then says what is wrong with it, not that it has come without a content type."""
    sent: list[AWSPreparedRequest] = []

    def send(_: URLLib3Session, request: AWSPreparedRequest) -> SimpleNamespace:
        sent.append(request)
        return SimpleNamespace(status_code=200, content=b"{}")

    monkeypatch.setattr(URLLib3Session, "send", send)
    Api("http://127.0.0.1:9", Session("a", "b", region_name="us-east-1")).ask("POST", "/predict", None)
    assert [(one.body, one.headers["Content-Type"]) for one in sent] == [(b"null", "application/json")]


def test_customers_that_cannot_be_read_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder, a file that is not there, bytes that are no text."""
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for name in ("bytes", "nowhere", "."):
        assert "cannot be read" in refused(["predict", str(tmp_path / name)], capsys)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["batches", "--limit", "²"], "expected a whole number from 1, found '²'"),
        (["batches", "--limit", "9" * 5000], "expected a whole number from 1"),
        (["traffic", "out", "--days", "1000000"], "expected a number of days from 1 to 3650"),
        (["local", "up", "--port", "-1"], "expected a port from 0 to 65535"),
        (["explain", "s3://b/bad\udcff"], "expected UTF-8, found s3://b/bad\\xff"),
        (["nightly", "run", "--date", "2026-02-30"], "expected a date such as 2026-11-20"),
        (["\x1b[31mfly"], "invalid choice"),
        (["status", "a\nb\x1b[31m"], "unrecognized arguments: a b\\x1b[31m"),
        (["validate", "nowhere"], "expected a folder of declarations, found no folder nowhere"),
        (["validate", __file__], "expected a folder of declarations, found no folder"),
        (["local", "run", __file__, "--out", "out"], "expected a folder of files to land, found no folder"),
        (["traffic", __file__], "expected a folder to write into, found the file"),
    ],
)
def test_what_cannot_be_meant_is_one_line(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It says what was expected and what was found, escapes included."""
    assert message in refused(words, capsys)


@pytest.mark.parametrize("uri", ["b/k", "s3://", "s3://b", "s3://b/", "s3:///k", "http://b/k", "s3:/b/k"])
def test_a_file_that_is_no_uri_is_told_so(uri: str) -> None:
    """Before anything is asked about it."""
    from cli.names import file_named
    from tidemark.core.errors import TidemarkError

    with pytest.raises(TidemarkError, match="expected s3://BUCKET/KEY, found"):
        file_named(uri)


def test_a_taken_port_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The port is named."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in refused(
            ["local", "up", "--port", str(port)], capsys
        )


def test_a_folder_without_a_file_that_can_land_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The only file has a name that cannot be a key."""
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff")).touch()
    said = refused(["local", "run", str(tmp_path), "--out", str(tmp_path / "out")], capsys)
    assert "none that can land: bad\\xff: its name is not UTF-8" in said


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        S3UploadFailedError("a\nb"),
        ResponseParserError("x"),
        TimeoutError("y"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_the_world_in_any_command_is_one_line(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wherever it comes from."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(command.run, "status", fail)
    assert refused(["status"], capsys).startswith("tidemark: ")


def test_an_interrupt_is_quiet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 130, as shells have it."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command.run, "status", interrupt)
    assert (main(["status"]), capsys.readouterr()) == (130, ("", ""))


def test_a_fault_of_the_program_is_not_passed_off_as_wrong_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack trace is what a bug report needs."""
    monkeypatch.setattr(command.run, "status", lambda *_: {}["missing"])
    with pytest.raises(KeyError):
        main(["status"])


@pytest.mark.parametrize(("output", "status", "told"), [("closed", 141, 0), ("full", 2, 1)])
def test_output_that_nobody_takes_is_no_stack_trace(output: str, status: int, told: int) -> None:
    """A reader who has gone ends it without a word; a full disk is one line."""
    reading, writing = os.pipe()
    os.close(reading)
    sink = writing if output == "closed" else os.open("/dev/full", os.O_WRONLY)
    words = [sys.executable, "-m", "cli.main", "lifecycle"]
    place = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "functions")])}
    done = subprocess.run(words, stdout=sink, stderr=subprocess.PIPE, text=True, check=False, env=place)
    os.close(sink)
    assert (done.returncode, done.stderr.count("\n")) == (status, told), done.stderr


def test_help_needs_none_of_the_heavy_libraries() -> None:
    """`tidemark --help` answers at once: boto3, moto, DuckDB and Spark are imported when a command needs them."""
    code = (
        "import sys, cli.main as m; m.build_parser(); print(*{'boto3', 'moto', 'duckdb', 'pyarrow'} & set(sys.modules))"
    )
    place = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "functions")])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=place)
    assert done.stdout == "\n"
