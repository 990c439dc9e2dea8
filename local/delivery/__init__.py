"""Event delivery: from S3, the event bus, queues, streams and schedules to functions."""
