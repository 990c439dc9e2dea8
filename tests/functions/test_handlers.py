"""Handlers are thin: each sample event leads to exactly one call, with what the event says and nothing else."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tidemark.core.errors import Unsealed

EVENTS = Path(__file__).resolve().parents[2] / "events"
#: Handler module → the service functions that it may call.
SERVICES = {
    "collect": ("record_pending",),
    "plan": ("plan", "finish"),
    "nightly": ("nightly", "follow", "form"),
    "submit": ("submit",),
    "publish": ("publish", "publish_run"),
    "load": ("load",),
    "settle": ("settle", "settle_batch"),
    "predict": ("predict", "describe"),
    "sweep": ("sweep",),
    "reconcile": ("reconcile_all",),
}
#: By which name a handler looks whether the ledger is whole. Collect goes on without: what lands must be remembered.
SEALED = dict.fromkeys(set(SERVICES) - {"collect", "predict"}, "sealed") | {"plan": "sealed_or_new"}
CASES = sorted((path.parent.name, path.stem) for path in EVENTS.glob("*/*.json"))


class Context:
    """What Lambda hands a function."""

    function_name = "tidemark"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:tidemark"
    aws_request_id = "52fdfc07-2182-454f-963f-5f0f9a621d72"

    def get_remaining_time_in_millis(self) -> int:
        """A minute and a half."""
        return 90_000


def sample(function: str, case: str) -> dict[str, Any]:
    """A sample event."""
    return dict(json.loads((EVENTS / function / f"{case}.json").read_text()))


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, dict[str, Any]], tuple[Any, list[tuple[Any, ...]]]]:
    """Run a handler whose service functions only note how they are called: (answer, calls)."""

    def run(function: str, event: dict[str, Any]) -> tuple[Any, list[tuple[Any, ...]]]:
        module, calls = importlib.import_module(function), []
        monkeypatch.setattr(module, "world", lambda: "world")
        monkeypatch.setattr(module, "_models", lambda world: world, raising=False)  # predict's; needs a real world
        if function in SEALED:
            monkeypatch.setattr(module, SEALED[function], lambda world: world)
        for name in SERVICES[function]:
            _note(monkeypatch, module, name, calls)
        return module.handler(event, Context()), calls

    return run


def _note(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, calls: list[tuple[Any, ...]]) -> None:
    def noted(_world: object, *arguments: Any, **options: Any) -> int:
        calls.append((name, *arguments, *options.values()))
        return 3

    monkeypatch.setattr(module, name, noted)


@pytest.mark.parametrize(("function", "case"), [one for one in CASES if one[1] != "malformed"])
def test_every_sample_event_is_handled(invoke: Any, function: str, case: str) -> None:
    """No event that AWS sends makes a handler fail, and each leads to one of its services."""
    _, calls = invoke(function, sample(function, case))
    assert calls
    assert {call[0] for call in calls} <= set(SERVICES[function])


@pytest.mark.parametrize(("function", "case"), [one for one in CASES if one[0] in SEALED])
def test_nothing_goes_on_by_a_ledger_that_is_not_whole(
    monkeypatch: pytest.MonkeyPatch, function: str, case: str
) -> None:
    """Whatever the event, the handler looks at the seal first, fails, and no service is called."""
    module, calls = importlib.import_module(function), []
    monkeypatch.setattr(module, "world", lambda: "world")
    monkeypatch.setattr(module, SEALED[function], _refuse)
    for name in SERVICES[function]:
        _note(monkeypatch, module, name, calls)
    with pytest.raises(Unsealed):
        module.handler(sample(function, case), Context())
    assert calls == []


def _refuse(_world: object) -> None:
    raise Unsealed("the ledger was set back")


def test_collect_remembers_keys_literally(invoke: Any) -> None:
    """EventBridge's keys are literal, a direct notification's are URL-encoded; both come out as they lie in S3."""
    _, [(_, bridged)] = invoke("collect", sample("collect", "usual"))
    event = sample("collect", "usual")
    keys = [json.loads(record["body"])["detail"]["object"]["key"] for record in event["Records"]]
    assert [file.key for file in bridged] == keys
    _, [(_, direct)] = invoke("collect", sample("collect", "direct_s3_notification"))
    assert direct[-1].key == "web_logs/by hand/red+flower 50% é.json"


def test_collect_answers_with_the_messages_that_are_no_notification(invoke: Any) -> None:
    """Broken messages go back alone; their neighbours' files are remembered."""
    event = sample("collect", "malformed")
    answer, [(_, files)] = invoke("collect", event)
    refused = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
    assert 0 < len(refused) < len(event["Records"])
    assert refused < {record["messageId"] for record in event["Records"]}
    assert len(files) == len(event["Records"]) - len(refused)


def test_plan_is_eager_only_when_told(invoke: Any) -> None:
    """A schedule plans by policy, a person's event takes everything, a hint finishes one batch."""
    assert invoke("plan", sample("plan", "usual")) == ({"batches": 3}, [("plan", False)])
    assert invoke("plan", sample("plan", "eager"))[1] == [("plan", True)]
    hint = sample("plan", "hint")
    assert invoke("plan", hint)[1] == [("finish", hint["detail"]["batch_id"])]


def test_nightly_looks_at_all_at_one_or_at_what_follows(invoke: Any) -> None:
    """A schedule asks for all, a person for jobs and dates, a hint for a batch, a publication for what follows."""
    assert invoke("nightly", sample("nightly", "usual")) == ({"batches": 3}, [("nightly", None, [])])
    assert invoke("nightly", sample("nightly", "chosen"))[1] == [("nightly", ["daily_sales"], [date(2026, 11, 19)])]
    hint = sample("nightly", "hint")
    assert invoke("nightly", hint)[1] == [("form", hint["detail"]["batch_id"])]
    assert invoke("nightly", sample("nightly", "published")) == (
        {"batchItemFailures": []},
        [("follow", ["daily_sales"])],
    )


def test_submit_reads_the_batch_from_the_stream(invoke: Any) -> None:
    """Each stream record is one batch, and what is no record of a batch comes back as failed."""
    event = sample("submit", "usual")
    answer, calls = invoke("submit", event)
    named = [record["dynamodb"]["NewImage"]["batch_id"]["S"] for record in event["Records"]]
    assert (answer, calls) == ({"batchItemFailures": []}, [("submit", name) for name in named])


def test_submit_is_told_whose_keys_are_shown_now(invoke: Any) -> None:
    """A batch that has been published asks for those that wait behind it."""
    event = sample("submit", "keys")
    named = event["Records"][0]["dynamodb"]["NewImage"]["batch_id"]["S"]
    assert invoke("submit", event) == ({"batchItemFailures": []}, [("submit", named)])


def test_publish_goes_by_run_or_by_batch(invoke: Any) -> None:
    """EMR names the run, a hint the batch."""
    event, hint = sample("publish", "usual"), sample("publish", "hint")
    assert invoke("publish", event)[1] == [("publish_run", event["detail"]["jobRunId"])]
    assert invoke("publish", hint)[1] == [("publish", hint["detail"]["batch_id"])]


def test_settle_goes_by_load_or_by_batch(invoke: Any) -> None:
    """A statement is named after its stack and its load."""
    event, hint = sample("settle", "usual"), sample("settle", "hint")
    assert invoke("settle", event)[1] == [("settle", event["detail"]["statementName"].removeprefix("tidemark."))]
    assert invoke("settle", hint)[1] == [("settle_batch", hint["detail"]["batch_id"])]


#: What each handler makes of its malformed event: the services that it calls, and how many records it hands back.
MALFORMED = {
    "collect": (["record_pending"], 2),  # the two records beside them are fine
    "submit": (["submit"], 1),  # so is the other one here
    "plan": (["plan"], 0),  # without a batch's id, a hint is a tick: it looks at everything
    "nightly": (["nightly"], 0),
    "load": (["load"], 0),
    "settle": (["settle"], 0),  # `load.` is no load
    "sweep": (["sweep"], 0),
    "reconcile": (["reconcile_all"], 0),
}


@pytest.mark.parametrize("function", sorted(set(SERVICES) - {"publish", "predict"}))
def test_a_malformed_event_calls_no_more_than_it_must(invoke: Any, function: str) -> None:
    """Records that cannot be read are handed back, and nothing is taken for something else."""
    answer, calls = invoke(function, sample(function, "malformed"))
    services, failed = MALFORMED[function]
    assert [name for name, *_ in calls] == services
    assert len((answer or {}).get("batchItemFailures", ())) == failed


def test_a_malformed_run_ends_in_the_dead_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Publish fails, so the event is kept, and no service is called."""
    calls: list[tuple[Any, ...]] = []
    module = importlib.import_module("publish")
    for name in SERVICES["publish"]:
        _note(monkeypatch, module, name, calls)
    monkeypatch.setattr(module, "world", lambda: "world")
    monkeypatch.setattr(module, SEALED["publish"], lambda world: world)
    with pytest.raises(KeyError, match="batch_id"):
        module.handler(sample("publish", "malformed"), Context())
    assert calls == []


def test_a_malformed_request_is_refused(invoke: Any) -> None:
    """Predict says what is wrong with the JSON, and predicts nothing."""
    answer, calls = invoke("predict", sample("predict", "malformed"))
    assert (answer["statusCode"], calls) == (400, [])
    assert "expected JSON" in answer["body"]
