"""The Spark code goes to where runs fetch it."""

from __future__ import annotations

import io
import os
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
from tests.service.lost import Shop
from tidemark.core.errors import TidemarkError
from tidemark.core.job_code import code_hash
from tidemark.service.job_code import current_code


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


def objects(shop: Shop) -> dict[str, bytes]:
    """What the control bucket has below jobs/, by name."""
    held = shop.world.client("s3").objects
    return {key.removeprefix("jobs/"): body for (bucket, key), body in held.items() if bucket == "control"}


def test_entry_point_code_and_packages_are_uploaded_below_their_hash(pip: list[list[str]]) -> None:
    """Under the names that submit asks for; the packages are pinned, and for EMR's Python."""
    shop = Shop()
    upload_jobs.upload_jobs(shop.world, open_console())
    found, code = objects(shop), current_code(shop.world)
    names = ("run_batch.py", "spark_jobs.zip", "python.tar.gz")
    assert set(found) == {"current.json", *(f"{code}/{name}" for name in names)}
    assert code == code_hash({name: found[f"{code}/{name}"] for name in names})
    assert found[f"{code}/run_batch.py"] == (ROOT / "spark_jobs" / "run_batch.py").read_bytes()
    modules = zipfile.ZipFile(io.BytesIO(found[f"{code}/spark_jobs.zip"])).namelist()
    assert {"spark_jobs/engine/batch.py", "tidemark/core/job.py"} <= set(modules)
    with tarfile.open(fileobj=io.BytesIO(found[f"{code}/python.tar.gz"])) as packages:
        assert "./package.py" in packages.getnames()
    [command] = pip
    assert {"--require-hashes", "--no-deps", "--no-compile", "3.9"} <= set(command)


def test_the_same_code_is_the_same_version(pip: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever and wherever it is packed: the times of the installed files do not count."""
    shop = Shop()
    upload_jobs.upload_jobs(shop.world, open_console())
    before = dict(objects(shop))
    monkeypatch.setattr(Path, "write_text", _written_long_ago(Path.write_text))
    upload_jobs.upload_jobs(shop.world, open_console())
    assert objects(shop) == before


def _written_long_ago(write: Any) -> Any:
    def written(path: Path, *arguments: Any, **options: Any) -> Any:
        answer = write(path, *arguments, **options)
        os.utime(path, (1, 1))
        return answer

    return written


def test_packages_that_cannot_be_fetched_are_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The last thing that pip said."""
    failed = SimpleNamespace(returncode=1, stderr="a long story\nno network\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(TidemarkError, match=r"^pip could not fetch requirements/job.txt: no network$"):
        upload_jobs.pack_packages(tmp_path)
