"""reconcile: records files that the raw bucket has and the ledger lacks as pending segments, on schedule.

`{"eager": true}` begins a pass over every dataset, even if none is due.
"""

from __future__ import annotations

from typing import Any

from tidemark.observability import logger, metrics
from tidemark.service.reconcile import reconcile_all
from tidemark.service.seal import sealed
from tidemark.wiring import world

SPARE_MILLISECONDS = 60_000  # enough for one more step and the return


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Continues the passes that are due until little time is left; the next invocation continues from there."""
    sealed_world, eager = sealed(world()), event.get("eager") is True
    files = reconcile_all(sealed_world, lambda: context.get_remaining_time_in_millis() > SPARE_MILLISECONDS, eager)
    return {"files": files}
