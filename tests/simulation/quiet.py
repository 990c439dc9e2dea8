"""What of the process a simulation puts aside while it is played."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any
from unittest import mock

import tidemark.adapters.latest_rows as latest_rows_module
import tidemark.adapters.ledger.batches as batches_module
import tidemark.adapters.redshift as redshift_module
import tidemark.service.seal as seal_module
from tests.simulation.scans import arrow_scan
from tests.simulation.simulation import Simulation
from tidemark.observability import logger, metrics


@contextmanager
def quiet(simulation: Simulation) -> Iterator[None]:
    """No log, no real sleeping, no warnings about metrics that nobody collects."""
    level = logger.log_level
    logger.setLevel("CRITICAL")
    sleeping = mock.patch.object(redshift_module, "time", SimpleNamespace(sleep=simulation.pause))
    uncounted = mock.patch.object(metrics, "add_metric")
    parsing = mock.patch.object(batches_module, "parse_batch", simulation.parse_batch)
    # Only where a ledger is set back does its seal matter; elsewhere each look would be two calls more to disturb.
    unlooked: Any = nullcontext()
    if not simulation.looks_at_seal:
        unlooked = mock.patch.object(seal_module, "look", return_value=seal_module.Seal.WHOLE)
    scanning = mock.patch.object(latest_rows_module, "ArrowScan", arrow_scan)
    with sleeping, uncounted, parsing, scanning, unlooked, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            simulation.discard()
            logger.setLevel(level)
