"""Events on their way: from S3, the bus, queues, streams and schedules to functions."""
