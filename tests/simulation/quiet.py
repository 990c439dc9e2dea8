"""Disables the parts of the process that a simulation does not need while it is played."""

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
    """Disables logs, real sleeping, and warnings about metrics that are not collected."""
    level = logger.log_level
    logger.setLevel("CRITICAL")
    sleeping = mock.patch.object(redshift_module, "time", SimpleNamespace(sleep=simulation.pause))
    uncounted = mock.patch.object(metrics, "add_metric")
    parsing = mock.patch.object(batches_module, "parse_batch", simulation.parse_batch)
    # The seal matters only where a ledger is restored; elsewhere each check would be two more calls to disturb.
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
