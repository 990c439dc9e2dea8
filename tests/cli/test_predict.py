"""What `predict` and `model` send, print and refuse."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from boto3 import Session
from botocore.awsrequest import AWSPreparedRequest
from botocore.httpsession import URLLib3Session

from cli.predict import Api, show_model, show_predictions
from cli.text import visible
from tests.cli.nasty import NASTY
from tests.cli.outcomes import checked, refused


@pytest.mark.parametrize(
    "text", ["not json", "", "[" * 100_000, '{"a": 1e999'], ids=["words", "nothing", "deep", "cut off"]
)
def test_customers_that_are_no_json_are_one_line(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Text that is not JSON is refused, from a file and from standard input."""
    (tmp_path / "in.json").write_text(text)
    assert "expected JSON, found" in refused(["predict", str(tmp_path / "in.json")], capsys)
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    assert "standard input: expected JSON, found" in refused(["predict", "-"], capsys)


def test_null_is_sent_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """`null` is sent with its content type, so that the API complains about the value."""
    sent: list[AWSPreparedRequest] = []

    def send(_: URLLib3Session, request: AWSPreparedRequest) -> SimpleNamespace:
        sent.append(request)
        return SimpleNamespace(status_code=200, content=b"{}")

    monkeypatch.setattr(URLLib3Session, "send", send)
    Api("http://127.0.0.1:9", Session("a", "b", region_name="us-east-1")).ask("POST", "/predict", None)
    assert [(one.body, one.headers["Content-Type"]) for one in sent] == [(b"null", "application/json")]


def test_customers_that_cannot_be_read_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder, a missing file and bytes that are no text are refused in one line."""
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for name in ("bytes", "nowhere", "."):
        assert "cannot be read" in refused(["predict", str(tmp_path / name)], capsys)


@pytest.mark.parametrize("text", NASTY)
def test_answers_of_the_model_are_printed_as_text(text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """The tables of `predict` and `model` show any text as text."""
    model = {"batch_id": text, "attempt": 1, "as_of": text, "k": 2, "silhouette": 0.5}
    guess = {"household_id": text, "segment": 1, "name": text, "distance": 0.25}
    segment = {"segment": 1, "customers": 1234, "share": 0.5, "description": text}
    answer = {**model, "model": model, "predictions": [guess], "segments": [segment]}
    monkeypatch.setattr(Api, "ask", lambda *_: answer)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    asked = tmp_path / "customers.json"
    asked.write_text("[]")
    told = visible(text).strip()
    checked(lambda console: show_predictions("s", console, str(asked)), told, "0.250")
    checked(lambda console: show_model("s", console), told, "1,234")
