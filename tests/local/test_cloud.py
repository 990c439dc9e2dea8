"""The laptop cloud from its start to its stop, with the small template."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from local.cloud import Cloud
from spark_jobs.archive import job_files
from tests.conftest import ROOT
from tests.local.conftest import SMALL
from tests.service.lost import Shop
from tidemark.core.job_code import code_hash
from tidemark.service.job_code import code_versions, current_code


def test_one_cloud_runs_in_a_process(cloud: Cloud) -> None:
    """moto's state belongs to the process: a second cloud is refused, and the first one goes on."""
    with pytest.raises(RuntimeError, match="a laptop cloud is already running in this process"):
        Cloud(SMALL, apps={}, schedules=False).start()
    assert cloud.client("s3").list_buckets()["Buckets"]


def test_a_service_has_one_client_for_each_caller(cloud: Cloud) -> None:
    """All threads share it; a function's client signs with the function's own key."""
    assert cloud.client("s3") is cloud.client("s3")
    assert cloud.client("s3", "Collect") is cloud.client("s3", "Collect")
    assert cloud.client("s3", "Collect")._request_signer._credentials.access_key == "AKIALOCALCollect"
    assert cloud.client("s3").meta.endpoint_url == cloud.url


def test_calls_are_counted_by_who_made_them(cloud: Cloud) -> None:
    """Service, operation and access key."""
    before = {call: number for call, number in cloud.calls.items() if call.operation == "ListQueues"}
    cloud.client("sqs").list_queues()
    after = {call: number for call, number in cloud.calls.items() if call.operation == "ListQueues"}
    assert sum(after.values()) == sum(before.values()) + 1
    assert {(call.service, call.access_key) for call in after} == {("sqs", "AKIALOCAL")}


def test_a_function_without_a_schedule_needs_a_payload(cloud: Cloud) -> None:
    """There is nothing that it would be handed by itself."""
    [spec] = [one for one in cloud.deployment.functions if one.logical_id == "Follow"]
    with pytest.raises(KeyError, match="Follow has no schedule: give a payload"):
        cloud.fire(spec.name)


def test_a_stopped_cloud_has_forgotten_everything_and_makes_room(tmp_path: Path, cloud: Any) -> None:
    """A start that fails leaves no cloud behind, either."""
    cloud.stop()
    with pytest.raises(EndpointConnectionError):
        Cloud.client(cloud, "s3").list_buckets()
    with pytest.raises(FileNotFoundError):
        Cloud(tmp_path / "none.yaml", apps={}, schedules=False).start()
    with Cloud(SMALL, state_dir=tmp_path, apps={}, schedules=False) as again:
        assert again.client("s3").list_buckets()["Buckets"]


def test_the_code_of_the_checkout_is_uploaded_as_a_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs read it from there, as on AWS: an edit in the checkout counts only after `tidemark jobs upload`."""
    shop, cloud = Shop(), Cloud(ROOT / "template.yaml")
    resources = {"ControlBucket": SimpleNamespace(ref="control")}
    monkeypatch.setattr(cloud, "deployment", SimpleNamespace(resources=resources), raising=False)
    monkeypatch.setattr(cloud, "client", shop.world.client)
    cloud._upload_job_code()
    files = job_files(ROOT)
    code = code_hash(files)
    assert current_code(shop.world) == code
    assert [version.code for version in code_versions(shop.world)] == [code]
    assert {name: shop.world.store.get("control", f"jobs/{code}/{name}") for name in files} == files
