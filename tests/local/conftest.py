"""An endpoint to talk to, and the small pipeline deployed once for all that only look at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from local.cloud import Cloud, forget_everything
from local.endpoint.server import Call, Endpoint

SMALL = Path(__file__).parent / "small" / "template.yaml"


class Aws:
    """An endpoint without a deployment: patched moto, and a bus that only records the events put on it."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.hooks: list[Callable[[Call], None]] = [self.calls.append]
        self.put: list[Any] = []
        self.endpoint = Endpoint({"redshift-data": _double}, self._put_events, on_call=self._on_call)
        self.endpoint.start()

    def client(
        self,
        service: str,
        access_key: str = "AKIALOCAL",
        attempts: int = 3,
        signature_version: str | None = None,
        region: str = "us-east-1",
    ) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint.url,
            region_name=region,
            aws_access_key_id=access_key,
            aws_secret_access_key="local",
            config=Config(retries={"total_max_attempts": attempts}, signature_version=signature_version),
        )

    def _on_call(self, call: Call) -> None:
        for hook in self.hooks:
            hook(call)

    def _put_events(self, entries: Any) -> list[dict[str, str]]:
        self.put += entries
        return [{"EventId": str(number)} for number, _ in enumerate(entries)]


def _double(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "application/x-amz-json-1.1")])
    return [b'{"Id": "from-our-own"}']


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    aws = Aws()
    yield aws
    aws.endpoint.stop()
    forget_everything()


@pytest.fixture(scope="module")
def client(aws: Aws) -> Callable[[str], Any]:
    clients: dict[str, Any] = {}

    def client(service: str, _: str = "") -> Any:
        if service not in clients:
            clients[service] = aws.client(service)
        return clients[service]

    return client


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    state = tmp_path_factory.mktemp("state")
    with Cloud(SMALL, state_dir=state, apps={}, schedules=False, speed=60) as cloud:
        yield cloud
