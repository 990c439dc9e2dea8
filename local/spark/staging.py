"""Between S3 and the folder that Spark takes for S3: code is fetched before a run, results are uploaded after it."""

import hashlib
import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from tidemark.core.files import split_uri
from tidemark.core.job import FAILURE, RESULT

CONNECTIONS: Final = 8


class StagingError(Exception):
    """Something that a job needs is not in S3."""


def buckets(client: Any) -> list[str]:
    """Names of all buckets: each gets a folder."""
    return [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]


def cleared(staging: Path, names: Iterable[str]) -> None:
    """Empty folders for the buckets: nothing of an earlier run may be taken for this one's output."""
    shutil.rmtree(staging, ignore_errors=True)
    for name in names:
        (staging / name).mkdir(parents=True)


def fetched(client: Any, uri: str) -> bytes:
    """An object's (or a local file's) content; StagingError when there is none."""
    try:
        if not uri.startswith("s3://"):
            return Path(uri.removeprefix("file://")).read_bytes()
        bucket, key = split_uri(uri)
        content: bytes = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    except (ClientError, BotoCoreError, OSError) as error:
        raise StagingError(f"cannot read {uri}: {error}") from error
    return content


def kept_by_content(client: Any, uri: str, folder: Path) -> Path:
    """The object as a file whose folder is named after its content, so that other code has another path."""
    content = fetched(client, uri)
    path = folder / hashlib.sha256(content).hexdigest()[:16] / uri.rpartition("/")[2]
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return path


def placed(client: Any, uri: str, staging: Path) -> Path:
    """The object in its place below `staging`, where Spark finds it under its own URI."""
    path = staging / uri.removeprefix("s3://")
    content = fetched(client, uri)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def written(staging: Path, known: frozenset[Path] = frozenset()) -> list[Path]:
    """What a job wrote: every file but those known before, checksums, and the committer's marks."""
    files = [path for path in staging.rglob("*") if path.is_file() and path not in known]
    return sorted(path for path in files if not _is_internal(path.relative_to(staging)))


def _is_internal(path: Path) -> bool:
    return path.suffix == ".crc" or path.name == "_SUCCESS" or "_temporary" in path.parts


def publish(client: Any, staging: Path, files: Iterable[Path], *, succeeded: bool) -> None:
    """Upload a run's files, its result last; of a failed run only the story of its failure."""
    everything = list(files)
    wanted = [path for path in everything if succeeded != (path.name == FAILURE)] if succeeded else []
    last = [path for path in wanted if path.name == RESULT]
    first = [path for path in wanted if path.name != RESULT]
    if not succeeded:
        first = [path for path in everything if path.name == FAILURE]
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(lambda path: _upload(client, staging, path), first))
    for path in last:
        _upload(client, staging, path)


def _upload(client: Any, staging: Path, path: Path) -> None:
    bucket, *parts = path.relative_to(staging).parts
    client.upload_file(str(path), bucket, "/".join(parts))
