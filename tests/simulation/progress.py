"""Progress while input continues: a file that is not overwritten is queryable in time, and every reconcile pass ends.

Checked only under `faults.FAIR`, where nothing fails; delays that actors cause are added to the bound.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from tests.simulation.s3 import Landed
from tests.simulation.simulation import Simulation
from tests.simulation.violation import Violation
from tests.simulation.world import SCHEDULES, SETTINGS
from tidemark.adapters.ledger.items import from_item
from tidemark.clock import from_iso
from tidemark.core.lifecycle import Batch, State

#: In seconds; as in `world.declare`, `SimEMR` and `SimRedshift`.
MAX_WAIT, RUN, LOAD_EVERY, LOAD = 60, 240, 300, 60
#: An S3 event may take ten minutes; queue and poller add the time of a batch of messages.
HEARD_OF = 600 + 60
IN_TIME = timedelta(seconds=HEARD_OF + 2 * (MAX_WAIT + RUN + LOAD_EVERY + LOAD))
#: Once all events of runs and statements are lost, each step of a batch (submit, publish, settle) waits for a sweep.
WITHOUT_EVENTS = timedelta(seconds=2 * 3 * SCHEDULES["sweep"])
#: After an outage, work may wait for the longest backoff, and a file whose event was given up for reconcile.
AFTERMATH = timedelta(hours=1, minutes=30)
PASS_IN_TIME = timedelta(hours=2 * SETTINGS.reconcile_hours)


class Progress:
    """Watches when the files of one simulation become queryable, oldest first."""

    def __init__(self, simulation: Simulation) -> None:
        self.sim = simulation
        self.waiting: dict[tuple[str, str, str], tuple[Landed, datetime]] = {}  # with the time of landing
        self.heard = 0  # number of landed files already taken into account
        self.longest = timedelta(0)  # the longest wait of a file

    def moved(self, before: Batch | None, batch: Batch, files: list[tuple[str, str, str]]) -> None:
        """A batch has moved: loaded files are queryable, and files that wait for a person are not late."""
        loaded = before is not None and before.state is State.LOADING and batch.waiting_since is None
        if loaded or batch.state is State.QUARANTINED:
            for identity in files:
                self.drop(identity)

    def drop(self, identity: tuple[str, str, str]) -> None:
        """Stop waiting for the file: it is queryable, or need not be."""
        _, since = self.waiting.pop(identity, (None, self.sim.stage.time))
        self.longest = max(self.longest, self.sim.stage.time - since)

    def check(self, set_aside: Callable[[Landed], bool]) -> None:
        """Raise `Violation` for a file that waits too long; `set_aside` says whether a file need not be queryable."""
        now = self.sim.stage.time
        for landed in self.sim.landed[self.heard :]:
            for identity in [one for one in self.waiting if one[:2] == (landed.bucket, landed.key)]:
                del self.waiting[identity]  # overwritten
            if len(self.sim.s3.keys[landed.bucket, landed.key]) == 1:
                self.waiting[landed.identity] = (landed, now)
        self.heard = len(self.sim.landed)
        if not self.waiting:
            return
        landed, since = next(iter(self.waiting.values()))
        without_events = WITHOUT_EVENTS if self.sim.events_lost else timedelta(0)
        if now - since > IN_TIME + without_events + self._excuse(since):
            if not set_aside(landed):
                raise Violation(f"{landed.identity} is stuck: not queryable after {now - since}")
            self.drop(landed.identity)

    def check_passes(self) -> None:
        """Raise `Violation` for a dataset whose last complete reconcile pass is too long ago."""
        now, controls = self.sim.stage.time, self.sim.dynamodb.items.get("CONTROL", {})
        for name in self.sim.settings:
            found = controls.get(f"RECONCILED#{name}")
            began = from_item(found)["value"].get("began") if found else None
            last = from_iso(began) if began else self.sim.stage.epoch
            if now - last > PASS_IN_TIME + self._excuse(last):
                raise Violation(f"reconcile is stuck: no pass over {name} that has ended began in {now - last}")

    def _excuse(self, since: datetime) -> timedelta:
        seconds = self.sim.outages.seconds_since(since - AFTERMATH)
        return timedelta(seconds=2 * seconds) + AFTERMATH if seconds else timedelta(0)
