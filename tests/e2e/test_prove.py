"""The whole proof against the laptop cloud, as `tidemark prove here` plays it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.main import main
from prove.plan import STEPS

pytestmark = [pytest.mark.e2e, pytest.mark.spark, pytest.mark.slow]


def test_every_claim_holds_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All steps are tried, those for accounts are skipped with a reason, and the same proof again would not differ."""
    status = main(["prove", "here", "--out", str(tmp_path / "proof")])
    lines = capsys.readouterr().out.splitlines()
    verdicts = {line.split()[1].rstrip(":"): line.split()[0] for line in lines[:-1]}

    assert status == 0, "\n".join(lines)
    assert [*verdicts] == [step.name for step in STEPS]
    assert {name for name, verdict in verdicts.items() if verdict == "skipped"} == {
        step.name for step in STEPS if step.account_only
    }
    recorded = {path.stem for path in (tmp_path / "proof" / "recordings").iterdir()}
    assert recorded == {step.name for step in STEPS if not step.account_only}
