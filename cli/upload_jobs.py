"""`tidemark jobs upload`: the Spark code, and the packages that EMR's Python lacks, go to the control bucket."""

from __future__ import annotations

import gzip
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from rich.console import Console

from cli.render import say, size
from spark_jobs.archive import job_files
from tidemark.adapters.world import World
from tidemark.core.errors import TidemarkError
from tidemark.core.job_code import PACKAGES, code_prefix
from tidemark.service.job_code import put_code

ROOT = Path(__file__).resolve().parent.parent
#: EMR 7's Python (docs/decisions/0001): wheels are fetched for it, whichever Python runs this command.
EMR_PYTHON = ("--python-version", "3.9", "--platform", "manylinux_2_28_x86_64", "--platform", "manylinux2014_x86_64")


def upload_jobs(world: World, console: Console) -> None:
    """Write a version of the code below its content's hash, and make it current: new work takes it from now on."""
    with tempfile.TemporaryDirectory(prefix="tidemark-") as scratch:
        packages = pack_packages(Path(scratch)).read_bytes()
    code = put_code(world, {**job_files(ROOT), PACKAGES: packages})
    bucket = world.settings.control_bucket
    say(console, f"job code {code} is current in s3://{bucket}/{code_prefix(code)} (packages: {size(len(packages))})")


def pack_packages(scratch: Path) -> Path:
    """Install requirements/job.txt for EMR's Python and pack it; each run puts it on its path.

    The same packages, installed by the same Python, give the same bytes: the code's hash changes with its content.
    """
    target, archive = scratch / "python", scratch / PACKAGES
    options = ["--quiet", "--require-hashes", "--no-deps", "--no-compile", "--only-binary", ":all:"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), *EMR_PYTHON]
    done = subprocess.run(
        [*command, "-r", str(ROOT / "requirements" / "job.txt")], check=False, capture_output=True, text=True
    )
    if done.returncode:
        complaints = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise TidemarkError(f"pip could not fetch requirements/job.txt: {complaints[-1]}")
    with (
        gzip.GzipFile(archive, "wb", compresslevel=6, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as file,
    ):
        file.add(target, arcname=".", filter=_undated)
    return archive


def _undated(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """The member without what differs between two installs of the same packages: times and owners."""
    member.mtime = member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
