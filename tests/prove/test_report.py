"""A proof on paper: the report, the recordings, and the comparison of two proofs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from prove.report import differences, read_recordings, report, write
from prove.step import Answer, Finding, Step, Verdict

BEGAN = datetime(2026, 11, 28, 9, 30, tzinfo=UTC)
STEPS = (Step("codec", "COPY reads it.", "FINISHED", lambda _: Answer("")),)


def test_what_a_service_says_cannot_break_the_report() -> None:
    """Bars, tags and line breaks of an error stay in their cell."""
    finding = Finding("codec", Verdict.REFUTED, "a | b\n<script>", 3.4)
    row = report("prove-a", "eu-west-1", BEGAN, STEPS, [finding]).splitlines()[-1]
    assert row == "| codec | COPY reads it. | FINISHED | refuted | a \\| b &lt;script> | 3 |"


def test_recordings_do_not_name_the_account(tmp_path: Path) -> None:
    """The account's number is replaced in report and recordings; a longer number that holds it is not."""
    arn = "arn:aws:iam::210987654321:role/x"
    finding = Finding("codec", Verdict.MEASURED, arn, recording={"role": arn, "bytes": 12109876543210})
    write(tmp_path, report("prove-a", "eu-west-1", BEGAN, STEPS, [finding]), [finding], "210987654321")
    assert "arn:aws:iam::123456789012:role/x" in (tmp_path / "report.md").read_text()
    assert read_recordings(tmp_path / "recordings") == {
        "codec": {"role": "arn:aws:iam::123456789012:role/x", "bytes": 12109876543210}
    }


def test_a_step_without_answers_leaves_no_recording(tmp_path: Path) -> None:
    """A skipped step is in the report only."""
    write(tmp_path, "", [Finding("codec", Verdict.SKIPPED, "")], "")
    assert list((tmp_path / "recordings").iterdir()) == []


def test_a_recording_that_is_cut_off_is_no_recording(tmp_path: Path) -> None:
    """The error names neither half a value nor an empty answer."""
    (tmp_path / "codec.json").write_text('{"zstd": ')
    with pytest.raises(json.JSONDecodeError, match="Expecting value"):
        read_recordings(tmp_path)


@pytest.mark.parametrize(
    ("there", "here", "different"),
    [
        ({"Status": "FAILED"}, {"Status": "FINISHED"}, ["s: Status is 'FAILED' there, 'FINISHED' here"]),
        ({"zstd": {"Status": "A"}}, {"zstd": {"Status": "B"}}, ["s: zstd.Status is 'A' there, 'B' here"]),
        ({"Error": "x"}, {}, ["s: Error is only there"]),
        ({}, {"Error": "x"}, ["s: Error is only here"]),
        ({"n": 1}, {"n": "1"}, ["s: n is int there, str here"]),
        ({"rows": [{"a": 1}]}, {"rows": [{"a": None}, {"a": 1}]}, ["s: rows[].a is int there, null here"]),
        ({"seconds": 61.5, "id": "a"}, {"seconds": 1.5, "id": "b"}, []),
        ({"rows": []}, {"rows": [1]}, []),
    ],
)
def test_two_proofs_are_compared_by_shape_and_by_facts(there: Any, here: Any, different: list[str]) -> None:
    """Durations and ids differ from proof to proof; fields, types and states are what a service promises."""
    assert list(differences({"s": there, "only there": 1}, {"s": here})) == different
