"""`tidemark prove`: nothing is deployed by mistake, and a proof's exit status says whether it holds."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

import cli.prove
import prove.laptop
from cli.main import main
from prove.step import Answer, Step
from tidemark.core.errors import TidemarkError

HOLDS = Step[Any]("holds", "It holds.", "yes", lambda _: Answer("yes", {"Status": "FINISHED"}, confirms=True))
FAILS = Step[Any]("fails", "It fails.", "no", lambda _: Answer("two rows", confirms=False))


@pytest.fixture
def laptop(monkeypatch: pytest.MonkeyPatch) -> list[Step[Any]]:
    """The steps of a proof, which a test fills, on a stage without a cloud."""
    steps: list[Step[Any]] = []

    @contextmanager
    def stage(_: Path) -> Iterator[Any]:
        yield SimpleNamespace(stack="tidemark", region="us-east-1", began=datetime(2026, 11, 28, tzinfo=UTC))

    monkeypatch.setattr(prove.laptop, "laptop_stage", stage)
    monkeypatch.setattr(cli.prove, "STEPS", steps)
    return steps


def test_the_steps_are_listed_with_their_price(capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is paid for, a person reads what is tried, and what it costs at most."""
    assert main(["prove", "list"]) == 0
    printed = capsys.readouterr().out
    assert "key-encoding" in printed
    assert "at most $1." in printed.splitlines()[-1]


def test_a_proof_that_holds_ends_with_0(
    laptop: list[Step[Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Report and answers are in the folder."""
    laptop.append(HOLDS)
    assert main(["prove", "here", "--out", str(tmp_path / "proof")]) == 0
    assert capsys.readouterr().out.startswith("confirmed holds: yes (0 s)\n")
    assert "| holds | It holds. | yes | confirmed | yes | 0 |" in (tmp_path / "proof" / "report.md").read_text()
    assert json.loads((tmp_path / "proof" / "recordings" / "holds.json").read_text()) == {"Status": "FINISHED"}


def test_a_claim_that_is_refuted_ends_with_1(laptop: list[Step[Any]], tmp_path: Path) -> None:
    """However many others hold."""
    laptop += [FAILS, HOLDS]
    assert main(["prove", "here", "--out", str(tmp_path / "proof")]) == 1


def test_an_answer_that_differs_from_an_earlier_proof_ends_with_1(
    laptop: list[Step[Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An account's recordings show where the laptop cloud answers differently."""
    laptop.append(HOLDS)
    recordings = tmp_path / "account" / "recordings"
    recordings.mkdir(parents=True)
    (recordings / "holds.json").write_text('{"Status": "FAILED"}')
    assert main(["prove", "here", "--out", str(tmp_path / "proof"), "--compare", str(tmp_path / "account")]) == 1
    assert "different: holds: Status is 'FAILED' there, 'FINISHED' here" in capsys.readouterr().out


def test_recordings_that_cannot_be_read_are_refused_before_anything_runs(
    laptop: list[Step[Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says which folder; the steps are not tried."""
    laptop.append(Step("breaks", "", "", lambda _: pytest.fail("it was tried")))
    (tmp_path / "codec.json").write_text("{")
    assert main(["prove", "here", "--out", str(tmp_path / "proof"), "--compare", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("tidemark: expected the recordings of a proof in ")


@pytest.mark.parametrize(
    ("stack", "words", "complaint"),
    [
        ("prod", ["--yes"], "a proof takes its stack down, so it uses no other"),
        ("prove-a", [], "expected --yes, found none"),
    ],
)
def test_an_account_is_used_only_on_purpose(
    stack: str, words: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not with a stack that may hold data, and not without a clear yes."""
    assert main(["--stack", stack, "prove", "account", "--out", str(tmp_path / "proof"), *words]) == 2
    assert complaint in capsys.readouterr().err


def test_what_a_failed_adoption_leaves_is_taken_down_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stack is gone then, and nobody else would find its buckets."""
    bucket, stack, removed = ("AWS::S3::Bucket", "prove-a-raw"), [], []

    def adopt(*_: object, **__: object) -> None:
        raise TidemarkError("nothing is left to adopt")

    identity = SimpleNamespace(get_caller_identity=lambda: {"Account": "123456789012"})
    monkeypatch.setattr("boto3.Session", lambda: SimpleNamespace(client=lambda _: identity))
    monkeypatch.setattr("cli.adopt.adopt", adopt)
    monkeypatch.setattr("cli.deploy.deploy", lambda *_, **__: stack.append(bucket))
    monkeypatch.setattr("cli.deploy.delete", lambda *_, **__: stack.clear())
    monkeypatch.setattr("cli.connection.connect", lambda _: None)
    monkeypatch.setattr("prove.account.resources_of", lambda *_: list(stack))
    monkeypatch.setattr("prove.account.remove_retained", lambda _, found: removed.extend(found) or removed)

    def proof() -> None:
        with cli.prove._deployed(Console(file=io.StringIO()), "prove-a", False) as (stage, _):
            assert stage.deploy_again
            stage.deploy_again()

    with pytest.raises(TidemarkError, match="nothing is left to adopt"):
        proof()
    assert removed == [bucket]
