"""The two calls of Redshift Serverless by which the administrator's secret is found. Any name is answered."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from local.account import ACCOUNT, REGION
from local.endpoint.protocol import Call, application

SERVICE: Final = "redshift-serverless"


def serverless_app() -> Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]:
    """WSGI app. A workgroup's namespace has the workgroup's name, as in the template."""
    return application(SERVICE, {"GetWorkgroup": _workgroup, "GetNamespace": _namespace})


def _workgroup(call: Call) -> dict[str, Any]:
    name = call.parameters["workgroupName"]
    return {"workgroup": {"workgroupName": name, "namespaceName": name, "status": "AVAILABLE"}}


def _namespace(call: Call) -> dict[str, Any]:
    name = call.parameters["namespaceName"]
    secret = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:redshift!{name}-admin-local0"
    return {"namespace": {"namespaceName": name, "adminUsername": "admin", "adminPasswordSecretArn": secret}}
