"""A world that does not answer, or is not AWS, is one line on standard error and exit status 2."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.outcomes import refused

CLOSED = "http://127.0.0.1:9"


class Elsewhere(http.server.BaseHTTPRequestHandler):
    """A web server that is not AWS."""

    status, body = 200, b"<html>hello</html>"

    def do_POST(self) -> None:
        """Every request gets the same answer."""
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
    """The error names the variable and its value."""
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
    """An endpoint that refuses connections is named in one line."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", CLOSED)
    assert CLOSED in refused(words, capsys)


def test_what_is_not_aws_is_one_line(
    elsewhere: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another web server on the port is recognized as not being AWS."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", elsewhere)
    assert "this is not what AWS answers" in refused(["status"], capsys)


@pytest.mark.parametrize(
    "body", ["[]", "null", "1", "[" * 9_000, '{"Parameter": []}', '{"Parameter": {"Value": "[1]"}}']
)
def test_json_of_others_is_one_line(
    body: str, elsewhere: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON of any other shape is recognized as not coming from AWS."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", elsewhere)
    monkeypatch.setattr(Elsewhere, "body", body.encode())
    assert "this is not what AWS answers" in refused(["status"], capsys)


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
    """The error names the missing setting."""
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    monkeypatch.setenv("AWS_ENDPOINT_URL", CLOSED)
    for name, value in variables.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)
    assert message in refused(["status"], capsys)


@pytest.mark.parametrize("problems", ["null", "5", "{}", "[1]", "[{}]", '"x"'])
def test_complaints_of_others_are_one_line(
    problems: str, elsewhere: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The `problems` of another server's answer may have any shape."""
    (tmp_path / "in.json").write_text("{}")
    monkeypatch.setenv("AWS_ENDPOINT_URL", elsewhere)
    monkeypatch.setattr(Elsewhere, "status", 422)
    monkeypatch.setattr(Elsewhere, "body", f'{{"error": "no", "problems": {problems}}}'.encode())
    assert "POST /predict answered 422: no" in refused(["predict", str(tmp_path / "in.json")], capsys)
