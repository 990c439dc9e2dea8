"""`predict`, `model`: signed requests to the stack's HTTP API."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session
from rich.console import Console
from rich.table import Table

from cli.connection import http_api
from cli.show import make_table, number
from tidemark.core.errors import TidemarkError


def show_predictions(stack: str, console: Console, file: str, as_json: bool) -> None:
    """Ask for the segments of the customers in a file."""
    text = sys.stdin.read() if file == "-" else _text(Path(file))
    try:
        customers = json.loads(text)
    except ValueError as error:
        raise TidemarkError(f"{file}: expected JSON, found: {error}") from error
    request = {"customers": customers} if isinstance(customers, list) else customers
    answer = _api(stack).ask("POST", "/predict", request)
    if as_json:
        console.print_json(data=answer)
        return
    console.print(prediction_table(answer))
    console.print(identity(answer["model"]))


def prediction_table(answer: Mapping[str, Any]) -> Table:
    """A line for each customer."""
    table = make_table("customer", "segment", "name", "distance")
    for place, one in enumerate(answer["predictions"]):
        name = one.get("household_id", str(place))
        table.add_row(name, str(one["segment"]), one["name"], f"{one['distance']:.3f}")
    return table


def show_model(stack: str, console: Console, as_json: bool) -> None:
    """The model that answers now."""
    answer = _api(stack).ask("GET", "/model")
    if as_json:
        console.print_json(data=answer)
        return
    table = make_table("segment", "customers", "share", "description")
    for one in answer["segments"]:
        table.add_row(str(one["segment"]), number(one["customers"]), f"{one['share']:.0%}", one["description"])
    console.print(table)
    console.print(identity(answer))


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
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if data else {}
        request = AWSRequest(method, f"{self.url}{path}", headers, data)
        SigV4Auth(credentials.get_frozen_credentials(), "execute-api", self.session.region_name or "").add_auth(request)
        response = URLLib3Session().send(request.prepare())
        try:
            answer = json.loads(response.content)
        except ValueError:
            answer = {"error": response.text}
        if response.status_code != 200:
            raise TidemarkError(f"{method} {path} answered {response.status_code}: {_complaint(answer)}")
        return dict(answer)


def _complaint(answer: dict[str, Any]) -> str:
    """The error, and the first few problems."""
    problems = [f"customer {one['customer']}: {one['field']}: {one['problem']}" for one in answer.get("problems", [])]
    return "; ".join([answer.get("error") or answer.get("message", "nothing"), *problems[:5]])


def identity(model: Mapping[str, Any]) -> str:
    """Which model answered."""
    return (
        f"model of {model['batch_id']}, attempt {model['attempt']}: as of {model['as_of']}, "
        f"{model['k']} segments, silhouette {model['silhouette']:.3f}"
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TidemarkError(f"{path}: cannot be read: {error}") from error
