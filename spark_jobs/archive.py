"""The job's code that is uploaded: the entry point, and a zip with all other modules (`--py-files`)."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from tidemark.core.job_code import ENTRY, MODULES

#: The job's code besides Spark: (folder or file below the root, name in the archive).
JOB_CODE = (("spark_jobs", "spark_jobs"), ("functions/tidemark/core", "tidemark/core"))
JOB_FILES = (
    ("functions/tidemark/__init__.py", "tidemark/__init__.py"),
    ("functions/tidemark/segmentation/__init__.py", "tidemark/segmentation/__init__.py"),
    ("functions/tidemark/segmentation/model.py", "tidemark/segmentation/model.py"),
    ("functions/tidemark/segmentation/profiles.py", "tidemark/segmentation/profiles.py"),
)


def job_files(root: Path) -> dict[str, bytes]:
    """File name → content, without the packages that EMR's Python lacks. The same code gives the same bytes."""
    return {ENTRY: (root / "spark_jobs" / ENTRY).read_bytes(), MODULES: job_archive(root)}


def job_archive(root: Path) -> bytes:
    """The zip with the jobs, the pure core and the segmentation model. The same code gives the same bytes."""
    members = [(root / source, name) for source, name in JOB_FILES]
    for folder, name in JOB_CODE:
        paths = sorted((root / folder).rglob("*.py"))
        members += [(path, f"{name}/{path.relative_to(root / folder).as_posix()}") for path in paths]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path, name in members:
            file.writestr(zipfile.ZipInfo(name), path.read_bytes())
    return archive.getvalue()
