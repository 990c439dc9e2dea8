"""nightly: on schedule, what is due → batches of nightly jobs; and what comes next, when one of them is published.

`{"jobs": ["daily_sales"], "dates": ["2026-11-20"]}` narrows a pass down to jobs and to the periods of dates.
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
    """Stream records say that jobs have published, a hint forms one batch; anything else is a look at everything."""
    whole = sealed(world())
    if "Records" in event:
        published = [record["dynamodb"]["NewImage"]["dataset"]["S"] for record in event["Records"]]
        follow(whole, sorted(set(published)))
        return {"batchItemFailures": []}
    hinted = event.get("detail", {}).get("batch_id")
    if hinted:
        form(whole, hinted)
        return {"batches": 0}
    dates = [date.fromisoformat(day) for day in event.get("dates", ())]
    return {"batches": nightly(whole, jobs=event.get("jobs"), dates=dates)}
