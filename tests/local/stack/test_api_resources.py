"""What a template may ask of the HTTP API."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.account import TemplateError
from local.stack.deploy import deploy


def _api(path: str = "/a", **changes: Any) -> dict[str, Any]:
    uri = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:::function:f/invocations"
    integration = {"type": "aws_proxy", "httpMethod": "POST", "uri": uri, "payloadFormatVersion": "2.0"}
    operation = {"x-amazon-apigateway-integration": integration, "security": [{"AWS_IAM": []}], "responses": {}}
    body = {"openapi": "3.0.1", "paths": {path: {"post": {**operation, **changes}}}}
    return {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Body": body}}


@pytest.mark.parametrize(
    ("resource", "message"),
    [
        (_api("/a/{id}"), r"Body.paths./a/\{id\}.post: only fixed paths"),
        (_api(security=[]), "only the AWS_IAM authorizer"),
        (_api(**{"x-amazon-apigateway-cors": {}}), "x-amazon-apigateway-cors is not supported"),
        (_api() | {"Properties": {"Body": {"paths": {}}, "CorsConfiguration": {}}}, "property CorsConfiguration"),
        ({"Type": "AWS::ApiGatewayV2::Stage", "Properties": {"StageName": "prod"}}, r"only \$default"),
    ],
)
def test_what_is_not_played_is_an_error_that_names_it(
    tmp_path: Path, client: Callable[[str], Any], resource: dict[str, Any], message: str
) -> None:
    """Variables in paths, open routes, extensions, CORS, stages."""
    path = tmp_path / "template.yaml"
    path.write_text(yaml.safe_dump({"Resources": {"X": resource}}))
    with pytest.raises(TemplateError, match=message):
        deploy(path, client)
