"""A proof goes through all its steps, whatever one of them does."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import count

import pytest

from prove.step import Answer, Finding, Step, Verdict, all_hold, attempt_all, most_dollars


def breaks(_: str) -> Answer:
    """A step that cannot be carried out."""
    raise ConnectionError("no route")


STEPS = (
    Step("holds", "", "", lambda stage: Answer(f"seen {stage}", {"n": 1}, confirms=True), Decimal("0.10")),
    Step("breaks", "", "", breaks, Decimal("0.05")),
    Step("fails", "", "", lambda _: Answer("two rows", confirms=False)),
    Step("measures", "", "", lambda _: Answer("5 s")),
    Step("account", "", "", lambda _: Answer("rings", confirms=True), account_only="no alarms here"),
)


def clock() -> Iterator[float]:
    """Seconds that pass by two between any two looks."""
    return (2.0 * n for n in count())


def test_every_step_has_a_finding() -> None:
    """A step that raises is a finding like the others; what needs an account is skipped with the reason."""
    ticks = clock()
    findings = list(attempt_all(STEPS, "stage", on_laptop=True, clock=lambda: next(ticks)))
    assert findings == [
        Finding("holds", Verdict.CONFIRMED, "seen stage", 2.0, {"n": 1}),
        Finding("breaks", Verdict.FAILED, "ConnectionError: no route", 2.0),
        Finding("fails", Verdict.REFUTED, "two rows", 2.0),
        Finding("measures", Verdict.MEASURED, "5 s", 2.0),
        Finding("account", Verdict.SKIPPED, "no alarms here"),
    ]


def test_in_an_account_nothing_is_skipped() -> None:
    """A step for accounts only is tried there."""
    (finding,) = attempt_all(STEPS[4:], "stage", on_laptop=False, clock=lambda: 0.0)
    assert (finding.verdict, finding.found) == (Verdict.CONFIRMED, "rings")


@pytest.mark.parametrize(
    ("verdict", "holds"),
    [
        (Verdict.CONFIRMED, True),
        (Verdict.MEASURED, True),
        (Verdict.SKIPPED, True),
        (Verdict.REFUTED, False),
        (Verdict.FAILED, False),
    ],
)
def test_a_proof_holds_unless_a_step_refutes_or_fails(verdict: Verdict, holds: bool) -> None:
    """One bad finding among good ones is enough."""
    assert all_hold([Finding("a", Verdict.CONFIRMED, ""), Finding("b", verdict, "")]) is holds


def test_the_price_is_that_of_all_steps() -> None:
    """Steps that cost nothing add nothing."""
    assert most_dollars(STEPS) == Decimal("0.15")
