"""publish: commits the result of an ended job run to the lake, on EMR's event or on a hint."""

from __future__ import annotations

from typing import Any

from tidemark.observability import logger, metrics
from tidemark.service.publish import publish, publish_run
from tidemark.service.seal import sealed
from tidemark.wiring import world


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> None:
    """Publishes the batch that the event names by its run or its id; the run's state is read from EMR."""
    sealed_world, detail = sealed(world()), event["detail"]
    if "jobRunId" in detail:
        publish_run(sealed_world, detail["jobRunId"])
    else:
        publish(sealed_world, detail["batch_id"])
