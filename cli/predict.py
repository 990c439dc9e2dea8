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
from cli.render import Sheet, number, say, show_json, wants_json
from tidemark.core.errors import TidemarkError

PROBLEMS = 5  # of a refused request that are shown


def show_predictions(stack: str, console: Console, file: str) -> None:
    """Ask for the segments of the customers in a file."""
    customers = _customers(file)
    request = {"customers": customers} if isinstance(customers, list) else customers
    answer = _api(stack).ask("POST", "/predict", request)
    _show(console, answer, lambda: (prediction_table(answer), identity(answer["model"])))


def prediction_table(answer: Mapping[str, Any]) -> Sheet:
    """One row for each customer."""
    table = Sheet("customer", "segment", "name", "distance", whole=("customer", "segment"), figures=("distance",))
    for place, prediction in enumerate(answer["predictions"]):
        customer = prediction.get("household_id", str(place))
        segment, name, distance = prediction["segment"], prediction["name"], prediction["distance"]
        table.add_row(str(customer), str(segment), str(name), f"{distance:.3f}")
    return table


def show_model(stack: str, console: Console) -> None:
    """The model that predicts, and its segments."""
    answer = _api(stack).ask("GET", "/model")
    _show(console, answer, lambda: (_segments(answer), identity(answer)))


def _segments(answer: Mapping[str, Any]) -> Sheet:
    table = Sheet("segment", "customers", "share", "description", whole=("segment",), figures=("share",))
    for segment in answer["segments"]:
        customers, share = number(segment["customers"]), f"{segment['share']:.0%}"
        table.add_row(str(segment["segment"]), customers, share, str(segment["description"]))
    return table


def _show(console: Console, answer: object, rendered: Callable[[], tuple[Sheet, str]]) -> None:
    if wants_json(console):
        show_json(console, answer)
        return
    try:
        table, model = rendered()
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
        """The answer to a signed request; raises `TidemarkError` with what the API complains about."""
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
            complaint = _complaint(answer or {"error": response.content[:200].decode("utf-8", "replace")})
            raise TidemarkError(f"{method} {path} answered {response.status_code}: {complaint}")
        return answer


def _parsed(content: bytes) -> dict[str, Any] | None:
    """The JSON object in an answer; None for anything else."""
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _complaint(answer: Mapping[str, Any]) -> str:
    """The error, and the first few problems; another server's answer may hold anything under these names."""
    problems = answer.get("problems")
    listed = [each for each in problems if isinstance(each, dict)] if isinstance(problems, list) else []
    first = [_problem(each) for each in listed[:PROBLEMS]]
    more = [f"and {number(len(listed) - PROBLEMS)} more"] if len(listed) > PROBLEMS else []
    return "; ".join([str(answer.get("error") or answer.get("message", "nothing")), *first, *more])


def _problem(problem: Mapping[str, Any]) -> str:
    return f"customer {problem.get('customer')}: {problem.get('field')}: {problem.get('problem')}"


def identity(model: Mapping[str, Any]) -> str:
    """Names the model that answered, and its age and quality."""
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
