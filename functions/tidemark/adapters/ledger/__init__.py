"""The ledger: the DynamoDB table that is the truth about files, batches and loads.

    pk                  sk                what
    PENDING#<dataset>   <landed>#<id>     head of a segment: file counts, and the batch that has taken it
    BACKFILL#<dataset>  <landed>#<id>     the same, for files that a person has backfilled
    SEGMENT#<dataset>/… SEGMENT           body of a segment: its files, packed
    FILE#<bucket>/<key> FILE              the latest claimed version of a key, and the batch that holds it
    FILE#<bucket>/<key> V#<version>       an older claimed version of the key
    FILE#<bucket>/<key> REFUSED#<version> a file in quarantine, with the reason, until a person decides
    BATCH#<id>          BATCH             the batch
    BATCH#<id>          ATTEMPT#<n>       the batch as attempt n last wrote it
    BATCH#<id>          CHANGE#<key>      a file of the batch that was overwritten, removed or released
    LOAD#<id>           LOAD              one warehouse transaction and its batches
    WAREHOUSE           TABLE#<name>      the columns of a warehouse table
    CHANGED#<table>     DAY#<day>         the lake table's sequence number when rows of the day last changed
    LOCK#<dataset>      LOCK              the attempt that may run, where a dataset deduplicates across batches
    KEYS#<dataset>      <created>#<id>    the files that list the keys of a batch's published records
    DATASETS            <name>            the declaration under which the dataset's last batch began
    CONTROL             <name>            a control: a pause, a deployment's drain, the place of a listing, the seal

Index `open` (open, due_at) holds batches and loads that are not at rest, quarantine, and LOADED batches with rejected
records or partly unread files. Index `history` (dataset, created_at) holds all batches. Indexes are read only to find
work: every decision rests on a consistent read or a condition, because an index may lag by any time
(docs/aws-facts.md#dynamodb).

Every item has a `format` (tidemark.core.release). An item of a newer release is left out of lists; where a decision
rests on it, reading it raises `NewerRelease`. Attributes that this release does not know survive each save.
"""

from __future__ import annotations

from typing import Any

from tidemark.adapters.ledger.batches import Batches
from tidemark.adapters.ledger.controls import Controls
from tidemark.adapters.ledger.dataset_lock import DatasetLocks
from tidemark.adapters.ledger.day_changes import DayChanges
from tidemark.adapters.ledger.declarations import Declarations
from tidemark.adapters.ledger.drains import Drains
from tidemark.adapters.ledger.files import Files
from tidemark.adapters.ledger.loads import Loads
from tidemark.adapters.ledger.newer import Newer
from tidemark.adapters.ledger.quarantine import Quarantine
from tidemark.adapters.ledger.recovery import Recovery
from tidemark.adapters.ledger.seen_keys import SeenKeys
from tidemark.adapters.ledger.segments import Segments
from tidemark.adapters.ledger.table import Table
from tidemark.adapters.ledger.warehouse_tables import WarehouseTables


class Ledger:
    """The parts of the ledger, all over one DynamoDB table. Each names the races that its conditional writes close."""

    def __init__(self, client: Any, name: str) -> None:
        self.table = table = Table(client, name)
        self.batches = Batches(table)
        self.controls = Controls(table)
        self.day_changes = DayChanges(table)
        self.declarations = Declarations(table)
        self.drains = Drains(table)
        self.files = Files(table, self.batches)
        self.loads = Loads(table, self.batches)
        self.locks = DatasetLocks(table)
        self.newer = Newer(table)
        self.quarantine = Quarantine(table)
        self.seen_keys = SeenKeys(table, self.batches)
        self.recovery = Recovery(table, self.controls, self.batches, self.seen_keys)
        self.segments = Segments(table)
        self.warehouse_tables = WarehouseTables(table)
