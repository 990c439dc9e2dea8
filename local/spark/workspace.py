"""A local job run: its input, its folders and environment, and its outcome."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from local.spark import jvm
from local.spark import staging as spark_staging

JOB_KEY: Final = "AKIALOCALJobRole"
OWN_KEY: Final = "AKIALOCAL"  # of the laptop cloud itself, which lists all buckets to mount them
CLOUD_ONLY: Final = (
    "spark.archives",
    "spark.emr-serverless.",
    "spark.executorEnv.PYSPARK",
    "spark.pyspark.",
    "spark.jars",
)
SIZES: Final = ("spark.driver.", "spark.executor.", "spark.dynamicAllocation.", "spark.task.")


@dataclass(frozen=True)
class JobSpec:
    """A job as StartJobRun describes it."""

    run_id: str
    entry_point: str  # s3:// URI
    arguments: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()  # words of sparkSubmitParameters
    properties: Mapping[str, str] = field(default_factory=dict)  # spark-defaults of configurationOverrides


@dataclass(frozen=True)
class Outcome:
    exit_code: int
    details: str = ""  # the error, with the most specific line last


@dataclass(frozen=True)
class Workspace:
    """The surroundings of job runs: files are below `state`, AWS services at `endpoint`."""

    state: Path
    endpoint: str
    region: str = "us-east-1"
    cores: int = field(default_factory=lambda: max(2, min(4, os.cpu_count() or 2)))

    @property
    def staging(self) -> Path:
        return self.state / "spark" / "s3"

    def log(self, run_id: str) -> Path:
        path = self.state / "logs" / f"spark-{run_id}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    @property
    def environment(self) -> dict[str, str]:
        """The job's environment: that of this process, with the job role's AWS credentials instead of its own."""
        own = {
            key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "PYSPARK_", "PYTHONPATH"))
        }
        identity = {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": JOB_KEY,
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
        }
        return jvm.java_environment(own | identity)

    def s3(self, access_key: str = JOB_KEY) -> Any:
        """An S3 client; by default, it calls as the job's role."""
        import boto3
        from botocore.config import Config

        keys: dict[str, Any] = {"aws_access_key_id": access_key, "aws_secret_access_key": "local"}
        config = Config(s3={"addressing_style": "path"}, max_pool_connections=2 * spark_staging.CONNECTIONS)
        return boto3.client("s3", endpoint_url=self.endpoint, config=config, region_name=self.region, **keys)


@dataclass(frozen=True)
class SubmitOptions:
    """The supported part of sparkSubmitParameters."""

    properties: Mapping[str, str]
    py_files: tuple[str, ...]


def submit_options(words: tuple[str, ...]) -> SubmitOptions:
    """Parse `--conf k=v` and `--py-files a,b`; ValueError for any other option, so that none is silently ignored."""
    properties: dict[str, str] = {}
    py_files: list[str] = []
    options, values = words[0::2], words[1::2]
    if len(options) != len(values):
        raise ValueError(f"sparkSubmitParameters: {options[-1]} has no value")
    for option, value in zip(options, values, strict=True):
        if option in ("--conf", "-c"):
            key, _, text = value.partition("=")
            properties[key] = text
        elif option == "--py-files":
            py_files += value.split(",")
        elif option != "--name":
            raise ValueError(f"sparkSubmitParameters: {option} is not supported locally")
    py_files += filter(None, properties.pop("spark.submit.pyFiles", "").split(","))
    return SubmitOptions(properties, tuple(py_files))


def local_properties(properties: Mapping[str, str]) -> dict[str, str]:
    """The properties without those that apply only to EMR: worker sizes, the packaged Python, EMR's own settings."""
    return {key: value for key, value in properties.items() if not key.startswith((*CLOUD_ONLY, *SIZES))}


def tail(path: Path, size: int = 8192) -> str:
    """The last `size` bytes of a log."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - size))
        return file.read().decode(errors="replace")


def error_lines(text: str) -> str:
    """The last four lines of an error that are neither stack frames nor INFO logs."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    relevant = [
        line for line in lines if not line.startswith(("at ", "... ", "File ", "^", "~")) and " INFO " not in line
    ]
    return "\n".join(relevant[-4:])
