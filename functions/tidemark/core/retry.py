"""How long to wait before the next try: exponential, capped, with jitter derived from the batch, not drawn."""

from __future__ import annotations

import hashlib
from datetime import timedelta

FIRST = timedelta(seconds=30)
LONGEST = timedelta(minutes=30)


def backoff(subject: str, failures: int) -> timedelta:
    """Delay after the `failures`-th failure (from 1): FIRST·2ⁿ⁻¹ up to LONGEST, of which the upper half is jitter.

    The jitter is a hash of subject and count: spread over batches, and the same when the step is repeated.
    """
    full = min(LONGEST, FIRST * int(2 ** min(failures - 1, 10)))
    draw = hashlib.sha256(f"{subject}/{failures}".encode()).digest()[0] / 255
    return full / 2 + full / 2 * draw
