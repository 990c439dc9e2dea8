"""load: on schedule, published batches → warehouse transactions. `{"eager": true}` does not wait for the policy."""

from __future__ import annotations

from typing import Any

from tidemark.observability import logger, metrics
from tidemark.service.load import load
from tidemark.service.seal import sealed
from tidemark.wiring import world


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Hints and schedules alike are a look at everything: loads share their wake-up."""
    return {"loads": load(sealed(world()), eager=event.get("eager") is True)}
