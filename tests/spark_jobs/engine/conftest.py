"""Nightly jobs by hand, for the engine that runs them."""

from tests.spark_jobs.nightly.conftest import jobs, nights

__all__ = ["jobs", "nights"]
