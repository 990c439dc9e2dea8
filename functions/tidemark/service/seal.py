"""The seal: whether the ledger is whole, or was set back or lost, so that nothing may go on by it.

DynamoDB never sets a table back: it restores a backup as a new table. The ledger bears, in an item of its own, the
name and birth of the table in which it was whole last; a restored one bears another's, and an empty one none. Every
function but collect looks at it first: what lands is remembered all the same, and waits.
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
    """The world, unless its ledger is known not to be whole; raises `Unsealed` then.

    Without any seal there is no batch to go on with, and only who begins one has to know more: `sealed_or_new`.
    """
    return _unless_foreign(world, look(world))


def sealed_or_new(world: World) -> World:
    """`sealed` for whoever begins batches of files; the ledger of a new stack gets its seal here.

    A ledger without a seal and without a batch is new where no batch has left a document, and else lost.
    """
    found = look(world)
    if found is Seal.NONE:
        if _has_documents(world) and not _has_batches(world):
            raise _unsealed(world)
        world.ledger.recovery.put_seal()
    return _unless_foreign(world, found)


def look(world: World) -> Seal:
    """Which seal the ledger bears."""
    found = world.ledger.recovery.seal()
    if not found:
        return Seal.NONE
    return Seal.WHOLE if found.get("whole") == world.ledger.table.identity() else Seal.FOREIGN


def _unless_foreign(world: World, found: Seal) -> World:
    if found is Seal.FOREIGN:
        raise _unsealed(world)
    return world


def _has_documents(world: World) -> bool:
    return any(world.store.keys(world.settings.control_bucket, BATCHES))


def _has_batches(world: World) -> bool:
    return any(world.ledger.batches.recent(name, 1) for name in known_datasets(world))


def _unsealed(world: World) -> Unsealed:
    name = world.settings.ledger_table
    return Unsealed(f"the ledger {name} was set back or lost: nothing goes on before `tidemark recover`")
