"""Services that refuse calls for minutes or hours: all calls in an outage, most calls under throttling."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.simulation.faults import refuse

#: Prefixes of operations.
SERVICES = ("dynamodb", "s3", "emr", "redshift", "glue", "events")


@dataclass(frozen=True)
class Outage:
    """The outage of one service."""

    until: datetime
    share: float  # share of its calls that are refused
    code: str


@dataclass
class Outages:
    """The current outages, and all periods of trouble so far, which excuse delays."""

    now: Callable[[], datetime]
    rng: random.Random
    under_way: dict[str, Outage] = field(default_factory=dict)
    troubles: list[tuple[datetime, datetime]] = field(default_factory=list)  # (from, until), of any kind

    def begin(self, service: str, seconds: float, share: float, code: str) -> None:
        """Begin an outage now, for `seconds`."""
        self.under_way[service] = Outage(self.now() + timedelta(seconds=seconds), share, code)
        self.trouble(seconds)

    def trouble(self, seconds: float) -> None:
        """Record a period of trouble from now on, for `seconds`, in which steps may be late."""
        self.troubles.append((self.now(), self.now() + timedelta(seconds=seconds)))

    def check(self, operation: str) -> None:
        """Raise the service's error if it is down."""
        found = self.under_way.get(operation.partition(".")[0])
        if found and self.now() < found.until and self.rng.random() < found.share:
            raise refuse(found.code, operation, "the service is not available")

    @property
    def over(self) -> bool:
        """Whether all trouble has ended."""
        return all(until <= self.now() for _, until in self.troubles)

    def seconds_since(self, moment: datetime) -> float:
        """Seconds of trouble since then."""
        lengths = ((min(until, self.now()) - max(begun, moment)).total_seconds() for begun, until in self.troubles)
        return sum(max(0.0, length) for length in lengths)
