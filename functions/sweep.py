"""sweep: sends a hint for every batch past its due time, and writes all gauges, on schedule."""

from __future__ import annotations

from typing import Any

from tidemark.observability import logger, metrics
from tidemark.service.seal import sealed
from tidemark.service.sweep import sweep
from tidemark.wiring import world


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Sweeps once and returns the number of hints."""
    return {"hints": sweep(sealed(world()))}
