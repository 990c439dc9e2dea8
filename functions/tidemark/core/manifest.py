"""The manifest: the immutable list of one attempt's file versions. What is not in it is not in the batch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Union

from tidemark.core.files import FileVersion


@dataclass(frozen=True)
class Manifest:
    batch_id: str
    attempt: int
    dataset: str
    files: tuple[FileVersion, ...]

    @property
    def total_bytes(self) -> int:
        """Sum of the files' sizes as they lie in S3."""
        return sum(file.size for file in self.files)

    def dumps(self) -> str:
        """JSON, one file a line, so that a person can read and diff it."""
        lines = ",\n  ".join(json.dumps(file.to_json(), ensure_ascii=False) for file in self.files)
        head = {
            "batch_id": self.batch_id,
            "attempt": self.attempt,
            "dataset": self.dataset,
            "bytes": self.total_bytes,
        }
        return f'{json.dumps(head)[:-1]}, "files": [\n  {lines}\n]}}\n'

    @classmethod
    def loads(cls, text: Union[str, bytes]) -> Manifest:
        """The inverse of `dumps`."""
        data = json.loads(text)
        files = tuple(FileVersion.from_json(file) for file in data["files"])
        return cls(data["batch_id"], data["attempt"], data["dataset"], files)
