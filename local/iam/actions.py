"""The permissions that each API call needs: IAM action, resource and context (docs/aws-facts.md#permissions).

In most services, an operation needs the action of its own name. The tables list the exceptions, and for each service
how a request names its resource. An operation that cannot be mapped raises UnmappedCall: it must not pass unchecked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from local.account import ACCOUNT, REGION
from local.iam.policy import Request

SPARK_SERVICE: Final = "emr-serverless.amazonaws.com"
#: Calls that every caller may make.
FREE: Final = frozenset({("sts", "GetCallerIdentity")})


class UnmappedCall(Exception):
    """The laptop cloud does not know which permission a call needs."""


@dataclass(frozen=True)
class Asked:
    """A call as far as its permissions depend on it."""

    service: str  #: as in the credential scope
    operation: str
    method: str = "POST"
    path: str = "/"  #: decoded
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)  #: names in lower case
    body: Any = None  #: the decoded JSON object, or the bytes of any other body


def _unknown(_: str) -> None:
    return None


@dataclass(frozen=True)
class Names:
    """What only the deployment knows: ARNs that a request gives by name, and who issued a statement."""

    workgroups: Mapping[str, str] = field(default_factory=dict)  #: name → ARN
    api_id: str = ""
    owner: Callable[[str], str | None] = _unknown  #: id of a Data API statement → the issuer's aws:userid


def needs(asked: Asked, names: Names) -> list[Request]:
    """All permissions that the call needs; UnmappedCall if they are not known."""
    if (asked.service, asked.operation) in FREE:
        return []
    if asked.service not in SERVICES:
        raise UnmappedCall(f"{asked.service}:{asked.operation or asked.method}")
    return list(SERVICES[asked.service](asked, names))


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


# ---- S3

#: Operations on objects → action. With a version id, a read or a deletion needs the action of OF_VERSIONS instead.
OBJECTS: Final = {
    "GetObject": "s3:GetObject",
    "HeadObject": "s3:GetObject",
    "PutObject": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "ListParts": "s3:ListMultipartUploadParts",
    "DeleteObject": "s3:DeleteObject",
    "CopyObject": "s3:PutObject",
    "UploadPartCopy": "s3:PutObject",
}
OF_VERSIONS: Final = {"s3:GetObject": "s3:GetObjectVersion", "s3:DeleteObject": "s3:DeleteObjectVersion"}
BUCKETS: Final = {
    "HeadBucket": "s3:ListBucket",
    "ListObjects": "s3:ListBucket",
    "ListObjectsV2": "s3:ListBucket",
    "ListObjectVersions": "s3:ListBucketVersions",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "GetBucketLocation": "s3:GetBucketLocation",
}


def bucket_and_key(path: str) -> tuple[str, str]:
    """`/bucket/a/key` → ("bucket", "a/key")."""
    bucket, _, key = path.removeprefix("/").partition("/")
    return bucket, key


def _s3(asked: Asked, _: Names) -> Iterator[Request]:
    bucket, key = bucket_and_key(asked.path)
    own = f"arn:aws:s3:::{bucket}"
    if asked.operation == "ListBuckets":
        yield Request("s3:ListAllMyBuckets", "*")
    elif asked.operation == "DeleteObjects":
        yield from (Request("s3:DeleteObject", f"{own}/{name}") for name in _deleted(asked.body))
    elif asked.operation in BUCKETS:
        yield Request(BUCKETS[asked.operation], own)
    elif asked.operation in OBJECTS:
        yield from _object(asked, f"{own}/{key}")
    else:
        raise UnmappedCall(f"s3:{asked.operation or asked.method}")


def _object(asked: Asked, arn: str) -> Iterator[Request]:
    action = OBJECTS[asked.operation]
    is_versioned = "versionId" in asked.query and action in OF_VERSIONS
    yield Request(OF_VERSIONS[action] if is_versioned else action, arn)
    if source := asked.headers.get("x-amz-copy-source"):
        name, _, version = unquote(source).removeprefix("/").partition("?versionId=")
        yield Request("s3:GetObjectVersion" if version else "s3:GetObject", f"arn:aws:s3:::{name}")
    if action == "s3:PutObject" and "if-match" in asked.headers:
        yield Request("s3:GetObject", arn)
    if "x-amz-tagging" in asked.headers:
        yield Request("s3:PutObjectTagging", arn)


def _deleted(body: bytes) -> Iterator[str]:
    for element in ET.fromstring(body).iter():  # noqa: S314 — the laptop's own clients
        if element.tag.endswith("}Key") or element.tag == "Key":
            yield element.text or ""


# ---- DynamoDB

PARTS: Final = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}


def _dynamodb(asked: Asked, _: Names) -> Iterator[Request]:
    body, operation = asked.body, asked.operation
    if operation in ("TransactWriteItems", "TransactGetItems"):
        parts = [(kind, part) for item in body["TransactItems"] for kind, part in item.items()]
        yield from (Request(f"dynamodb:{PARTS[kind]}", _table(part["TableName"])) for kind, part in parts)
    elif operation in ("BatchGetItem", "BatchWriteItem"):
        yield from (Request(f"dynamodb:{operation}", _table(name)) for name in body["RequestItems"])
    elif operation == "GetRecords":  # an iterator begins with the ARN of its stream
        yield Request("dynamodb:GetRecords", body["ShardIterator"].split("|")[0])
    elif "StreamArn" in body:
        yield Request(f"dynamodb:{operation}", body["StreamArn"])
    elif "TableName" in body:
        index = f"/index/{body['IndexName']}" if "IndexName" in body else ""
        yield Request(f"dynamodb:{operation}", _table(body["TableName"]) + index)
    else:
        raise UnmappedCall(f"dynamodb:{operation}")


def _table(name: str) -> str:
    return name if name.startswith("arn:") else _arn("dynamodb", f"table/{name}")


# ---- services whose requests are JSON


def _sqs(asked: Asked, _: Names) -> Iterator[Request]:
    url = asked.body.get("QueueUrl") or asked.body.get("QueueName")
    if not url:
        raise UnmappedCall(f"sqs:{asked.operation}")
    yield Request(f"sqs:{asked.operation.removesuffix('Batch')}", _arn("sqs", url.rsplit("/", 1)[-1]))


def _events(asked: Asked, _: Names) -> Iterator[Request]:
    if asked.operation != "PutEvents":
        raise UnmappedCall(f"events:{asked.operation}")
    for entry in asked.body["Entries"]:
        bus = entry.get("EventBusName", "default").rsplit("/", 1)[-1]
        yield Request("events:PutEvents", _arn("events", f"event-bus/{bus}"), {"events:source": entry["Source"]})


def _glue(asked: Asked, _: Names) -> Iterator[Request]:
    """The Data Catalog checks an action on the object and on everything above it."""
    body, action = asked.body, f"glue:{asked.operation}"
    database = body.get("DatabaseName") or body.get("DatabaseInput", {}).get("Name") or body.get("Name")
    table = body.get("Name") if "DatabaseName" in body else None
    table = table or body.get("TableInput", {}).get("Name") or ("*" if asked.operation == "GetTables" else None)
    if asked.operation not in GLUE or (database is None and asked.operation != "GetDatabases"):
        raise UnmappedCall(action)
    yield Request(action, _arn("glue", "catalog"))
    yield Request(action, _arn("glue", f"database/{database or '*'}"))
    if table:
        yield Request(action, _arn("glue", f"table/{database}/{table}"))


GLUE: Final = frozenset(
    {"GetDatabase", "GetDatabases", "GetTable", "GetTables", "CreateTable", "UpdateTable", "DeleteTable"}
)


def _ssm(asked: Asked, _: Names) -> Iterator[Request]:
    if "Name" not in asked.body:
        raise UnmappedCall(f"ssm:{asked.operation}")
    yield Request(f"ssm:{asked.operation}", _arn("ssm", f"parameter/{asked.body['Name'].removeprefix('/')}"))


def _redshift_data(asked: Asked, names: Names) -> Iterator[Request]:
    action = f"redshift-data:{asked.operation.removesuffix('V2')}"
    if "Id" in asked.body:
        owner = names.owner(asked.body["Id"].partition(":")[0])
        context = {"redshift-data:statement-owner-iam-userid": owner} if owner else {}
        yield Request(action, "*", context)
    elif asked.operation == "ListStatements":
        yield Request(action, "*")
    else:
        warehouse = _warehouse(asked.body, names)
        if warehouse is None:
            raise UnmappedCall(f"{action} without a warehouse of the stack")
        yield Request(action, warehouse)
        yield from _sign_in(asked.body, warehouse)


def _warehouse(body: Any, names: Names) -> str | None:
    if "ClusterIdentifier" in body:
        return _arn("redshift", f"cluster:{body['ClusterIdentifier']}")
    name: str = body.get("WorkgroupName", "")
    return name if name.startswith("arn:") else names.workgroups.get(name)


def _sign_in(body: Any, warehouse: str) -> Iterator[Request]:
    """What the Data API needs to sign the caller in: a secret, or credentials of the database."""
    if "SecretArn" in body:
        yield Request("secretsmanager:GetSecretValue", body["SecretArn"])
        return
    if "ClusterIdentifier" not in body:
        yield Request("redshift-serverless:GetCredentials", warehouse)
        return
    cluster, user = body["ClusterIdentifier"], body.get("DbUser")
    action = "redshift:GetClusterCredentials" if user else "redshift:GetClusterCredentialsWithIAM"
    yield Request(action, _arn("redshift", f"dbname:{cluster}/{body['Database']}"))
    if user:
        yield Request(action, _arn("redshift", f"dbuser:{cluster}/{user}"))


# ---- services whose requests are paths

_APPLICATION: Final = re.compile(r"/applications/(?P<application>[^/]+)(/jobruns(/(?P<run>[^/]+))?)?.*")


def _emr_serverless(asked: Asked, _: Names) -> Iterator[Request]:
    match = _APPLICATION.fullmatch(asked.path)
    if asked.operation in ("TagResource", "UntagResource", "ListTagsForResource"):
        yield Request(f"emr-serverless:{asked.operation}", asked.path.removeprefix("/tags/"))
        return
    if match is None:
        raise UnmappedCall(f"emr-serverless:{asked.operation}")
    application = _arn("emr-serverless", f"/applications/{match['application']}")
    run = f"/jobruns/{match['run']}" if match["run"] else ""
    yield Request(f"emr-serverless:{asked.operation}", application + run)
    if asked.operation == "StartJobRun":
        yield Request("iam:PassRole", asked.body["executionRoleArn"], {"iam:passedtoservice": SPARK_SERVICE})
    if asked.body and asked.body.get("tags"):
        yield Request("emr-serverless:TagResource", f"{application}/jobruns/*")


def _lambda(asked: Asked, _: Names) -> Iterator[Request]:
    match = re.fullmatch(r"/[0-9-]+/functions(/(?P<name>[^/]+).*)?/?", asked.path)
    if match is None or not asked.operation:
        raise UnmappedCall(f"lambda:{asked.operation}")
    action = "lambda:InvokeFunction" if asked.operation == "Invoke" else f"lambda:{asked.operation}"
    name = (match["name"] or "").rsplit("function:", 1)[-1]
    yield Request(action, _arn("lambda", f"function:{name}") if name else "*")


def _execute_api(asked: Asked, names: Names) -> Iterator[Request]:
    path = f"{names.api_id}/$default/{asked.method}{asked.path}"
    yield Request("execute-api:Invoke", _arn("execute-api", path))


SERVICES: Final = {
    "s3": _s3,
    "dynamodb": _dynamodb,
    "sqs": _sqs,
    "events": _events,
    "glue": _glue,
    "ssm": _ssm,
    "redshift-data": _redshift_data,
    "emr-serverless": _emr_serverless,
    "lambda": _lambda,
    "execute-api": _execute_api,
}
