"""The job that EMR Serverless runs for each attempt at a batch: `run_batch.py --spec s3://…/job_spec.json`.

It writes below the spec's output prefix only, and `result.json` last of all; on failure `failure.json`, as well as
it can, with the traceback, and on stderr the traceback and a reason of one line as the last one.
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
    """The exit code: 0 when result.json stands."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--spec", required=True, help="s3:// URI of the job's spec")
    uri = asked.parse_args(arguments).spec
    document: Mapping[str, Any] = {}
    try:
        document = json.loads(s3_objects.text(uri))
        _run(JobSpec.parse(document))
    except Exception as error:  # noqa: BLE001  # whatever it is, it is reported
        failure, traceback = failures.of(error), failures.traceback_of(error)
        _report(document, failure, traceback)
        print(traceback, file=sys.stderr, flush=True)
        _say(f"{document.get('batch_id', uri)} failed ({failure.kind}): {failure.message}")
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


def _say(reason: str) -> None:
    """The reason, last on stderr. `spark-submit` sends Python's stderr to its own stdout: there, the JVM says it."""
    sys.stdout.flush()
    print(reason, file=sys.stderr, flush=True)
    jvm = SparkContext._jvm  # noqa: SLF001  # PySpark shows the JVM in no other way
    if jvm and "PYSPARK_GATEWAY_PORT" in os.environ:
        jvm.System.err.println(reason)


def _report(document: Mapping[str, Any], failure: RunFailure, traceback: str) -> None:
    """failure.json, if the spec could be read at all, even one that cannot be parsed. Without a session, hence not
    through Hadoop.
    """
    try:
        report = failure.dumps(document["batch_id"], document["attempt"], traceback)
        s3_objects.put_text(f"{document['output'].rstrip('/')}/{FAILURE}", report)
    except Exception as error:  # noqa: BLE001  # the reason on stderr must come out in any case
        print(f"failure.json not written: {error}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
