"""API Gateway HTTP APIs: requests for the template's routes invoke functions, with payload format 2.0.

Requests arrive at the cloud's one endpoint, which recognizes them by the service of their signature, `execute-api`. An
unsigned request for a route is rejected as API Gateway does. The signature itself is not checked, because IAM is not
enforced on a laptop. The limits of API Gateway apply (docs/aws-facts.md#http-apis), and Lambda's for the event; a
function's answer has its limit in the function's process.
"""

from __future__ import annotations

import base64
import json
import re
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

from local.account import ACCOUNT, REGION
from local.stack.deployment import RouteSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from wsgiref.types import StartResponse, WSGIEnvironment

    from local.lambda_runtime.functions import Response as Outcome

SCOPE = "execute-api"
HEAD_BYTES_MAX = 10_240  #: API Gateway's limit for request line and header values together
BODY_BYTES_MAX = 10 << 20  #: API Gateway's limit for a request body
INTEGRATION_SECONDS_MAX = 30.0  #: API Gateway's longest wait for a function, its start included
EVENT_BYTES_MAX = 6 << 20  #: Lambda's limit for the event as JSON, with a binary body in base64
TEXT = re.compile(r"text/.*|application/(json|javascript|xml|.*\+json|.*\+xml)")
_ACCESS_KEY = re.compile(r"Credential=([^/,\s]+)/")


class HttpApi:
    """WSGI application of all routes; `invoke(function, event)` runs a function and waits for it."""

    def __init__(self, routes: Sequence[RouteSpec], invoke: Callable[[str, Any], Outcome]) -> None:
        self._routes = {(route.method, route.path): route for route in routes}
        self._invoke = invoke

    def takes(self, environ: WSGIEnvironment) -> bool:
        """Whether there is a route for the request."""
        return (environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")) in self._routes

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        route = self._routes.get((request.method, request.path))
        if route is None:
            return _refusal(404, "Not Found")
        signed = _ACCESS_KEY.search(request.headers.get("Authorization", ""))
        if signed is None:
            return _refusal(403, "Forbidden")
        if _head_size(request) > HEAD_BYTES_MAX:
            return _refusal(431, "Request Header Fields Too Large")
        body = request.get_data()
        if len(body) > BODY_BYTES_MAX:
            return _refusal(413, "Request Entity Too Large")
        lambda_event = event(route, request, body, signed[1])
        if _size(lambda_event) > EVENT_BYTES_MAX:
            return _refusal(413, "Request Entity Too Large")
        return _answered(self._invoke(route.function, lambda_event))


def _answered(outcome: Outcome) -> Response:
    timed_out = outcome.error and outcome.payload.get("errorType") == "Sandbox.Timedout"
    if timed_out or outcome.seconds > INTEGRATION_SECONDS_MAX:
        return _refusal(503, "Service Unavailable")
    return _refusal(500, "Internal Server Error") if outcome.error else _response(outcome.payload)


def _head_size(request: Request) -> int:
    line = f"{request.method} {request.environ.get('RAW_URI', request.full_path)} HTTP/1.1"
    return len(line) + sum(len(value) for _, value in request.headers)


def _size(payload: Any) -> int:
    """The payload's bytes as JSON, as Lambda counts them."""
    return len(json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode(errors="replace"))


def event(route: RouteSpec, request: Request, body: bytes, access_key: str) -> dict[str, Any]:
    """The request as API Gateway passes it to a function, in payload format 2.0."""
    now, key = datetime.now(UTC), f"{route.method} {route.path}"
    is_text = bool(TEXT.match(request.mimetype or "")) or not body
    domain = f"{route.api_id}.execute-api.{REGION}.amazonaws.com"
    queries = {name: ",".join(request.args.getlist(name)) for name in request.args}
    return {
        "version": "2.0",
        "routeKey": key,
        "rawPath": request.path,
        "rawQueryString": request.query_string.decode(),
        **({"cookies": request.headers["Cookie"].split("; ")} if "Cookie" in request.headers else {}),
        "headers": {name.lower(): value for name, value in request.headers if name != "Cookie"},
        **({"queryStringParameters": queries} if queries else {}),
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": route.api_id,
            "authorizer": {"iam": _identity(access_key)},
            "domainName": domain,
            "domainPrefix": route.api_id,
            "http": {
                "method": route.method,
                "path": request.path,
                "protocol": "HTTP/1.1",
                "sourceIp": request.remote_addr,
                "userAgent": request.headers.get("User-Agent", ""),
            },
            "requestId": str(uuid.uuid4()),
            "routeKey": key,
            "stage": "$default",
            "time": f"{now:%d/%b/%Y:%H:%M:%S +0000}",
            "timeEpoch": int(now.timestamp() * 1000),
        },
        **({"body": body.decode(errors="replace") if is_text else base64.b64encode(body).decode()} if body else {}),
        "isBase64Encoded": not is_text,
    }


def _identity(access_key: str) -> dict[str, Any]:
    return {
        "accessKey": access_key,
        "accountId": ACCOUNT,
        "callerId": access_key,
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": f"arn:aws:iam::{ACCOUNT}:user/{access_key}",
        "userId": access_key,
    }


def _response(payload: Any) -> Response:
    """The HTTP response for a function's result; a result without a status code is the body itself."""
    if not isinstance(payload, dict) or "statusCode" not in payload:
        return Response(payload if isinstance(payload, str) else "", content_type="application/json")
    body = payload.get("body", "")
    content = base64.b64decode(body) if payload.get("isBase64Encoded") else body
    response = Response(content, payload["statusCode"], content_type="text/plain;charset=UTF-8")
    response.headers.update(payload.get("headers", {}))
    for cookie in payload.get("cookies", ()):
        response.headers.add("Set-Cookie", cookie)
    return response


def _refusal(status: int, message: str) -> Response:
    return Response(f'{{"message":"{message}"}}', status, content_type="application/json")
