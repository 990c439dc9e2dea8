"""No web page and no stranger gets in: every path of the laptop's port, over real sockets."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from ipaddress import IPv4Interface
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from werkzeug.test import EnvironBuilder

from local.cloud import forget_everything
from local.endpoint.containers import Containers
from local.endpoint.gate import Gate, signer
from local.endpoint.protocol import application
from local.endpoint.server import Call, Endpoint
from local.lambda_runtime.functions import Response
from local.lambda_runtime.http_api import HttpApi
from local.stack.deployment import RouteSpec

TARGETS = {
    "dynamodb": "DynamoDB_20120810.ListTables",
    "sqs": "AmazonSQS.ListQueues",
    "redshift-data": "RedshiftData.ListStatements",
    "events": "AWSEvents.PutEvents",
}
#: Service, method, path and body of each kind of path that the port has.
PATHS = [
    ("s3", "GET", "/", ""),
    ("s3", "GET", "/raw?list-type=2", ""),
    ("s3", "GET", "/raw/web_logs/a%20b.json", ""),
    ("s3", "PUT", "/control/jobs/run_batch.py", "print('hello')"),
    ("s3", "POST", "/raw?delete", "<Delete/>"),
    ("s3", "DELETE", "/raw/web_logs/a.json", ""),
    ("dynamodb", "POST", "/", "{}"),
    ("sqs", "POST", "/", "{}"),
    ("sqs", "GET", "/?Action=ListQueues", ""),
    ("events", "POST", "/", "{}"),
    ("redshift-data", "POST", "/", "{}"),
    ("emr-serverless", "GET", "/applications", ""),
    ("emr-serverless", "POST", "/applications/00a/jobruns", "{}"),
    ("execute-api", "POST", "/predict", "{}"),
    ("execute-api", "GET", "/model", ""),
    ("iam", "POST", "/", "Action=ListRoles&Version=2010-05-08"),
    ("s3", "POST", "/moto-api/reset", ""),
    ("s3", "GET", "//moto-api/data.json", ""),
    ("s3", "POST", "/%6Doto-api/reset", ""),
    ("s3", "GET", "/favicon.ico", ""),
    ("s3", "GET", "/latest/meta-data/iam/security-credentials/", ""),
    ("nosuchservice", "GET", "/", ""),
    ("s3", "GET", "/no/such/path", ""),
]
S3_SCOPE = "X-Amz-Credential=local/20261128/us-east-1/s3/aws4_request"
KEYS: dict[str, Any] = {
    "aws_access_key_id": "local",
    "aws_secret_access_key": "local",
    "config": Config(retries={"total_max_attempts": 1}),
}
KINDS = pytest.mark.parametrize(("service", "method", "path", "body"), PATHS)


class Port:
    """The endpoint with every service, and what got through to one."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        routes = (RouteSpec("api", "POST", "/predict", "f"), RouteSpec("api", "GET", "/model", "f"))
        self.api = HttpApi(routes, lambda *_: Response("id", {"statusCode": 200, "body": "{}"}))
        apps = {
            "execute-api": self.api,
            "redshift-data": application("redshift-data", {"ListStatements": lambda _: {"Statements": []}}),
            "emr-serverless": application("emr-serverless", {"ListApplications": lambda _: {"applications": []}}),
        }
        self.endpoint = Endpoint(
            apps,
            lambda entries: [{"EventId": "0"} for _ in entries],
            on_call=self.calls.append,
            unsigned=lambda environ: "execute-api" if self.api.takes(environ) else "",
        )
        self.endpoint.start()
        self.number = int(self.endpoint.url.rpartition(":")[2])
        self.host = f"127.0.0.1:{self.number}"

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> HTTPResponse:
        """The answer to a request with exactly these headers; underscores in their names become hyphens."""
        connection = HTTPConnection("127.0.0.1", self.number, timeout=10)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in ({"Host": self.host, "Content_Length": str(len(body))} | headers).items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders(body.encode())
        answer = connection.getresponse()
        answer.text = answer.read().decode()  # type: ignore[attr-defined]
        connection.close()
        return answer

    def raw(self, request: str) -> bytes:
        """All that comes back for these very bytes."""
        with socket.create_connection(("127.0.0.1", self.number), timeout=10) as connection:
            connection.sendall(request.encode("latin1"))
            return b"".join(iter(lambda: connection.recv(65536), b""))


def signed(port: Port, service: str, method: str, path: str, body: str) -> dict[str, str]:
    """The headers that an AWS client sends."""
    headers = {"X-Amz-Target": TARGETS[service]} if service in TARGETS and method == "POST" else {}
    kind = "application/x-www-form-urlencoded" if service == "iam" else "application/json"
    request = AWSRequest(method, f"http://{port.host}{path}", headers | {"Content-Type": kind}, body.encode())
    SigV4Auth(Credentials("local", "local"), service, "us-east-1").add_auth(request)
    return {name.replace("-", "_"): value for name, value in request.headers.items()}


@pytest.fixture(scope="module")
def port() -> Iterator[Port]:
    port = Port()
    yield port
    port.endpoint.stop()
    forget_everything()


def refused(port: Port, answer: HTTPResponse) -> str:
    """The error message: the answer is a 4xx with one sentence and no CORS headers, and no service was called."""
    assert 400 <= answer.status < 500
    assert not [name for name, _ in answer.getheaders() if name.lower().startswith("access-control-")]
    assert port.calls == []
    return answer.text  # type: ignore[attr-defined, no-any-return]


@pytest.fixture(autouse=True)
def nothing_asked(port: Port) -> None:
    port.calls.clear()


@KINDS
def test_a_foreign_origin_is_refused_on_every_path(port: Port, service: str, method: str, path: str, body: str) -> None:
    """It is refused even if the call is signed correctly."""
    headers = signed(port, service, method, path, body)
    said = refused(port, port.ask(method, path, body, **headers, Origin="https://example.com"))
    assert "web pages are not let in" in said


@pytest.mark.parametrize("origin", ["null", "http://localhost:1", "http://127.0.0.1", "https://{own}", "file://", ""])
def test_every_other_origin_is_foreign(port: Port, origin: str) -> None:
    """A sandboxed page, another port or scheme of this machine, a page from the disk."""
    headers = signed(port, "s3", "GET", "/", "")
    assert "expected no Origin" in refused(port, port.ask("GET", "/", **headers, Origin=origin.format(own=port.host)))


@KINDS
def test_a_foreign_host_is_refused_on_every_path(port: Port, service: str, method: str, path: str, body: str) -> None:
    """A DNS name that was pointed at this machine is refused, even with the right port."""
    headers = signed(port, service, method, path, body)
    said = refused(port, port.ask(method, path, body, **headers | {"Host": f"example.com:{port.number}"}))
    assert "expected the Host 127.0.0.1:" in said


@pytest.mark.parametrize(
    "host",
    [
        "localhost.:{port}",
        "127.0.0.1.nip.io:{port}",
        "raw.localhost:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "0.0.0.0:{port}",
        "2130706433:{port}",
        "127.1:{port}",
        "user@127.0.0.1:{port}",
        "",
    ],
)
def test_every_other_host_is_foreign(port: Port, host: str) -> None:
    """Other spellings of the same address included: no client needs them."""
    headers = signed(port, "s3", "GET", "/", "")
    said = refused(port, port.ask("GET", "/", **headers | {"Host": host.format(port=port.number)}))
    assert "expected the Host 127.0.0.1:" in said


@KINDS
def test_an_unsigned_call_is_refused_on_every_path(port: Port, service: str, method: str, path: str, body: str) -> None:
    """It is refused even with all other headers of an AWS client."""
    headers = signed(port, service, method, path, body)
    port.calls.clear()
    answer = port.ask(method, path, body, **{name: value for name, value in headers.items() if name != "Authorization"})
    assert 400 <= answer.status < 500
    assert [call for call in port.calls if call.service != "execute-api"] == []


@KINDS
def test_what_a_browser_fetches_for_another_site_is_refused(
    port: Port, service: str, method: str, path: str, body: str
) -> None:
    """Images, links and forms by GET send no Origin, but say where they come from."""
    given = signed(port, service, method, path, body) | {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"}
    assert "web pages are not let in" in refused(port, port.ask(method, path, body, **given))


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"},  # a link
        {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "no-cors"},  # a page of another port of localhost
        {"Sec_Fetch_Site": "CROSS-SITE"},
        {"Sec_Fetch_Site": ""},
        {"Referer": "https://example.com/page"},  # an old browser
        {"Referer": "http://127.0.0.1.example.com/"},
    ],
)
def test_every_other_site_is_foreign(port: Port, headers: dict[str, str]) -> None:
    """Whichever way it says so."""
    given = signed(port, "s3", "GET", "/", "") | headers
    assert "web pages are not let in" in refused(port, port.ask("GET", "/", **given))


def test_a_web_socket_of_a_page_is_refused(port: Port) -> None:
    """It comes with the page's Origin and is let in nowhere."""
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Origin": "https://example.com"}
    refused(port, port.ask("GET", "/", "", **upgrade))


@KINDS
def test_a_preflight_is_refused_on_every_path(port: Port, service: str, method: str, path: str, body: str) -> None:
    """So no page can send the signature's header, not even a page from this port."""
    wish = {"Access_Control_Request_Method": method, "Access_Control_Request_Headers": "authorization"}
    for origin in ({}, {"Origin": "https://example.com"}, {"Origin": f"http://{port.host}"}):
        refused(port, port.ask("OPTIONS", path, **wish, **origin))


@pytest.mark.parametrize(
    "authorization",
    [
        "Basic bG9jYWw6bG9jYWw=",
        "Bearer x",
        "AWS local:c2lnbmF0dXJl",
        "AWS4-HMAC-SHA256 Credential=local",
        "",
        "{a}, {a}",
    ],
)
@pytest.mark.parametrize(("service", "path"), [("s3", "/"), ("execute-api", "/model")])
def test_another_authorization_is_no_signature(port: Port, service: str, path: str, authorization: str) -> None:
    """Passwords, tokens, older signatures, halves and doubles."""
    headers = signed(port, service, "GET", path, "")
    given = headers | {"Authorization": authorization.format(a=headers["Authorization"])}
    refused(port, port.ask("GET", path, **given))


@pytest.mark.parametrize("service", ["sqs", "iam", "execute-api", "redshift-data"])
def test_only_objects_have_presigned_links(port: Port, service: str) -> None:
    """A page can forge a link, so a link must not change anything in the other services."""
    query = (
        f"Action=ListQueues&X-Amz-Credential=local/20261128/us-east-1/{service}/aws4_request&X-Amz-Signature={'0' * 64}"
    )
    refused(port, port.ask("GET", f"/?{query}"))


@pytest.mark.parametrize(
    "link", ["AWSAccessKeyId=local&Signature=x&Expires=1", f"X-Amz-Signature={'0' * 64}&{S3_SCOPE}"]
)
@pytest.mark.parametrize("service", ["sqs", "iam", "sns"])
def test_a_link_of_s3_leads_to_s3_whatever_its_path_says(port: Port, service: str, link: str) -> None:
    """moto would guess another service from such a path."""
    answer = port.ask("GET", f"/{service}_us-east-1/?Action=List&{link}")
    assert answer.status == 404
    assert "NoSuchBucket" in answer.text  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LocalHost", "[::1]"])
def test_own_names_and_own_origin_are_let_in(port: Port, name: str) -> None:
    """A signed call to the port by any of its names, with its origin or none, from the address bar or a program."""
    host = f"{name}:{port.number}"
    headers = signed(port, "s3", "GET", "/", "") | {"Host": host}
    for more in ({}, {"Origin": f"http://{host}"}, {"Sec_Fetch_Site": "none"}, {"Sec_Fetch_Site": "same-origin"}):
        assert port.ask("GET", "/", **headers | more).status == 200


# ── containers


ENGINE = Containers("172.17.0.1", IPv4Interface("172.17.0.1/16"))


def said_to(containers: Containers | None, remote: str, **headers: str) -> str:
    """The gate's words to a signed call from the address `remote`; "" if it is let in."""
    signature = SIGNATURE.format(service="s3").strip().removeprefix("Authorization: ")
    given = {name.replace("_", "-"): value for name, value in headers.items()} | {"Authorization": signature}
    environ = EnvironBuilder(headers=given, environ_base={"REMOTE_ADDR": remote}).get_environ()
    refusal = Gate(4566, containers=containers).refusal(environ)
    return refusal.message if refusal else ""


def test_a_container_is_let_in_only_on_request() -> None:
    """By the name or address that this machine has for it; loopback's names stay as they are."""
    desktop = Containers("host.docker.internal")
    assert said_to(ENGINE, "172.17.0.5", Host="172.17.0.1:4566") == ""
    assert said_to(desktop, "127.0.0.1", Host="host.docker.internal:4566") == ""
    assert said_to(ENGINE, "127.0.0.1", Host="localhost:4566") == ""
    assert "expected the Host" in said_to(None, "127.0.0.1", Host="host.docker.internal:4566")
    assert "expected the Host" in said_to(desktop, "127.0.0.1", Host="172.17.0.1:4566")


@pytest.mark.parametrize("host", ["172.17.0.1:4566", "127.0.0.1:4566"])
def test_another_machine_is_refused_whatever_host_it_asks_for(host: str) -> None:
    """Linux takes packets for the bridge's address from every network."""
    assert "found a call from '192.168.1.7'" in said_to(ENGINE, "192.168.1.7", Host=host)


@pytest.mark.parametrize("header", ["Origin", "Referer", "Sec_Fetch_Site", "Accept_Language"])
def test_a_page_that_took_the_containers_name_is_refused(header: str) -> None:
    """A page of that very origin needs no preflight, but its browser adds headers that no AWS client sends."""
    said = said_to(ENGINE, "127.0.0.1", Host="172.17.0.1:4566", **{header: "http://172.17.0.1:4566"})
    assert "web pages are not let in" in said


@pytest.mark.parametrize(("host", "let_in"), [("172.17.0.1", True), ("172.17.0.1:80", True), ("172.17.0.2", False)])
def test_port_80_may_go_without_saying_for_containers(host: str, let_in: bool) -> None:
    """Their clients leave it out as well; another host's name without a port is refused."""
    environ = EnvironBuilder(headers={"Host": host}, environ_base={"REMOTE_ADDR": "172.17.0.5"}).get_environ()
    said = Gate(80, containers=ENGINE).refusal(environ)
    assert said
    assert ("expected a call signed" in said.message) is let_in


def test_port_80_may_go_without_saying() -> None:
    """Clients leave out the port that http implies."""
    environ = EnvironBuilder(headers={"Host": "localhost"}).get_environ()
    found = Gate(80).refusal(environ)
    assert found
    assert "expected a call signed" in found.message


def test_answers_are_of_no_use_to_a_page(port: Port) -> None:
    """A page stored as an object can run no script and cannot be framed; moto's CORS headers are removed."""
    s3 = boto3.client("s3", endpoint_url=port.endpoint.url, region_name="us-east-1", **KEYS)
    s3.create_bucket(Bucket="pages")
    rule = {"AllowedOrigins": ["*"], "AllowedMethods": ["GET"]}
    s3.put_bucket_cors(Bucket="pages", CORSConfiguration={"CORSRules": [rule]})
    s3.put_object(Bucket="pages", Key="x.html", Body=b"<script>alert(1)</script>", ContentType="text/html")
    answer = port.ask("GET", "/pages/x.html", **signed(port, "s3", "GET", "/pages/x.html", ""))
    found = {name.lower(): value for name, value in answer.getheaders()}
    assert answer.status == 200
    assert found["content-security-policy"].startswith("sandbox;")
    assert found["cross-origin-resource-policy"] == "same-origin"
    assert not [name for name in found if name.startswith("access-control-")]


@pytest.mark.parametrize("service", ["s3", "dynamodb", "sqs", "iam", "redshift-data", "emr-serverless"])
def test_a_refusal_is_an_error_that_aws_clients_understand(port: Port, service: str) -> None:
    """XML for S3 and the query protocol, JSON for the others: boto3 raises it with its code and one sentence."""
    client = boto3.client(service, endpoint_url=port.endpoint.url, region_name="us-east-1", **KEYS)
    client.meta.events.register("before-send", _as_a_page)
    ask = {
        "s3": lambda: client.put_object(Bucket="b", Key="k", Body=b"{}", ContentType="application/json"),
        "dynamodb": lambda: client.list_tables(Limit=1),
        "sqs": lambda: client.list_queues(MaxResults=1),
        "iam": lambda: client.list_roles(MaxItems=1),
        "redshift-data": lambda: client.list_statements(MaxResults=1),
        "emr-serverless": lambda: client.create_application(releaseLabel="emr-7.9.0", type="SPARK", clientToken="t"),
    }[service]
    with pytest.raises(ClientError) as refused:
        ask()
    assert refused.value.response["Error"]["Code"] == "AccessDenied"
    sentence = "expected no Origin, as from a program, found 'http://<evil>': web pages are not let in"
    assert refused.value.response["Error"]["Message"] == sentence


def _as_a_page(request: Any, **_: Any) -> None:
    request.headers["Origin"] = "http://<evil>"


def test_who_has_not_signed_hears_it_from_the_api_itself(port: Port) -> None:
    """A route of the HTTP API answers an unsigned request as API Gateway does."""
    answer = port.ask("POST", "/predict", "{}", Content_Type="application/json")
    assert (answer.status, answer.text) == (403, '{"message":"Forbidden"}')  # type: ignore[attr-defined]


# ---- requests that are none


SIGNATURE = (
    "Authorization: AWS4-HMAC-SHA256 Credential=local/20261128/us-east-1/{service}/aws4_request, "
    f"SignedHeaders=host, Signature={'0' * 64}\r\n"
)


@pytest.mark.parametrize(
    "head",
    [
        "GET http://127.0.0.1:{port}/ HTTP/1.1",
        "GET http://example.com/ HTTP/1.1",
        "CONNECT example.com:443 HTTP/1.1",
        "TRACE / HTTP/1.1",
        "GET /raw/%zz HTTP/1.1",
        "GET /raw/%ff HTTP/1.1",
        "GET /raw/\xe9 HTTP/1.1",
        "GET /?a=%f HTTP/1.1",
        "GET /../../etc/passwd HTTP/1.1",
        "PUT /raw/a/../../../etc/passwd HTTP/1.1",
        "GET /raw/..%2f..%2fx HTTP/1.1",
        "GET /" + "a" * 70_000 + " HTTP/1.1",
        "GET / HTTP/1.1\r\nX: " + "a" * 70_000,
        "GET / HTTP/1.1\r\n" + "\r\n".join(f"X-{number}: 1" for number in range(200)),
        "GET / HTTP/1.1\r\nHost: example.com",
        "PUT /raw/x HTTP/1.1\r\nContent-Length: many",
        "PUT /raw/x HTTP/1.1\r\nContent-Length: -1",
        "PUT /raw/x HTTP/1.1\r\nContent-Length: 99999999999999",
        "PUT /raw/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3",
        "PUT /raw/x HTTP/1.1\r\nTransfer-Encoding: gzip",
        "PUT /raw/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "PUT /raw/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc",
    ],
)
def test_a_malformed_request_is_refused_with_a_4xx(port: Port, head: str) -> None:
    """Odd targets, paths that climb, bad escapes, endless headers, invalid lengths and chunks are refused."""
    first, _, rest = head.replace("{port}", str(port.number)).partition("\r\n")
    fields = f"Host: {port.host}\r\n" + SIGNATURE.format(service="s3") + (f"{rest}\r\n" if rest else "")
    answer = port.raw(f"{first}\r\n{fields}\r\n")
    assert answer.startswith(b"HTTP/1.1 4")
    assert b"Traceback" not in answer
    assert port.calls == []


@pytest.mark.parametrize("host", ["", "Host: 127.0.0.1:{port}\r\nHost: 127.0.0.1:{port}\r\n"])
def test_one_host_is_named(port: Port, host: str) -> None:
    """A request without one, or with two, is for another."""
    answer = port.raw(f"GET / HTTP/1.1\r\n{host.format(port=port.number)}{SIGNATURE.format(service='s3')}\r\n")
    assert answer.startswith(b"HTTP/1.1 403")


def test_a_body_that_is_cut_off_is_not_stored(port: Port) -> None:
    """A client that dies in the middle of a PUT leaves no half of an object."""
    s3 = boto3.client("s3", endpoint_url=port.endpoint.url, region_name="us-east-1", **KEYS)
    s3.create_bucket(Bucket="torn")
    head = f"PUT /torn/half HTTP/1.1\r\nHost: {port.host}\r\n{SIGNATURE.format(service='s3')}Content-Length: 10\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port.number), timeout=10) as connection:
        connection.sendall(head.encode() + b"12345")
        connection.shutdown(socket.SHUT_WR)
        assert b"IncompleteBody" in b"".join(iter(lambda: connection.recv(65536), b""))
    assert s3.list_objects_v2(Bucket="torn")["KeyCount"] == 0


@pytest.mark.parametrize(
    "body", ["{", "[]", "[" * 100_000, '"x"', '{"TableName": 5, "Item": 5}', '{"Entries": 5}', "{}"]
)
@pytest.mark.parametrize(
    ("service", "target"),
    [
        ("dynamodb", "DynamoDB_20120810.PutItem"),
        ("dynamodb", "DynamoDB_20120810.NoSuchOperation"),
        ("dynamodb", "nonsense"),
        ("dynamodb", ""),
        ("sqs", "AmazonSQS.SendMessage"),
        ("glue", "AWSGlue.UpdateTable"),
        ("events", "AWSEvents.PutEvents"),
        ("redshift-data", "RedshiftData.ExecuteStatement"),
    ],
)
def test_a_call_that_cannot_be_read_is_the_callers_mistake(
    port: Port, caplog: pytest.LogCaptureFixture, service: str, target: str, body: str
) -> None:
    """A 4xx with a code, and a line in the log at most: no stack trace."""
    authorization = SIGNATURE.format(service=service).partition(": ")[2].strip()
    answer = port.ask("POST", "/", body, Authorization=authorization, X_Amz_Target=target)
    assert 400 <= answer.status < 500
    assert "Traceback" not in answer.text + caplog.text  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/xml-is-broken", "<a<"),
        ("POST", "/pages?delete", "<a/>"),
        ("GET", "/pages?list-type=2&max-keys=many", ""),
        ("PUT", "/pages/x?partNumber=first&uploadId=none", ""),
        ("POST", "/pages", ""),
    ],
)
def test_a_call_of_s3_that_cannot_be_read_is_the_callers_mistake(port: Port, method: str, path: str, body: str) -> None:
    """As the others, in XML."""
    answer = port.ask(method, path, body, **signed(port, "s3", method, path, body))
    assert 400 <= answer.status < 500
    assert "<Code>" in answer.text  # type: ignore[attr-defined]


def test_a_signer_is_told_by_header_or_link() -> None:
    """The key and the service; an older link names no service and can only be S3's."""
    header = {"Authorization": SIGNATURE.format(service="sqs").partition(": ")[2].strip()}
    new = f"/b/k?X-Amz-Credential=k/20261128/us-east-1/s3/aws4_request&X-Amz-Signature={'0' * 64}"
    old = "/b/k?AWSAccessKeyId=k&Signature=x&Expires=1"
    found = [
        signer(EnvironBuilder(path, headers=given).get_environ())
        for path, given in (("/", header), (new, {}), (old, {}))
    ]
    assert [(one.access_key, one.service) for one in found if one] == [("local", "sqs"), ("k", "s3"), ("k", "s3")]
