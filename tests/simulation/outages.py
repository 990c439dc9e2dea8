"""Services that refuse calls for minutes or hours: all of them in an outage, most of them in a storm of throttling."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.simulation.faults import refuse

#: As operations begin.
SERVICES = ("dynamodb", "s3", "emr", "redshift", "glue", "events")


@dataclass(frozen=True)
class Outage:
    """Of one service."""

    until: datetime
    share: float  # of its calls that are refused
    code: str


@dataclass
class Outages:
    """What is down at present, and how much trouble there has been in all: whoever is late may point at it."""

    now: Callable[[], datetime]
    rng: random.Random
    under_way: dict[str, Outage] = field(default_factory=dict)
    troubles: list[tuple[datetime, datetime]] = field(default_factory=list)  # from and until, of any kind

    def begin(self, service: str, seconds: float, share: float, code: str) -> None:
        """From now on, for so long."""
        self.under_way[service] = Outage(self.now() + timedelta(seconds=seconds), share, code)
        self.trouble(seconds)

    def trouble(self, seconds: float) -> None:
        """Note that from now on, for so long, nobody can promise to be quick."""
        self.troubles.append((self.now(), self.now() + timedelta(seconds=seconds)))

    def check(self, operation: str) -> None:
        """Raise what the service answers while it is down."""
        found = self.under_way.get(operation.partition(".")[0])
        if found and self.now() < found.until and self.rng.random() < found.share:
            raise refuse(found.code, operation, "the service is not available")

    @property
    def over(self) -> bool:
        """Whether all trouble that there was has ended."""
        return all(until <= self.now() for _, until in self.troubles)

    def seconds_since(self, moment: datetime) -> float:
        """So much trouble there has been since then."""
        lengths = ((min(until, self.now()) - max(begun, moment)).total_seconds() for begun, until in self.troubles)
        return sum(max(0.0, length) for length in lengths)
