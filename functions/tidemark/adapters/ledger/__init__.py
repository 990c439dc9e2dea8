"""The ledger: the DynamoDB table that is the truth about files, batches and loads.

    pk                  sk                what
    PENDING#<dataset>   <landed>#<id>     head of a segment: how much one collect invocation saw, and who has taken it
    BACKFILL#<dataset>  <landed>#<id>     the same, of files that a person has brought in
    SEGMENT#<dataset>/… SEGMENT           body of a segment: its files, packed
    FILE#<bucket>/<key> FILE              the latest claimed version of a key, and the batch that holds it
    FILE#<bucket>/<key> V#<version>       an older version that was claimed before
    FILE#<bucket>/<key> REFUSED#<version> a file set aside, with the reason, until a person decides
    BATCH#<id>          BATCH             the batch as it is
    BATCH#<id>          ATTEMPT#<n>       the batch as it was when attempt n was last written
    BATCH#<id>          CHANGE#<key>      a file of the batch that was overwritten, taken out or released
    LOAD#<id>           LOAD              one warehouse transaction and its batches
    WAREHOUSE           TABLE#<name>      the columns that the warehouse's table has
    MARK#<table>        DAY#<day>         the lake table's sequence number when rows of the day last changed
    TURN#<dataset>      TURN              the attempt that may run, where a dataset remembers keys
    KEYS#<dataset>      <created>#<id>    where the keys lie that a batch shows
    DATASETS            <name>            the declaration under which its batches began last
    CONTROL             <name>            what a person or a long listing has set: pauses, markers; the seal

Index `open` (open, due_at) holds batches and loads not at rest, what is in quarantine, and LOADED batches that have
rejected records or files not read to their end; index `history`
(dataset, created_at) all batches. Indexes are read only to find work; every decision rests on a consistent read or
a condition (docs/aws-facts.md#dynamodb).
"""

from __future__ import annotations

from tidemark.adapters.ledger.dataset_lock import DatasetLocks
from tidemark.adapters.ledger.datasets import Datasets
from tidemark.adapters.ledger.day_changes import DayChanges
from tidemark.adapters.ledger.loads import Loads
from tidemark.adapters.ledger.recoveries import Recoveries
from tidemark.adapters.ledger.segments import Segments
from tidemark.core.batching import Segment
from tidemark.core.files import Holder, RefusedFile

__all__ = ["Holder", "Ledger", "RefusedFile", "Segment"]


class Ledger(Recoveries, Segments, Loads, DayChanges, DatasetLocks, Datasets):
    """All of it; each part says which race its conditional writes close."""
