"""A record that fails holds up its own shard, for a while, and no other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.simulation.stage import Stage
from tests.simulation.stream import AGE_SECONDS, BATCH_SIZE, RETRIES, Ended, Reader, shard_of

BAD, SAME, OTHER = "BATCH#0", "BATCH#2", "BATCH#1"


class Function:
    """Notes which records it gets, and fails over some: by an error, or by naming them."""

    def __init__(self, *bad: str, names_them: bool = False) -> None:
        self.bad, self.names_them = bad, names_them
        self.got: list[list[str]] = []

    def __call__(self, event: dict[str, Any], ended: Ended) -> None:
        records = {record["dynamodb"]["SequenceNumber"]: record["dynamodb"]["NewImage"] for record in event["Records"]}
        self.got.append([image["pk"] for image in records.values()])
        failed = [number for number, image in records.items() if image["pk"] in self.bad]
        if failed and not self.names_them:
            ended(RuntimeError(), None)
        else:
            ended(None, {"batchItemFailures": [{"itemIdentifier": number} for number in failed]})


def read(function: Function, *written: str) -> tuple[Stage, Reader]:
    """A reader of these writes, each at the same moment."""
    stage = Stage()
    reader = Reader(stage, lambda least, _: least, function)
    for pk in written:
        reader.put(pk, {"pk": pk})
    return stage, reader


def to_the_end(stage: Stage) -> None:
    while stage.waiting:
        stage.step()


def test_a_record_that_fails_holds_up_its_own_shard_only() -> None:
    """The other shard's is through at once; the one after it has to wait until it is given up."""
    assert shard_of(BAD) == shard_of(SAME) != shard_of(OTHER)
    function = Function(BAD)
    stage, reader = read(function, BAD, SAME, OTHER)
    to_the_end(stage)
    assert function.got == [[BAD, SAME], [OTHER], *[[BAD]] * (RETRIES + 1), [SAME]]
    assert [record.image["pk"] for record in reader.given_up] == [BAD]


def test_what_comes_before_a_record_that_is_named_is_through() -> None:
    """It is not handed over again."""
    function = Function(BAD, names_them=True)
    stage, _ = read(function, SAME, BAD)
    to_the_end(stage)
    assert function.got == [[SAME, BAD], *[[BAD]] * (RETRIES + 1)]


def test_a_record_that_is_too_old_is_given_up() -> None:
    """It was stuck behind an invocation that took its time."""
    waiting: list[Ended] = []
    function = Function()
    stage, reader = read(lambda event, ended: waiting.append(ended), BAD)  # type: ignore[arg-type]
    stage.step()
    reader.put(SAME, {"pk": SAME})
    stage.after(AGE_SECONDS + 1, "time passes", lambda: waiting[0](None, {"batchItemFailures": []}))
    reader.invoke = function
    to_the_end(stage)
    assert function.got == []
    assert [record.image["pk"] for record in reader.given_up] == [SAME]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("BatchSize", BATCH_SIZE),
        ("MaximumRetryAttempts", RETRIES),
        ("MaximumRecordAgeInSeconds", AGE_SECONDS),
        ("BisectBatchOnFunctionError", "true"),
    ],
)
def test_the_stream_is_read_as_the_template_says(root: Path, setting: str, value: object) -> None:
    """By both functions that hear of the ledger's writes."""
    text = (root / "template.yaml").read_text(encoding="utf-8")
    sources = re.findall(r"Type: DynamoDB\n +Properties:\n(?: {12}.*\n)+", text)
    assert len(sources) == 2
    assert all(re.search(rf"\b{setting}: {value}\b", source) for source in sources)
