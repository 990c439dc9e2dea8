"""Predictions over HTTP: every answer is one that docs/openapi.yaml describes."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import predict
import pytest
import yaml
from openapi_schema_validator import OAS30Validator
from openapi_spec_validator import validate

from local.lambda_runtime.worker import ANSWER_BYTES_MAX
from tests.functions.conftest import LAKE, Now, small_model
from tests.functions.test_handlers import Context, sample
from tidemark.adapters.world import World
from tidemark.segmentation.model import BANDS, KEY_CHARACTERS_MAX
from tidemark.segmentation.predict import BODY_BYTES_MAX, CUSTOMERS_MAX, PROBLEMS_MAX

OPENAPI = yaml.safe_load((Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml").read_text(encoding="utf-8"))
ANN = {
    "household_id": "1001", "age": "65+", "income": "50-74K", "home_ownership": "Homeowner", "marital_status": None,
    "household_size": "1", "household_comp": "1 Adult No Kids", "kids_count": "0",
}  # fmt: skip
BEN = {**ANN, "household_id": "1002", "age": "19-24", "recency": 3, "frequency": 2, "monetary": 19.9}


@pytest.fixture
def answered(lake_world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """A request as API Gateway hands it over → the function's answer."""
    monkeypatch.setattr(predict, "world", lambda: lake_world)

    def given(method: str, path: str, body: Any = None, **changes: Any) -> dict[str, Any]:
        event = sample("predict", "usual")
        event["requestContext"]["http"] |= {"method": method, "path": path}
        event |= {"rawPath": path, "routeKey": f"{method} {path}"}
        event |= {"body": body if isinstance(body, str) else json.dumps(body)} if body is not None else {}
        return dict(predict.handler({**event, **changes}, Context()))

    return given


@pytest.fixture
def call(answered: Callable[..., dict[str, Any]]) -> Callable[..., tuple[int, Any]]:
    """A request → (status, body); the answer must be a documented one."""
    return lambda method, path, *body, **changes: documented(method, path, answered(method, path, *body, **changes))


def documented(method: str, path: str, response: dict[str, Any]) -> tuple[int, Any]:
    """Status and body of an answer, which docs/openapi.yaml must know, status, type and schema."""
    status, body = response["statusCode"], json.loads(response["body"])
    operation = OPENAPI["paths"].get(path, {}).get(method.lower())
    if operation:
        found = operation["responses"][str(status)]
        if "$ref" in found:
            found = OPENAPI["components"]["responses"][found["$ref"].rsplit("/", 1)[1]]
        schema = found["content"][response["headers"]["Content-Type"]]["schema"]
        OAS30Validator({**schema, "components": OPENAPI["components"]}).validate(body)
    return status, body


def test_the_description_is_valid_openapi() -> None:
    """By the specification's own schema."""
    validate(OPENAPI)


def test_the_description_knows_every_band() -> None:
    """Whoever builds a form from it offers what the model takes."""
    properties = OPENAPI["components"]["schemas"]["Customer"]["properties"]
    assert {field: properties[field]["enum"] for field in BANDS} == {
        field: [*bands, "", None] for field, bands in BANDS.items()
    }


def test_the_description_knows_the_limits() -> None:
    """A thousand customers, a mebibyte, a hundred problems."""
    text = OPENAPI["paths"]["/predict"]["post"]["description"]
    assert OPENAPI["components"]["schemas"]["Customers"]["properties"]["customers"]["maxItems"] == CUSTOMERS_MAX
    assert OPENAPI["components"]["schemas"]["Error"]["properties"]["problems"]["maxItems"] == PROBLEMS_MAX
    assert OPENAPI["components"]["schemas"]["Customer"]["properties"]["household_id"]["maxLength"] == KEY_CHARACTERS_MAX
    assert re.findall(r"[\d,]+", text) == [f"{CUSTOMERS_MAX:,}", str(BODY_BYTES_MAX >> 20)]


def test_customers_are_answered_in_their_order(call: Any, publish_model: Any) -> None:
    """With the model that did it, each customer's own id, and the distance."""
    publish_model()
    status, answer = call("POST", "/predict", {"customers": [ANN, BEN, {**BEN, "household_id": None}]})
    assert status == 200
    assert [(one.get("household_id"), one["segment"]) for one in answer["predictions"]] == [
        ("1001", 1),
        ("1002", 2),
        (None, 2),
    ]
    assert answer["predictions"][0]["distance"] == pytest.approx(((70 - 60) ** 2 / 15**2 + 3) ** 0.5)
    assert (answer["model"]["batch_id"][:17], answer["model"]["silhouette"]) == ("segment_customers", 0.7)


def test_one_customer_needs_no_list(call: Any, publish_model: Any) -> None:
    """The answer still is one."""
    publish_model()
    status, answer = call("POST", "/predict", ANN)
    assert (status, len(answer["predictions"])) == (200, 1)


def test_a_body_may_come_in_base64(call: Any, publish_model: Any) -> None:
    """As API Gateway sends what it takes for binary."""
    publish_model()
    body = base64.b64encode(json.dumps(ANN).encode()).decode()
    assert call("POST", "/predict", body, isBase64Encoded=True)[0] == 200


def test_the_model_tells_of_itself(call: Any, publish_model: Any) -> None:
    """Which batch and attempt, and what its segments are."""
    publish_model(attempt=3)
    status, answer = call("GET", "/model")
    assert (status, answer["attempt"], answer["as_of"], answer["k"]) == (200, 3, "2026-11-22", 2)
    assert [(one["share"], one["description"]) for one in answer["segments"]] == [
        (0.75, "They are old."),
        (0.25, "They are young."),
    ]


def test_every_problem_of_every_customer_is_named(call: Any, publish_model: Any) -> None:
    """And nobody is predicted."""
    publish_model()
    status, answer = call("POST", "/predict", {"customers": [ANN, {**ANN, "age": "70-79", "shoe_size": 42}, 7]})
    assert status == 422
    assert [(one["customer"], one["field"]) for one in answer["problems"]] == [(1, "age"), (1, "shoe_size"), (2, "")]


@pytest.mark.parametrize(
    ("customers", "listed", "words"), [(50, 100, "100"), (51, 100, "102 (the first 100 are listed, 2 more are not)")]
)
def test_an_answer_lists_a_hundred_problems(
    call: Any, publish_model: Any, customers: int, listed: int, words: str
) -> None:
    """And says how many more there are; each customer here has two."""
    publish_model()
    status, answer = call("POST", "/predict", {"customers": [{**ANN, "age": "old", "shoe_size": 42}] * customers})
    assert (status, len(answer["problems"])) == (422, listed)
    assert answer["error"] == f"nothing was predicted, problems found: {words}"


def test_an_answer_is_short_however_long_the_names_are(call: Any, publish_model: Any) -> None:
    """A strange field of a hundred thousand characters comes back as sixty."""
    publish_model()
    _, answer = call("POST", "/predict", {**ANN, "x" * 100_000: 1})
    assert [one["field"] for one in answer["problems"]] == ["x" * 57 + "..."]


@pytest.mark.parametrize("body", ["/w==", "e30", "!"])
def test_base64_that_holds_no_text_is_refused(call: Any, publish_model: Any, body: str) -> None:
    """Bytes that are no UTF-8, a cut-off group, no base64 at all."""
    publish_model()
    assert call("POST", "/predict", body, isBase64Encoded=True)[0] == 400


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ('{"customers": [', 400, "expected JSON, found: Expecting value"),
        ("", 400, "expected JSON, found: Expecting value"),
        ("[" * 100_000, 400, "expected JSON, found: more than 8 levels of nesting"),
        ('{"customers": [' + '{"age": ' * 9 + "1" + "}" * 9 + "]}", 400, "expected JSON, found: more than 8 levels"),
        ('{"age": "65+", "age": "19-24"}', 400, 'expected JSON, found: the key "age" twice in one object'),
        ('{"monetary": NaN}', 400, "expected JSON, found: NaN"),
        ('{"monetary": -Infinity}', 400, "expected JSON, found: -Infinity"),
        ('{"monetary": 1e999}', 400, "expected JSON, found: a number too large: 1e999"),
        ('{"recency": 1' + "0" * 5_000 + "}", 400, "expected JSON, found: a number of 5001 digits"),
        ({"customers": []}, 422, "expected a list of at least one customer"),
        ({"customers": [ANN], "k": 3}, 422, "expected a list of at least one customer under the only key `customers`"),
        ({"customers": [ANN] * 1_001}, 413, "expected at most 1000 customers, found 1001"),
        ({**ANN, "household_id": "é" * (1 << 19)}, 413, "expected at most 1048576 bytes, found"),
        ([ANN], 422, "nothing was predicted, problems found: 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_refused_with_a_reason(
    call: Any, publish_model: Any, body: Any, status: int, error: str
) -> None:
    """Cut off, empty, too deep, ambiguous, endless, without customers, with too many, too large, of the wrong form."""
    publish_model()
    body = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    found, answer = call("POST", "/predict", body)
    assert found == status
    assert answer["error"].startswith(error)


@pytest.mark.parametrize("kind", ["text/csv", "application/jsonl", ""])
def test_what_is_not_said_to_be_json_is_not_read(call: Any, publish_model: Any, kind: str) -> None:
    """415, with what was found."""
    publish_model()
    status, answer = call("POST", "/predict", ANN, headers={"content-type": kind})
    assert (status, answer["error"]) == (415, f"expected content-type application/json, found {kind or 'none'}")


def test_a_charset_does_not_matter(call: Any, publish_model: Any) -> None:
    """JSON is UTF-8."""
    publish_model()
    assert call("POST", "/predict", ANN, headers={"content-type": "Application/JSON; charset=utf-8"})[0] == 200


def test_another_path_is_not_found(call: Any) -> None:
    """With what there is."""
    assert call("GET", "/predict2") == (404, {"error": "expected POST /predict or GET /model, found GET /predict2"})


def test_without_a_model_callers_are_told_to_come_back(lake_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 with Retry-After, until the first publication."""
    monkeypatch.setattr(predict, "world", lambda: lake_world)
    response = predict.handler(sample("predict", "model"), Context())
    assert documented("GET", "/model", response)[0] == 503
    assert response["headers"]["Retry-After"] == "60"


def test_a_publication_swaps_the_model_within_a_minute(call: Any, publish_model: Any, clock: Now) -> None:
    """The old one answers until the function looks again; no deployment."""
    publish_model()
    assert call("GET", "/model")[1]["as_of"] == "2026-11-22"
    publish_model(small_model("2026-11-29").dumps(), attempt=2)
    clock.turn(59)
    assert call("GET", "/model")[1]["as_of"] == "2026-11-22"
    clock.turn(1)
    assert call("GET", "/model")[1]["as_of"] == "2026-11-29"


def test_a_model_that_stays_is_read_once(call: Any, publish_model: Any, lake_world: World, clock: Now) -> None:
    """Afterwards only the pointer is looked at: the model may even be gone."""
    publish_model()
    call("GET", "/model")
    boto3.client("s3").delete_object(Bucket=LAKE, Key="batches/segment_customers/b/0001/artifacts/model.json")
    clock.turn(3600)
    assert call("GET", "/model")[0] == 200


def test_a_night_without_a_model_leaves_the_older_one(call: Any, publish_model: Any, clock: Now) -> None:
    """Too few customers make no model, and predictions go on."""
    publish_model()
    call("GET", "/model")
    publish_model(attempt=2, artifacts={})
    clock.turn(60)
    assert call("GET", "/model")[1]["attempt"] == 1


def test_a_model_of_a_newer_format_is_not_guessed_at(call: Any, publish_model: Any) -> None:
    """503 that names the document: the function is older than the job."""
    publish_model(json.dumps({"format": 2, "bands": {}}))
    status, answer = call("GET", "/model")
    assert status == 503
    assert "artifacts/model.json: expected a model that this version reads" in answer["error"]


def test_a_fault_of_ours_is_not_blamed_on_the_caller(call: Any, publish_model: Any, monkeypatch: Any) -> None:
    """It is raised, for API Gateway to answer 500 and for the alarm to count."""
    publish_model(replace(small_model(), silhouettes={}).dumps())
    with pytest.raises(KeyError):
        call("GET", "/model")


@pytest.mark.parametrize("character", ["x", "é", "😀", '"', "\\", "\x7f", "\x00"])
def test_the_largest_answer_is_one_that_lambda_passes_on(answered: Any, publish_model: Any, character: str) -> None:
    """As many and as long ids as a request may have come back, escaped for JSON twice: in the body, and by Lambda."""
    publish_model()
    frame = json.dumps({**ANN, "household_id": "?"})
    room = BODY_BYTES_MAX // CUSTOMERS_MAX - len(frame) - 2
    written = json.dumps(character, ensure_ascii=False)[1:-1]
    customer = frame.replace("?", written * min(KEY_CHARACTERS_MAX, room // len(written.encode())))
    response = answered("POST", "/predict", '{"customers": [' + ", ".join([customer] * CUSTOMERS_MAX) + "]}")
    assert (response["statusCode"], len(json.loads(response["body"])["predictions"])) == (200, CUSTOMERS_MAX)
    assert len(json.dumps(response)) < ANSWER_BYTES_MAX


@pytest.mark.parametrize("character", ["é", "\x7f"])
def test_a_text_is_no_id(answered: Any, publish_model: Any, character: str) -> None:
    """A mebibyte in one id would come back as up to seven, which Lambda does not pass on: it is refused."""
    publish_model()
    frame = json.dumps({**ANN, "household_id": "?"})
    count = (BODY_BYTES_MAX - len(frame)) // len(character.encode())
    response = answered("POST", "/predict", frame.replace("?", character * count))
    assert response["statusCode"] == 422
    assert json.loads(response["body"])["problems"] == [
        {"customer": 0, "field": "household_id", "problem": f"expected at most 256 characters, found {count}"}
    ]


def test_the_largest_refusal_is_one_that_lambda_passes_on(answered: Any, publish_model: Any) -> None:
    """A thousand customers with nothing but long fields that the model does not know; a hundred problems are listed."""
    publish_model()
    field = "€" * ((BODY_BYTES_MAX // CUSTOMERS_MAX - 12) // 3)
    body = json.dumps({"customers": [{field: 1}] * CUSTOMERS_MAX}, ensure_ascii=False)
    response = answered("POST", "/predict", body)
    assert response["statusCode"] == 422
    assert len(json.dumps(response)) < ANSWER_BYTES_MAX


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 413)])
def test_the_last_byte_of_a_body_decides(call: Any, publish_model: Any, more: int, status: int) -> None:
    """A mebibyte is taken, as the description says; one byte more is refused by the function, not by a crash."""
    publish_model()
    body = json.dumps(ANN)
    assert call("POST", "/predict", body + " " * (BODY_BYTES_MAX - len(body) + more))[0] == status
