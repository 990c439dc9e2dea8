"""settle: checks the counts of an ended load and moves its batches to LOADED, on Redshift's event or on a hint."""

from __future__ import annotations

from typing import Any

from tidemark.core.naming import load_of
from tidemark.observability import logger, metrics
from tidemark.service.seal import sealed
from tidemark.service.settle import settle, settle_batch
from tidemark.wiring import world


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> None:
    """Settles the load that the event names by its statement or by a batch."""
    sealed_world, detail = sealed(world()), event["detail"]
    if "statementName" in detail:
        settle(sealed_world, load_of(detail["statementName"]))
    else:
        settle_batch(sealed_world, detail["batch_id"])
