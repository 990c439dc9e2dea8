"""The names of the job code's versions."""

from __future__ import annotations

import json
from itertools import combinations

import pytest

from tidemark.core.errors import NewerRelease
from tidemark.core.job_code import CurrentCode, code_hash, code_prefix, version_of

FILES = {"run_batch.py": b"print()", "spark_jobs.zip": b"zip"}


def test_the_hash_is_of_names_and_contents() -> None:
    """Files of other names, other contents, or with a byte on the other side of a border, are another version."""
    versions = [
        FILES,
        {**FILES, "spark_jobs.zip": b"zap"},
        {"run_batch.py": b"print()z", "spark_jobs.zip": b"ip"},
        {**FILES, "python.tar.gz": b""},
        {"run_batch.py": b"print()"},
    ]
    assert all(code_hash(one) != code_hash(other) for one, other in combinations(versions, 2))
    assert code_hash(dict(reversed(FILES.items()))) == code_hash(FILES)


def test_a_versions_entry_point_has_its_hash() -> None:
    """Nothing else below the prefix is a version."""
    code = code_hash(FILES)
    assert version_of(f"{code_prefix(code)}run_batch.py") == code
    others = (f"{code_prefix(code)}spark_jobs.zip", "jobs/run_batch.py", "jobs/current.json", "jobs/c0de/run_batch.py")
    assert [version_of(key) for key in others] == [None] * 4


def test_code_from_before_there_were_versions_stays_where_it_was() -> None:
    """Its hash is empty."""
    assert code_prefix("") == "jobs/"


def test_the_current_version_survives_its_document() -> None:
    """A document of a newer release is refused."""
    current = CurrentCode("c0de", "2026-11-20T21:30:00.000000Z")
    assert CurrentCode.loads(current.dumps()) == current
    with pytest.raises(NewerRelease, match=r"^jobs/current.json is of format 2, .*: deploy the newer release again$"):
        CurrentCode.loads(json.dumps({**json.loads(current.dumps()), "format": 2}))
