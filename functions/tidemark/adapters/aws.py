"""boto3 clients, as every adapter wants them.

Nothing here knows whether it runs in AWS or on a laptop: boto3 takes the endpoint from `AWS_ENDPOINT_URL`, which AWS
does not set.
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
    """A new client of the process's session."""
    return _session().client(service, config=CONFIG)  # type: ignore[call-overload]


@cache
def _session() -> boto3.Session:
    """One that reads ISO times itself: half of what a listing costs is dateutil's guessing at each key's time."""
    core = botocore.session.get_session()
    core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_moment)
    return boto3.Session(botocore_session=core)


def _moment(value: Any) -> datetime:
    """A time as AWS writes it: ISO with a Z, seconds since 1970, or the form of a header."""
    return datetime.fromisoformat(value) if str(value).endswith("Z") else parse_timestamp(value)
