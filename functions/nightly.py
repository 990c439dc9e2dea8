"""nightly: begins batches of the nightly jobs that are due, on schedule, and of the jobs after one that has published.

`{"jobs": ["daily_sales"], "dates": ["2026-11-20"]}` limits a pass to these jobs and to the periods of these dates.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from tidemark.observability import logger, metrics
from tidemark.service.nightly import follow, form, nightly
from tidemark.service.seal import sealed
from tidemark.wiring import world


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Begins the jobs after those in stream records, forms the batch of a hint, or else makes a whole pass."""
    sealed_world = sealed(world())
    if "Records" in event:
        published = [record["dynamodb"]["NewImage"]["dataset"]["S"] for record in event["Records"]]
        follow(sealed_world, sorted(set(published)))
        return {"batchItemFailures": []}
    batch_id = event.get("detail", {}).get("batch_id")
    if batch_id:
        form(sealed_world, batch_id)
        return {"batches": 0}
    dates = [date.fromisoformat(day) for day in event.get("dates", ())]
    return {"batches": nightly(sealed_world, jobs=event.get("jobs"), dates=dates)}
