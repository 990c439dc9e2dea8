"""What people do at the command line, at any moment: each command as the tool performs it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TypeVar

from tests.simulation.s3 import Landed
from tests.simulation.simulation import Simulation
from tidemark.adapters.world import World
from tidemark.core.errors import TidemarkError
from tidemark.core.lifecycle import Batch
from tidemark.service import operate
from tidemark.service.reconcile import reconcile
from tidemark.service.seal import sealed

T = TypeVar("T")
RECENT = 30


def release_file(world: World, rng: random.Random) -> None:
    operate.release_file(world, _one(rng, world.ledger.quarantine.contents()[1]))


def release_batch(world: World, rng: random.Random) -> None:
    operate.release_batch(world, _one(rng, world.ledger.quarantine.contents()[0]))


def discard_file(world: World, rng: random.Random) -> None:
    world.ledger.files.discard(_one(rng, world.ledger.quarantine.contents()[1]).file)


def discard_batch(world: World, rng: random.Random) -> None:
    operate.discard_batch(world, _one(rng, world.ledger.quarantine.contents()[0]))


def replay(world: World, rng: random.Random) -> None:
    operate.replay(world, _one(rng, _recent(world, rng)))


def acknowledge(world: World, rng: random.Random) -> None:
    operate.acknowledge(world, _one(rng, [one for one in _recent(world, rng) if one.counts.rejected]))


def look_at_the_bucket(world: World, rng: random.Random) -> None:
    dataset = world.datasets[_one(rng, _of_files(world))]
    list(reconcile(world, dataset, dataset.prefix, lambda: True))


#: `tidemark …`; `pause` and `resume` are below.
COMMANDS: dict[str, Callable[[World, random.Random], None]] = {
    "quarantine release FILE": release_file,
    "quarantine release BATCH": release_batch,
    "quarantine discard FILE": discard_file,
    "quarantine discard BATCH": discard_batch,
    "quarantine acknowledge": acknowledge,
    "replay": replay,
    "reconcile": look_at_the_bucket,
}


def command(simulation: Simulation) -> None:
    """Some command, of whatever there is; perhaps twice, as people do who see no answer at once."""
    rng = simulation.rng
    name = rng.choice(list(COMMANDS))
    simulation.faults.count(f"person: {name}")
    if name == "quarantine release FILE" and rng.random() < 0.7:
        heal(simulation)
    for _ in range(rng.choice((1, 1, 1, 2))):
        simulation.person(name, lambda world: COMMANDS[name](sealed(world), rng))


def pause(simulation: Simulation) -> None:
    """A dataset is paused, and some time later it goes on."""
    rng = simulation.rng
    name, seconds = rng.choice(sorted(simulation.settings)), rng.uniform(60, 1200)
    simulation.outages.trouble(seconds)
    simulation.person(f"pause {name}", lambda world: world.ledger.controls.pause(name, True))
    simulation.stage.after(seconds, "resume", lambda: resume(simulation, name))


def resume(simulation: Simulation, name: str) -> None:
    """The dataset goes on."""
    simulation.person(f"resume {name}", lambda world: world.ledger.controls.pause(name, False))


def heal(simulation: Simulation) -> None:
    """Whatever made files unreadable is gone: the same versions are read from now on."""
    for landed in [one for one in simulation.s3.raw.values() if _is_poison(one)]:
        record = {"id": f"healed {landed.version}", "user": "a", "note": "fine", "day": "2025-12-30"}
        simulation.s3.heal(landed.bucket, landed.key, (record,), landed.version)


def _is_poison(landed: Landed) -> bool:
    return bool(landed.records and landed.records[0].get("poison"))


def _of_files(world: World) -> list[str]:
    return [name for name, dataset in world.datasets.items() if not dataset.nightly]


def _recent(world: World, rng: random.Random) -> list[Batch]:
    return world.ledger.batches.recent(_one(rng, list(world.datasets)), RECENT)


def _one(rng: random.Random, found: Sequence[T]) -> T:
    if not found:
        raise TidemarkError("there is nothing to choose from")
    return rng.choice(found)
