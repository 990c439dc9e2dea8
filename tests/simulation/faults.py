"""Faults, drawn from the seed: every AWS call draws one first, and every fault is counted by kind."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from botocore.exceptions import ClientError, ReadTimeoutError

T = TypeVar("T")


class Killed(BaseException):
    """The function's process is killed; not an `Exception`, so that handlers cannot catch it."""


@dataclass(frozen=True)
class Rates:
    """Chance per AWS call, or per event, of each fault."""

    kill_before: float = 0.006
    kill_after: float = 0.006
    throttle: float = 0.01
    lost_reply: float = 0.006  # the call takes effect, and the caller gets a time-out
    repeated: float = 0.006  # the call takes effect, the reply is lost, and botocore sends the call again
    pause: float = 0.01  # the function stops before the call while others go on
    event_dropped: float = 0.25  # EMR and Redshift events, ledger stream: best effort, or retries are used up
    event_doubled: float = 0.15
    landing_dropped: float = 0.01  # an S3 event that is never delivered: reconcile has to find the file
    multipart: float = 0.05  # the version's time is when its upload began
    token_forgotten: float = 0.2
    run_transient: float = 0.10
    run_unknown: float = 0.05
    run_dies_late: float = 0.03  # the run fails after it has written result.json
    run_no_result: float = 0.01
    run_short: float = 0.01  # the job loses a row: only the counts show it
    poison_named: float = 0.010  # a file on which every run fails, and that the run's report names
    poison_unnamed: float = 0.006  # the same, without a report
    oversized: float = 0.005  # rows that the warehouse refuses
    zombie: float = 0.5  # a run that EMR reports as ended still writes its output
    load_failed: float = 0.10
    load_conflict: float = 0.03  # Redshift's error 1023: another transaction has written what this one has read
    copy_short: float = 0.004  # a COPY loads fewer rows than its files have: only the counts show it
    load_late: float = 0.15  # a statement waits for half an hour
    statement_forgotten: float = 0.02
    result_expired: float = 0.02  # the statement's result has expired, although the statement itself is still known
    cancelled_transaction: float = 0.01  # DynamoDB: another transaction is under way


CALM = Rates(*[0.0] * len(Rates.__dataclass_fields__))
#: No call fails; events may still be doubled. Whatever is late then breaks a promise.
FAIR = replace(CALM, event_doubled=0.15, multipart=0.05, load_late=0.0)
PER_CALL = ("kill_before", "kill_after", "throttle", "lost_reply", "repeated", "pause")


@dataclass
class Faults:
    """Draws faults. `planned` maps numbers of calls to faults that are certain."""

    rng: random.Random
    rates: Rates = field(default_factory=Rates)
    counts: Counter[str] = field(default_factory=Counter)
    planned: dict[int, str] = field(default_factory=dict)
    calls: int = 0

    def __post_init__(self) -> None:
        self.use(self.rates)

    def use(self, rates: Rates) -> None:
        """Use these chances from now on."""
        self.rates = rates
        self.per_call = [(kind, getattr(rates, kind)) for kind in PER_CALL]
        self.any = sum(rate for _, rate in self.per_call)

    def draw(self) -> str:
        """The fault of the next AWS call, or "" for none."""
        self.calls += 1
        if self.planned:
            return self.count(self.planned.pop(self.calls, ""))
        if not self.any:
            return ""
        dice = self.rng.random()
        if dice >= self.any:
            return ""
        for kind, rate in self.per_call:
            dice -= rate
            if dice < 0:
                return self.count(kind)
        return ""

    def chance(self, kind: str) -> bool:
        """Whether a fault of this kind happens now."""
        rate = getattr(self.rates, kind)
        return bool(rate and self.rng.random() < rate and self.count(kind))

    def count(self, kind: str) -> str:
        """Count a fault that happened."""
        if kind:
            self.counts[kind] += 1
        return kind


def refuse(code: str, operation: str, message: str = "simulated", **extra: Any) -> ClientError:
    """The error that boto3 raises for a refusal."""
    return ClientError({"Error": {"Code": code, "Message": message}, **extra}, operation)  # type: ignore[typeddict-item]


def disturbed(
    faults: Faults, pause: Callable[[], None], operation: str, effect: Callable[[], T], once: bool = False
) -> T:
    """Perform one AWS call with its fault. `once`: the request has a token, so a repetition by botocore is harmless."""
    kind = faults.draw()
    if not kind:
        return effect()
    if kind == "kill_before":
        raise Killed
    if kind == "throttle":
        raise refuse("ThrottlingException", operation, "Rate exceeded")
    if kind == "pause":
        pause()
        return effect()
    if kind == "repeated":
        first = effect()
        return first if once else effect()
    with suppress(Exception):  # the caller does not get the reply, not even an error
        effect()
    if kind == "kill_after":
        raise Killed
    raise ReadTimeoutError(endpoint_url=f"simulated {operation}")
