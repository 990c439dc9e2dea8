"""The job's code in the control bucket, by content hash. Pure.

    jobs/<hash>/run_batch.py, spark_jobs.zip, python.tar.gz    one version of the code; never overwritten, never deleted
    jobs/current.json                                          which version new work takes
    jobs/run_batch.py, …                                       code from before there were versions; its hash is ""

docs/decisions/0021-job-code-by-hash.md says which attempt takes which version.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional, Union

from tidemark.core.release import check_format

CODE = "jobs/"
CURRENT = f"{CODE}current.json"
#: The version's files that a run names.
ENTRY, MODULES, PACKAGES = "run_batch.py", "spark_jobs.zip", "python.tar.gz"
HASH_LENGTH = 16
VERSION_OF = re.compile(rf"{CODE}([0-9a-f]{{{HASH_LENGTH}}})/{re.escape(ENTRY)}")


def code_hash(files: Mapping[str, bytes]) -> str:
    """The hash of a version's files, by name: the same names and contents give the same hash."""
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:HASH_LENGTH]


def code_prefix(code: str) -> str:
    """The prefix of a version's files in the control bucket, ending in a slash."""
    return f"{CODE}{code}/" if code else CODE


def version_of(key: str) -> Optional[str]:
    """The hash of the version that has this key as its entry point; None for any other key."""
    found = VERSION_OF.fullmatch(key)
    return found[1] if found else None


@dataclass(frozen=True)
class CurrentCode:
    """The version that new work takes."""

    code: str
    since: str  # ISO-8601

    def dumps(self) -> str:
        """The text of current.json."""
        return json.dumps({"format": 1, "code": self.code, "since": self.since})

    @classmethod
    def loads(cls, text: Union[str, bytes]) -> CurrentCode:
        """The inverse of `dumps`."""
        document = json.loads(text)
        check_format(document, CURRENT)
        return cls(document["code"], document["since"])
