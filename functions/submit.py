"""submit: the ledger's stream says that a batch is PLANNED, or that its turn is over (or sweep hints) → a job run."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord

from tidemark.observability import logger, metrics
from tidemark.service.seal import sealed
from tidemark.service.submit import submit
from tidemark.wiring import world

processor = BatchProcessor(event_type=EventType.DynamoDBStreams, raise_on_entire_batch_failure=False)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> Any:
    """Answer with the stream records that failed; a hint just raises."""
    whole = sealed(world())
    if "detail" in event:
        return submit(whole, event["detail"]["batch_id"])
    return process_partial_response(event=event, record_handler=_record, processor=processor, context=context)


def _record(record: DynamoDBRecord) -> None:
    submit(world(), record.raw_event["dynamodb"]["NewImage"]["batch_id"]["S"])
