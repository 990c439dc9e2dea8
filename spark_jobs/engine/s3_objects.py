"""The manifest's objects, byte for byte: exact versions under any key, fetched ahead by a few threads.

Spark's own readers can do neither: they know no versions, skip keys that begin with `_` or `.`, and stumble over `:`.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, islice
from typing import Any, Optional

from tidemark.core.files import FileVersion, split_uri
from tidemark.core.job import RunFailure

#: Bytes per request: a large object is fetched in ranges, so that what waits in memory stays bounded.
PART = 8 << 20
THREADS = 8  # requests under way, per task
_TRIES = 4  # for a body that breaks off; the client repeats the request itself as often

#: Answers that blame this one file version: it is gone, was replaced, or lies in an archive.
_FILE_CODES = frozenset(
    ("NoSuchKey", "NoSuchVersion", "404", "405", "MethodNotAllowed", "412", "PreconditionFailed", "InvalidObjectState")
)
#: Answers that ask for patience.
_PASSING_CODES = frozenset(
    (
        "SlowDown",
        "ServiceUnavailable",
        "InternalError",
        "RequestTimeout",
        "Throttling",
        "ThrottlingException",
        "503",
        "500",
    )
)


class ReadError(Exception):
    """Reading failed in a task. Spark hands on nothing but the text, so the text carries everything."""

    MARK = "tidemark-read-error "

    def __init__(self, kind: str, file: FileVersion, message: str) -> None:
        self.kind, self.file, self.message = kind, file, message
        told = RunFailure(message, kind, file if kind == "file" else None)
        super().__init__(self.MARK + json.dumps(told.to_json()))

    def __reduce__(self) -> Any:
        return ReadError, (self.kind, self.file, self.message)

    @classmethod
    def told_in(cls, text: str) -> Optional[RunFailure]:
        """What an error says that went through Spark's stack traces; None where the text has none."""
        at = text.find(cls.MARK)
        if at < 0:
            return None
        return RunFailure.from_json(json.JSONDecoder().raw_decode(text, at + len(cls.MARK))[0])


@dataclass(frozen=True)
class _Part:
    index: int  # of the file in the manifest
    file: FileVersion
    span: str  # HTTP range; empty for the whole object


@lru_cache(maxsize=1)
def client() -> Any:
    """One S3 client per process; it obeys AWS_ENDPOINT_URL."""
    import boto3
    from botocore.config import Config

    config = Config(
        retries={"mode": "standard", "total_max_attempts": 6}, max_pool_connections=THREADS, connect_timeout=10
    )
    return boto3.client("s3", config=config)


def fetch(files: Iterable[tuple[int, FileVersion]]) -> Iterator[tuple[int, FileVersion, Iterator[bytes]]]:
    """The files in order, each with its bytes in parts; the next parts are under way meanwhile."""
    parts = (part for index, file in files for part in _parts(index, file))
    with ThreadPoolExecutor(THREADS) as pool:
        try:
            for (index, file), group in groupby(_ahead(pool, parts), key=lambda got: (got[0].index, got[0].file)):
                yield index, file, (body for _, body in group)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _ahead(pool: ThreadPoolExecutor, parts: Iterator[_Part]) -> Iterator[tuple[_Part, bytes]]:
    window: deque[tuple[_Part, Future[bytes]]] = deque(
        (part, pool.submit(_get, part)) for part in islice(parts, THREADS)
    )
    while window:
        part, future = window.popleft()
        body = future.result()
        window.extend((part, pool.submit(_get, part)) for part in islice(parts, 1))
        yield part, body


def _parts(index: int, file: FileVersion) -> Sequence[_Part]:
    if file.size <= PART:
        return [_Part(index, file, "")]
    starts = range(0, file.size, PART)
    # The last range is open: a manifest whose size is wrong must not cut the object.
    spans = [f"bytes={start}-{start + PART - 1}" for start in starts[:-1]] + [f"bytes={starts[-1]}-"]
    return [_Part(index, file, span) for span in spans]


def _get(part: _Part) -> bytes:
    """One part's bytes; `ReadError` tells whether the file, the moment or something unknown is to blame."""
    from botocore.exceptions import BotoCoreError, ClientError

    file = part.file
    try:
        return _body(part)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        kind = "file" if code in _FILE_CODES else "transient" if code in _PASSING_CODES else "unknown"
        raise ReadError(kind, file, f"{file.uri}: {error}") from error
    except (BotoCoreError, OSError) as error:
        raise ReadError("transient", file, f"{file.uri}: {type(error).__name__}: {error}") from error


def _body(part: _Part, tries: int = _TRIES) -> bytes:
    """The part's bytes; a body that breaks off is asked for again."""
    from botocore.exceptions import BotoCoreError

    try:
        body: bytes = client().get_object(**_request(part))["Body"].read()
    except (BotoCoreError, OSError):
        if tries == 1:
            raise
        return _body(part, tries - 1)
    return body


def _request(part: _Part) -> dict[str, str]:
    file = part.file
    request = {"Bucket": file.bucket, "Key": file.key}
    if file.version.startswith("etag:"):
        request["IfMatch"] = '"' + file.version[len("etag:") :].strip('"') + '"'
    elif file.version:  # a file of the lake has none: it is written once
        request["VersionId"] = file.version
    return {**request, "Range": part.span} if part.span else request


def text(uri: str) -> str:
    """A small object's text."""
    bucket, key = split_uri(uri)
    body: bytes = client().get_object(Bucket=bucket, Key=key)["Body"].read()
    return body.decode()


def put_text(uri: str, text_: str) -> None:
    """A small object, written."""
    bucket, key = split_uri(uri)
    client().put_object(Bucket=bucket, Key=key, Body=text_.encode(), ContentType="application/json")
