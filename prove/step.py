"""A step of the proof, its answer, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Generic, TypeVar

Stage = TypeVar("Stage")  #: what the attempts of a list of steps work with


class Verdict(StrEnum):
    """What a step has shown."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    MEASURED = "measured"  # there is nothing to compare the answer with
    FAILED = "failed"  # the step could not be carried out
    SKIPPED = "skipped"  # only an account can answer it


@dataclass(frozen=True)
class Answer:
    """What a step found. Without `confirms` it is a measurement."""

    found: str  # in words
    recording: Mapping[str, Any] = field(default_factory=dict)  # what the services answered; JSON
    confirms: bool | None = None

    @property
    def verdict(self) -> Verdict:
        """Whether the claim holds."""
        if self.confirms is None:
            return Verdict.MEASURED
        return Verdict.CONFIRMED if self.confirms else Verdict.REFUTED


@dataclass(frozen=True)
class Step(Generic[Stage]):
    """A claim, and how it is tried."""

    name: str
    claim: str
    expected: str  # the answer that confirms it
    attempt: Callable[[Stage], Answer]
    dollars: Decimal = Decimal(0)  # what it costs at most, at list prices of us-east-1
    account_only: str = ""  # why the laptop cloud cannot answer; empty if it can


@dataclass(frozen=True)
class Finding:
    """A step that was tried, or skipped."""

    step: str
    verdict: Verdict
    found: str
    seconds: float = 0.0
    recording: Mapping[str, Any] = field(default_factory=dict)


def attempt_all(
    steps: Iterable[Step[Stage]], stage: Stage, on_laptop: bool, clock: Callable[[], float]
) -> Iterator[Finding]:
    """Tries the steps in order. One that raises is a finding, too, and the next one is tried."""
    for step in steps:
        yield skipped(step) if on_laptop and step.account_only else _attempt(step, stage, clock)


def skipped(step: Step[Stage]) -> Finding:
    """The finding of a step that needs an account."""
    return Finding(step.name, Verdict.SKIPPED, step.account_only)


def _attempt(step: Step[Stage], stage: Stage, clock: Callable[[], float]) -> Finding:
    began = clock()
    try:
        answer = step.attempt(stage)
    except Exception as error:  # noqa: BLE001 - whatever a service or a step does, the others must be tried
        return Finding(step.name, Verdict.FAILED, f"{type(error).__name__}: {error}", clock() - began)
    return Finding(step.name, answer.verdict, answer.found, clock() - began, answer.recording)


def all_hold(findings: Iterable[Finding]) -> bool:
    """Whether no claim was refuted and no step failed."""
    return not any(finding.verdict in (Verdict.REFUTED, Verdict.FAILED) for finding in findings)


def most_dollars(steps: Iterable[Step[Stage]]) -> Decimal:
    """What the steps cost together at most."""
    return sum((step.dollars for step in steps), Decimal(0))
