"""Who may use the laptop's port: programs of this machine that sign their calls, and no web page.

A browser lets any page send requests to 127.0.0.1. It marks them, though, in headers that a page can neither leave out
nor forge: Host (a name that was made to point here), Origin, Sec-Fetch-Site, Referer. And a page cannot sign: the
Authorization header needs the consent of a preflight, which is never given. So a caller that has signed in that header
is no page. The signature itself is not checked: its secret stands in the documentation, and would keep no page out.
A presigned URL is only a link, which a page can make up; it opens objects of S3 and nothing else.
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

OWN_NAMES = ("127.0.0.1", "localhost", "[::1]")
METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE", "PATCH")
OWN_FETCHES = frozenset({"none", "same-origin"})
HIDDEN = ("/moto-api", "/favicon.ico", "/latest/meta-data", "/latest/api")  # moto's own pages, which take any call
OBJECT_BYTES_MAX = 5 << 30  # of one request to S3
BODY_BYTES_MAX = 16 << 20  # of one to any other service: DynamoDB's, the most of all
BODY_SECONDS = 30.0  # without a byte of an announced body
#: On every answer, so that a page can neither read it, nor frame it, nor run what it holds as a page of this origin.
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
    """Why a request is not let in; `code` as AWS spells its own."""

    status: int
    code: str
    message: str  #: one sentence: what was expected, what was found


@dataclass(frozen=True)
class Signer:
    """Who has signed, and for which service (as in the credential scope)."""

    access_key: str
    service: str

    @property
    def scope(self) -> str:
        """An Authorization that names the two, for readers of no more than that."""
        return f"AWS4-HMAC-SHA256 Credential={self.access_key}/20000101/us-east-1/{self.service}/aws4_request"


@dataclass(frozen=True)
class Gate:
    """The rules for everything that comes to `port`. `turned_away` tells a request without any Authorization that its
    service will refuse in words of its own.
    """

    port: int
    turned_away: Callable[[WSGIEnvironment], bool] = lambda _: False

    def refusal(self, environ: WSGIEnvironment) -> Refusal | None:
        """The first rule that a request breaks; its body is not touched."""
        rules = (self._host, _pages, _method, _target, _hidden, self._unsigned, _length)
        return next((found for rule in rules if (found := rule(environ))), None)

    def _host(self, environ: WSGIEnvironment) -> Refusal | None:
        names = [f"{name}:{self.port}" for name in OWN_NAMES]
        own = names if self.port != 80 else [*names, *OWN_NAMES]  # clients leave out the port that http implies
        found = str(environ.get("HTTP_HOST", ""))
        if found.lower() in own:
            return None
        return _denied(f"expected the Host {' or '.join(names)}, found {_shown(found)}")

    def _unsigned(self, environ: WSGIEnvironment) -> Refusal | None:
        given = environ.get("HTTP_AUTHORIZATION")
        if signer(environ) or (given is None and self.turned_away(environ)):
            return None
        found = "none" if given is None else _shown(given.split(" ")[0])
        return _denied(f"expected a call signed with SigV4 (AWS_ACCESS_KEY_ID=local), found the Authorization {found}")


# ---- the rules


def _pages(environ: WSGIEnvironment) -> Refusal | None:
    own = f"http://{environ['HTTP_HOST']}".lower()
    origin = environ.get("HTTP_ORIGIN")
    if origin is not None and origin.lower() != own:
        return _denied(f"expected no Origin, as from a program, found {_shown(origin)}: web pages are not let in")
    site = environ.get("HTTP_SEC_FETCH_SITE")
    if site is not None and site not in OWN_FETCHES:
        return _denied(f"expected no Sec-Fetch-Site, as from a program, found {_shown(site)}: web pages are not let in")
    referer = environ.get("HTTP_REFERER")
    if referer is not None and not f"{referer}/".lower().startswith(f"{own}/"):
        return _denied(f"expected no Referer, as from a program, found {_shown(referer)}: web pages are not let in")
    return None


def _method(environ: WSGIEnvironment) -> Refusal | None:
    method = environ["REQUEST_METHOD"]
    if method in METHODS:
        return None
    return Refusal(405, "MethodNotAllowed", f"expected one of {', '.join(METHODS)}, found {_shown(method)}")


def _target(environ: WSGIEnvironment) -> Refusal | None:
    """What cannot be decoded, and what asks for something above the root or above its bucket."""
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
    """A stranger's text as one short printable word."""
    return ascii(text if len(text) <= 100 else f"{text[:97]}...") if text else "none"


# ---- who has signed


def signer(environ: WSGIEnvironment) -> Signer | None:
    """From the Authorization header, or from a presigned URL of S3 (either signature version)."""
    if "HTTP_AUTHORIZATION" in environ:
        found = _SIGNED.fullmatch(environ["HTTP_AUTHORIZATION"].strip())
        return Signer(found["key"], found["service"]) if found else None
    query = parse_qs(environ.get("QUERY_STRING", ""))
    scope = _SCOPE.fullmatch(query.get("X-Amz-Credential", [""])[0])
    if scope and scope["service"] == "s3" and "X-Amz-Signature" in query:
        return Signer(scope["key"], "s3")
    if all(name in query for name in ("AWSAccessKeyId", "Signature", "Expires")):
        return Signer(query["AWSAccessKeyId"][0], "s3")
    return None


# ---- the body


def take_body(environ: WSGIEnvironment) -> Refusal | None:
    """Reads the body whole and puts it back with its length; the reason if less came than was announced."""
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
    """The answer, in the words of the protocol that was spoken; what is left of the body is not waited for."""
    body, kind = (_json(refusal) if as_json else _xml(refusal, environ)).encode(), "json" if as_json else "xml"
    headers = [("Content-Type", f"application/{kind}"), ("Content-Length", str(len(body)))]
    start_response(f"{refusal.status} Refused", [*headers, ("x-amzn-ErrorType", refusal.code)])
    return _last_words(b"" if environ["REQUEST_METHOD"] == "HEAD" else body, environ.get("werkzeug.socket"))


def _last_words(body: bytes, connection: socket.socket | None) -> Iterator[bytes]:
    """The body, and then the end of the answer at once: the server drains the request until the client hangs up."""
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
    """Answers without the permissions that moto gives to every page, and with what keeps pages off."""

    def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
        kept = [(name, value) for name, value in headers if not name.lower().startswith("access-control-")]
        return start_response(status, [*kept, *SHIELD], *more)

    return start
