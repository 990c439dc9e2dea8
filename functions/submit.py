"""submit: starts a job run when a batch is PLANNED or releases the dataset lock (from the stream), or on a hint."""

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
    """Submits the batches of stream records and returns the records that failed, or submits the batch of a hint."""
    sealed_world = sealed(world())
    if "detail" in event:
        return submit(sealed_world, event["detail"]["batch_id"])
    return process_partial_response(event=event, record_handler=_submit, processor=processor, context=context)


def _submit(record: DynamoDBRecord) -> None:
    submit(world(), record.raw_event["dynamodb"]["NewImage"]["batch_id"]["S"])
