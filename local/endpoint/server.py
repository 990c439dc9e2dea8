"""One loopback HTTP endpoint for every AWS service.

Requests that pass the gate (`gate`) are routed by the service in their SigV4 credential scope: to Tidemark's own
stand-ins, or else to moto with its patches (`moto_patches`). `on_call` receives every answered call.
"""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.moto_server import werkzeug_app
from moto.moto_server.utilities import RegexConverter
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from local.endpoint.gate import Gate, Refusal, Signer, refuse, shielded, signer, take_body
from local.endpoint.moto_patches import PatchedMoto
from local.endpoint.operations import operation
from local.endpoint.wsgi import body_of, error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from werkzeug.serving import BaseWSGIServer

    from local.endpoint.containers import Containers

log = logging.getLogger(__name__)
HOST = "127.0.0.1"
MAX_EVENTS = 10
MESSAGE_MAX = 300  #: characters


@dataclass(frozen=True)
class Call:
    """A call of a service's operation; the access key id identifies the calling function."""

    access_key: str
    service: str  #: as in the credential scope, e.g. dynamodb
    operation: str  #: e.g. PutItem; "" if the request matches no operation


class Endpoint:
    """Serves on 127.0.0.1 until `stop`, and for `containers` on their bridge; `port` 0 picks a free port.

    `unsigned` returns the service that rejects an unsigned request itself; "" if there is none.
    """

    def __init__(
        self,
        apps: Mapping[str, WSGIApplication],
        put_events: Callable[[Sequence[Mapping[str, Any]]], list[dict[str, str]]],
        *,
        on_call: Callable[[Call], None] = lambda _: None,
        unsigned: Callable[[WSGIEnvironment], str] = lambda _: "",
        port: int = 0,
        containers: Containers | None = None,
    ) -> None:
        self._apps = apps
        self._put_events = put_events
        self._on_call = on_call
        self._unsigned = unsigned
        self._moto = PatchedMoto(DomainDispatcherApplication(create_backend_app))
        self._servers = [self._serve_on(HOST, port)]
        self._port = self._servers[0].server_port
        more = containers.listens_on if containers else ()
        self._servers += [self._serve_on(address, self._port) for address in more]
        self._containers = containers
        self._gate = Gate(self._port, lambda environ: bool(unsigned(environ)), containers)
        self._threads = [
            threading.Thread(target=server.serve_forever, name="endpoint", daemon=True) for server in self._servers
        ]

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._port}"

    @property
    def container_url(self) -> str:
        """The endpoint's URL within a container that is let in."""
        assert self._containers is not None, "no containers are let in"
        return f"http://{self._containers.host}:{self._port}"

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        for server, thread in zip(self._servers, self._threads, strict=True):
            if thread.is_alive():
                server.shutdown()
                thread.join()
            server.server_close()

    def _serve_on(self, address: str, port: int) -> BaseWSGIServer:
        return make_server(address, port, self, threaded=True, request_handler=_QuietHandler)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response = shielded(start_response)
        who = signer(environ) or Signer("", self._unsigned(environ))
        refusal = self._gate.refusal(environ) or take_body(environ)
        if refusal:
            return refuse(refusal, environ, start_response, as_json=_speaks_json(environ, who.service))
        if who.access_key:
            environ.setdefault(
                "HTTP_AUTHORIZATION", who.scope
            )  # otherwise moto would guess a presigned URL's service from its path
        call = Call(who.access_key, who.service, operation(who.service, environ))
        if problem := _json_problem(environ):
            return error(400, "SerializationException", problem)(environ, start_response)
        try:
            answer = self._route(call, environ, start_response)
        except Exception:
            log.exception("%s %s failed inside the laptop cloud", call.service, call.operation)
            return error(500, "InternalFailure", "see the log of the laptop cloud")(environ, start_response)
        self._on_call(call)
        return answer

    def _route(self, call: Call, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if app := self._apps.get(call.service):
            return app(environ, start_response)
        if (call.service, call.operation) == ("events", "PutEvents"):
            return self._events(environ)(environ, start_response)
        return self._ask_moto(call, environ, start_response)

    def _ask_moto(self, call: Call, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Moto's answer, or a 400 if moto fails: it validates little, so an exception usually means a bad request.

        A 500 would only make the client retry the same failure.
        """
        try:
            return self._moto.answer(call.service, call.operation, environ, start_response)
        except Exception as failure:
            name = call.operation or "the request"
            log.warning(
                "%s: moto cannot read %s: %r", call.service, name, failure, exc_info=log.isEnabledFor(logging.DEBUG)
            )
            reason = f"expected a call that {call.service} knows, found {name} unreadable: {failure!r}"[:MESSAGE_MAX]
            refusal = Refusal(400, "InvalidRequest", reason)
            return refuse(refusal, environ, start_response, as_json=_speaks_json(environ, call.service))

    def _events(self, environ: WSGIEnvironment) -> Response:
        entries = json.loads(body_of(environ) or b"{}").get("Entries", [])
        if not _is_list_of_objects(entries):
            return error(400, "ValidationException", "expected a list of objects under Entries")
        if not 1 <= len(entries) <= MAX_EVENTS:
            return error(400, "ValidationException", f"expected 1 to {MAX_EVENTS} entries, found {len(entries)}")
        answers = self._put_events(entries)
        failed = sum("ErrorCode" in answer for answer in answers)
        body = json.dumps({"Entries": answers, "FailedEntryCount": failed})
        return Response(body, content_type="application/x-amz-json-1.1")


class _AnyCharacter(RegexConverter):
    """Lets `.` in moto's routes match line breaks, which keys may contain."""

    def __init__(self, url_map: Any, *items: Any) -> None:
        super().__init__(url_map, *items)
        self.regex = f"(?s:{self.regex})"


werkzeug_app.RegexConverter = _AnyCharacter  # type: ignore[attr-defined] # moto looks it up here


class _QuietHandler(MotoRequestHandler):
    """Logs requests only at DEBUG level, since `on_call` counts them."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002, ARG002 — werkzeug's name
        log.debug(message, *args)


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def _json_problem(environ: WSGIEnvironment) -> str:
    """The problem with the body of a JSON-protocol request; "" if there is none or the protocol is another."""
    if "HTTP_X_AMZ_TARGET" not in environ:
        return ""
    try:
        body = json.loads(body_of(environ) or b"{}")
    except (ValueError, RecursionError) as error:
        return f"expected a JSON object, found: {error}"
    return "" if isinstance(body, dict) else f"expected a JSON object, found {type(body).__name__}"


def _speaks_json(environ: WSGIEnvironment, service: str) -> bool:
    """Whether the caller expects JSON; never for S3, where the content type is that of the object."""
    if service == "s3":
        return False
    return "HTTP_X_AMZ_TARGET" in environ or "json" in environ.get("CONTENT_TYPE", "") or service == "execute-api"
