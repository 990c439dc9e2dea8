"""plan: on schedule, pending segments → batches. `{"eager": true}` takes all that is pending at once."""

from __future__ import annotations

from typing import Any

from tidemark.observability import logger, metrics
from tidemark.service.plan import finish, plan
from tidemark.service.seal import sealed_or_new
from tidemark.wiring import world


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """A hint finishes one batch; anything else is a look at everything."""
    whole = sealed_or_new(world())
    hinted = event.get("detail", {}).get("batch_id")
    if hinted:
        finish(whole, hinted)
        return {"batches": 0}
    return {"batches": plan(whole, eager=event.get("eager") is True)}
