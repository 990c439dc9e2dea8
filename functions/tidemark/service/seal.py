"""The seal: shows whether the ledger is complete. No work may rely on a ledger that was restored or lost.

DynamoDB restores a backup as a new table. So the ledger has an item with the name and creation time of the table in
which it was last complete: a restored ledger has the seal of another table, and an empty one has none. Every function
but collect checks the seal first; collect records what lands, which then waits.
"""

from __future__ import annotations

from enum import Enum

from tidemark.adapters.world import World
from tidemark.core.errors import Unsealed
from tidemark.service.transitions import known_datasets

BATCHES = "batches/"  # in the control bucket


class Seal(Enum):
    WHOLE = "its own"
    FOREIGN = "of another table, or broken"
    NONE = "none"


def sealed(world: World) -> World:
    """Returns the world; raises `Unsealed` if its ledger has a foreign or broken seal.

    A ledger without a seal has no batch to work on, so it passes; functions that begin batches use `sealed_or_new`.
    """
    return _unless_foreign(world, look(world))


def sealed_or_new(world: World) -> World:
    """Does what `sealed` does, for functions that begin batches of files, and seals the ledger of a new stack.

    A ledger without seal and batches is new if no batch has left a document; otherwise it was lost: raises `Unsealed`.
    """
    seal = look(world)
    if seal is Seal.NONE:
        if _has_documents(world) and not _has_batches(world):
            raise _unsealed(world)
        world.ledger.recovery.put_seal()
    return _unless_foreign(world, seal)


def look(world: World) -> Seal:
    """Returns which kind of seal the ledger has."""
    values = world.ledger.recovery.seal()
    if not values:
        return Seal.NONE
    return Seal.WHOLE if values.get("whole") == world.ledger.table.identity() else Seal.FOREIGN


def _unless_foreign(world: World, seal: Seal) -> World:
    if seal is Seal.FOREIGN:
        raise _unsealed(world)
    return world


def _has_documents(world: World) -> bool:
    return any(world.store.keys(world.settings.control_bucket, BATCHES))


def _has_batches(world: World) -> bool:
    return any(world.ledger.batches.recent(name, 1) for name in known_datasets(world))


def _unsealed(world: World) -> Unsealed:
    name = world.settings.ledger_table
    return Unsealed(f"the ledger {name} was set back or lost: nothing goes on before `tidemark recover`")
