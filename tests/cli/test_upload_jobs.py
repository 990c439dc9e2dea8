"""The Spark code goes to where runs fetch it."""

from __future__ import annotations

import io
import subprocess
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli import upload_jobs
from cli.render import open_console
from tests.conftest import ROOT
from tidemark.core.errors import TidemarkError


class Bucket:
    """S3, which keeps what it is sent."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], bytes] = {}

    def upload_file(self, path: str, bucket: str, key: str) -> None:
        self.objects[bucket, key] = Path(path).read_bytes()

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803
        self.objects[Bucket, Key] = Body


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that pip is given; each installs one file."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> Any:
        commands.append(command)
        target = Path(command[command.index("--target") + 1])
        target.mkdir()
        (target / "package.py").write_text("", encoding="utf-8")
        return SimpleNamespace(returncode=0, stderr="")

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_entry_point_code_and_packages_are_uploaded(pip: list[list[str]]) -> None:
    """Under the names that submit asks for; the packages are pinned, and for EMR's Python."""
    s3 = Bucket()
    world: Any = SimpleNamespace(client=lambda service: s3, settings=SimpleNamespace(control_bucket="control"))
    upload_jobs.upload_jobs(world, open_console())
    assert {bucket for bucket, _ in s3.objects} == {"control"}
    objects = {key: body for (_, key), body in s3.objects.items()}
    assert set(objects) == {"jobs/run_batch.py", "jobs/spark_jobs.zip", "jobs/python.tar.gz"}
    assert objects["jobs/run_batch.py"] == (ROOT / "spark_jobs" / "run_batch.py").read_bytes()
    assert "spark_jobs/engine/batch.py" in zipfile.ZipFile(io.BytesIO(objects["jobs/spark_jobs.zip"])).namelist()
    with tarfile.open(fileobj=io.BytesIO(objects["jobs/python.tar.gz"])) as packages:
        assert "./package.py" in packages.getnames()
    [command] = pip
    assert {"--require-hashes", "--no-deps", "3.9"} <= set(command)


def test_packages_that_cannot_be_fetched_are_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The last thing that pip said."""
    failed = SimpleNamespace(returncode=1, stderr="a long story\nno network\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(TidemarkError, match=r"^pip could not fetch requirements/job.txt: no network$"):
        upload_jobs.pack_packages(tmp_path)
