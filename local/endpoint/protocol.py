"""AWS's rest-json and json protocols for stand-in services, driven by botocore's service models.

Requests that AWS would reject are rejected with AWS's error, and an answer that does not match the service model never
leaves the process.
"""

import json
import logging
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, Shape, StructureShape
from werkzeug.wrappers import Request, Response

from local.account import ACCOUNT
from local.endpoint.shapes import (
    AnswerError,
    ApiError,
    decode,
    encode,
    from_text,
    from_texts,
    input_problems,
)

log = logging.getLogger(__name__)

LOCAL_KEY_PREFIX: Final = "AKIALOCAL"  # followed by the role's name in the access key ids of local roles

#: HTTP status of the errors that AWS sends although its models do not have them.
UNMODELLED: Final[Mapping[str, int]] = {"NotImplementedException": 501, "RequestEntityTooLargeException": 413}

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Handlers = Mapping[str, "Callable[[Call], Mapping[str, Any]]"]

__all__ = ["AnswerError", "ApiError", "Call", "WsgiApp", "application", "service_model"]


@dataclass(frozen=True)
class Call:
    """One parsed and valid request. `caller` is the ARN of its signer."""

    operation: str
    parameters: dict[str, Any]
    caller: str = f"arn:aws:iam::{ACCOUNT}:root"


@dataclass(frozen=True)
class Route:
    """Method and path of an operation in the rest-json protocol."""

    method: str
    pattern: re.Pattern[str]
    operation: OperationModel = field(repr=False)


def application(service: str, handlers: Handlers) -> WsgiApp:
    """WSGI app of `service` (botocore's name) with one handler per operation; others are answered with 501."""
    model = service_model(service)
    unknown = set(handlers) - set(model.operation_names)
    assert not unknown, f"{service} has no operations {sorted(unknown)}"

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        return respond(model, handlers, Request(environ))(environ, start_response)

    return app


def respond(model: ServiceModel, handlers: Handlers, request: Request) -> Response:
    """The response to one request, including errors."""
    try:
        call = read_call(model, request)
        handler = handlers.get(call.operation)
        if handler is None:
            raise ApiError("NotImplementedException", f"{call.operation} is not supported locally")
        return write_answer(model.operation_model(call.operation), handler(call))
    except ApiError as error:
        return write_error(model, error)
    except Exception as error:
        log.exception("%s stand-in failed", model.service_name)
        return write_error(model, ApiError("InternalServerException", f"{type(error).__name__}: {error}"))


@cache
def service_model(service: str) -> ServiceModel:
    """The installed botocore's model of the service."""
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


@cache
def routes(service: str) -> tuple[Route, ...]:
    """Routes of a rest-json service, the most specific (most fixed text) first."""
    model = service_model(service)
    operations = [model.operation_model(name) for name in model.operation_names]
    unsorted = [Route(o.http["method"], uri_pattern(o.http["requestUri"]), o) for o in operations]
    return tuple(sorted(unsorted, key=_fixed_length, reverse=True))


def _fixed_length(route: Route) -> int:
    return len(re.sub(r"\{.*?\}", "", route.operation.http["requestUri"]))


def uri_pattern(request_uri: str) -> re.Pattern[str]:
    """`/a/{b}/c` → a pattern with a named group per variable; `{b+}` may hold slashes."""
    path = request_uri.partition("?")[0]
    parts = re.split(r"\{(\w+\+?)\}", path)
    groups = (f"(?P<{name.rstrip('+')}>{'.+' if name.endswith('+') else '[^/]+'})" for name in parts[1::2])
    fixed = map(re.escape, parts[0::2])
    return re.compile("".join(text + next(groups, "") for text in fixed) + "/?")


# ---- requests


def read_call(model: ServiceModel, request: Request) -> Call:
    """The operation and its parameters; ApiError if they do not match the model."""
    read = _read_rest if model.protocol == "rest-json" else _read_json
    operation, parameters = read(model, request)
    if operation.input_shape is not None:
        problems = input_problems(operation.input_shape, parameters)
        if problems:
            listed = f"{len(problems)} validation error(s) detected: {'; '.join(problems)}"
            raise ApiError("ValidationException", listed)
    return Call(operation.name, parameters, caller(request))


def caller(request: Request) -> str:
    """The signer's ARN: a local role if the access key id has its prefix, else a user of that name."""
    match = re.search(r"Credential=([^/,\s]+)/", request.headers.get("Authorization", ""))
    key = match.group(1) if match else "anonymous"
    if key.startswith(LOCAL_KEY_PREFIX):
        return f"arn:aws:sts::{ACCOUNT}:assumed-role/{key.removeprefix(LOCAL_KEY_PREFIX)}/local"
    return f"arn:aws:iam::{ACCOUNT}:user/{key}"


def _read_json(model: ServiceModel, request: Request) -> tuple[OperationModel, dict[str, Any]]:
    target = request.headers.get("X-Amz-Target", "")
    prefix, _, name = target.partition(".")
    if prefix != model.metadata["targetPrefix"] or name not in model.operation_names:
        raise ApiError("UnknownOperationException", f"no operation for X-Amz-Target {target!r}")
    operation = model.operation_model(name)
    return operation, decode(operation.input_shape, _body(request)) if operation.input_shape else {}


def _read_rest(model: ServiceModel, request: Request) -> tuple[OperationModel, dict[str, Any]]:
    path = _raw_path(request)
    for route in routes(model.service_name):
        match = route.pattern.fullmatch(path) if route.method == request.method else None
        if match:
            variables = {name: unquote(text) for name, text in match.groupdict().items()}
            return route.operation, _rest_parameters(route.operation.input_shape, request, variables)
    raise ApiError("UnknownOperationException", f"no operation for {request.method} {path}")


def _raw_path(request: Request) -> str:
    """The path as sent, still percent-encoded, so that an ARN's slashes do not look like path separators."""
    raw = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI")
    return urlsplit(str(raw)).path if raw else request.path


def _rest_parameters(shape: Shape | None, request: Request, variables: Mapping[str, str]) -> dict[str, Any]:
    if not isinstance(shape, StructureShape):
        return {}
    payload = shape.serialization.get("payload")
    parameters: dict[str, Any] = {payload: request.get_data()} if payload else decode(shape, _body(request))
    for name, member in shape.members.items():
        wire_name = member.serialization.get("name", name)
        match member.serialization.get("location"):
            case "uri":
                parameters[name] = from_text(member, variables[wire_name])
            case "querystring" if wire_name in request.args:
                texts = request.args.getlist(wire_name)
                parameters[name] = from_texts(member, texts)
            case "header" if wire_name in request.headers:
                parameters[name] = from_text(member, request.headers[wire_name])
    return parameters


def _body(request: Request) -> Any:
    try:
        body = json.loads(request.get_data() or b"{}")
    except (ValueError, RecursionError) as error:
        raise ApiError("SerializationException", f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise ApiError("SerializationException", "the body is not a JSON object")
    return body


# ---- answers


def write_answer(operation: OperationModel, answer: Mapping[str, Any]) -> Response:
    """The answer as AWS would send it; AnswerError if it does not match the model."""
    shape, protocol = operation.output_shape, operation.service_model.protocol
    if shape is None:
        return _response({}, 200, protocol)
    body = encode(shape, answer, operation.name)
    headers = {name: str(body.pop(name)) for name in _placed(shape, "header") if name in body}
    [status] = [body.pop(name) for name in _placed(shape, "statusCode")] or [200]
    response = _response(body, status, protocol)
    response.headers.update(headers)
    if payload := shape.serialization.get("payload"):
        response.set_data(answer.get(payload) or b"")
    return response


def _placed(shape: StructureShape, location: str) -> list[str]:
    """The wire names of the members that the answer has in a place other than its body."""
    members = shape.members.items()
    return [m.serialization.get("name", name) for name, m in members if m.serialization.get("location") == location]


def write_error(model: ServiceModel, error: ApiError) -> Response:
    """The error as AWS would send it; if the model knows it, with the model's status and spelling of `message`."""
    shape = model.shape_for(error.code) if error.code in model.shape_names else None
    members = shape.members if isinstance(shape, StructureShape) else {}
    name = next((member for member in members if member.lower() == "message"), "message")
    metadata = shape.metadata if shape else {}
    is_fault = metadata.get("fault", error.code == "InternalServerException")
    status = metadata.get("error", {}).get("httpStatusCode", 500 if is_fault else 400)
    status = UNMODELLED.get(error.code, status)
    body = {"__type": error.code, name: error.message, **error.members}
    response = _response(body, status, model.protocol)
    response.headers["x-amzn-errortype"] = error.code
    return response


def _response(body: Mapping[str, Any], status: int, protocol: str) -> Response:
    kind = "application/json" if protocol == "rest-json" else "application/x-amz-json-1.1"
    return Response(json.dumps(body), status, {"x-amzn-requestid": str(uuid.uuid4())}, content_type=kind)
