"""Jobs really run: on the warm driver, and once by spark-submit. S3 is moto's; jobs are uploaded as text."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from local.spark import jvm
from local.spark.runner import ColdRunner, JobSpec, Outcome, WarmRunner, Workspace
from local.spark.workspace import error_lines, local_properties, submit_options
from tests.local.stand_ins import client, eventually, moto

pytestmark = [pytest.mark.spark, pytest.mark.timeout(180)]

WRITES = """
import sys
from pyspark.sql import SparkSession
from helper import NAME
spark = SparkSession.builder.appName("job").getOrCreate()
output = sys.argv[1]
rows = spark.range(10).selectExpr("id", "timestamp_micros(id) AS at")
same = rows.mapInArrow(lambda batches: batches, rows.schema)
same.coalesce(1).write.parquet(output + "tables/x/", compression="zstd")
path = spark._jvm.org.apache.hadoop.fs.Path(output + "result.json")
stream = path.getFileSystem(spark._jsc.hadoopConfiguration()).create(path)
stream.write(bytearray(NAME.encode()))
stream.close()
spark.stop()
"""


class Cloud:
    """moto's S3 with a bucket for code and one for output."""

    def __init__(self, url: str) -> None:
        self.url, self.s3 = url, client("s3", url)
        for bucket in ("control", "lake"):
            self.s3.create_bucket(Bucket=bucket)

    def job(
        self, text: str, *arguments: str, helper: str | None = None, properties: dict[str, str] | None = None
    ) -> JobSpec:
        """Upload the job (and its module `helper`) and describe it."""
        name = f"run{time.monotonic_ns()}"
        self.s3.put_object(Bucket="control", Key=f"jobs/{name}.py", Body=text.encode())
        parameters: tuple[str, ...] = ("--conf", "spark.executor.memory=3g")
        if helper is not None:
            self.s3.put_object(Bucket="control", Key=f"jobs/{name}.zip", Body=zipped("helper.py", helper))
            parameters += ("--py-files", f"s3://control/jobs/{name}.zip")
        return JobSpec(name, f"s3://control/jobs/{name}.py", arguments, parameters, properties or {})

    def keys(self, prefix: str) -> list[str]:
        return [item["Key"] for item in self.s3.list_objects_v2(Bucket="lake", Prefix=prefix).get("Contents", [])]

    def read(self, key: str) -> bytes:
        return bytes(self.s3.get_object(Bucket="lake", Key=key)["Body"].read())


def zipped(name: str, text: str) -> bytes:
    sink = BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr(name, text)
    return sink.getvalue()


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with moto() as url:
        yield Cloud(url)


@pytest.fixture(scope="module")
def workspace(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("state"), cloud.url, cores=2)


@pytest.fixture(scope="module")
def warm(workspace: Workspace) -> Iterator[WarmRunner]:
    runner = WarmRunner(workspace)
    yield runner
    runner.stop()


def run(runner: WarmRunner | ColdRunner, job: JobSpec) -> Outcome:
    return runner.run(job, threading.Event())


def alive(marker: str) -> list[int]:
    """Processes whose command line holds the marker."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words, state = (entry / "cmdline").read_bytes(), (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if marker.encode() in words and state != "Z":
            found.append(int(entry.name))
    return found


def test_a_job_writes_parquet_to_s3(warm: WarmRunner, cloud: Cloud) -> None:
    """Unmodified s3:// URIs: the files arrive in S3 with micro-second timestamps, without the committer's marks."""
    outcome = run(warm, cloud.job(WRITES, "s3://lake/batches/a/", helper="NAME = 'first'"))
    assert outcome == Outcome(0, "")
    result, parquet = cloud.keys("batches/a/")
    assert (result, parquet.endswith(".zstd.parquet")) == ("batches/a/result.json", True)
    schema = pq.ParquetFile(BytesIO(cloud.read(parquet))).schema
    assert str(schema.column(1).logical_type.to_json()).find("microseconds") > 0
    assert cloud.read(result) == b"first"


def test_jobs_share_nothing_but_the_driver(warm: WarmRunner, cloud: Cloud) -> None:
    """The next job gets its own modules, arguments and settings, and no view or file of the one before."""
    dirty = """
import os, sys
from pyspark.sql import SparkSession
import helper
spark = SparkSession.builder.config("spark.sql.ansi.enabled", "true").getOrCreate()
spark.range(3).cache().createOrReplaceTempView("mine")
os.environ["LEFT"] = "behind"
open("/proc/self/comm").read()
"""
    assert run(warm, cloud.job(dirty, "x", helper="NAME = 'dirty'")).exit_code == 0
    curious = """
import json, os, sys
from pyspark.sql import SparkSession
import helper
spark = SparkSession.builder.getOrCreate()
print(json.dumps([
    helper.NAME, sys.argv[1:], spark.conf.get("spark.sql.ansi.enabled"), spark.conf.get("spark.sql.x.y", "none"),
    [t.name for t in spark.catalog.listTables()], "LEFT" in os.environ, os.environ["AWS_ACCESS_KEY_ID"],
    spark.sparkContext.parallelize([1], 1).map(lambda _: __import__("helper").NAME).collect(), __name__]))
"""
    job = cloud.job(curious, "--spec", "s", helper="NAME = 'clean'", properties={"spark.sql.x.y": "set"})
    assert run(warm, job) == Outcome(0, "")
    told = (warm._workspace.log(job.run_id)).read_text().splitlines()[-1]
    expected = ["clean", ["--spec", "s"], "false", "set", [], False, "AKIALOCALJobRole", ["clean"], "__main__"]
    assert json.loads(told) == expected


def test_the_checkout_is_hidden_from_jobs(warm: WarmRunner, cloud: Cloud) -> None:
    """A job finds the modules that it brings along and not those that happen to lie in the checkout."""
    outcome = run(warm, cloud.job("import spark_jobs"))
    assert "ModuleNotFoundError" in outcome.details


def test_a_failing_job_tells_why_and_leaves_only_its_story(warm: WarmRunner, cloud: Cloud) -> None:
    """An exception is exit code 1 with the error last; of what was written only failure.json is uploaded."""
    text = WRITES.replace("result.json", "failure.json").replace("spark.stop()", "raise ValueError('no such column')")
    outcome = run(warm, cloud.job(text, "s3://lake/batches/b/", helper="NAME = 'story'"))
    assert outcome.exit_code == 1
    assert outcome.details.endswith("ValueError: no such column")
    assert cloud.keys("batches/b/") == ["batches/b/failure.json"]


@pytest.mark.parametrize(
    ("text", "code"), [("import sys; sys.exit(3)", 3), ("exit()", 0), ("raise SystemExit('why')", 1)]
)
def test_exits_are_exit_codes(warm: WarmRunner, cloud: Cloud, text: str, code: int) -> None:
    """sys.exit with a number, nothing and a text."""
    assert run(warm, cloud.job(text)).exit_code == code


def test_missing_code_is_a_failure(warm: WarmRunner, cloud: Cloud) -> None:
    """The error for an entry point that is not in S3 names its URI; the driver is not called."""
    outcome = run(warm, JobSpec("none", "s3://control/none.py"))
    assert (outcome.exit_code, "s3://control/none.py" in outcome.details) == (1, True)


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


def test_a_worn_driver_is_replaced(warm: WarmRunner, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its number of jobs the driver gives way to a new process."""
    monkeypatch.setattr(warm, "_most_jobs", 1)
    before = warm._driver._process.pid
    assert run(warm, cloud.job("pass")).exit_code == 0
    assert warm._driver._process.pid != before


def test_nothing_outlives_its_parent(cloud: Cloud, tmp_path: Path) -> None:
    """When the server is killed with -9, driver and Java end with it."""
    program = (
        "import time; from pathlib import Path; from local.spark.runner import *;"
        f"r = WarmRunner(Workspace(Path({str(tmp_path)!r}), {cloud.url!r})); time.sleep(600)"
    )
    server = subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parents[3])
    try:
        eventually(lambda: len(alive(str(tmp_path))) >= 2, seconds=30)
        eventually(lambda: java_below(tmp_path), seconds=60)
        java = java_below(tmp_path)
    finally:
        os.kill(server.pid, signal.SIGKILL)
        server.wait()
    eventually(lambda: not alive(str(tmp_path)) and not any(Path(f"/proc/{pid}").exists() for pid in java), seconds=10)


def java_below(state: Path) -> list[int]:
    """Java processes that work in the state folder."""
    found = []
    for pid in alive("PythonGatewayServer"):
        try:
            working = str(Path(f"/proc/{pid}/cwd").readlink())
        except OSError:
            continue
        if working.startswith(str(state)):
            found.append(pid)
    return found


@pytest.mark.slow
def test_spark_submit_runs_the_same_job(cloud: Cloud, tmp_path: Path) -> None:
    """A cold run by PySpark's own spark-submit takes entry point and --py-files from s3:// and writes there."""
    runner = ColdRunner(Workspace(tmp_path, cloud.url, cores=2))
    assert run(runner, cloud.job(WRITES, "s3://lake/batches/cold/", helper="NAME = 'cold'")) == Outcome(0, "")
    result, parquet = cloud.keys("batches/cold/")
    assert cloud.read(result) == b"cold"
    assert pq.read_metadata(BytesIO(cloud.read(parquet))).num_rows == 10


def test_options_that_are_not_played_are_refused() -> None:
    """Unknown sparkSubmitParameters are errors; only settings that apply just to EMR are ignored."""
    words = (
        "--conf",
        "spark.a=b=c",
        "--py-files",
        "s3://b/x.zip,s3://b/y.zip",
        "--conf",
        "spark.submit.pyFiles=s3://b/z.zip",
    )
    options = submit_options(words)
    assert options.properties == {"spark.a": "b=c"}
    assert options.py_files == ("s3://b/x.zip", "s3://b/y.zip", "s3://b/z.zip")
    for broken in (("--packages", "a:b:c"), ("--conf",)):
        with pytest.raises(ValueError, match="sparkSubmitParameters"):
            submit_options(broken)
    emr = {
        "spark.archives": "s3://x",
        "spark.executor.cores": "4",
        "spark.emr-serverless.driverEnv.PYSPARK_PYTHON": "p",
    }
    assert local_properties(emr | {"spark.sql.ansi.enabled": "true"}) == {"spark.sql.ansi.enabled": "true"}


def test_class_sharing_can_be_switched_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An archive is used if it is there and wanted, and made only if it is missing and wanted."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("TIDEMARK_CLASS_SHARING", raising=False)
    assert (jvm.existing_archive(), jvm.is_sharing_due()) == (None, True)
    jvm.archive_path().parent.mkdir()
    jvm.archive_path().touch()
    assert (jvm.existing_archive(), jvm.is_sharing_due()) == (jvm.archive_path(), False)
    monkeypatch.setenv("TIDEMARK_CLASS_SHARING", "0")
    assert (jvm.existing_archive(), jvm.is_sharing_due()) == (None, False)


def test_java_may_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """TIDEMARK_JAVA_HOME wins over the bundled Java."""
    monkeypatch.delenv("TIDEMARK_JAVA_HOME", raising=False)
    assert (jvm.java_home() / "bin" / "java").exists()
    monkeypatch.setenv("TIDEMARK_JAVA_HOME", "/opt/java")
    assert jvm.java_home() == Path("/opt/java")


def test_the_essence_of_an_error_has_no_frames() -> None:
    """Java's and Python's stack frames are dropped, the causes stay, the last one last."""
    python = 'Traceback:\n  File "x.py", line 1\n    boom()\n    ^^^^^^\n'
    text = python + "Py4JJavaError\n\tat a.b(C.java:1)\n\t... 3 more\nCaused by: X: full\n"
    assert error_lines(text).splitlines()[-2:] == ["Py4JJavaError", "Caused by: X: full"]
