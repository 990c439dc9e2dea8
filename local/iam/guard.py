"""The endpoint's guard: refuses calls that the caller's policies do not allow, and keeps what allowed the others."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote

from local.endpoint.gate import Refusal
from local.endpoint.wsgi import body_of
from local.iam.actions import Asked, Names, UnmappedCall, bucket_and_key, needs
from local.iam.policy import Decision, Request, Statement, decide, parse
from local.iam.principals import Principal, Principals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from wsgiref.types import WSGIEnvironment

    from local.endpoint.server import Call
    from local.stack.deployment import Deployment

#: service → HTTP status and code of its refusals; 400 and AccessDeniedException for all others.
CODES: Final = {
    "s3": (403, "AccessDenied"),
    "sqs": (403, "AccessDeniedException"),
    "emr-serverless": (403, "AccessDeniedException"),
    "lambda": (403, "AccessDeniedException"),
    "execute-api": (403, "AccessDeniedException"),
}
PATHS: Final = frozenset({"s3", "lambda", "execute-api"})  #: services whose permissions do not depend on a JSON body
READS: Final = frozenset({"GetObject", "HeadObject"})


@dataclass(frozen=True, order=True)
class Use:
    """A permission that a call needed, and the resource pattern that allowed it."""

    principal: str  #: logical id of the role or managed policy
    action: str
    pattern: str


class Guard:
    """Before `deployed`, every caller is an administrator."""

    def __init__(self) -> None:
        self._principals = Principals({})
        self._is_deployed = False
        self._sessions: dict[str, tuple[Statement, ...]] = {}  # ARN of a role → its session policy
        self._names = Names()
        self._lock = threading.Lock()
        self.uses: set[Use] = set()

    def deployed(self, deployment: Deployment, issuer: Callable[[str], str | None] = lambda _: None) -> None:
        """Puts the policies of the deployment into force; `issuer` gives the ARN of a SQL statement's caller."""
        workgroups = {
            one.ref: one.attributes["WorkgroupArn"]
            for one in deployment.resources.values()
            if one.type == "AWS::RedshiftServerless::Workgroup"
        }
        api_id = next((route.api_id for route in deployment.routes), "")
        self._principals = Principals.of(deployment)
        userids: dict[str | None, str] = {one.arn: one.userid for one in self._principals.known.values()}
        self._names = Names(workgroups, api_id, lambda statement: userids.get(issuer(statement)))
        self._is_deployed = True

    def arn(self, access_key: str) -> str | None:
        """The caller's ARN; None for an administrator."""
        caller = self._caller(access_key)
        return caller.arn if caller else None

    def name_of(self, role_arn: str) -> str:
        """The logical id of a deployed role; KeyError if there is none of this ARN."""
        return self._principals.by_role(role_arn).name

    def refusal(self, call: Call, environ: WSGIEnvironment) -> Refusal | None:
        """Why the call is refused, in the service's own words; None if it is allowed."""
        try:
            caller = self._caller(call.access_key)
        except KeyError:
            return Refusal(403, "UnrecognizedClientException", "The security token included in the request is invalid.")
        if caller is None:
            return None
        try:
            wanted = needs(asked(call, environ), self._names)
        except (UnmappedCall, KeyError, TypeError, AttributeError, ValueError, SyntaxError) as error:
            words = f"the laptop cloud does not know which permission {call.operation or call} needs: {error!r}"
            return refused(call.service, words)
        return next((refusal for one in wanted if (refusal := self._check(call.service, caller, one))), None)

    def concealed(self, call: Call, environ: WSGIEnvironment) -> Refusal | None:
        """What S3 answers instead of 404 to a caller who may not list the bucket; None if 404 is right."""
        caller = self._caller(call.access_key)
        if caller is None or call.service != "s3" or call.operation not in READS:
            return None
        bucket, _ = bucket_and_key(unquote(_raw_path(environ)))
        request = Request("s3:ListBucket", f"arn:aws:s3:::{bucket}")
        decision = decision_for(caller, request)
        return None if decision.allowed else refused("s3", sentence("s3", caller.arn, request, decision.reason))

    def require(self, role_arn: str, action: str, resource: str) -> None:
        """Checks an action that a service takes itself with a role; PermissionError if the role may not."""
        if refusal := self._check("", self._principals.by_role(role_arn), Request(action, resource)):
            raise PermissionError(refusal.message)

    @contextmanager
    def session(self, role_arn: str, policy: str | None) -> Iterator[None]:
        """Narrows a role by a session policy while a job runs; PolicyError for an unsupported policy."""
        if policy is None:
            yield
            return
        self._sessions[role_arn] = parse(json.loads(policy))
        try:
            yield
        finally:
            del self._sessions[role_arn]

    def _caller(self, access_key: str) -> Principal | None:
        if not self._is_deployed:
            return None
        caller = self._principals.by_key(access_key)
        return replace(caller, session=self._sessions.get(caller.role)) if caller else None

    def _check(self, service: str, caller: Principal, request: Request) -> Refusal | None:
        decision = decision_for(caller, request)
        if not decision.allowed:
            return refused(service, sentence(service, caller.arn, request, decision.reason))
        with self._lock:
            self.uses.add(Use(decision.source, request.action, decision.pattern))
        return None


def decision_for(principal: Principal, request: Request) -> Decision:
    """The decision of the caller's own policies, and then of the session policy if there is one."""
    completed = replace(request, context={"aws:userid": principal.userid, **request.context})
    decision = decide(principal.statements, completed)
    if not decision.allowed or principal.session is None:
        return decision
    narrowed = decide(principal.session, completed, "session")
    return decision if narrowed.allowed else narrowed


def refused(service: str, message: str) -> Refusal:
    """A refusal with the service's status and code; API Gateway gives no reason."""
    status, code = CODES.get(service, (400, "AccessDeniedException"))
    return Refusal(status, code, "Forbidden" if service == "execute-api" else message)


def sentence(service: str, arn: str, request: Request, reason: str) -> str:
    """AWS's sentence for a refusal; S3 quotes the resource."""
    resource = f'"{request.resource}"' if service == "s3" else request.resource
    return f"User: {arn} is not authorized to perform: {request.action} on resource: {resource} {reason}"


def asked(call: Call, environ: WSGIEnvironment) -> Asked:
    """The part of the request on which its permissions depend."""
    return Asked(
        service=call.service,
        operation=call.operation,
        method=environ["REQUEST_METHOD"],
        path=unquote(_raw_path(environ)),
        query=dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)),
        headers={name[5:].replace("_", "-").lower(): str(environ[name]) for name in environ if name[:5] == "HTTP_"},
        body=_body(call, environ),
    )


def _body(call: Call, environ: WSGIEnvironment) -> Any:
    if call.operation == "DeleteObjects":
        return body_of(environ)
    return {} if call.service in PATHS else json.loads(body_of(environ) or b"{}")


def _raw_path(environ: WSGIEnvironment) -> str:
    raw = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    return str(raw).partition("?")[0] if raw else str(environ.get("PATH_INFO", "/"))
