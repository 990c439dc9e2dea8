"""The steps of a proof and the documentation agree."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from cli.prove import DEPLOYMENT_DOLLARS
from prove.plan import STEPS
from prove.step import most_dollars

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "architecture.md").read_text(encoding="utf-8")
UNTRIED = PAGE.split("### What could not be tried without an AWS account")[1].split("\n## ")[0]


def test_each_step_has_a_name_of_its_own_and_says_what_would_confirm_it() -> None:
    """A recording's file has the step's name."""
    assert Counter(step.name for step in STEPS).most_common(1)[0][1] == 1
    assert all(re.fullmatch(r"[a-z-]+", step.name) and step.claim and step.expected for step in STEPS)


def test_what_only_an_account_can_prove_is_a_step() -> None:
    """Each line of the page's list ends with the steps that try it."""
    lines = re.findall(r"^- (?:.+\n?)(?:  .+\n?)*", UNTRIED, re.MULTILINE)
    named = {name for line in lines for name in re.findall(r"\[`([a-z-]+)`\]", line)}
    assert len(lines) >= 5
    assert [line for line in lines if not re.search(r"\[`[a-z-]+`\]\s*\Z", line)] == []
    assert named <= {step.name for step in STEPS}


def test_a_proof_costs_less_than_two_dollars() -> None:
    """With what the deployment itself costs."""
    assert most_dollars(STEPS) + DEPLOYMENT_DOLLARS < 2
