"""HTTP APIs on the laptop: who is let in, what a function is handed, and what becomes of its answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from local.lambda_runtime.functions import Response
from local.lambda_runtime.http_api import HttpApi
from local.stack.deployment import RouteSpec

ROOT = Path(__file__).resolve().parents[3]
SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=AKIALOCAL/20261121/us-east-1/execute-api/aws4_request, …"}
ROUTES = (
    RouteSpec("httpapi", "POST", "/predict", "arn:aws:lambda:::function:f"),
    RouteSpec("httpapi", "GET", "/model", "arn:aws:lambda:::function:g"),
)


class Seen:
    """An API whose functions record their events and return a given answer."""

    def __init__(self, payload: Any = None, error: bool = False, seconds: float = 0.0) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.payload, self.error = payload if payload is not None else {"statusCode": 204}, error
        self.seconds = seconds
        self.client = Client(HttpApi(ROUTES, self._invoke), use_cookies=False)

    def _invoke(self, function: str, event: dict[str, Any]) -> Response:
        self.events.append((function, event))
        return Response("id", self.payload, self.error, self.seconds)


def test_a_function_is_handed_what_api_gateway_hands_over() -> None:
    """Every field of the sample event, and none besides, but for what this request's own headers are."""
    seen = Seen()
    seen.client.post("/predict", json={"a": 1}, headers={**SIGNED, "User-Agent": "me"})
    [(function, event)] = seen.events
    sample = json.loads((ROOT / "events" / "predict" / "usual.json").read_text(encoding="utf-8"))
    assert function.endswith(":f")
    assert fields({**event, "headers": {}}) == fields({**sample, "headers": {}})
    assert event["routeKey"] == "POST /predict"
    assert json.loads(event["body"]) == {"a": 1}
    assert event["headers"]["authorization"].startswith("AWS4")
    assert event["requestContext"]["authorizer"]["iam"]["accessKey"] == "AKIALOCAL"
    assert event["requestContext"]["http"]["userAgent"] == "me"


def fields(tree: Any) -> Any:
    """The keys of a tree at every depth."""
    return {key: fields(value) for key, value in tree.items()} if isinstance(tree, dict) else None


def test_queries_cookies_and_binary_bodies_come_as_in_format_2() -> None:
    """Repeated values are joined by commas, cookies leave the headers, bytes are base64; no body is no key."""
    seen = Seen()
    seen.client.get("/model?a=1&a=2&b=", headers={**SIGNED, "Cookie": "x=1; y=2"})
    seen.client.post("/predict", data=b"\xff", content_type="application/octet-stream", headers=SIGNED)
    asked, sent = (event for _, event in seen.events)
    assert asked["queryStringParameters"] == {"a": "1,2", "b": ""}
    assert (asked["rawQueryString"], asked["cookies"]) == ("a=1&a=2&b=", ["x=1", "y=2"])
    assert "cookie" not in asked["headers"]
    assert "body" not in asked
    assert (sent["body"], sent["isBase64Encoded"]) == ("/w==", True)


def test_who_has_not_signed_is_turned_away() -> None:
    """As API Gateway says it; the function is not called."""
    seen = Seen()
    response = seen.client.post("/predict", json={})
    assert (response.status_code, response.json, seen.events) == (403, {"message": "Forbidden"}, [])


def test_only_routes_are_answered() -> None:
    """Another method of a path is no route either."""
    seen = Seen()
    found = [seen.client.get(path, headers=SIGNED) for path in ("/predict", "/")]
    assert [(one.status_code, one.json) for one in found] == [(404, {"message": "Not Found"})] * 2
    assert seen.events == []


@pytest.mark.parametrize(
    ("payload", "error", "status", "body"),
    [
        ({"statusCode": 201, "headers": {"content-type": "text/csv"}, "body": "a,b"}, False, 201, b"a,b"),
        ({"statusCode": 200, "body": "/w==", "isBase64Encoded": True}, False, 200, b"\xff"),
        ('{"a": 1}', False, 200, b'{"a": 1}'),
        ({"errorType": "KeyError"}, True, 500, b'{"message":"Internal Server Error"}'),
        ({"errorType": "Function.ResponseSizeTooLarge"}, True, 500, b'{"message":"Internal Server Error"}'),
        ({"errorType": "Sandbox.Timedout"}, True, 503, b'{"message":"Service Unavailable"}'),
    ],
)
def test_a_functions_outcome_becomes_a_response(payload: Any, error: bool, status: int, body: bytes) -> None:
    """Status, bytes, a bare body, a fault and a time-out."""
    response = Seen(payload, error).client.post("/predict", json={}, headers=SIGNED)
    assert (response.status_code, response.data) == (status, body)


def test_headers_and_cookies_of_an_answer_arrive() -> None:
    """Each cookie in a header of its own."""
    headers = {"Retry-After": "60", "Content-Type": "text/csv"}
    response = Seen({"statusCode": 200, "headers": headers, "cookies": ["a=1", "b=2"]}).client.get(
        "/model", headers=SIGNED
    )
    assert (response.headers["Retry-After"], response.headers["Content-Type"]) == ("60", "text/csv")
    assert response.headers.getlist("Set-Cookie") == ["a=1", "b=2"]


@pytest.mark.parametrize(
    ("kind", "size", "status"),
    [
        ("application/json", 5 << 20, 204),
        ("application/json", 6 << 20, 413),  # with what stands around it in the event
        ("application/octet-stream", 4 << 20, 204),
        ("application/octet-stream", 5 << 20, 413),  # a third longer in base64
        ("application/json", (10 << 20) + 1, 413),
    ],
)
def test_a_request_may_not_be_larger_than_lambda_takes(kind: str, size: int, status: int) -> None:
    """The limit of six mebibytes is for the event with its body (in base64 if binary); the function is not called."""
    seen = Seen()
    response = seen.client.post("/predict", data=b"x" * size, content_type=kind, headers=SIGNED)
    assert (response.status_code, len(seen.events)) == (status, int(status == 204))
    assert status == 204 or response.json == {"message": "Request Entity Too Large"}


@pytest.mark.parametrize(("size", "status"), [(9_000, 204), (10_240, 431)])
def test_a_requests_head_may_not_be_larger_than_api_gateway_takes(size: int, status: int) -> None:
    """Its line and header values share one limit, wherever the bytes are; the function is not called."""
    for path, headers in ((f"/model?x={'x' * size}", {}), ("/model", {"X-Note": "x" * size})):
        seen = Seen()
        response = seen.client.get(path, headers={**SIGNED, **headers})
        assert (response.status_code, len(seen.events)) == (status, int(status == 204))


@pytest.mark.parametrize(("seconds", "status"), [(29.9, 204), (30.1, 503)])
def test_api_gateway_gives_up_after_thirty_seconds(seconds: float, status: int) -> None:
    """Whatever the function answers later."""
    response = Seen(seconds=seconds).client.get("/model", headers=SIGNED)
    assert response.status_code == status
    assert status == 204 or response.json == {"message": "Service Unavailable"}
