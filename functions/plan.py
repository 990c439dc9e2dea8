"""plan: makes batches of pending segments, on schedule. `{"eager": true}` takes all pending segments at once."""

from __future__ import annotations

from typing import Any

from tidemark.observability import logger, metrics
from tidemark.service.plan import finish, plan
from tidemark.service.seal import sealed_or_new
from tidemark.wiring import world


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Forms the batch of a hint, or else plans all datasets."""
    sealed_world = sealed_or_new(world())
    batch_id = event.get("detail", {}).get("batch_id")
    if batch_id:
        finish(sealed_world, batch_id)
        return {"batches": 0}
    return {"batches": plan(sealed_world, eager=event.get("eager") is True)}
