"""Lambda's own API: unmodified boto3 lists, describes and invokes the functions of the small pipeline."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.cloud import Cloud
from local.endpoint.shapes import broken_constraints
from local.lambda_runtime.api import ASYNC_BYTES, PAGE, SYNC_BYTES, LambdaApi, code_of, parse_event
from local.lambda_runtime.functions import Response
from local.stack.deployment import Deployment
from tests.local.conftest import SMALL
from tests.local.lambda_runtime.conftest import WORK
from tests.local.stand_ins import client, eventually, served

NAME = "tidemark-Work"
ARN = f"arn:aws:lambda:us-east-1:123456789012:function:{NAME}"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The small pipeline, on which a minute between retries is half a second."""
    state = tmp_path_factory.mktemp("state")
    with Cloud(SMALL, state_dir=state, apps={}, schedules=False, speed=120) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def aws(cloud: Cloud) -> Any:
    """A client that does not repeat what is refused."""
    return client("lambda", cloud.url)


def refusal(call: Any, **parameters: Any) -> tuple[int, str, str]:
    """Status, code and message of a call that must fail."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response
    return error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Code"], error["Error"]["Message"]


def fits(aws: Any, operation: str, answer: dict[str, Any]) -> bool:
    """Whether botocore's model of the operation has nothing against the answer."""
    shape = aws.meta.service_model.operation_model(operation).output_shape
    told = {name: value for name, value in answer.items() if name not in ("ResponseMetadata", "Payload")}
    return list(broken_constraints(shape, told, "")) == []


# ---- what there is


def test_every_function_of_the_template_is_listed(aws: Any) -> None:
    """By name, with what the template says of it; its state is GetFunction's to tell."""
    answer = aws.list_functions()
    listed = {function["FunctionName"]: function for function in answer["Functions"]}
    assert list(listed) == ["tidemark-Collect", "tidemark-Follow", NAME]
    work = listed[NAME]
    assert (work["FunctionArn"], work["Version"], work["Handler"]) == (ARN, "$LATEST", "work.handler")
    assert (work["Runtime"], work["Timeout"], work["MemorySize"]) == ("python3.11", 5, 256)
    assert work["Environment"]["Variables"] == {"TABLE": "tidemark-Table", "BUCKET": "tidemark-rawbucket"}
    assert work["LoggingConfig"] == {"LogFormat": "JSON", "LogGroup": "tidemark-Logs"}
    assert "State" not in work
    assert fits(aws, "ListFunctions", answer)


def test_a_list_comes_in_pages(aws: Any) -> None:
    """A marker leads to the next page, and each version has its qualified ARN."""
    pages = list(aws.get_paginator("list_functions").paginate(FunctionVersion="ALL", PaginationConfig={"PageSize": 2}))
    arns = [[function["FunctionArn"] for function in page["Functions"]] for page in pages]
    assert [len(page) for page in arns] == [2, 1]
    assert arns[1] == [f"{ARN}:$LATEST"]
    status, code, _ = refusal(aws.list_functions, Marker="nowhere")
    assert (status, code) == (400, "InvalidParameterValueException")


def test_a_page_has_at_most_fifty_functions() -> None:
    """Whatever the caller asks for."""
    many = Deployment("s", {}, tuple(replace(WORK, name=f"f{number:02d}") for number in range(PAGE + 1)))
    with served(LambdaApi(many, lambda *_: Response("id", None), lambda *_: None)) as url:
        answer = client("lambda", url).list_functions(MaxItems=10_000)
    assert (len(answer["Functions"]), answer["NextMarker"]) == (PAGE, "f49")


@pytest.mark.parametrize("name", [NAME, ARN, f"123456789012:function:{NAME}", f"function:{NAME}"])
def test_a_function_is_described_by_any_of_its_names(aws: Any, name: str) -> None:
    """Active, updated, with its code's address and digest; waiters are content."""
    answer = aws.get_function(FunctionName=name)
    described = answer["Configuration"]
    assert (described["FunctionArn"], described["State"], described["LastUpdateStatus"]) == (
        ARN,
        "Active",
        "Successful",
    )
    assert described["CodeSha256"] == code_of(SMALL.parent / "functions").sha256
    assert answer["Code"]["Location"].startswith("file://")
    assert fits(aws, "GetFunction", answer)
    told = {key: value for key, value in aws.get_function_configuration(FunctionName=name).items() if key in described}
    assert told == described
    aws.get_waiter("function_active_v2").wait(FunctionName=name)


def test_latest_is_the_only_version(aws: Any) -> None:
    """As a qualifier or in the name; its ARN is the qualified one."""
    for given in ({"FunctionName": NAME, "Qualifier": "$LATEST"}, {"FunctionName": f"{ARN}:$LATEST"}):
        assert aws.get_function_configuration(**given)["FunctionArn"] == f"{ARN}:$LATEST"


def test_the_digest_is_of_names_and_contents(tmp_path: Path) -> None:
    """Another content and another name are another code; bytecode does not count."""
    seen = []
    for name, content in (("a.py", "1"), ("a.py", "2"), ("b.py", "1")):
        folder = tmp_path / str(len(seen))
        folder.mkdir()
        (folder / name).write_text(content)
        (folder / "a.pyc").write_text(name + content)
        seen.append(code_of(folder))
    assert len({code.sha256 for code in seen}) == 3
    assert {code.size for code in seen} == {1}


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"FunctionName": "Work"}, "arn:aws:lambda:us-east-1:123456789012:function:Work"),  # a logical id is no name
        ({"FunctionName": NAME, "Qualifier": "prod"}, f"{ARN}:prod"),
        ({"FunctionName": f"{NAME}:7"}, f"{ARN}:7"),
        ({"FunctionName": ARN.replace("us-east-1", "eu-west-1")}, ARN.replace("us-east-1", "eu-west-1")),
        ({"FunctionName": ARN.replace("123456789012", "210987654321")}, ARN.replace("123456789012", "210987654321")),
    ],
)
def test_a_function_that_does_not_exist_is_named(aws: Any, given: dict[str, str], missing: str) -> None:
    """By its ARN, with a version that does not exist, for each operation."""
    expected = (404, "ResourceNotFoundException", f"Function not found: {missing}")
    assert refusal(aws.get_function, **given) == expected
    assert refusal(aws.get_function_configuration, **given) == expected
    assert refusal(aws.invoke, **given) == expected


def test_two_qualifiers_must_be_the_same(aws: Any) -> None:
    """A name that ends in another version than the parameter says is refused."""
    _, code, message = refusal(aws.invoke, FunctionName=f"{NAME}:$LATEST", Qualifier="prod")
    assert code == "InvalidParameterValueException"
    assert message == "The derived qualifier from the function name does not match the specified qualifier."


# ---- invocations that wait


def test_an_invocation_answers_with_what_the_handler_returned(aws: Any) -> None:
    """Status 200, the version, the payload; no error, and no log unless asked for."""
    answer = aws.invoke(FunctionName=NAME, Payload=json.dumps({"x": "naïve"}))
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert json.load(answer["Payload"]) == {"x": "naïve"}
    assert answer.keys().isdisjoint({"FunctionError", "LogResult"})
    assert fits(aws, "Invoke", answer)


def test_no_payload_is_an_empty_event(aws: Any) -> None:
    """The handler gets an object, as from Lambda."""
    assert aws.invoke(FunctionName=ARN, Qualifier="$LATEST")["Payload"].read() == b"{}"


def test_the_tail_is_the_last_four_kilobytes_of_the_invocations_own_log(aws: Any) -> None:
    """A short log is there whole, from START to REPORT; of a long one, the end."""
    short = aws.invoke(FunctionName=NAME, LogType="Tail", Payload=b'{"x": 1}')
    lines = base64.b64decode(short["LogResult"]).decode().splitlines()
    assert [line.split()[0] for line in lines] == ["START", "work", "END", "REPORT"]
    long = aws.invoke(FunctionName=NAME, LogType="Tail", Payload=json.dumps({"x": "y" * 5000}))
    tail = base64.b64decode(long["LogResult"]).decode()
    assert len(tail) == 4096
    assert tail.startswith("yyyy")
    assert tail.splitlines()[-1].startswith("REPORT")


def test_a_failing_handler_is_a_successful_call(aws: Any) -> None:
    """Status 200, the header says Unhandled, and the payload has the runtime's four fields."""
    answer = aws.invoke(FunctionName=NAME, Payload=b'{"do": "fail"}')
    told = json.load(answer["Payload"])
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert set(told) == {"errorMessage", "errorType", "requestId", "stackTrace"}
    assert (told["errorType"], told["errorMessage"]) == ("ValueError", "as told")


def test_a_process_that_ends_is_reported_in_lambdas_words(aws: Any) -> None:
    """The message names the request."""
    answer = aws.invoke(FunctionName=NAME, Payload=b'{"do": "die"}', LogType="Tail")
    told = json.load(answer["Payload"])
    request_id = base64.b64decode(answer["LogResult"]).decode().split()[2]
    assert told == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {request_id} Error: Runtime exited with error: exit status 7",
    }


# ---- invocations that do not wait


def test_an_event_is_tried_again_and_ends_in_the_dead_letters(aws: Any, cloud: Cloud) -> None:
    """202 at once, without a payload; the record of the failure says how often the function was called."""
    answer = aws.invoke(FunctionName=NAME, InvocationType="Event", Payload=b'{"do": "fail", "n": 7}')
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    assert answer.keys().isdisjoint({"ExecutedVersion", "FunctionError", "LogResult"})
    sqs = cloud.client("sqs")
    url = sqs.get_queue_url(QueueName="tidemark-DeadLetters")["QueueUrl"]
    [message] = eventually(lambda: sqs.receive_message(QueueUrl=url).get("Messages"), 30)
    record = json.loads(message["Body"])
    assert record["requestPayload"] == {"do": "fail", "n": 7}
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert record["responsePayload"]["errorMessage"] == "as told"


def test_a_dry_run_runs_nothing(aws: Any, cloud: Cloud) -> None:
    """204 for a call that would be accepted; the function's log does not grow."""
    aws.invoke(FunctionName=NAME)
    log = cloud.state_dir / "logs" / "Work.log"
    before = log.stat().st_size
    answer = aws.invoke(FunctionName=NAME, InvocationType="DryRun", Payload=b'{"do": "die"}')
    assert (answer["StatusCode"], answer["Payload"].read(), log.stat().st_size) == (204, b"", before)


# ---- what is refused


@pytest.mark.parametrize(
    ("kind", "size", "message"),
    [
        (
            "RequestResponse",
            SYNC_BYTES,
            "Request must be smaller than 6291456 bytes for the InvokeFunction operation",
        ),
        (
            "Event",
            ASYNC_BYTES + 1,
            "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)",
        ),
        ("Event", SYNC_BYTES, "6291456 byte payload is too large for the Event invocation type (limit 1048576 bytes)"),
    ],
)
def test_a_payload_may_not_be_larger_than_lambda_takes(aws: Any, kind: str, size: int, message: str) -> None:
    """Each kind of invocation has its limit, in bytes, and its words."""
    payload = json.dumps("x" * (size - 2))
    refused = refusal(aws.invoke, FunctionName=NAME, InvocationType=kind, Payload=payload)
    assert refused == (413, "RequestEntityTooLargeException", message)


def test_the_largest_payloads_are_taken() -> None:
    """A byte below six mebibytes and wait, one mebibyte and do not wait."""
    sizes: list[int] = []

    def invoke(_function: object, event: str) -> Response:
        sizes.append(len(json.dumps(event)))
        return Response("id", None)

    with served(LambdaApi(Deployment("s", {}, (WORK,)), invoke, invoke)) as url:
        aws = client("lambda", url)
        aws.invoke(FunctionName=NAME, Payload=json.dumps("x" * (SYNC_BYTES - 3)))
        aws.invoke(FunctionName=NAME, InvocationType="Event", Payload=json.dumps("x" * (ASYNC_BYTES - 2)))
    assert sizes == [SYNC_BYTES - 1, ASYNC_BYTES]


@pytest.mark.parametrize("payload", [b"{cut", b"\xff", b"NaN", b'{"a": Infinity}', b"[" * 100_000])
def test_a_payload_that_is_not_json_is_refused(aws: Any, payload: bytes) -> None:
    """Text that is cut off, bytes that are no UTF-8, and numbers that JSON does not have."""
    status, code, message = refusal(aws.invoke, FunctionName=NAME, Payload=payload)
    assert (status, code) == (400, "InvalidRequestContentException")
    assert message.startswith("Could not parse request body into json: Could not parse payload into json: ")


def test_any_json_value_is_an_event() -> None:
    """Lambda takes lists, texts and null as well as objects."""
    assert [parse_event(text) for text in (b"[1]", b'"a"', b"null", b"")] == [[1], "a", None, {}]


def test_what_is_not_played_is_refused_by_name(aws: Any) -> None:
    """A parameter without effect would be a silent difference."""
    status, code, message = refusal(aws.invoke, FunctionName=NAME, ClientContext=base64.b64encode(b"{}").decode())
    assert (status, code) == (501, "NotImplementedException")
    assert "ClientContext" in message
