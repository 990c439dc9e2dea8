"""The delay before a retry: exponential and capped, with jitter that is derived from the batch, not random."""

from __future__ import annotations

import hashlib
from datetime import timedelta

FIRST = timedelta(seconds=30)
LONGEST = timedelta(minutes=30)


def backoff(subject: str, failures: int) -> timedelta:
    """The delay after the `failures`-th failure in a row (from 1): FIRST·2ⁿ⁻¹ up to LONGEST; the upper half is jitter.

    The jitter is a hash of subject and count: it differs between batches, and is the same when a step is repeated.
    """
    longest = min(LONGEST, FIRST * int(2 ** min(failures - 1, 10)))
    jitter = hashlib.sha256(f"{subject}/{failures}".encode()).digest()[0] / 255
    return longest / 2 + longest / 2 * jitter
