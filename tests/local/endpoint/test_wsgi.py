"""Bodies and errors over WSGI."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from local.endpoint.wsgi import body_of, error, replace_body


@pytest.mark.parametrize("length", ["3", "0", "", None])
def test_a_body_may_be_read_again(length: str | None) -> None:
    """As far as its length says; what comes behind belongs to the next request."""
    environ: dict[str, Any] = {"wsgi.input": io.BytesIO(b"abcdef")}
    if length is not None:
        environ["CONTENT_LENGTH"] = length
    expected = b"abc" if length == "3" else b""
    assert [body_of(environ), body_of(environ)] == [expected, expected]


def test_a_replaced_body_has_its_own_length() -> None:
    """A longer one is read whole."""
    environ: dict[str, Any] = {"wsgi.input": io.BytesIO(b"a"), "CONTENT_LENGTH": "1"}
    replace_body(environ, b"abcdef")
    assert (environ["CONTENT_LENGTH"], body_of(environ)) == ("6", b"abcdef")


def test_an_error_has_its_code_where_clients_look_for_it() -> None:
    """In the header and in the body, under either name of the message."""
    answer = error(409, "ConflictException", "no")
    assert (answer.status_code, answer.headers["x-amzn-ErrorType"]) == (409, "ConflictException")
    assert json.loads(answer.get_data()) == {"__type": "ConflictException", "message": "no", "Message": "no"}
