"""Jobs really run: on the warm driver, and once by spark-submit. S3 is moto's; jobs are uploaded as text."""

import threading
import time
from io import BytesIO
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from local.spark.runner import ColdRunner, Outcome, WarmRunner, Workspace
from tests.local.spark.conftest import WRITES, Cloud, run
from tests.local.stand_ins import eventually

pytestmark = [pytest.mark.spark, pytest.mark.timeout(180)]


def test_cancelling_kills_the_job(warm: WarmRunner, cloud: Cloud) -> None:
    """A cancelled job ends within a second even if it hangs, and the next one gets a new driver."""
    stubborn = (
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('on')\nwhile True: time.sleep(1)"
    )
    job, cancelled = cloud.job(stubborn), threading.Event()
    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(warm.run(job, cancelled)))
    thread.start()
    log = warm._workspace.log(job.run_id)
    eventually(lambda: log.exists() and "on" in log.read_text(), seconds=60)
    pid, started = warm._driver._process.pid, time.monotonic()
    cancelled.set()
    thread.join(10)
    assert time.monotonic() - started < 2
    assert outcomes[0].exit_code == 143
    assert not Path(f"/proc/{pid}").exists()
    assert run(warm, cloud.job("print('again')")).exit_code == 0


def test_a_crash_is_a_failure(warm: WarmRunner, cloud: Cloud) -> None:
    """A driver that dies takes only its own job along."""
    outcome = run(warm, cloud.job("import os\nprint('out of memory', flush=True)\nos.kill(os.getpid(), 9)"))
    assert outcome.exit_code == -9
    assert "out of memory" in outcome.details
    assert run(warm, cloud.job("print('again')")).exit_code == 0


def test_a_dead_jvm_is_replaced(warm: WarmRunner, cloud: Cloud) -> None:
    """A job that brings Java down fails, and the next one runs."""
    text = "from pyspark.sql import SparkSession\nSparkSession.builder.getOrCreate()._jvm.System.exit(7)"
    assert run(warm, cloud.job(text)).exit_code != 0
    assert run(warm, cloud.job(WRITES, "s3://lake/batches/c/", helper="NAME = 'c'")).exit_code == 0


@pytest.mark.slow
def test_spark_submit_runs_the_same_job(cloud: Cloud, tmp_path: Path) -> None:
    """A cold run by PySpark's own spark-submit takes entry point and --py-files from s3:// and writes there."""
    runner = ColdRunner(Workspace(tmp_path, cloud.url, cores=2))
    assert run(runner, cloud.job(WRITES, "s3://lake/batches/cold/", helper="NAME = 'cold'")) == Outcome(0, "")
    result, parquet = cloud.keys("batches/cold/")
    assert cloud.read(result) == b"cold"
    assert pq.read_metadata(BytesIO(cloud.read(parquet))).num_rows == 10
