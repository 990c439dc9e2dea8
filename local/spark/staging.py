"""The folder that stands for S3 in Spark: code is downloaded before a run, results are uploaded after it."""

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
    """A file that a job needs cannot be read."""


def buckets(client: Any) -> list[str]:
    """Names of all buckets; each gets a folder."""
    return [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]


def cleared(staging: Path, names: Iterable[str]) -> None:
    """Recreate the buckets' folders empty, so that an earlier run's files cannot count as this run's output."""
    shutil.rmtree(staging, ignore_errors=True)
    for name in names:
        (staging / name).mkdir(parents=True)


def fetched(client: Any, uri: str) -> bytes:
    """The content of an object or a local file; StagingError if it cannot be read."""
    try:
        if not uri.startswith("s3://"):
            return Path(uri.removeprefix("file://")).read_bytes()
        bucket, key = split_uri(uri)
        content: bytes = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    except (ClientError, BotoCoreError, OSError) as error:
        raise StagingError(f"cannot read {uri}: {error}") from error
    return content


def kept_by_content(client: Any, uri: str, folder: Path) -> Path:
    """Download the object to a folder named after its content's hash, so that changed code gets a new path."""
    content = fetched(client, uri)
    path = folder / hashlib.sha256(content).hexdigest()[:16] / uri.rpartition("/")[2]
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return path


def placed(client: Any, uri: str, staging: Path) -> Path:
    """Download the object to its path below `staging`, where Spark finds it by its URI."""
    path = staging / uri.removeprefix("s3://")
    content = fetched(client, uri)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def written(staging: Path, known: frozenset[Path] = frozenset()) -> list[Path]:
    """The files that a job wrote: all but those `known` before, checksums and the committer's internal files."""
    files = [path for path in staging.rglob("*") if path.is_file() and path not in known]
    return sorted(path for path in files if not _is_internal(path.relative_to(staging)))


def _is_internal(path: Path) -> bool:
    return path.suffix == ".crc" or path.name == "_SUCCESS" or "_temporary" in path.parts


def publish(client: Any, staging: Path, files: Iterable[Path], *, succeeded: bool) -> None:
    """Upload a successful run's files, its result last; for a failed run, only its failure report."""
    everything = list(files)
    wanted = [path for path in everything if (path.name == FAILURE) != succeeded]
    last = [path for path in wanted if path.name == RESULT]
    first = [path for path in wanted if path.name != RESULT]
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(lambda path: _upload(client, staging, path), first))
    for path in last:
        _upload(client, staging, path)


def _upload(client: Any, staging: Path, path: Path) -> None:
    bucket, *parts = path.relative_to(staging).parts
    client.upload_file(str(path), bucket, "/".join(parts))
