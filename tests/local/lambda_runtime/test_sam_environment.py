"""The variables with which SAM runs a function against the laptop cloud."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from local.lambda_runtime.sam_environment import remove_sam_variables, sam_variables, write_sam_variables
from tests.local.lambda_runtime.conftest import WORK

URL = "http://172.17.0.1:4566"


def test_each_function_gets_its_own_variables_and_the_endpoint() -> None:
    """By logical id; the names are those of the deployment, and no credentials are among them."""
    other = replace(WORK, logical_id="Other", environment={"TABLE": "o"})
    assert sam_variables([WORK, other], URL) == {
        "Work": {"TABLE": "t", "AWS_ENDPOINT_URL": URL},
        "Other": {"TABLE": "o", "AWS_ENDPOINT_URL": URL},
    }


def test_the_file_replaces_the_one_of_an_earlier_cloud(tmp_path: Path) -> None:
    """It is there whole, with no draft beside it."""
    path = tmp_path / ".tidemark" / "sam-variables.json"
    for url in ("http://172.17.0.1:1", URL):
        write_sam_variables(path, [WORK], url)
    assert json.loads(path.read_text())["Work"]["AWS_ENDPOINT_URL"] == URL
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_cloud_that_stops_removes_its_own_file_alone(tmp_path: Path) -> None:
    """Of two clouds at once, the first to stop leaves the file of the other; a file that is gone is no error."""
    path = tmp_path / "sam-variables.json"
    write_sam_variables(path, [WORK], URL)
    remove_sam_variables(path, [WORK], "http://172.17.0.1:1")
    assert path.exists()
    for _ in range(2):
        remove_sam_variables(path, [WORK], URL)
    assert not path.exists()
