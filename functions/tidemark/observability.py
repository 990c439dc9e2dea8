"""Logger and metrics, and every name that is written with them, in one place."""

from __future__ import annotations

import os
import warnings

from aws_lambda_powertools import Logger, Metrics, single_metric
from aws_lambda_powertools.metrics import MetricUnit

# An invocation that had nothing to count is not worth a line in the log.
warnings.filterwarnings("ignore", "No application metrics to publish")

logger = Logger()
metrics = Metrics()

#: Metric → what it counts, once, when it happens. A crash may lose one, so no alarm rests on them.
#: Dimension: the service alone; ids go to the log, not into dimensions.
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
}

#: Metric → what sweep finds at each look, 0 as well. A crash loses nothing: the next look finds it again.
GAUGES = {
    "LagSeconds": "now minus the landing of the oldest pending file, or the creation of the oldest batch not at rest",
    "NightAgeSeconds": "now minus the beginning of the last pass over all nightly jobs that was seen through",
    "ReconcileAgeSeconds": "now minus the beginning of the last complete pass of reconcile, where that is oldest",
    "WholeReconcileAgeSeconds": "the same of the last pass over everything, old folders too",
    "BatchesOverdue": "batches past their due time, to which sweep points",
    "BatchesOverdueForming": "of these, the ones that wait for plan",
    "BatchesOverduePlanned": "of these, the ones that wait for submit",
    "BatchesOverdueRunning": "of these, the ones that wait for publish",
    "BatchesOverduePublished": "of these, the ones that wait for load",
    "BatchesOverdueLoading": "of these, the ones that wait for settle",
    "BatchesStuck": "batches past their due time for longer than any healthy wait",
    "Orphans": "segments, batches and loads that no step takes up: of a dataset not declared, of a batch that is gone",
    "RunsFailing": "batches whose run has failed three times in a row, or more",
    "LoadsFailing": "batches whose load has failed three times in a row, or more",
    "BatchesInQuarantine": "batches that wait for a person, up to a thousand",
    "FilesInQuarantine": "files that wait for a person, up to a thousand",
    "QuarantineAgeSeconds": "how long the first of these has waited",
    "QuarantinedLately": "batches and files that were quarantined in the last hour",
    "FilesUnreadLately": "files not read to their end, of batches published or loaded lately",
    "ToleranceExceededLately": "batches with more rejected records than tolerated, published or loaded lately",
    "Sweeps": "sweeps that were seen through",
}


def count(name: str, value: int = 1) -> None:
    """Add to a metric; zero adds nothing. The name must be one of `COUNTS`."""
    if name not in COUNTS:
        raise KeyError(name)
    if value:
        _add(name, MetricUnit.Count, value)


def gauge(name: str, value: float) -> None:
    """Tell how much there is of something at this moment, 0 as well. The name must be one of `GAUGES`."""
    if name not in GAUGES:
        raise KeyError(name)
    _add(name, _unit(name), value)


def _unit(name: str) -> MetricUnit:
    return MetricUnit.Seconds if name.endswith("Seconds") else MetricUnit.Count


def gauge_of(dataset: str, name: str, value: float) -> None:
    """Tell how much there is of something in one dataset: a metric of its own, beside the stack's."""
    if name not in GAUGES:
        raise KeyError(name)
    if _are_told():
        with single_metric(name, _unit(name), value) as metric:
            metric.add_dimension("service", metrics.service or "")
            metric.add_dimension("dataset", dataset)


def _add(name: str, unit: MetricUnit, value: float) -> None:
    if _are_told():
        metrics.add_metric(name, unit, value)


def _are_told() -> bool:
    # Powertools heeds this variable only when a handler ends, but serialises after a hundred values of one metric.
    return os.environ.get("POWERTOOLS_METRICS_DISABLED") != "true"
