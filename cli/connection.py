"""From a stack's name to the world: the stack keeps the names of its resources in one SSM parameter."""

from __future__ import annotations

import json
import os

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from tidemark.clock import SystemClock
from tidemark.core.errors import TidemarkError
from tidemark.settings import Settings
from tidemark.wiring import World


def connect(stack: str) -> World:
    """The deployed stack's world, in AWS or at `AWS_ENDPOINT_URL`, by the usual AWS configuration."""
    names = _names(stack)
    os.environ.setdefault("AWS_REGION", region())
    return World(Settings.read(names), SystemClock())


def http_api(stack: str) -> str:
    """Where the stack's HTTP API is: at `AWS_ENDPOINT_URL`, or at its own host in AWS."""
    return os.environ.get("AWS_ENDPOINT_URL") or _names(stack)["HTTP_API_URL"]


def region() -> str:
    """The configured region, empty without one."""
    return boto3.session.Session().region_name or ""


def _names(stack: str) -> dict[str, str]:
    name = f"/{stack}/settings"
    try:
        value = boto3.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ParameterNotFound":
            raise TidemarkError(f"expected the stack {stack!r} {_where()}, found no parameter {name}") from error
        raise TidemarkError(f"cannot read {name} {_where()}: {error}") from error
    except BotoCoreError as error:
        hint = "is `tidemark local up` running, or is AWS configured?"
        raise TidemarkError(f"cannot read {name} {_where()}: {error} ({hint})") from error
    return dict(json.loads(value))


def _where() -> str:
    return f"at {os.environ['AWS_ENDPOINT_URL']}" if os.environ.get("AWS_ENDPOINT_URL") else "in AWS"
