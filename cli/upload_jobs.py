"""`tidemark jobs upload`: the Spark code, and the packages that EMR's Python lacks, go to the control bucket."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from rich.console import Console

from cli.render import say, size
from spark_jobs.archive import job_archive
from tidemark.adapters.world import World
from tidemark.core.errors import TidemarkError

ROOT = Path(__file__).resolve().parent.parent
#: EMR 7's Python (docs/decisions/0001): wheels are fetched for it, whichever Python runs this command.
EMR_PYTHON = ("--python-version", "3.9", "--platform", "manylinux_2_28_x86_64", "--platform", "manylinux2014_x86_64")


def upload_jobs(world: World, console: Console) -> None:
    """Write `jobs/run_batch.py`, `jobs/spark_jobs.zip` and `jobs/python.tar.gz`, for runs that start from now on."""
    with tempfile.TemporaryDirectory(prefix="tidemark-") as scratch:
        packages = pack_packages(Path(scratch))
        client, bucket = world.client("s3"), world.settings.control_bucket
        client.upload_file(str(packages), bucket, "jobs/python.tar.gz")
        client.put_object(Bucket=bucket, Key="jobs/spark_jobs.zip", Body=job_archive(ROOT))
        client.upload_file(str(ROOT / "spark_jobs" / "run_batch.py"), bucket, "jobs/run_batch.py")
        say(console, f"uploaded to s3://{bucket}/jobs/ (packages: {size(packages.stat().st_size)})")


def pack_packages(scratch: Path) -> Path:
    """Install requirements/job.txt for EMR's Python and pack it; the template puts it on every run's path."""
    target, archive = scratch / "python", scratch / "python.tar.gz"
    options = ["--quiet", "--require-hashes", "--no-deps", "--only-binary", ":all:", "--target", str(target)]
    command = [sys.executable, "-m", "pip", "install", *options, *EMR_PYTHON]
    done = subprocess.run(
        [*command, "-r", str(ROOT / "requirements" / "job.txt")], check=False, capture_output=True, text=True
    )
    if done.returncode:
        complaints = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise TidemarkError(f"pip could not fetch requirements/job.txt: {complaints[-1]}")
    with tarfile.open(archive, "w:gz", compresslevel=6) as file:
        file.add(target, arcname=".")
    return archive
