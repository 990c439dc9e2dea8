"""boto3 clients with the settings that all adapters share.

The same code runs in AWS and on a laptop: boto3 reads the endpoint from `AWS_ENDPOINT_URL`, which AWS does not set.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.utils import parse_timestamp

#: botocore's standard mode retries throttles and lost connections with backoff and jitter.
CONFIG = Config(retries={"mode": "standard", "max_attempts": 6}, connect_timeout=5, read_timeout=60)


def client(service: str) -> Any:
    """Returns a new client of the process's session."""
    return _session().client(service, config=CONFIG)  # type: ignore[call-overload]


@cache
def _session() -> boto3.Session:
    """Returns a session that parses ISO times itself: dateutil takes half of the time that a listing needs."""
    core = botocore.session.get_session()
    core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_moment)
    return boto3.Session(botocore_session=core)


def _moment(value: Any) -> datetime:
    """Parses a time in one of AWS's forms: ISO ending in Z, seconds since 1970, or the form of an HTTP header."""
    return datetime.fromisoformat(value) if str(value).endswith("Z") else parse_timestamp(value)
