"""The logger, and all metrics with their names."""

from __future__ import annotations

import os
import warnings

from aws_lambda_powertools import Logger, Metrics, single_metric
from aws_lambda_powertools.metrics import MetricUnit

# An invocation without metrics is normal and needs no warning in the log.
warnings.filterwarnings("ignore", "No application metrics to publish")

logger = Logger()
metrics = Metrics()

#: Metric → what it counts, at the time it happens. A crash may lose a count, so no alarm depends on one.
#: The only dimension is the service; ids belong in the log.
COUNTS = {
    "FilesCollected": "file versions recorded as pending",
    "FilesUnclaimed": "notifications of objects outside every dataset's prefix",
    "MessagesRefused": "messages that are not S3 notifications",
    "FilesDuplicated": "file versions dropped because another batch holds them",
    "FilesSuperseded": "file versions that replaced an older one",
    "FilesRefused": "files put in quarantine because a run failed on them",
    "FilesUnread": "files that could not be read to the end",
    "BatchesPlanned": "manifests written",
    "RunsStarted": "job runs started",
    "RunsFailed": "job runs that failed",
    "BatchesPublished": "batches committed to the lake",
    "RecordsRejected": "records rejected, each with a reason",
    "ToleranceExceeded": "batches with more rejected records than their dataset tolerates",
    "LoadsStarted": "warehouse transactions started",
    "LoadsFailed": "warehouse transactions that failed",
    "BatchesLoaded": "batches at rest in lake and warehouse",
    "BatchesQuarantined": "batches put in quarantine, where they wait for a person",
    "BatchesSplit": "batches split in two",
    "NewerSkipped": "steps skipped because only a newer release may act on an item or document",
}

#: Metric → what each sweep measures, zeros included. A crash loses nothing: the next sweep measures it again.
GAUGES = {
    "LagSeconds": "age of the oldest pending file, or of the oldest batch not at rest if that is older",
    "NightAgeSeconds": "time since the start of the last complete pass over all nightly jobs",
    "ReconcileAgeSeconds": "time since reconcile's last complete pass began, the longest of all datasets",
    "WholeReconcileAgeSeconds": "time since reconcile's last pass over all folders began, the longest of all datasets",
    "BatchesOverdue": "batches past their due time, for which sweep sends hints",
    "BatchesOverdueForming": "overdue batches that wait for plan",
    "BatchesOverduePlanned": "overdue batches that wait for submit",
    "BatchesOverdueRunning": "overdue batches that wait for publish",
    "BatchesOverduePublished": "overdue batches that wait for load",
    "BatchesOverdueLoading": "overdue batches that wait for settle",
    "BatchesStuck": "batches past their due time for longer than any healthy wait",
    "Orphans": "segments and loads that no step continues, for lack of a declared dataset or of an active batch",
    "UndeclaredBatches": "batches not at rest of datasets that are no longer declared",
    "NewerItems": "batches, loads, files in quarantine and segments that only a newer release may act on",
    "RunsFailing": "batches whose run has failed at least three times in a row",
    "LoadsFailing": "batches whose load has failed at least three times in a row",
    "BatchesDenied": "batches whose last run or load failed because a permission is missing",
    "BatchesInQuarantine": "batches in quarantine, up to a thousand",
    "FilesInQuarantine": "files in quarantine, up to a thousand",
    "QuarantineAgeSeconds": "age of the oldest entry in quarantine",
    "QuarantinedLately": "batches and files put in quarantine in the last hour",
    "FilesUnreadLately": "partly unread files of batches published or loaded lately",
    "ToleranceExceededLately": "batches published or loaded lately with more rejected records than tolerated",
    "Sweeps": "completed sweeps",
}


def count(name: str, value: int = 1) -> None:
    """Adds to a count; zero writes nothing. Raises `KeyError` for a name that is not in `COUNTS`."""
    if name not in COUNTS:
        raise KeyError(name)
    if value:
        _add(name, MetricUnit.Count, value)


def gauge(name: str, value: float) -> None:
    """Writes a gauge's present value, zero included. Raises `KeyError` for a name that is not in `GAUGES`."""
    if name not in GAUGES:
        raise KeyError(name)
    _add(name, _unit(name), value)


def _unit(name: str) -> MetricUnit:
    return MetricUnit.Seconds if name.endswith("Seconds") else MetricUnit.Count


def gauge_of(dataset: str, name: str, value: float) -> None:
    """Writes a gauge of one dataset, which CloudWatch keeps as a separate metric with the dimension `dataset`."""
    if name not in GAUGES:
        raise KeyError(name)
    if _metrics_enabled():
        with single_metric(name, _unit(name), value) as metric:
            metric.add_dimension("service", metrics.service or "")
            metric.add_dimension("dataset", dataset)


def _add(name: str, unit: MetricUnit, value: float) -> None:
    if _metrics_enabled():
        metrics.add_metric(name, unit, value)


def _metrics_enabled() -> bool:
    # Powertools reads this variable only when a handler ends, but writes after a hundred values of one metric already.
    return os.environ.get("POWERTOOLS_METRICS_DISABLED") != "true"
