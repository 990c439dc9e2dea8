"""Servers and clients for the stand-ins: unmodified boto3 over 127.0.0.1."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from werkzeug.serving import make_server

KEYS = {"aws_access_key_id": "AKIALOCALSubmitRole", "aws_secret_access_key": "local", "region_name": "us-east-1"}


@contextmanager
def served(app: Any) -> Iterator[str]:
    """The WSGI app on a free port of 127.0.0.1; yields its URL."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def client(service: str, url: str, **keys: str) -> Any:
    config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    return boto3.client(service, endpoint_url=url, config=config, **(KEYS | keys))


def eventually(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """The condition's first true value; AssertionError after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.005)
    raise AssertionError(f"not within {seconds} s")


class Events(list[tuple[str, str, dict[str, Any], list[str]]]):
    """What a stand-in emitted, in order."""

    def __call__(self, source: str, detail_type: str, detail: dict[str, Any], resources: list[str]) -> None:
        self.append((source, detail_type, detail, resources))

    def details(self, detail_type: str) -> list[dict[str, Any]]:
        return [detail for _, kind, detail, _ in self if kind == detail_type]


@contextmanager
def moto() -> Iterator[str]:
    """A fresh moto server; yields its URL."""
    from moto.moto_api._internal.models import moto_api_backend
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    moto_api_backend.reset()
    with served(DomainDispatcherApplication(create_backend_app)) as url:
        yield url
