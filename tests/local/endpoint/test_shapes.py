"""Values between JSON and the models of botocore."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.model import StructureShape

from local.endpoint.protocol import (
    service_model,
    write_answer,
)
from local.endpoint.shapes import AnswerError, decode, encode, input_problems

RUN = {"applicationId": "00a", "jobRunId": "00b"}


def shape(service: str, name: str) -> StructureShape:
    found = service_model(service).shape_for(name)
    assert isinstance(found, StructureShape)
    return found


@pytest.mark.parametrize("service", ["emr-serverless", "redshift-data"])
def test_every_pattern_of_the_models_compiles(service: str) -> None:
    """Python can check every regular expression that the models demand."""
    model = service_model(service)
    patterns = [model.shape_for(name).metadata.get("pattern") for name in model.shape_names]
    assert [re.compile(pattern) for pattern in patterns if pattern]


def test_unknown_and_missing_parameters_are_refused() -> None:
    """What botocore's validator refuses before sending is refused on arrival, too."""
    cancel = shape("emr-serverless", "CancelJobRunRequest")
    assert input_problems(cancel, RUN) == []
    assert "jobRunId" in input_problems(cancel, {"applicationId": "00a"})[0]
    assert "Unknown parameter" in input_problems(cancel, RUN | {"force": True})[0]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"applicationId": "00A"}, "regular expression"),
        ({"applicationId": "0" * 65}, "less than or equal to 64"),
        ({"maxResults": 51}, "value less than or equal to 50"),
        ({"states": ["DONE"]}, "enum value set"),
        ({"mode": "NIGHTLY"}, "enum value set"),
    ],
)
def test_constraints_beyond_botocore_are_checked(parameters: dict[str, Any], words: str) -> None:
    """Pattern, length, range and enum hold although boto3 sends such requests."""
    problems = input_problems(shape("emr-serverless", "ListJobRunsRequest"), {"applicationId": "00a"} | parameters)
    assert len(problems) == 1
    assert words in problems[0]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"applicationId": "00a"}, "missing members"),
        (RUN | {"state": "CANCELLED"}, "unknown members"),
        (RUN | {"jobRunId": 17}, "expected string"),
    ],
)
def test_an_answer_that_does_not_fit_is_our_defect(answer: dict[str, Any], words: str) -> None:
    """Missing, unknown and wrongly typed members of an answer raise instead of leaving the process."""
    operation = service_model("emr-serverless").operation_model("CancelJobRun")
    assert write_answer(operation, RUN).status_code == 200
    with pytest.raises(AnswerError, match=words):
        write_answer(operation, answer)


def test_values_survive_the_way_there_and_back() -> None:
    """Timestamps become epoch seconds, bytes base64, and back; None members are left out."""
    field = shape("redshift-data", "Field")
    assert encode(field, {"blobValue": b"\x00\x01", "longValue": None}, "f") == {"blobValue": "AAE="}
    assert decode(field, {"blobValue": "AAE="}) == {"blobValue": b"\x00\x01"}
    listed = shape("redshift-data", "StatementData")
    time = datetime(2026, 11, 20, 7, 5, 0, 123000, tzinfo=UTC)
    assert decode(listed, encode(listed, {"Id": "x", "CreatedAt": time}, "s")) == {"Id": "x", "CreatedAt": time}
