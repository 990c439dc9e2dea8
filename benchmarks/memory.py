"""Measures the memory of the process that reads a file: `python -m benchmarks.memory [--megabytes 64 256]`

On EMR, each core of an executor has a Python process that reads files, beside the heap of the JVM. Reads web logs in
each format and compression, one file of each size, in a process of its own that discards what it has read. Prints the
peak of that process in MB; `imports` is a process that reads nothing.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.orc
import pyarrow.parquet

from benchmarks.stage import large_files, objects, versions
from spark_jobs.engine.reader import read_batches
from tidemark.adapters.dataset_files import load_file
from tidemark.core.dataset import Format

DATASET = load_file(Path(__file__).resolve().parent.parent / "datasets" / "web_logs.yaml")
MB = 1 << 20


def text(pack: Callable[[bytes], bytes]) -> Callable[[Path, Path], None]:
    """Writes the JSON lines, compressed."""
    return lambda source, target: target.write_bytes(pack(source.read_bytes())) and None


def table(write: Callable[[pa.Table, Path], Any]) -> Callable[[Path, Path], None]:
    """Writes the records in a format with columns."""

    def written(source: Path, target: Path) -> None:
        options = pyarrow.json.ReadOptions(block_size=16 * MB)
        write(pyarrow.json.read_json(source, options), target)

    return written


def avro(rows: pa.Table, target: Path) -> None:
    fields = [
        {"name": name, "type": ["null", "long" if pa.types.is_integer(rows[name].type) else "string"]}
        for name in rows.column_names
        if name != "timestamp"
    ]
    fields.append({"name": "timestamp", "type": "string"})
    schema = {"type": "record", "name": "request", "fields": fields}
    texts = rows.set_column(0, "timestamp", rows["timestamp"].cast(pa.string()))
    with target.open("wb") as file:
        fastavro.writer(file, schema, texts.to_pylist(), codec="deflate")


def zstd(body: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(body)
    return sink.getvalue().to_pybytes()


#: What is printed → the format's type, and how its file is made of JSON lines.
CASES: dict[str, tuple[str, Callable[[Path, Path], None]]] = {
    "json": ("json", text(bytes)),
    "json, joined": ("json", text(lambda body: body.replace(b"\n", b""))),
    "json, gzip": ("json", text(gzip.compress)),
    "json, bzip2": ("json", text(bz2.compress)),
    "json, zstd": ("json", text(zstd)),
    "csv": ("csv", table(pyarrow.csv.write_csv)),
    "parquet, snappy": ("parquet", table(pyarrow.parquet.write_table)),
    "parquet, zstd": ("parquet", table(lambda rows, at: pyarrow.parquet.write_table(rows, at, compression="zstd"))),
    "orc, zlib": ("orc", table(lambda rows, at: pyarrow.orc.write_table(rows, at, compression="zlib"))),
    "avro, deflate": ("avro", table(avro)),
}


def read(path: str, type_: str) -> int:
    """Reads the file, if one is given, and returns the number of rows."""
    if not path:
        return 0
    [file] = versions([Path(path)])
    return sum(batch.num_rows for batch in read_batches([(0, file)], DATASET.record, Format(type=type_)))


def peak(path: str = "", type_: str = "json") -> tuple[int, int]:
    """The peak of a new process that reads the file, in MB, and the number of rows."""
    command = [sys.executable, "-m", "benchmarks.memory", "--once", type_, path]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    return answer["peak"] // 1024, answer["rows"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, nargs="+", default=[64, 256], help="of JSON in each file")
    parser.add_argument("--once", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.once:
        rows = read(options.once[1], options.once[0])
        print(json.dumps({"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, "rows": rows}))
        return
    with tempfile.TemporaryDirectory() as scratch, objects():
        print(f"{'imports':16} {peak()[0]:5} MB")
        for megabytes in options.megabytes:
            [source] = large_files(Path(scratch), megabytes)
            for name, (type_, write) in CASES.items():
                target = Path(scratch, "file")
                write(source, target)
                megabytes_used, rows = peak(str(target), type_)
                size = target.stat().st_size / MB
                print(f"{name:16} {size:6.1f} MB in S3, {rows:9,} rows: {megabytes_used:5} MB", flush=True)


if __name__ == "__main__":
    main()
