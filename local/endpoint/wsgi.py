"""WSGI helpers of the endpoint."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

CALLER = "tidemark.caller"  #: key of the environ: the ARN of the caller, if it has policies of its own


def body_of(environ: WSGIEnvironment) -> bytes:
    """The request's body; later readers can read it again."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body: bytes = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def replace_body(environ: WSGIEnvironment, body: bytes) -> None:
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))


def error(status: int, code: str, message: str) -> Response:
    """An error response in the format of the JSON protocols."""
    body = json.dumps({"__type": code, "message": message, "Message": message})
    return Response(body, status, {"x-amzn-ErrorType": code}, content_type="application/x-amz-json-1.1")
