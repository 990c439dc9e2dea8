"""A drain of the Spark application: no job run starts until it ends. Pure.

EMR Serverless updates and deletes only an application that is stopped, and stops only one without unfinished runs
(docs/aws-facts.md#emr-application-states). So a deployment that touches the application drains it: batches are still
formed and published, runs that had started end, and PLANNED batches wait.

A drain is a lease that its deployer renews. If the deployer dies, the lease expires, and sweep's hints start the runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Optional

#: How long a drain outlives its deployer. The deployer's clock may be slow by as much less the time between renewals.
DRAIN_LEASE = timedelta(minutes=15)
#: Age from which a living deployer renews its lease.
RENEWED_AFTER = timedelta(minutes=1)
#: Submit's timeout in the template, and fifteen seconds: every submitter that had not seen the drain has ended.
SUBMITTERS_END_AFTER = timedelta(seconds=75)


@dataclass(frozen=True)
class Drain:
    """The lease of one deployment."""

    deployer: str  # an id that no two deployments share
    ends_at: datetime


def lease(deployer: str, now: datetime) -> Drain:
    """A new lease, or the renewed one."""
    return Drain(deployer, now + DRAIN_LEASE)


def is_draining(drain: Optional[Drain], now: datetime) -> bool:
    """Whether no run may start; `drain` is the one that the ledger has, if any."""
    return drain is not None and now < drain.ends_at


def is_another(drain: Optional[Drain], deployer: str, now: datetime) -> bool:
    """Whether another deployment drains the application."""
    return drain is not None and is_draining(drain, now) and drain.deployer != deployer


def needs_renewal(drain: Drain, now: datetime) -> bool:
    """Whether the deployer should renew its lease."""
    return now >= drain.ends_at - DRAIN_LEASE + RENEWED_AFTER


def may_stop(began: datetime, now: datetime, unfinished_runs: int) -> bool:
    """Whether the application may be stopped: no run is unfinished, and no submitter can start another one."""
    return not unfinished_runs and now - began >= SUBMITTERS_END_AFTER
