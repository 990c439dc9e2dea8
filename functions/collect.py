"""collect: turns SQS messages about new objects into pending segments in the ledger."""

from __future__ import annotations

import json
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from tidemark.core.files import FileVersion
from tidemark.core.notifications import parse_notification
from tidemark.observability import count, logger, metrics
from tidemark.service.collect import record_pending
from tidemark.wiring import world

processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> Any:
    """Records the files of all messages. Returns the messages that are not notifications.

    SQS delivers only these again, and moves them to the dead-letter queue in the end.
    """
    files: list[FileVersion] = []

    def read(record: SQSRecord) -> None:
        files.extend(parse_notification(json.loads(record.body)))

    response = process_partial_response(event=event, record_handler=read, processor=processor, context=context)
    count("MessagesRefused", len(response["batchItemFailures"]))
    record_pending(world(), files)
    return response
