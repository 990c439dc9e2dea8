"""Everything that acts on the world besides the handlers: people, deployments, bucket owners, other tools, the cloud.

Each action is a function; how often it happens is drawn from the seed. Actions are counted like faults.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from tests.simulation.outages import SERVICES
from tests.simulation.people import command, pause
from tests.simulation.s3 import Landed
from tests.simulation.simulation import Simulation
from tests.simulation.world import SKEW_MAX, TIMEOUTS
from tidemark.core.draining import DRAIN_LEASE
from tidemark.service.drain import Lease
from tidemark.service.job_code import put_code

MINUTE, HOUR = 60, 3600  # seconds
#: Until a batch that the warehouse refuses is loaded by itself, it fails its loads and delays their other batches.
TO_BLAME_ONE = 30 * MINUTE
POLICIES = ("supersede", "append", "ignore")
OF_FILES = ("orders", "clicks")
#: Items that a newer release may have written, by the beginnings of their keys. The invariants read all others, too.
OF_NEWER_RELEASE = re.compile(r"(BATCH#\S+ BATCH|LOAD#|PENDING#|BACKFILL#|KEYS#|LOCK#)")


@dataclass(frozen=True)
class Actor:
    """An action and how often it happens."""

    act: Callable[[Simulation], None]
    seeds: float  # share of the seeds in which it happens
    times: tuple[int, int] = (1, 2)  # how often in such a seed, at least and at most


# ── the cloud ───────────────────────────────────────────────────────────────────────────────────────────────


def warehouse_down(simulation: Simulation) -> None:
    """The warehouse accepts no statement, and running statements fail."""
    seconds = simulation.rng.uniform(MINUTE, 25 * MINUTE)
    simulation.redshift.down_until = simulation.stage.time + timedelta(seconds=seconds)
    simulation.outages.trouble(seconds)


def outage(simulation: Simulation) -> None:
    """A service refuses all calls for minutes or hours."""
    rng = simulation.rng
    seconds = rng.choice((rng.uniform(MINUTE, 20 * MINUTE), rng.uniform(HOUR, 3 * HOUR)))
    simulation.outages.begin(rng.choice(SERVICES), seconds, 1.0, "ServiceUnavailable")


def storm(simulation: Simulation) -> None:
    """A service throttles most calls."""
    rng = simulation.rng
    simulation.outages.begin(rng.choice(SERVICES), rng.uniform(MINUTE, 15 * MINUTE), 0.7, "ThrottlingException")


# ── the deployer ────────────────────────────────────────────────────────────────────────────────────────────


def policy_changed(simulation: Simulation) -> None:
    """A deployment changes the target size of batches."""
    simulation.deploy(simulation.rng.choice(OF_FILES), max_files=simulation.rng.choice((3, 10, 40)))


def on_overwrite_changed(simulation: Simulation) -> None:
    """A deployment changes `on_overwrite`, possibly to the same policy."""
    simulation.deploy(simulation.rng.choice(OF_FILES), on_overwrite=simulation.rng.choice(POLICIES))


def column_added(simulation: Simulation) -> None:
    """A deployment adds a column to the facts."""
    name = simulation.rng.choice(OF_FILES)
    simulation.deploy(name, added=min(2, simulation.settings[name].get("added", 0) + 1))


def rolled_back(simulation: Simulation) -> None:
    """A deployment removes the last added column, and a later one adds it again."""
    name = simulation.rng.choice(OF_FILES)
    added = simulation.settings[name].get("added", 0)
    simulation.outages.trouble(TO_BLAME_ONE)
    simulation.deploy(name, added=max(0, added - 1))
    simulation.stage.after(
        simulation.rng.uniform(MINUTE, 15 * MINUTE), "deploy", lambda: _forward(simulation, name, added)
    )


def _forward(simulation: Simulation, name: str, added: int) -> None:
    simulation.deploy(name, added=max(added, simulation.settings[name]["added"]))


def dataset_removed(simulation: Simulation) -> None:
    """A deployment removes a declaration, and a later one restores it, as if the dataset were new."""
    seconds = simulation.rng.uniform(2 * MINUTE, 20 * MINUTE)
    simulation.retire("clicks")
    simulation.outages.trouble(seconds + HOUR)  # reconcile has to find what lands meanwhile
    simulation.stage.after(seconds, "deploy", simulation.revive)


def job_code_uploaded(simulation: Simulation) -> None:
    """A person uploads job code, which may be an earlier version again."""
    files = {"run_batch.py": b"%d" % simulation.rng.randint(0, 3)}
    simulation.person("jobs upload", lambda world: put_code(world, files))


def newer_release(simulation: Simulation) -> None:
    """A newer release writes some items and is rolled back; it is deployed again later, and they are read again."""
    rng, seconds = simulation.rng, simulation.rng.uniform(MINUTE, 40 * MINUTE)
    table = simulation.dynamodb.items
    found = [(pk, sk) for pk, items in table.items() for sk in items if OF_NEWER_RELEASE.match(f"{pk} {sk}")]
    chosen = rng.sample(sorted(found), min(len(found), rng.randint(1, 6)))
    simulation.outages.trouble(seconds + HOUR)
    simulation.dynamodb.stamp(chosen, "2")
    simulation.stage.after(seconds, "deploy", lambda: simulation.dynamodb.stamp(chosen, "1"))


def drained(simulation: Simulation) -> None:
    """A deployment drains the application; its deployer may die, and then the drain only expires."""
    rng = simulation.rng
    seconds, dies = rng.uniform(MINUTE, DRAIN_LEASE.total_seconds()), rng.random() < 0.5
    simulation.outages.trouble(DRAIN_LEASE.total_seconds() if dies else seconds)
    leases: list[Lease] = []
    simulation.person("deploy", lambda world: leases.append(Lease(world, f"deployer {simulation.invocations}")))
    if not dies:
        simulation.stage.after(seconds, "deployed", lambda: _deployed(simulation, leases))


def _deployed(simulation: Simulation, leases: list[Lease]) -> None:
    simulation.person("deployed", lambda _: [held.end() for held in leases])


# ── the bucket's owners ─────────────────────────────────────────────────────────────────────────────────────


def key_deleted(simulation: Simulation) -> None:
    """A producer deletes a key: its versions stay, and the bucket no longer shows it."""
    landed = _some_landed(simulation)
    if landed:
        simulation.s3.delete(landed.bucket, landed.key)


def version_expired(simulation: Simulation) -> None:
    """A lifecycle rule permanently deletes a version that is not the current one."""
    landed = _some_landed(simulation)
    if landed and simulation.s3.versions(landed.bucket, landed.key)[0].identity != landed.identity:
        simulation.s3.expire(landed)


def _some_landed(simulation: Simulation) -> Landed | None:
    return simulation.rng.choice(simulation.landed) if simulation.landed else None


# ── other tools at the tables ───────────────────────────────────────────────────────────────────────────────


def compacted(simulation: Simulation) -> None:
    """A tool compacts a table into one file and expires its history."""
    if table := _some_table(simulation):
        simulation.catalog.compact(table)


def snapshots_expired(simulation: Simulation) -> None:
    """A tool expires a table's history, and deletes the files that only the history has."""
    if table := _some_table(simulation):
        simulation.outages.trouble(TO_BLAME_ONE)
        simulation.catalog.expire(table)


def _some_table(simulation: Simulation) -> str:
    tables = sorted(name[-1] for name in simulation.catalog.tables)
    return simulation.rng.choice(tables) if tables else ""


#: Name under which the action is counted → the action.
ACTORS = {
    "warehouse_down": Actor(warehouse_down, 0.3, (1, 1)),
    "outage": Actor(outage, 0.2, (1, 2)),
    "storm": Actor(storm, 0.2, (1, 3)),
    "policy_changed": Actor(policy_changed, 0.5),
    "on_overwrite_changed": Actor(on_overwrite_changed, 0.25),
    "column_added": Actor(column_added, 0.3),
    "rolled_back": Actor(rolled_back, 0.3),
    "job_code_uploaded": Actor(job_code_uploaded, 0.3, (1, 3)),
    "newer_release": Actor(newer_release, 0.2, (1, 2)),
    "dataset_removed": Actor(dataset_removed, 0.15, (1, 1)),
    "drained": Actor(drained, 0.2),
    "person": Actor(command, 0.5, (2, 20)),
    "paused": Actor(pause, 0.2),
    "key_deleted": Actor(key_deleted, 0.25, (1, 4)),
    "version_expired": Actor(version_expired, 0.25, (2, 10)),
    "compacted": Actor(compacted, 0.3, (1, 8)),
    "snapshots_expired": Actor(snapshots_expired, 0.25, (1, 4)),
}


def engage(simulation: Simulation, seconds: float) -> None:
    """Schedule the seed's actions within the first `seconds`; set the index lag and each function's clock skew."""
    rng = simulation.rng
    for name, actor in ACTORS.items():
        if rng.random() < actor.seeds:
            for _ in range(rng.randint(*actor.times)):
                simulation.stage.after(rng.uniform(MINUTE, seconds), name, lambda name=name: _act(simulation, name))
    most = simulation.dynamodb.lag()
    if rng.random() < 0.5:
        simulation.dynamodb.lag = lambda: rng.uniform(0, most)
    skew = SKEW_MAX.total_seconds()
    simulation.skews.update({function: timedelta(seconds=rng.uniform(-skew, skew)) for function in TIMEOUTS})


def _act(simulation: Simulation, name: str) -> None:
    simulation.faults.count(name)
    simulation.note(name)
    ACTORS[name].act(simulation)
