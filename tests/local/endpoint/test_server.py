"""The endpoint routes, records, and cures what moto gets wrong."""

from __future__ import annotations

import sys
import urllib.request
from ipaddress import IPv4Interface
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from local.endpoint.containers import Containers
from local.endpoint.server import Call, Endpoint
from tests.local.conftest import _double
from tests.local.stand_ins import client as client_of


def test_put_events_goes_to_our_own_bus(aws: Any, client: Any) -> None:
    """Events never reach moto's bus, which fires disabled rules and fails on Lambda targets."""
    entry = {"Source": "tidemark", "DetailType": "Batch Due", "Detail": '{"state": "PLANNED"}'}
    answer = client("events").put_events(Entries=[entry])
    assert (answer["FailedEntryCount"], answer["Entries"]) == (0, [{"EventId": "0"}])
    assert aws.put == [entry]


def test_put_events_takes_ten_entries_at_most(client: Any) -> None:
    """An eleventh entry is a ValidationException, as on AWS."""
    entry = {"Source": "tidemark", "DetailType": "Batch Due", "Detail": "{}"}
    with pytest.raises(ClientError, match="ValidationException"):
        client("events").put_events(Entries=[entry] * 11)


def test_services_of_our_own_are_routed_by_credential_scope(client: Any) -> None:
    """A Data API call reaches the application that was passed in, not moto."""
    answer = client("redshift-data").execute_statement(Sql="select 1", Database="dev", WorkgroupName="small")
    assert answer["Id"] == "from-our-own"


def test_presigned_and_unsigned_requests_reach_s3(aws: Any, client: Any) -> None:
    """A presigned URL reads the object, whichever way it was signed, and its call names the key that signed it."""
    s3 = client("s3")
    s3.create_bucket(Bucket="signed")
    s3.put_object(Bucket="signed", Key="a b.txt", Body=b"hello")
    aws.calls.clear()
    for signature in ("s3", "s3v4"):
        signer = aws.client("s3", signature_version=signature)
        url = signer.generate_presigned_url("get_object", Params={"Bucket": "signed", "Key": "a b.txt"})
        with urllib.request.urlopen(url) as answer:
            assert answer.read() == b"hello"
    assert aws.calls == [Call("AKIALOCAL", "s3", "GetObject")] * 2


def test_the_endpoint_serves_loopback_only(aws: Any) -> None:
    """The address it binds is 127.0.0.1."""
    assert aws.endpoint.url.startswith("http://127.0.0.1:")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all addresses of 127.0.0.0/8")
def test_the_endpoint_serves_containers_on_their_bridge() -> None:
    """The same port and the same services on a second address, until both are stopped."""
    endpoint = Endpoint(
        {"redshift-data": _double},
        lambda _: [],
        containers=Containers("127.0.0.2", IPv4Interface("127.0.0.2/8")),
    )
    endpoint.start()
    assert endpoint.container_url == endpoint.url.replace("127.0.0.1", "127.0.0.2")
    for url in (endpoint.url, endpoint.container_url):
        assert client_of("redshift-data", url).execute_statement(Sql="SELECT 1", Database="d")["Id"] == "from-our-own"
    endpoint.stop()
    with pytest.raises(EndpointConnectionError):
        client_of("redshift-data", endpoint.container_url).execute_statement(Sql="SELECT 1", Database="d")


def test_a_failure_inside_is_an_answer_and_a_log_line(
    aws: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash in a service is a 500 with a code, and names the call in the log."""

    def crash(*_: Any) -> None:
        raise RuntimeError("boom")

    monkeypatch.setitem(aws.endpoint._apps, "redshift-data", crash)
    with pytest.raises(ClientError, match="InternalFailure"):
        aws.client("redshift-data", attempts=1).describe_statement(Id="1")
    assert "redshift-data DescribeStatement failed" in caplog.text
