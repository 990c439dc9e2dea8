"""Determines a request's operation from its headers, path and body, with botocore's service models."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import botocore.session

from local.endpoint.wsgi import body_of

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment


@dataclass(frozen=True)
class _Route:
    name: str
    method: str
    path: re.Pattern[str]
    fixed: frozenset[tuple[str, str]]  #: query parameters and their values; "" means any value
    required: frozenset[str]  #: names of the required query parameters and headers

    @property
    def weight(self) -> int:
        return len(self.fixed) + len(self.required)


def operation(service: str, environ: WSGIEnvironment) -> str:
    """The operation's name, e.g. PutObject; "" if the request matches none."""
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return str(target.split(".")[-1])
    path = str(environ.get("PATH_INFO", ""))
    if match := re.fullmatch(r"/service/\w+/operation/(\w+)", path):
        return match.group(1)
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        return _form_action(environ)
    return _rest_operation(service, environ, path)


def _form_action(environ: WSGIEnvironment) -> str:
    return parse_qs(body_of(environ).decode("utf-8", "replace")).get("Action", [""])[0]


def _rest_operation(service: str, environ: WSGIEnvironment, path: str) -> str:
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    headers = {name[5:].replace("_", "-").lower() for name in environ if name.startswith("HTTP_")}
    for route in _routes(service):
        if (
            route.method == environ["REQUEST_METHOD"]
            and route.path.fullmatch(path)
            and all(name in query and value in ("", *query[name]) for name, value in route.fixed)
            and all(name in query or name in headers for name in route.required)
        ):
            return route.name
    return ""


@cache
def _routes(service: str) -> tuple[_Route, ...]:
    """The routes of a REST service, those with the most requirements first."""
    session = botocore.session.get_session()
    if service not in session.get_available_services():
        return ()
    model = session.get_service_model(service)
    routes = [_route(model.operation_model(name)) for name in model.operation_names]
    return tuple(sorted(routes, key=lambda route: -route.weight))


def _route(operation_model: Any) -> _Route:
    path, _, query = operation_model.http["requestUri"].partition("?")
    pairs = (part.partition("=") for part in query.split("&") if part)
    return _Route(
        operation_model.name,
        operation_model.http["method"],
        re.compile(re.sub(r"\\\{\w+(\\\+)?\\\}", _label, re.escape(path)) + "/?", re.DOTALL),
        frozenset((name, value) for name, _, value in pairs),
        frozenset(_required(operation_model.input_shape)),
    )


def _label(match: re.Match[str]) -> str:
    return ".+" if match.group(1) else "[^/]+"


def _required(shape: Any) -> set[str]:
    if shape is None:
        return set()
    members = (shape.members[name] for name in shape.required_members)
    return {
        member.serialization["name"].lower()
        if member.serialization["location"] == "header"
        else member.serialization["name"]
        for member in members
        if member.serialization.get("location") in ("querystring", "header")
    }
