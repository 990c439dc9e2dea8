"""Which documents this release leaves to a newer one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tidemark.core.dataset_parser import parse_dataset
from tidemark.core.errors import NewerRelease
from tidemark.core.files import FileVersion
from tidemark.core.job import DataFile, JobSpec, Result, RunFailure
from tidemark.core.manifest import Manifest, NightlyManifest
from tidemark.core.periods import Period
from tidemark.core.release import check_format

FILE = FileVersion("raw", "shop/1.json", "v1", 1)
TABLES = {"sales": {"columns": {"day": "date", "amount": "bigint"}, "day": "day"}}
SHOP = parse_dataset(
    {"name": "shop", "prefix": "shop/", "record": {"day": "date", "amount": "bigint"}, "tables": TABLES}
)
SPEC = JobSpec("b", 1, SHOP, "s3://control/m", "s3://lake/b/", (DataFile("s3://lake/keys", 1, 2),), "c0de")
DOCUMENTS: dict[str, tuple[Callable[[str], object], str]] = {
    "manifest": (Manifest.loads, Manifest("b", 1, "shop", (FILE,)).dumps()),
    "nightly manifest": (
        NightlyManifest.loads, NightlyManifest("b", 1, "totals", Period.named("day", "2026-11-20"), ()).dumps(),
    ),
    "job spec": (JobSpec.loads, SPEC.dumps()),
    "result": (Result.loads, Result("b", 1, (), {}, ()).dumps()),
    "failure": (RunFailure.loads, RunFailure("no", "file", FILE).dumps("b", 1, "")),
}  # fmt: skip


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_of_a_newer_release_is_refused_and_never_misread(name: str) -> None:
    """With one line that says what to do; one without a number is of the first format."""
    loads, text = DOCUMENTS[name]
    document: dict[str, Any] = json.loads(text)
    assert document.pop("format") == 1
    assert loads(json.dumps(document)) == loads(text)
    with pytest.raises(NewerRelease, match=r"is of format 2, this release reads formats up to 1: deploy"):
        loads(json.dumps({**document, "format": 2}))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_a_newer_release_adds_in_the_same_format_is_ignored(name: str) -> None:
    """Also inside of the objects that the document lists."""
    loads, text = DOCUMENTS[name]

    def added(value: Any) -> Any:
        if isinstance(value, list):
            return [added(one) for one in value]
        known = {key: added(one) for key, one in value.items()} if isinstance(value, dict) else value
        return {**known, "tomorrow": 1} if isinstance(value, dict) and "bucket" in value else known

    assert loads(json.dumps({**added(json.loads(text)), "tomorrow": 1})) == loads(text)


@pytest.mark.parametrize("number", [2, 1.5, "1", None])
def test_a_number_that_is_none_is_refused(number: object) -> None:
    """Rather than taken for a format that this release knows."""
    with pytest.raises(NewerRelease):
        check_format({"format": number}, "document")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_that_is_no_object_is_not_a_newer_one(name: str) -> None:
    """It cannot be read by any release; a failure report then counts as an unknown failure."""
    loads, _ = DOCUMENTS[name]
    if name == "failure":
        assert loads("[]") == RunFailure("the job failed with an unreadable report: []")
    else:
        with pytest.raises(TypeError, match="is no JSON object"):
            loads("[]")
