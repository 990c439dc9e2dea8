"""reconcile: on schedule, what the bucket has and the ledger has not → pending segments.

`{"eager": true}` begins a pass over every dataset, whenever the last one was.
"""

from __future__ import annotations

from typing import Any

from tidemark.observability import logger, metrics
from tidemark.service.reconcile import reconcile_all
from tidemark.service.seal import sealed
from tidemark.wiring import world

SPARE_MILLISECONDS = 60_000  # enough for one more page and the answer


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """A pass that would outlast the function goes on at the next schedule."""
    whole, eager = sealed(world()), event.get("eager") is True
    brought = reconcile_all(whole, lambda: context.get_remaining_time_in_millis() > SPARE_MILLISECONDS, eager)
    return {"files": brought}
