"""The code that a job run gets."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from spark_jobs.archive import job_archive

#: What a job brings along of the functions beside the core.
JOB_MODULES = [
    "tidemark/__init__.py",
    *(f"tidemark/segmentation/{name}.py" for name in ("__init__", "model", "profiles")),
]


def test_the_job_archive_is_the_same_bytes_for_the_same_code(tmp_path: Path) -> None:
    """Jobs, the package's root, its core and the model of segments, and nothing else; a job's code has one identity."""
    own = [f"functions/{name}" for name in JOB_MODULES]
    for path in ("spark_jobs/a.py", *own, "functions/tidemark/core/b.py", "functions/c.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(f"# {path}")
    names = zipfile.ZipFile(io.BytesIO(job_archive(tmp_path))).namelist()
    assert names == [*JOB_MODULES, "spark_jobs/a.py", "tidemark/core/b.py"]
    assert job_archive(tmp_path) == job_archive(tmp_path)
