"""Logger and metrics, and every name that is written with them, in one place."""

from __future__ import annotations

import os
import warnings

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

# An invocation that had nothing to count is not worth a line in the log.
warnings.filterwarnings("ignore", "No application metrics to publish")

logger = Logger()
metrics = Metrics()

#: Metric → what it counts. Dimension: the service alone; ids go to the log, not into dimensions.
COUNTS = {
    "FilesCollected": "file versions remembered as pending",
    "FilesUnclaimed": "notices of objects under no dataset's prefix",
    "MessagesRefused": "messages that are no S3 notification",
    "FilesDuplicated": "file versions dropped because a batch holds them",
    "FilesSuperseded": "file versions that replaced an older one",
    "FilesRefused": "files set aside because a run failed over them",
    "FilesUnread": "files that could not be read to their end",
    "BatchesPlanned": "manifests written",
    "RunsStarted": "job runs started",
    "RunsFailed": "job runs that failed",
    "BatchesPublished": "batches committed to the lake",
    "RecordsRejected": "records set aside with a reason",
    "ToleranceExceeded": "batches with more rejected records than their dataset tolerates",
    "LoadsStarted": "warehouse transactions started",
    "LoadsFailed": "warehouse transactions that failed",
    "BatchesLoaded": "batches at rest in lake and warehouse",
    "BatchesQuarantined": "batches that wait for a person",
    "BatchesSplit": "batches whose children took over",
    "BatchesOverdue": "batches that sweep found past their due time",
}


def count(name: str, value: int = 1) -> None:
    """Add to a metric; zero adds nothing. The name must be one of `COUNTS`."""
    if name not in COUNTS:
        raise KeyError(name)
    # Powertools heeds this variable only when a handler ends, but serialises after a hundred values of one metric.
    silent = os.environ.get("POWERTOOLS_METRICS_DISABLED") == "true"
    if value and not silent:
        metrics.add_metric(name, MetricUnit.Count, value)


def lag(seconds: float) -> None:
    """Now minus the landing of the oldest file that is not at rest."""
    metrics.add_metric("LagSeconds", MetricUnit.Seconds, seconds)


def night_age(seconds: float) -> None:
    """Now minus the beginning of the last pass over all nightly jobs that was seen through."""
    metrics.add_metric("NightAgeSeconds", MetricUnit.Seconds, seconds)
