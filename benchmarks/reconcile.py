"""Measures reconcile's keys per second: `python -m benchmarks.reconcile [--days 5] [--keys 20000] [--flat]`

Runs the product's own passes with boto3's clients, which build and sign requests and parse answers. The answers come
from memory after the milliseconds that S3 and DynamoDB take. Keys are in folders by day, as Firehose writes them, or
with `--flat` in one folder. Prints keys, calls, wall-clock seconds and CPU seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, urlsplit

from botocore.awsrequest import AWSRequest, AWSResponse

from tidemark.adapters.world import World
from tidemark.clock import SystemClock
from tidemark.core.dataset import Dataset
from tidemark.core.dataset_parser import parse_dataset
from tidemark.core.passes import LATE
from tidemark.service import reconcile as reconcile_module
from tidemark.service.reconcile import reconcile
from tidemark.settings import Settings

LOGS = parse_dataset(
    {"name": "logs", "prefix": "logs/", "record": {"day": "date"}, "tables": {"rows": {"columns": {"day": "date"}}}}
)
SETTINGS = Settings(
    "bench", "ledger", "raw", "control", "lake", "lake", "app", "arn", "wg", "", "", "", "db", "arn",
    "2 vCPU", "8 GB", "40 GB", 24,
)  # fmt: skip
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
PAGE = 1_000
LISTED = (
    "<Version><Key>{key}</Key><VersionId>3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrH</VersionId><IsLatest>true</IsLatest>"
    "<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag>"
    "<Size>1000</Size><StorageClass>STANDARD</StorageClass></Version>"
)


class Body:
    """The part of an HTTP response that botocore reads."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def stream(self, *_: Any, **__: Any) -> Any:
        yield self.content


@dataclass(frozen=True)
class Bucket:
    """Answers listings of a bucket and reads of a ledger in which every key is known."""

    days: int
    keys: int  # per day
    flat: bool
    seconds: Mapping[str, float]
    calls: Counter[str]

    def folder(self, day: int) -> str:
        return "logs/" if self.flat else (FIRST + timedelta(days=day)).strftime("logs/%Y/%m/%d/")

    def answer(self, request: AWSRequest, **_: Any) -> AWSResponse:
        """The response to a request, instead of the network's."""
        url, listing = str(request.url), "versions" in str(request.url)
        self.calls["LIST" if listing else "BatchGetItem" if b"Keys" in _body(request) else "others"] += 1
        time.sleep(self.seconds["LIST" if listing else "read"])
        text = self._page(parse_qs(urlsplit(url).query)) if listing else self._items(_body(request))
        return AWSResponse(url, 200, {}, Body(text.encode()))

    def _page(self, query: Mapping[str, list[str]]) -> str:
        prefix, marker = query["prefix"][0], query.get("key-marker", [""])[0]
        if "delimiter" in query and not self.flat:
            names = sorted(
                {self.folder(day)[: len(prefix) + (5 if prefix == "logs/" else 3)] for day in range(self.days)}
            )
            below = [name for name in names if name.startswith(prefix)]
            return _listing("".join(f"<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>" for name in below))
        start = int(marker.rpartition("-")[2] or 0) + 1 if marker else 0
        total = self.keys * (self.days if self.flat else 1)
        keys = [
            f"{prefix}07/logs-1-2026-01-01-07-00-00-{number:012}" for number in range(start, min(start + PAGE, total))
        ]
        more = f"<NextKeyMarker>{keys[-1]}</NextKeyMarker>" if start + PAGE < total else ""
        return _listing(more + "".join(LISTED.format(key=key) for key in keys))

    def _items(self, body: bytes) -> str:
        keys = json.loads(body).get("RequestItems", {}).get("ledger", {}).get("Keys", ())
        version = {"S": "3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrH"}
        return json.dumps({"Responses": {"ledger": [{"pk": key["pk"], "version": version} for key in keys]}})


@dataclass(frozen=True)
class BenchWorld(World):
    """The product's world, with clients that do not use the network."""

    bucket: Bucket

    @cached_property
    def datasets(self) -> dict[str, Dataset]:
        return {"logs": LOGS}

    def client(self, service: str) -> Any:
        made = super().client(service)
        made.meta.events.register("before-send", self.bucket.answer)
        return made


def _body(request: AWSRequest) -> bytes:
    return request.body if isinstance(request.body, bytes) else str(request.body or "").encode()


def _listing(inner: str) -> str:
    return f'<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{inner}</ListVersionsResult>'


def measure(bucket: Bucket, since: datetime | None) -> None:
    """Run a complete pass, and print a line about it."""
    world = BenchWorld(SETTINGS, SystemClock(), bucket)
    bucket.calls.clear()
    wall, cpu = time.monotonic(), time.process_time()
    seen = max(part.seen for part in reconcile(world, LOGS, "logs/", lambda: True, since=since))
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    calls = ", ".join(f"{count:,} {name}" for name, count in sorted(bucket.calls.items()))
    print(
        f"{'recent' if since else 'whole '} pass: {seen:,} keys in {wall:.1f} s ({cpu:.1f} s CPU), "
        f"{seen / wall:,.0f} keys/s, {seen / wall * 86_400 / 1e6:,.0f} M per day; {calls}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=5)
    parser.add_argument("--keys", type=int, default=20_000, help="keys per day")
    parser.add_argument("--flat", action="store_true", help="all keys in one folder")
    parser.add_argument("--list", type=float, default=150, help="milliseconds of a LIST of 1,000 keys")
    parser.add_argument("--read", type=float, default=15, help="milliseconds of a BatchGetItem of 100 keys")
    parser.add_argument("--at-once", type=int, default=reconcile_module.AT_ONCE, help="concurrent calls")
    options = parser.parse_args()
    os.environ |= {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_DEFAULT_REGION": "us-east-1"}
    reconcile_module.AT_ONCE = options.at_once
    seconds = {"LIST": options.list / 1e3, "read": options.read / 1e3}
    bucket = Bucket(options.days, options.keys, options.flat, seconds, Counter())
    measure(bucket, None)
    measure(bucket, FIRST + timedelta(days=options.days) - timedelta(days=1) - LATE)


if __name__ == "__main__":
    main()
