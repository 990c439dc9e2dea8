"""Predictions as a person asks for them: the command signs, the laptop cloud lets it in, the function answers."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import HTTPError

import pytest

from cli.main import main
from local.cloud import Cloud
from tests.e2e.conftest import access_key
from tests.functions.conftest import CURRENT, small_model

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ANN = {
    "household_id": "1001", "age": "65+", "income": "50-74K", "home_ownership": "Homeowner", "marital_status": None,
    "household_size": "1", "household_comp": "1 Adult No Kids", "kids_count": "0",
}  # fmt: skip


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The product's template, without Spark and without a warehouse."""
    with Cloud(state_dir=tmp_path_factory.mktemp("state"), apps={}, schedules=False) as cloud:
        yield cloud


@pytest.fixture
def tidemark(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """The command against the cloud, as a user who may only look: status, output and errors."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", access_key(["predict"]))
    for name in ("POWERTOOLS_LOG_LEVEL", "POWERTOOLS_METRICS_DISABLED"):  # set by the command; put back afterwards
        monkeypatch.setenv(name, "")

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(list(words))
        said = capsys.readouterr()
        return status, " ".join(said.out.split()), said.err

    return run


def publish(cloud: Cloud) -> None:
    """A model, as a nightly attempt and publish leave it."""
    s3, lake = cloud.client("s3"), cloud.settings["LAKE_BUCKET"]
    key = "batches/segment_customers/b/0001/artifacts/model.json"
    pointer = {"batch_id": "b", "attempt": 1, "period": "2026-11-16", "artifacts": {"model.json": f"s3://{lake}/{key}"}}
    s3.put_object(Bucket=lake, Key=key, Body=small_model().dumps().encode())
    s3.put_object(Bucket=lake, Key=CURRENT, Body=json.dumps(pointer).encode())


def test_customers_of_a_file_get_their_segments(
    cloud: Cloud, tidemark: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    """Before a model is published the command says so; after it, table and JSON; a wrong band is named."""
    file = tmp_path / "customers.json"
    file.write_text(json.dumps([ANN, {**ANN, "household_id": "1002", "age": "19-24"}]))
    status, _, error = tidemark("predict", str(file))
    assert (status, "answered 503: no model has been published yet" in error) == (2, True)
    publish(cloud)
    status, out, _ = tidemark("predict", str(file))
    assert status == 0
    assert "1001 1 Frequent big spenders" in out
    assert "1002 2 Regular small spenders" in out
    assert [one["segment"] for one in json.loads(tidemark("predict", str(file), "--json")[1])["predictions"]] == [1, 2]
    assert "They are old." in tidemark("model")[1]
    assert json.loads(tidemark("model", "--json")[1])["batch_id"] == "b"
    file.write_text(json.dumps({**ANN, "age": "old"}))
    assert "422: nothing was predicted, problems found: 1; customer 0: age: expected one of 19-24" in tidemark(
        "predict", str(file)
    )[2].replace("\n", " ")
    file.write_text("{")
    assert "expected JSON" in tidemark("predict", str(file))[2]
    assert "cannot be read" in tidemark("predict", str(tmp_path / "none.json"))[2]


def test_a_request_that_is_not_signed_is_turned_away(cloud: Cloud) -> None:
    """As API Gateway does it, and as S3 does."""
    with pytest.raises(HTTPError, match="403") as refused:
        urllib.request.urlopen(f"{cloud.url}/model")
    assert json.loads(refused.value.read()) == {"message": "Forbidden"}
    refused.value.close()
    with pytest.raises(HTTPError, match="403") as denied:
        urllib.request.urlopen(f"{cloud.url}/no-such-bucket/key")
    assert b"AccessDenied" in denied.value.read()
    denied.value.close()
