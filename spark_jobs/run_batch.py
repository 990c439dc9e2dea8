"""The job that EMR Serverless runs for each attempt at a batch: `run_batch.py --order s3://…/order.json`.

It writes below the order's output prefix only, and `result.json` last of all; on failure `failure.json`, as well as
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

from spark_jobs import batch, failures, night, objects, storage
from spark_jobs.batch import Order
from spark_jobs.hadoop import FileSystem
from tidemark.core.manifest import Manifest, NightlyManifest


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """The exit code: 0 when result.json stands."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--order", required=True, help="s3:// URI of the order")
    uri = asked.parse_args(arguments).order
    order: Mapping[str, Any] = {}
    try:
        order = json.loads(objects.text(uri))
        _run(Order.parse(order))
    except Exception as error:  # noqa: BLE001  # whatever it is, it is reported
        failure, traceback = failures.of(error), failures.traceback_of(error)
        _report(order, {**failure, "traceback": traceback})
        print(traceback, file=sys.stderr, flush=True)
        _say(f"{order.get('batch_id', uri)} failed ({failure['kind']}): {failure['message']}")
        return 1
    return 0


def _run(order: Order) -> None:
    manifest = objects.text(order.manifest)
    started = time.monotonic()
    spark = storage.session(f"{order.batch_id}.{order.attempt}")
    try:
        seconds = {"session": time.monotonic() - started}
        if order.dataset.nightly:
            result = night.run(spark, order, NightlyManifest.loads(manifest), seconds)
        else:
            result = batch.run(spark, order, Manifest.loads(manifest), seconds)
        FileSystem(spark).write(f"{order.output}result.json", json.dumps(result, indent=1))
    finally:
        spark.stop()


def _say(reason: str) -> None:
    """The reason, last on stderr. `spark-submit` sends Python's stderr to its own stdout: there, the JVM says it."""
    sys.stdout.flush()
    print(reason, file=sys.stderr, flush=True)
    jvm = SparkContext._jvm  # noqa: SLF001  # PySpark shows the JVM in no other way
    if jvm and "PYSPARK_GATEWAY_PORT" in os.environ:
        jvm.System.err.println(reason)


def _report(order: Mapping[str, Any], failure: Mapping[str, Any]) -> None:
    """failure.json, if the order could be read at all. Without a session, hence not through Hadoop."""
    try:
        report = {"batch_id": order["batch_id"], "attempt": order["attempt"], **failure}
        objects.put_text(f"{order['output'].rstrip('/')}/failure.json", json.dumps(report))
    except Exception as error:  # noqa: BLE001  # the reason on stderr must come out in any case
        print(f"failure.json not written: {error}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
