"""load: starts warehouse transactions for published batches, on schedule or on a hint.

`{"eager": true}` loads all published batches without waiting for their datasets' load policy.
"""

from __future__ import annotations

from typing import Any

from tidemark.observability import logger, metrics
from tidemark.service.load import load
from tidemark.service.seal import sealed
from tidemark.wiring import world


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Starts every load that is due, even on a hint about one batch: all loads share one wake-up of the warehouse."""
    return {"loads": load(sealed(world()), eager=event.get("eager") is True)}
