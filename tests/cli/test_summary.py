"""What a local run says at its end, and that nothing is wrong in silence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from cli.summary import show_summary
from cli.text import name
from local.summary import DatasetSummary, Finding, QuarantinedBatch, Summary, TableSummary
from tests.cli.batches import BATCH
from tests.cli.nasty import NASTY
from tests.cli.outcomes import checked, printed


def summary(**findings: Any) -> Summary:
    """A run of one dataset, with the given findings."""
    shop = DatasetSummary(1, (), 2, 2, 0, 0, 0, 0.0, {"sales": TableSummary(1, 2, 2, 2)})
    return Summary({"shop": shop}, landed=1, unclaimed=0, seconds=1.0, **findings)


@pytest.mark.parametrize("text", NASTY)
def test_a_summary_prints_names_and_reasons_as_text(text: str, tmp_path: Any) -> None:
    """Any name of a file and any reason is printed as text."""
    found = summary(
        skipped=(Finding(text, text),), unread=(Finding(text, text),), refused=(Finding(text, text),),
        unclaimed_files=(text,), quarantined=(QuarantinedBatch(BATCH, text, (text,)),),
        differences=(text,), beyond_tolerance=(text,),
    )  # fmt: skip
    checked(lambda console: show_summary(console, found, tmp_path / "out"), name(text), BATCH)
    assert json.loads(json.dumps(found.to_json()))["skipped"] == [{"name": text, "reason": text}]


TROUBLES: Mapping[str, Any] = {
    "skipped": (Finding("a.json", "its name is not UTF-8"),),
    "unclaimed_files": ("a.json",),
    "unread": (Finding("a.json", "gzip truncated at byte 9"),),
    "refused": (Finding("a.json", "no such version"),),
    "quarantined": (QuarantinedBatch(BATCH, "relation does not exist", ("a.json",)),),
    "differences": ("a.json: expected 2 rows, found 1",),
    "beyond_tolerance": ("shop: 1 of 2 records of a.json rejected",),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_summary_with_any_trouble_is_not_all_well(trouble: str, tmp_path: Any) -> None:
    """Any finding is named with its reason, and then the summary does not say that every row is accounted for."""
    found = summary(**{trouble: TROUBLES[trouble]})
    said = printed(lambda console: show_summary(console, found, tmp_path), 200)
    assert not found.clean
    assert "every row accounted for" not in said
    assert "a.json" in said
    assert getattr(TROUBLES[trouble][0], "reason", "") in said


def test_a_summary_without_trouble_says_so(tmp_path: Any) -> None:
    """Without findings the summary says that every row is accounted for."""
    said = printed(lambda console: show_summary(console, summary(), tmp_path), 200)
    assert (summary().clean, "every row accounted for" in said, "person" in said) == (True, True, False)


def test_a_long_list_of_troubles_is_cut_where_it_can_be_seen(tmp_path: Any) -> None:
    """Of 22 files ten are named, with the place of the other 12."""
    found = summary(unclaimed_files=tuple(f"other/{place}" for place in range(22)))
    said = printed(lambda console: show_summary(console, found, tmp_path), 200)
    assert "22 files under no dataset's prefix:" in said
    assert said.count("other/") == 10
    assert "and 12 more, see summary.json" in said
