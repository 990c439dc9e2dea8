"""settle: Redshift says that a statement has ended (or sweep hints at a batch) → batches at rest."""

from __future__ import annotations

from typing import Any

from tidemark.observability import logger, metrics
from tidemark.service.seal import sealed
from tidemark.service.settle import settle, settle_batch
from tidemark.wiring import world


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> None:
    """A load is its statement's name."""
    whole, detail = sealed(world()), event["detail"]
    if "statementName" in detail:
        settle(whole, detail["statementName"])
    else:
        settle_batch(whole, detail["batch_id"])
