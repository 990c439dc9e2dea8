"""Fetches the manifest's objects: exact versions under any key, prefetched by a few threads.

Spark's own readers cannot do this: they do not support versions, skip keys that begin with `_` or `.`, and fail on `:`.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, islice
from typing import Any, Optional

from tidemark.core.error_texts import call_kind
from tidemark.core.files import FileVersion, split_uri
from tidemark.core.job import RunFailure

#: Bytes per request; large objects are fetched in ranges to bound the memory of prefetched parts.
PART = 8 << 20
THREADS = 8  # concurrent requests per task
_TRIES = 4  # for a body that breaks off; the client also retries each request

#: Error codes that concern only this file version: it is missing, was replaced, or is archived.
_FILE_CODES = frozenset(
    ("NoSuchKey", "NoSuchVersion", "404", "405", "MethodNotAllowed", "412", "PreconditionFailed", "InvalidObjectState")
)


class ReadError(Exception):
    """Reading failed in a task. Spark passes only the text to the driver, so the text contains all fields as JSON."""

    MARK = "tidemark-read-error "

    def __init__(self, kind: str, file: FileVersion, message: str) -> None:
        self.kind, self.file, self.message = kind, file, message
        failure = RunFailure(message, kind, file if kind in ("file", "denied") else None)
        super().__init__(self.MARK + json.dumps(failure.to_json()))

    def __reduce__(self) -> Any:
        return ReadError, (self.kind, self.file, self.message)

    @classmethod
    def parse(cls, text: str) -> Optional[RunFailure]:
        """The failure of a ReadError whose text is within a Spark error's text; None if there is none."""
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
    """The process's S3 client; it uses AWS_ENDPOINT_URL.

    The region is given, because boto3 reads AWS_DEFAULT_REGION alone, and EMR Serverless sets AWS_REGION alone.
    """
    import boto3
    from botocore.config import Config

    config = Config(
        retries={"mode": "standard", "total_max_attempts": 6}, max_pool_connections=THREADS, connect_timeout=10
    )
    return boto3.client("s3", config=config, region_name=os.environ.get("AWS_REGION"))


def fetch(files: Iterable[tuple[int, FileVersion]]) -> Iterator[tuple[int, FileVersion, Iterator[bytes]]]:
    """The files in order, each with its bytes in parts; threads prefetch the next parts."""
    parts = (part for index, file in files for part in _parts(index, file))
    with ThreadPoolExecutor(THREADS) as pool:
        try:
            for (index, file), group in groupby(_ahead(pool, parts), key=lambda item: (item[0].index, item[0].file)):
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
    # The last range is open-ended, so that a wrong size in the manifest cannot truncate the object.
    spans = [f"bytes={start}-{start + PART - 1}" for start in starts[:-1]] + [f"bytes={starts[-1]}-"]
    return [_Part(index, file, span) for span in spans]


def _get(part: _Part) -> bytes:
    """One part's bytes; a `ReadError` says whether the file, a transient error or something unknown is the cause."""
    from botocore.exceptions import BotoCoreError, ClientError

    file = part.file
    try:
        return _body(part)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        kind = "file" if code in _FILE_CODES else call_kind(code)
        raise ReadError(kind, file, f"{file.uri}: {error}") from error
    except (BotoCoreError, OSError) as error:
        raise ReadError("transient", file, f"{file.uri}: {type(error).__name__}: {error}") from error


def _body(part: _Part, tries: int = _TRIES) -> bytes:
    """The part's bytes; retries if the body breaks off."""
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
    elif file.version:  # files of the lake have none, as they are written once
        request["VersionId"] = file.version
    return {**request, "Range": part.span} if part.span else request


def text(uri: str) -> str:
    """The text of a small object."""
    bucket, key = split_uri(uri)
    body: bytes = client().get_object(Bucket=bucket, Key=key)["Body"].read()
    return body.decode()


def put_text(uri: str, text_: str) -> None:
    """Write a small JSON object."""
    bucket, key = split_uri(uri)
    client().put_object(Bucket=bucket, Key=key, Body=text_.encode(), ContentType="application/json")
