"""From a stack's name to its world: one SSM parameter holds the names of the stack's resources."""

from __future__ import annotations

import json
import os
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from tidemark.adapters.world import World
from tidemark.clock import SystemClock
from tidemark.core.errors import TidemarkError
from tidemark.settings import Settings

ENDPOINT = "AWS_ENDPOINT_URL"
#: A person waits: an endpoint that does not answer is reported soon.
IMPATIENT = Config(connect_timeout=5, retries={"mode": "standard", "total_max_attempts": 2})
HINT = "is `tidemark local up` running, or is AWS configured?"


def connect(stack: str) -> World:
    """The deployed stack's world, in AWS or at `AWS_ENDPOINT_URL`, with the usual AWS configuration."""
    names = _names(stack)
    os.environ.setdefault("AWS_REGION", region())
    try:
        return World(Settings.read(names), SystemClock())
    except ValueError as error:
        raise TidemarkError(f"expected the settings of a stack in {_parameter(stack)}, found others: {error}") from None


def http_api(stack: str) -> str:
    """The URL of the stack's HTTP API: `AWS_ENDPOINT_URL`, or its own host in AWS."""
    return _endpoint() or _needed(stack, "HTTP_API_URL")


def warehouse_loader(stack: str) -> str:
    """The database user that loads the stack's warehouse; "" if only its secret says the name."""
    return _needed(stack, "WAREHOUSE_LOADER", may_be_empty=True)


def region() -> str:
    """The configured region; empty if there is none."""
    return boto3.session.Session().region_name or ""


def _names(stack: str) -> dict[str, str]:
    where = f"{_parameter(stack)} {_where()}"
    _endpoint()
    try:
        answer = boto3.client("ssm", config=IMPATIENT).get_parameter(Name=_path(stack))
        return dict(json.loads(answer["Parameter"]["Value"]))
    except ClientError as error:
        if error.response["Error"]["Code"] == "ParameterNotFound":
            raise TidemarkError(f"expected the stack {stack!r} {_where()}, found no {_parameter(stack)}") from error
        raise TidemarkError(f"cannot read {where}: {error} ({HINT})") from error
    except BotoCoreError as error:
        raise TidemarkError(f"cannot read {where}: {error} ({HINT})") from error
    except (ResponseParserError, AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise TidemarkError(f"cannot read {where}: this is not what AWS answers ({HINT})") from error


def _needed(stack: str, name: str, *, may_be_empty: bool = False) -> str:
    value = _names(stack).get(name)
    if not value and not (may_be_empty and value == ""):
        raise TidemarkError(f"expected {name} in {_parameter(stack)} {_where()}, found none")
    return value


def _parameter(stack: str) -> str:
    return f"parameter {_path(stack)}"


def _path(stack: str) -> str:
    return f"/{stack}/settings"


def _where() -> str:
    return f"at {os.environ[ENDPOINT]}" if os.environ.get(ENDPOINT) else "in AWS"


def _endpoint() -> str:
    """The value of `AWS_ENDPOINT_URL`, empty if it is not set; raises unless it is a URL."""
    url = os.environ.get(ENDPOINT, "")
    if url and not _is_url(url):
        raise TidemarkError(f"expected a URL such as http://127.0.0.1:4566 in {ENDPOINT}, found {url!r}")
    return url


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:  # an impossible port, a bracket that is not closed
        return False
