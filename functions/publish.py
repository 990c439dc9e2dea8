"""publish: EMR Serverless says that a run has ended (or sweep hints at its batch) → the lake."""

from __future__ import annotations

from typing import Any

from tidemark.observability import logger, metrics
from tidemark.service.publish import publish, publish_run
from tidemark.service.seal import sealed
from tidemark.wiring import world


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> None:
    """Either kind of event only says where to look."""
    whole, detail = sealed(world()), event["detail"]
    if "jobRunId" in detail:
        publish_run(whole, detail["jobRunId"])
    else:
        publish(whole, detail["batch_id"])
