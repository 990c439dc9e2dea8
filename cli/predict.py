"""`predict`, `model`: signed requests to the stack's HTTP API."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session
from rich.console import Console

from cli.connection import http_api
from cli.render import Sheet, number, say, say_whole
from tidemark.core.errors import TidemarkError

PROBLEMS = 5  # of a refused request that are told


def show_predictions(stack: str, console: Console, file: str, as_json: bool) -> None:
    """Ask for the segments of the customers in a file."""
    customers = _customers(file)
    request = {"customers": customers} if isinstance(customers, list) else customers
    answer = _api(stack).ask("POST", "/predict", request)
    _show(console, answer, as_json, lambda: (prediction_table(answer), identity(answer["model"])))


def prediction_table(answer: Mapping[str, Any]) -> Sheet:
    """A line for each customer."""
    table = Sheet("customer", "segment", "name", "distance", whole=("customer", "segment"), figures=("distance",))
    for place, one in enumerate(answer["predictions"]):
        customer = one.get("household_id", str(place))
        table.add_row(str(customer), str(one["segment"]), str(one["name"]), f"{one['distance']:.3f}")
    return table


def show_model(stack: str, console: Console, as_json: bool) -> None:
    """The model that answers now."""
    answer = _api(stack).ask("GET", "/model")
    _show(console, answer, as_json, lambda: (_segments(answer), identity(answer)))


def _segments(answer: Mapping[str, Any]) -> Sheet:
    table = Sheet("segment", "customers", "share", "description", whole=("segment",), figures=("share",))
    for one in answer["segments"]:
        table.add_row(str(one["segment"]), number(one["customers"]), f"{one['share']:.0%}", str(one["description"]))
    return table


def _show(console: Console, answer: object, as_json: bool, told: Callable[[], tuple[Sheet, str]]) -> None:
    if as_json:  # ASCII: what a terminal would obey is escaped the way that JSON does
        for row in json.dumps(answer, indent=2).splitlines():
            say_whole(console, row)
        return
    try:
        table, model = told()
    except (KeyError, TypeError, ValueError, AttributeError):
        raise TidemarkError("expected the answer of Tidemark's API, found another (see --json)") from None
    console.print(table)
    say(console, model)


def _api(stack: str) -> Api:
    return Api(http_api(stack), boto3.session.Session())


@dataclass(frozen=True)
class Api:
    """The HTTP API at a URL, asked with a session's credentials and region."""

    url: str
    session: boto3.session.Session

    def ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """The answer to a signed request; `TidemarkError` with what the API says against it."""
        credentials = self.session.get_credentials()
        if credentials is None:
            raise TidemarkError("expected AWS credentials to sign with, found none")
        data = json.dumps(body).encode() if method == "POST" else None
        headers = {"Content-Type": "application/json"} if data else {}
        request = AWSRequest(method, f"{self.url.rstrip('/')}{path}", headers, data)
        SigV4Auth(credentials.get_frozen_credentials(), "execute-api", self.session.region_name or "").add_auth(request)
        response = URLLib3Session().send(request.prepare())
        answer = _parsed(response.content)
        if response.status_code != 200 or answer is None:
            said = _complaint(answer or {"error": response.content[:200].decode("utf-8", "replace")})
            raise TidemarkError(f"{method} {path} answered {response.status_code}: {said}")
        return answer


def _parsed(content: bytes) -> dict[str, Any] | None:
    """The JSON object that was answered; None for anything else."""
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _complaint(answer: Mapping[str, Any]) -> str:
    """The error, and the first few problems; others than Tidemark's API list what they like."""
    found = answer.get("problems")
    listed = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    problems = [_problem(one) for one in listed[:PROBLEMS]]
    more = [f"and {number(len(listed) - PROBLEMS)} more"] if len(listed) > PROBLEMS else []
    return "; ".join([str(answer.get("error") or answer.get("message", "nothing")), *problems, *more])


def _problem(one: Mapping[str, Any]) -> str:
    return f"customer {one.get('customer')}: {one.get('field')}: {one.get('problem')}"


def identity(model: Mapping[str, Any]) -> str:
    """Which model answered."""
    return (
        f"model of {model['batch_id']}, attempt {model['attempt']}: as of {model['as_of']}, "
        f"{model['k']} segments, silhouette {model['silhouette']:.3f}"
    )


def _customers(file: str) -> Any:
    where = "standard input" if file == "-" else file
    try:
        return json.loads(sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise TidemarkError(f"{where}: cannot be read: {error}") from error
    except (ValueError, RecursionError) as error:
        raise TidemarkError(f"{where}: expected JSON, found: {error}") from error
