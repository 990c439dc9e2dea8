"""The wire: requests and answers are held against botocore's own service models."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError
from werkzeug.test import Client

from local.endpoint.protocol import (
    ApiError,
    Call,
    application,
    caller,
    routes,
    service_model,
    uri_pattern,
)
from tests.local.stand_ins import client, served

RUN = {"applicationId": "00a", "jobRunId": "00b"}


def answering(operation: str, answer: Callable[[Call], Any], service: str = "emr-serverless") -> Any:
    return application(service, {operation: answer})


def refuse(error: ApiError) -> Callable[[Call], Any]:
    def handler(call: Call) -> Any:
        raise error

    return handler


def test_a_rest_call_arrives_whole() -> None:
    """Path variables, typed query string values, lists and timestamps arrive as Python values."""
    seen: list[Call] = []
    app = answering("ListJobRuns", lambda call: seen.append(call) or {"jobRuns": []})
    after = datetime(2026, 11, 20, 7, 5, tzinfo=UTC)
    with served(app) as url:
        emr = client("emr-serverless", url)
        emr.list_job_runs(applicationId="00a", maxResults=7, states=["RUNNING", "QUEUED"], createdAtAfter=after)
    expected = {"applicationId": "00a", "maxResults": 7, "states": ["RUNNING", "QUEUED"], "createdAtAfter": after}
    assert seen[0].parameters == expected
    assert seen[0].caller == "arn:aws:sts::123456789012:assumed-role/SubmitRole/local"


def test_a_json_call_arrives_whole() -> None:
    """The json protocol is routed by X-Amz-Target; nested lists of structures arrive."""
    seen: list[Call] = []
    app = answering(
        "ExecuteStatement", lambda call: seen.append(call) or {"CreatedAt": datetime.now(UTC)}, "redshift-data"
    )
    with served(app) as url:
        answer = client("redshift-data", url).execute_statement(
            Sql="SELECT :a",
            Database="d",
            WorkgroupName="wg-1",
            ClientToken="t",
            Parameters=[{"name": "a", "value": "1"}],
        )
    assert seen[0].operation == "ExecuteStatement"
    assert seen[0].parameters["Parameters"] == [{"name": "a", "value": "1"}]
    assert answer["CreatedAt"].tzinfo is not None


def test_a_payload_is_the_whole_body_and_headers_are_beside_it() -> None:
    """Bytes that are no JSON arrive as they were sent and come back as they are; a status of the answer is HTTP's."""
    seen: list[Call] = []
    answer = {"StatusCode": 202, "FunctionError": "Unhandled", "Payload": b"\xff\x00"}
    with served(answering("Invoke", lambda call: seen.append(call) or answer, "lambda")) as url:
        told = client("lambda", url).invoke(FunctionName="f", InvocationType="Event", Payload=b"\xfe{")
    assert seen[0].parameters == {"FunctionName": "f", "InvocationType": "Event", "Payload": b"\xfe{"}
    assert (told["StatusCode"], told["FunctionError"], told["Payload"].read()) == (202, "Unhandled", b"\xff\x00")


def test_an_error_beyond_the_model_has_its_status() -> None:
    """Lambda says RequestEntityTooLargeException with 413, and its model has another name for it."""
    error = ApiError("RequestEntityTooLargeException", "too large")
    with served(answering("Invoke", refuse(error), "lambda")) as url, pytest.raises(ClientError) as caught:
        client("lambda", url).invoke(FunctionName="f")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


def test_a_slash_inside_a_path_variable_stays_there() -> None:
    """An ARN in a path is one variable although it holds slashes."""
    arn = "arn:aws:emr-serverless:us-east-1:123456789012:/applications/00a/jobruns/00b"
    seen: list[Call] = []
    with served(answering("ListTagsForResource", lambda call: seen.append(call) or {"tags": {}})) as url:
        client("emr-serverless", url).list_tags_for_resource(resourceArn=arn)
    assert seen[0].parameters == {"resourceArn": arn}


@pytest.mark.parametrize("service", ["emr-serverless"])
def test_every_operation_has_its_own_route(service: str) -> None:
    """Each request URI of the model, filled in, leads to its own operation and to no earlier one."""
    assert {route.operation.name for route in routes(service)} == set(service_model(service).operation_names)
    for route in routes(service):
        path = re.sub(r"\{\w+\}", "x1", route.operation.http["requestUri"])
        first = next(r for r in routes(service) if r.method == route.method and r.pattern.fullmatch(path))
        assert first.operation.name == route.operation.name


def test_a_greedy_variable_takes_slashes() -> None:
    """`{key+}` of a request URI spans path separators, `{key}` does not."""
    assert uri_pattern("/b/{key+}").fullmatch("/b/x/y")
    assert not uri_pattern("/b/{key}").fullmatch("/b/x/y")


@pytest.mark.parametrize(
    ("service", "operation", "call", "status"),
    [
        ("emr-serverless", "CancelJobRun", lambda c: c.cancel_job_run(**RUN), 404),
        (
            "redshift-data",
            "CancelStatement",
            lambda c: c.cancel_statement(Id="0" * 8 + "-0000" * 3 + "-" + "0" * 12),
            400,
        ),
    ],
)
def test_errors_are_typed_for_the_client(service: str, operation: str, call: Callable[[Any], Any], status: int) -> None:
    """boto3 raises its own exception class with our message, under AWS's status, in both protocols."""
    error = ApiError("ResourceNotFoundException", "no such thing", ResourceId="x")
    with served(answering(operation, refuse(error), service)) as url:
        boto = client(service, url)
        with pytest.raises(boto.exceptions.ResourceNotFoundException, match="no such thing") as caught:
            call(boto)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_a_defect_is_an_internal_error(caplog: pytest.LogCaptureFixture) -> None:
    """An exception in a handler becomes InternalServerException with status 500 and is logged."""
    with served(answering("CancelJobRun", lambda call: {"nonsense": 1})) as url, pytest.raises(ClientError) as caught:
        client("emr-serverless", url).cancel_job_run(**RUN)
    assert caught.value.response["Error"]["Code"] == "InternalServerException"
    assert "AnswerError" in caught.value.response["Error"]["Message"]
    assert "stand-in failed" in caplog.text


def test_operations_that_nobody_plays_say_so() -> None:
    """An operation of the model without a handler is a clear 501, an unknown path an UnknownOperationException."""
    with served(application("emr-serverless", {})) as url, pytest.raises(ClientError, match="not supported locally"):
        client("emr-serverless", url).list_applications()
    answer = Client(application("emr-serverless", {})).get("/nowhere")
    assert answer.headers["x-amzn-errortype"] == "UnknownOperationException"


def test_a_body_that_is_no_json_is_refused() -> None:
    """Broken bodies and broken query strings are the caller's errors."""
    app = application("emr-serverless", {"ListJobRuns": lambda call: {"jobRuns": []}})
    broken = Client(app).post("/applications", data=b"{")
    assert (broken.status_code, broken.headers["x-amzn-errortype"]) == (400, "SerializationException")
    number = Client(app).get("/applications/00a/jobruns?maxResults=many")
    assert number.headers["x-amzn-errortype"] == "ValidationException"


def test_who_signed_is_known_by_the_access_key() -> None:
    """Local roles are recognised by their access key id, everything else is a user."""
    from werkzeug.test import EnvironBuilder

    def signed(key: str) -> str:
        authorization = f"AWS4-HMAC-SHA256 Credential={key}/20261120/us-east-1/emr-serverless/aws4_request, Signature=0"
        return caller(EnvironBuilder(headers={"Authorization": authorization}).get_request())

    assert signed("AKIALOCALJobRole") == "arn:aws:sts::123456789012:assumed-role/JobRole/local"
    assert signed("AKIASOMEBODY") == "arn:aws:iam::123456789012:user/AKIASOMEBODY"


def test_boto3_itself_stays_unmodified() -> None:
    """The client's own validation still runs before the stand-in's."""
    with served(application("emr-serverless", {})) as url, pytest.raises(ParamValidationError):
        client("emr-serverless", url).get_job_run(applicationId="00a")
