"""The job that EMR Serverless runs for each attempt of a batch: `run_batch.py --spec s3://…/job_spec.json`.

It writes only below the spec's output prefix, and `result.json` last. On failure it writes `failure.json` with the
traceback, if it can, and prints the traceback and then a one-line reason to stderr.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from pyspark import SparkContext

from spark_jobs.engine import batch, failures, period, s3_objects, writer
from spark_jobs.engine.hadoop import FileSystem
from tidemark.core.job import FAILURE, RESULT, JobSpec, RunFailure
from tidemark.core.manifest import Manifest, NightlyManifest


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the job; the exit code is 0 if result.json was written, else 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spec", required=True, help="s3:// URI of the job's spec")
    uri = parser.parse_args(arguments).spec
    document: Mapping[str, Any] = {}
    try:
        document = json.loads(s3_objects.text(uri))
        _run(JobSpec.parse(document))
    except Exception as error:  # noqa: BLE001  # every error must be reported
        failure, traceback = failures.of(error), failures.traceback_of(error)
        _report(document, failure, traceback)
        print(traceback, file=sys.stderr, flush=True)
        _print_reason(f"{document.get('batch_id', uri)} failed ({failure.kind}): {failure.message}")
        return 1
    return 0


def _run(spec: JobSpec) -> None:
    manifest = s3_objects.text(spec.manifest)
    started = time.monotonic()
    spark = writer.session(f"{spec.batch_id}.{spec.attempt}")
    try:
        seconds = {"session": time.monotonic() - started}
        if spec.dataset.nightly:
            result = period.run(spark, spec, NightlyManifest.loads(manifest), seconds)
        else:
            result = batch.run(spark, spec, Manifest.loads(manifest), seconds)
        FileSystem(spark).write(f"{spec.output}{RESULT}", result.dumps())
    finally:
        spark.stop()


def _print_reason(reason: str) -> None:
    """Prints the reason as stderr's last line, under `spark-submit` also by the JVM.

    `spark-submit` redirects Python's stderr to its own stdout.
    """
    sys.stdout.flush()
    print(reason, file=sys.stderr, flush=True)
    jvm = SparkContext._jvm  # noqa: SLF001  # PySpark has no public access to the JVM
    if jvm and "PYSPARK_GATEWAY_PORT" in os.environ:
        jvm.System.err.println(reason)


def _report(document: Mapping[str, Any], failure: RunFailure, traceback: str) -> None:
    """Writes failure.json if the spec is JSON with an output prefix, even if it is not a valid spec.

    Uses boto3 instead of Hadoop, because there may be no Spark session.
    """
    try:
        report = failure.dumps(document["batch_id"], document["attempt"], traceback)
        s3_objects.put_text(f"{document['output'].rstrip('/')}/{FAILURE}", report)
    except Exception as error:  # noqa: BLE001  # main must still print the reason
        print(f"failure.json not written: {error}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
