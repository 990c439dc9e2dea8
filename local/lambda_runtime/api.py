"""Lambda's API on the laptop: lists, describes and invokes the functions of the deployment.

A function is known by its name or ARN, unqualified or as $LATEST: there are no other versions and no aliases. Its
limits and error codes are in docs/aws-facts.md#lambda-invocations.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from local.account import ACCOUNT, REGION
from local.endpoint.protocol import ApiError, application

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from local.endpoint.protocol import Call
    from local.lambda_runtime.functions import Response
    from local.stack.deployment import Deployment, FunctionSpec

SERVICE = "lambda"
LATEST = "$LATEST"
SYNC_BYTES = 6 << 20  #: a synchronous invocation's payload must be smaller
ASYNC_BYTES = 1 << 20  #: the largest payload of an asynchronous invocation
PAGE = 50  #: functions in one answer of ListFunctions, at most
INVOKE_PARAMETERS = frozenset({"FunctionName", "Qualifier", "InvocationType", "LogType", "Payload"})
#: What GetFunction says of a function and ListFunctions does not.
STATUS = {"State": "Active", "LastUpdateStatus": "Successful"}
#: Properties that the template cannot set on the laptop, with Lambda's defaults.
DEFAULTS = {
    "PackageType": "Zip",
    "TracingConfig": {"Mode": "PassThrough"},
    "EphemeralStorage": {"Size": 512},
    "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
}
_NAME = re.compile(
    r"(arn:[^:]+:lambda:(?P<region>[^:]+):)?((?P<account>\d{12}):)?(function:)?(?P<name>[^:]+)(:(?P<qualifier>.+))?"
)


@dataclass(frozen=True)
class Code:
    """A function's code: its size in bytes, and the SHA-256 of its files' names and contents in base64."""

    size: int
    sha256: str


class LambdaApi:
    """WSGI app. `invoke(logical_id, event)` runs a function and waits, `invoke_async(function, event)` only queues."""

    def __init__(
        self,
        deployment: Deployment,
        invoke: Callable[[str, Any], Response],
        invoke_async: Callable[[FunctionSpec, Any], None],
    ) -> None:
        self._functions = {spec.name: spec for spec in sorted(deployment.functions, key=lambda spec: spec.name)}
        self._invoke, self._invoke_async = invoke, invoke_async
        self._deployed_at = datetime.now(UTC)
        self._wsgi = application(
            SERVICE,
            {
                "ListFunctions": self._list,
                "GetFunction": self._get,
                "GetFunctionConfiguration": self._get_configuration,
                "Invoke": self._run,
            },
        )

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        return self._wsgi(environ, start_response)

    def _list(self, call: Call) -> dict[str, Any]:
        names, marker = list(self._functions), call.parameters.get("Marker")
        if marker is not None and marker not in names:
            raise _refusal("InvalidParameterValueException", f"Marker {marker!r} is not of an earlier answer")
        first = names.index(marker) + 1 if marker is not None else 0
        end = first + min(call.parameters.get("MaxItems", PAGE), PAGE)
        qualifier = LATEST if call.parameters.get("FunctionVersion") == "ALL" else None
        listed = [self._configuration(self._functions[name], qualifier) for name in names[first:end]]
        return {"Functions": listed, "NextMarker": names[end - 1] if end < len(names) else None}

    def _get(self, call: Call) -> dict[str, Any]:
        spec, qualifier = self._find(call)
        code = {"RepositoryType": "S3", "Location": spec.code_dir.as_uri()}  # a folder, where AWS has a zip in S3
        return {"Configuration": self._configuration(spec, qualifier) | STATUS, "Code": code}

    def _get_configuration(self, call: Call) -> dict[str, Any]:
        return self._configuration(*self._find(call)) | STATUS

    def _run(self, call: Call) -> dict[str, Any]:
        if unknown := sorted(call.parameters.keys() - INVOKE_PARAMETERS):
            raise ApiError("NotImplementedException", f"Invoke with {unknown[0]} is not supported locally")
        spec, _ = self._find(call)
        kind, payload = call.parameters.get("InvocationType", "RequestResponse"), call.parameters["Payload"]
        _check_size(kind, payload)
        event = parse_event(payload)
        if kind == "DryRun":
            return {"StatusCode": 204}
        if kind == "Event":
            self._invoke_async(spec, event)
            return {"StatusCode": 202}
        return _answer(self._invoke(spec.logical_id, event), call.parameters.get("LogType") == "Tail")

    def _find(self, call: Call) -> tuple[FunctionSpec, str | None]:
        """The function that FunctionName means, and the qualifier that the caller gave; ApiError if there is none."""
        given = _NAME.fullmatch(call.parameters["FunctionName"])
        assert given is not None, "the model's pattern lets nothing else through"
        in_name, in_query = given["qualifier"], call.parameters.get("Qualifier")
        if in_name and in_query and in_name != in_query:
            raise _refusal(
                "InvalidParameterValueException",
                "The derived qualifier from the function name does not match the specified qualifier.",
            )
        qualifier = in_name or in_query
        place = (given["region"] or REGION, given["account"] or ACCOUNT)
        spec = self._functions.get(given["name"]) if place == (REGION, ACCOUNT) else None
        if spec is None or qualifier not in (None, LATEST):
            arn = ":".join(("arn:aws:lambda", *place, "function", given["name"], *([qualifier] if qualifier else [])))
            raise _refusal("ResourceNotFoundException", f"Function not found: {arn}")
        return spec, qualifier

    def _configuration(self, spec: FunctionSpec, qualifier: str | None) -> dict[str, Any]:
        code = code_of(spec.code_dir)
        return {
            **DEFAULTS,
            "FunctionName": spec.name,
            "FunctionArn": f"{spec.arn}:{qualifier}" if qualifier else spec.arn,
            "Version": LATEST,
            "Description": spec.description,
            "Runtime": spec.runtime,
            "Architectures": list(spec.architectures),
            "Handler": spec.handler,
            "Role": spec.role_arn,
            "Timeout": spec.timeout_seconds,
            "MemorySize": spec.memory_mb,
            "Environment": {"Variables": dict(spec.environment)},
            "LoggingConfig": {"LogFormat": "Text", **spec.logging, "LogGroup": spec.log_group},
            "DeadLetterConfig": {"TargetArn": spec.dead_letters} if spec.dead_letters else None,
            "CodeSize": code.size,
            "CodeSha256": code.sha256,
            "RevisionId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{spec.arn} {code.sha256}")),
            "LastModified": self._deployed_at.isoformat(timespec="milliseconds").replace("+00:00", "+0000"),
        }


@cache
def code_of(folder: Path) -> Code:
    """Of the folder's files, apart from bytecode; read once."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".pyc"]
    digest, size = hashlib.sha256(), 0
    for path in files:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()} {len(content)}\n".encode() + content)
        size += len(content)
    return Code(size, base64.b64encode(digest.digest()).decode())


def parse_event(payload: bytes) -> Any:
    """The event that a payload holds; nothing is an empty object, and ApiError refuses what is not JSON."""

    def refuse_constant(name: str) -> None:
        raise ValueError(f"{name} is no JSON value")

    try:
        return json.loads((payload or b"{}").decode(), parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        reason = f"Could not parse request body into json: Could not parse payload into json: {error}"
        raise _refusal("InvalidRequestContentException", reason) from error


def _check_size(kind: str, payload: bytes) -> None:
    if kind == "Event" and len(payload) > ASYNC_BYTES:
        limit = f"the Event invocation type (limit {ASYNC_BYTES} bytes)"
        raise _refusal("RequestEntityTooLargeException", f"{len(payload)} byte payload is too large for {limit}")
    if len(payload) >= SYNC_BYTES:
        limit = f"Request must be smaller than {SYNC_BYTES} bytes for the InvokeFunction operation"
        raise _refusal("RequestEntityTooLargeException", limit)


def _answer(outcome: Response, wants_log: bool) -> dict[str, Any]:
    return {
        "StatusCode": 200,
        "ExecutedVersion": LATEST,
        "FunctionError": "Unhandled" if outcome.error else None,
        "LogResult": base64.b64encode(outcome.log_tail).decode() if wants_log else None,
        "Payload": json.dumps(outcome.payload).encode(),
    }


def _refusal(code: str, message: str) -> ApiError:
    return ApiError(code, message, Type="User")
