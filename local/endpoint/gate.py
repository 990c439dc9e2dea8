"""Access control for the endpoint's port: programs on this machine that sign their calls may use it, web pages may not.

A browser lets any page send requests to 127.0.0.1, but adds headers that the page can neither omit nor forge: Host
(which exposes a DNS name that was pointed at this machine), Origin, Sec-Fetch-Site and Referer. A page cannot sign its
requests either: an Authorization header needs a CORS preflight, which this endpoint never grants. So a caller with a
signed Authorization header is not a page. The signature itself is not verified, because its secret is public in the
documentation. A presigned URL is a mere link, which a page can forge; it gives access only to S3 objects.

Containers are let in only on request. They know this machine by a name or an address that is not loopback's, so their
requests must come from their network, and without any header that browsers add.
"""

from __future__ import annotations

import json
import re
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote_to_bytes
from xml.sax.saxutils import escape

from local.endpoint.wsgi import replace_body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from wsgiref.types import StartResponse, WSGIEnvironment

    from local.endpoint.containers import Containers

OWN_NAMES = ("127.0.0.1", "localhost", "[::1]")
METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE", "PATCH")
#: Headers that browsers add and programs do not: a page whose name resolves to this machine is of the same origin.
BROWSERS = ("Accept-Language", "Origin", "Referer", "Sec-Fetch-Site")
OWN_FETCHES = frozenset({"none", "same-origin"})
HIDDEN = ("/moto-api", "/favicon.ico", "/latest/meta-data", "/latest/api")  # moto's own pages, which accept any call
OBJECT_BYTES_MAX = 5 << 30  # body of one S3 request
BODY_BYTES_MAX = 16 << 20  # body of one request to any other service; DynamoDB has the highest limit
BODY_SECONDS = 30.0  # maximum wait for more bytes of a body
#: Headers of every response: a page can neither read it, nor frame it, nor run its content in this origin.
SHIELD = (
    ("Content-Security-Policy", "sandbox; default-src 'none'; frame-ancestors 'none'"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("X-Content-Type-Options", "nosniff"),
)
_SIGNED = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=(?P<key>[^/,\s]+)/\d{8}/[^/,\s]+/(?P<service>[^/,\s]+)/aws4_request, *"
    r"SignedHeaders=[^,\s]+, *Signature=[0-9a-f]{64}"
)
_SCOPE = re.compile(r"(?P<key>[^/]+)/\d{8}/[^/]+/(?P<service>[^/]+)/aws4_request")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True)
class Refusal:
    """The reason for rejecting a request; `code` is in the style of AWS's error codes."""

    status: int
    code: str
    message: str  #: one sentence: what was expected and what was found


@dataclass(frozen=True)
class Signer:
    """The access key and the service of a signature's credential scope."""

    access_key: str
    service: str

    @property
    def scope(self) -> str:
        """An Authorization header value with both, for code that reads nothing else from it."""
        return f"AWS4-HMAC-SHA256 Credential={self.access_key}/20000101/us-east-1/{self.service}/aws4_request"


@dataclass(frozen=True)
class Gate:
    """The rules for all requests to `port`.

    `turned_away` is true for a request without an Authorization header that its own service will reject.
    """

    port: int
    turned_away: Callable[[WSGIEnvironment], bool] = lambda _: False
    containers: Containers | None = None  #: None lets none in

    def refusal(self, environ: WSGIEnvironment) -> Refusal | None:
        """The first rule that the request violates, or None; does not read the body."""
        rules = (self._remote, self._host, _web_page, _method, _target, _hidden, self._unsigned, _length)
        return next((refusal for rule in rules if (refusal := rule(environ))), None)

    def _remote(self, environ: WSGIEnvironment) -> Refusal | None:
        """Rejects callers on other machines, which may send packets to any address of this one."""
        remote = str(environ.get("REMOTE_ADDR", ""))
        if self.containers is None or self.containers.bridge is None or self.containers.reaches(remote):
            return None
        return _denied(f"expected a program or a container of this machine, found a call from {_shown(remote)}")

    def _host(self, environ: WSGIEnvironment) -> Refusal | None:
        host = str(environ.get("HTTP_HOST", ""))
        if self._is_named(host, OWN_NAMES):
            return None
        if self.containers and self._is_named(host, (self.containers.host,)):
            return _of_browser(environ)
        names = " or ".join(f"{name}:{self.port}" for name in OWN_NAMES)
        return _denied(f"expected the Host {names}, found {_shown(host)}")

    def _is_named(self, host: str, names: tuple[str, ...]) -> bool:
        without_port = names if self.port == 80 else ()  # clients omit http's default port
        return host.lower() in (*(f"{name}:{self.port}" for name in names), *without_port)

    def _unsigned(self, environ: WSGIEnvironment) -> Refusal | None:
        header = environ.get("HTTP_AUTHORIZATION")
        if signer(environ) or (header is None and self.turned_away(environ)):
            return None
        scheme = "none" if header is None else _shown(header.split(" ")[0])
        return _denied(f"expected a call signed with SigV4 (AWS_ACCESS_KEY_ID=local), found the Authorization {scheme}")


# ---- the rules


def _of_browser(environ: WSGIEnvironment) -> Refusal | None:
    for name in BROWSERS:
        if (found := environ.get(f"HTTP_{name.upper().replace('-', '_')}")) is not None:
            return _page(name, found)
    return None


def _page(header: str, found: str) -> Refusal:
    return _denied(f"expected no {header}, as from a program, found {_shown(found)}: web pages are not let in")


def _web_page(environ: WSGIEnvironment) -> Refusal | None:
    own = f"http://{environ['HTTP_HOST']}".lower()
    origin = environ.get("HTTP_ORIGIN")
    if origin is not None and origin.lower() != own:
        return _page("Origin", origin)
    site = environ.get("HTTP_SEC_FETCH_SITE")
    if site is not None and site not in OWN_FETCHES:
        return _page("Sec-Fetch-Site", site)
    referer = environ.get("HTTP_REFERER")
    if referer is not None and not f"{referer}/".lower().startswith(f"{own}/"):
        return _page("Referer", referer)
    return None


def _method(environ: WSGIEnvironment) -> Refusal | None:
    method = environ["REQUEST_METHOD"]
    if method in METHODS:
        return None
    return Refusal(405, "MethodNotAllowed", f"expected one of {', '.join(METHODS)}, found {_shown(method)}")


def _target(environ: WSGIEnvironment) -> Refusal | None:
    """Rejects paths that cannot be decoded or that climb above the root or above their bucket."""
    raw = str(environ.get("RAW_URI") or environ.get("REQUEST_URI") or environ.get("PATH_INFO") or "")
    if not raw.startswith("/"):
        return _malformed(f"expected a path that begins with /, found {_shown(raw)}")
    if _STRAY_PERCENT.search(raw) or not _is_utf8(raw):
        return _malformed(f"expected a path and query in percent-encoded UTF-8, found {_shown(raw)}")
    if _climbs(unquote_to_bytes(raw.partition("?")[0]).decode()):
        return _malformed(f"expected a path that stays below its first part, found {_shown(raw)}")
    return None


def _is_utf8(raw: str) -> bool:
    try:
        unquote_to_bytes(raw.encode("ascii")).decode()
    except UnicodeError:
        return False
    return True


def _climbs(path: str) -> bool:
    _, first, *rest = [*path.split("/"), ""]
    depth = 0
    for part in rest:
        depth += {"..": -1, ".": 0, "": 0}.get(part, 1)
        if depth < 0:
            return True
    return first == ".."


def _hidden(environ: WSGIEnvironment) -> Refusal | None:
    path = str(environ.get("PATH_INFO", ""))
    if not path.startswith(HIDDEN):
        return None
    return Refusal(404, "NotFound", f"expected a path of an AWS service, found {_shown(path)}")


def _length(environ: WSGIEnvironment) -> Refusal | None:
    length, coding = environ.get("CONTENT_LENGTH") or "", environ.get("HTTP_TRANSFER_ENCODING")
    if coding is not None and (coding.strip().lower() != "chunked" or length):
        return Refusal(400, "InvalidRequest", "expected a Content-Length or Transfer-Encoding chunked, found otherwise")
    if not re.fullmatch(r"[0-9]{0,18}", length):
        return Refusal(400, "InvalidRequest", f"expected a Content-Length in bytes, found {_shown(length)}")
    who = signer(environ)
    most = OBJECT_BYTES_MAX if who and who.service == "s3" else BODY_BYTES_MAX
    if int(length or 0) > most:
        return Refusal(413, "EntityTooLarge", f"expected a body of at most {most} bytes, found {length}")
    return None


def _denied(message: str) -> Refusal:
    return Refusal(403, "AccessDenied", message)


def _malformed(message: str) -> Refusal:
    return Refusal(400, "InvalidURI", message)


def _shown(text: str) -> str:
    """Untrusted text, shortened and with non-printable characters escaped."""
    return ascii(text if len(text) <= 100 else f"{text[:97]}...") if text else "none"


# ---- the signature


def signer(environ: WSGIEnvironment) -> Signer | None:
    """The signer according to the Authorization header or a presigned S3 URL (either signature version), else None."""
    if "HTTP_AUTHORIZATION" in environ:
        match = _SIGNED.fullmatch(environ["HTTP_AUTHORIZATION"].strip())
        return Signer(match["key"], match["service"]) if match else None
    query = parse_qs(environ.get("QUERY_STRING", ""))
    scope = _SCOPE.fullmatch(query.get("X-Amz-Credential", [""])[0])
    if scope and scope["service"] == "s3" and "X-Amz-Signature" in query:
        return Signer(scope["key"], "s3")
    if all(name in query for name in ("AWSAccessKeyId", "Signature", "Expires")):
        return Signer(query["AWSAccessKeyId"][0], "s3")
    return None


# ---- the body


def take_body(environ: WSGIEnvironment) -> Refusal | None:
    """Reads the whole body and puts it back with its length; a Refusal if the body is incomplete or late."""
    connection: socket.socket | None = environ.get("werkzeug.socket")
    length = int(environ.get("CONTENT_LENGTH") or 0)
    is_chunked = bool(environ.pop("HTTP_TRANSFER_ENCODING", None))
    try:
        if connection:
            connection.settimeout(BODY_SECONDS)
        body: bytes = environ["wsgi.input"].read() if is_chunked else environ["wsgi.input"].read(length)
        if connection:
            connection.settimeout(None)
    except TimeoutError:
        return Refusal(400, "RequestTimeout", f"expected the rest of the body within {BODY_SECONDS:.0f} seconds")
    except OSError as error:
        return Refusal(400, "IncompleteBody", f"expected a body in chunks, found: {error}")
    if not is_chunked and len(body) < length:
        return Refusal(400, "IncompleteBody", f"expected a body of {length} bytes, found {len(body)}")
    environ.pop("wsgi.input_terminated", None)
    replace_body(environ, body)
    return None


# ---- answers


def refuse(
    refusal: Refusal, environ: WSGIEnvironment, start_response: StartResponse, *, as_json: bool
) -> Iterable[bytes]:
    """The error response, as JSON or XML; does not wait for the rest of the request body."""
    body, kind = (_json(refusal) if as_json else _xml(refusal, environ)).encode(), "json" if as_json else "xml"
    headers = [("Content-Type", f"application/{kind}"), ("Content-Length", str(len(body)))]
    start_response(f"{refusal.status} Refused", [*headers, ("x-amzn-ErrorType", refusal.code)])
    return _last_words(b"" if environ["REQUEST_METHOD"] == "HEAD" else body, environ.get("werkzeug.socket"))


def _last_words(body: bytes, connection: socket.socket | None) -> Iterator[bytes]:
    """The body, then the end of the response; without it, the server would wait until the client closes."""
    yield body
    with suppress(OSError):
        if connection:
            connection.shutdown(socket.SHUT_WR)


def _json(refusal: Refusal) -> str:
    return json.dumps({"__type": refusal.code, "message": refusal.message})


def _xml(refusal: Refusal, environ: WSGIEnvironment) -> str:
    error = f"<Error><Code>{refusal.code}</Code><Message>{escape(refusal.message)}</Message></Error>"
    is_form = environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded")
    whole = f"<ErrorResponse>{error}</ErrorResponse>" if is_form else error
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{whole}'


def shielded(start_response: StartResponse) -> Any:
    """Wraps `start_response`: removes moto's CORS headers, which allow every page, and adds SHIELD."""

    def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
        kept = [(name, value) for name, value in headers if not name.lower().startswith("access-control-")]
        return start_response(status, [*kept, *SHIELD], *more)

    return start
