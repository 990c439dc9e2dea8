"""The resources of an HTTP API: its routes and its stage."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from local.account import TemplateError
from local.stack.builder import Properties, StackBuilder, only, resource_type
from local.stack.deployment import Created, RouteSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.stack.builder import ResourceType


METHODS = frozenset({"get", "put", "post", "delete", "patch", "head", "options"})
_INTEGRATION = re.compile(r"arn:aws:apigateway:[^:]+:lambda:path/2015-03-31/functions/(?P<function>[^/]+)/invocations")


def api(builder: StackBuilder, logical_id: str, p: Properties) -> Created:
    body, name = p["Body"], logical_id.lower()
    only(logical_id, "Body", body, {"openapi", "info", "paths", "components", "tags"})
    for path, operations in body["paths"].items():
        only(logical_id, f"Body.paths.{path}", operations, METHODS)
        for method, operation in operations.items():
            builder.routes.append(_route(logical_id, name, method.upper(), path, operation))
    endpoint = f"https://{name}.execute-api.{builder.region}.amazonaws.com"
    return Created("", name, {"ApiId": name, "ApiEndpoint": endpoint})


def _route(logical_id: str, api_id: str, method: str, path: str, operation: Mapping[str, Any]) -> RouteSpec:
    where = f"Body.paths.{path}.{method.lower()}"
    only(logical_id, where, operation, {"x-amazon-apigateway-integration", "security", "responses"})
    integration = operation["x-amazon-apigateway-integration"]
    function = _INTEGRATION.fullmatch(integration["uri"])
    if "{" in path or not function or integration["payloadFormatVersion"] != "2.0":
        raise TemplateError(
            f"{logical_id}: property {where}: only fixed paths to functions in payload format 2.0 are supported"
        )
    if operation.get("security") != [{"AWS_IAM": []}]:
        raise TemplateError(f"{logical_id}: property {where}.security: only the AWS_IAM authorizer is supported")
    return RouteSpec(api_id, method, path, function["function"])


def stage(_: StackBuilder, logical_id: str, p: Properties) -> Created:
    if p["StageName"] != "$default":
        raise TemplateError(f"{logical_id}: property StageName: the laptop cloud supports only $default")
    return Created("", p["StageName"])


TYPES: Mapping[str, ResourceType] = {
    "AWS::ApiGatewayV2::Api": resource_type(api, "Body", {"FailOnWarnings": "anything unsupported is an error anyway"}),
    "AWS::ApiGatewayV2::Stage": resource_type(
        stage,
        "StageName",
        {
            "ApiId": "an API has one stage",
            "AutoDeploy": "there is one deployment",
            "AccessLogSettings": "the endpoint counts calls",
            "DefaultRouteSettings": "the laptop cloud does not throttle",
            "Tags": "tags allocate costs, and there are none",
        },
    ),
}
