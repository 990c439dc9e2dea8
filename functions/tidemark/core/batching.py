"""When a micro-batch is due, and of which segments it is made. Pure arithmetic over the pending segments.

`max_files` and `max_bytes` are targets: a group that reaches one is due at once, a smaller one when its oldest
file has waited `max_wait`. `max_running` is the back-pressure: when fewer batches may start than are due, the
targets grow (up to GROWTH_MAX times), so that under load batches get larger instead of queues longer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tidemark.core.dataset import BatchPolicy

GROWTH_MAX = 10
#: One transaction writes the batch and marks its segments: 100 items in all (docs/aws-facts.md#dynamodb).
SEGMENTS_MAX = 99


@dataclass(frozen=True)
class PendingSegment:
    """What the policy needs to know of a segment."""

    dataset: str
    segment_id: str
    files: int
    bytes: int
    oldest_at: datetime  # landing of its oldest file
    background: bool = False  # backfilled


def due_batches(
    pending: Iterable[PendingSegment], policy: BatchPolicy, slots: int, now: datetime, eager: bool = False
) -> list[tuple[PendingSegment, ...]]:
    """Groups of segments that become a batch each, oldest first; at most `slots` of them."""
    segments = sorted(pending, key=lambda segment: (segment.oldest_at, segment.segment_id))
    if slots <= 0 or not segments:
        return []
    growth = _growth(segments, policy, slots)
    groups = _grouped(segments, policy.max_files * growth, policy.max_bytes * growth)
    due = [group for group in groups if eager or _is_due(group, policy, now)]
    return due[:slots]


def _growth(segments: list[PendingSegment], policy: BatchPolicy, slots: int) -> int:
    files = sum(segment.files for segment in segments) / policy.max_files
    size = sum(segment.bytes for segment in segments) / policy.max_bytes
    return max(1, min(GROWTH_MAX, math.ceil(max(files, size) / slots)))


def _grouped(segments: list[PendingSegment], files_max: int, bytes_max: int) -> list[tuple[PendingSegment, ...]]:
    groups: list[list[PendingSegment]] = []
    files = size = 0
    for segment in segments:
        fits = files + segment.files <= files_max and size + segment.bytes <= bytes_max
        if not groups or not fits or len(groups[-1]) >= SEGMENTS_MAX:
            groups.append([])
            files = size = 0
        groups[-1].append(segment)
        files, size = files + segment.files, size + segment.bytes
    return [tuple(group) for group in groups]


def _is_due(group: tuple[PendingSegment, ...], policy: BatchPolicy, now: datetime) -> bool:
    full = (
        sum(segment.files for segment in group) >= policy.max_files
        or sum(segment.bytes for segment in group) >= policy.max_bytes
        or len(group) >= SEGMENTS_MAX
    )
    return full or now - group[0].oldest_at >= policy.max_wait


@dataclass(frozen=True)
class Segment:
    """A pending segment as listed: what the policy needs, its item's key, and the batch that has taken it."""

    head: PendingSegment
    sk: str
    batch_id: str
