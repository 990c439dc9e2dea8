"""The warm driver between jobs."""

import json

import pytest

from local.spark.runner import Outcome, WarmRunner
from tests.local.spark.conftest import Cloud, run

pytestmark = [pytest.mark.spark, pytest.mark.timeout(180)]


def test_jobs_share_nothing_but_the_driver(warm: WarmRunner, cloud: Cloud) -> None:
    """The next job gets its own modules, arguments and settings, and no view or file of the one before."""
    dirty = """
import os, sys
from pyspark.sql import SparkSession
import helper
spark = SparkSession.builder.config("spark.sql.ansi.enabled", "true").getOrCreate()
spark.range(3).cache().createOrReplaceTempView("mine")
os.environ["LEFT"] = "behind"
open("/proc/self/comm").read()
"""
    assert run(warm, cloud.job(dirty, "x", helper="NAME = 'dirty'")).exit_code == 0
    curious = """
import json, os, sys
from pyspark.sql import SparkSession
import helper
spark = SparkSession.builder.getOrCreate()
print(json.dumps([
    helper.NAME, sys.argv[1:], spark.conf.get("spark.sql.ansi.enabled"), spark.conf.get("spark.sql.x.y", "none"),
    [t.name for t in spark.catalog.listTables()], "LEFT" in os.environ, os.environ["AWS_ACCESS_KEY_ID"],
    spark.sparkContext.parallelize([1], 1).map(lambda _: __import__("helper").NAME).collect(), __name__]))
"""
    job = cloud.job(curious, "--spec", "s", helper="NAME = 'clean'", properties={"spark.sql.x.y": "set"})
    assert run(warm, job) == Outcome(0, "")
    told = (warm._workspace.log(job.run_id)).read_text().splitlines()[-1]
    expected = ["clean", ["--spec", "s"], "false", "set", [], False, "AKIALOCALJobRole", ["clean"], "__main__"]
    assert json.loads(told) == expected


def test_the_checkout_is_hidden_from_jobs(warm: WarmRunner, cloud: Cloud) -> None:
    """A job finds the modules that it brings along and not those that happen to lie in the checkout."""
    outcome = run(warm, cloud.job("import spark_jobs"))
    assert "ModuleNotFoundError" in outcome.details


@pytest.mark.parametrize(
    ("text", "code"), [("import sys; sys.exit(3)", 3), ("exit()", 0), ("raise SystemExit('why')", 1)]
)
def test_exits_are_exit_codes(warm: WarmRunner, cloud: Cloud, text: str, code: int) -> None:
    """sys.exit with a number, nothing and a text."""
    assert run(warm, cloud.job(text)).exit_code == code


def test_a_worn_driver_is_replaced(warm: WarmRunner, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its number of jobs the driver gives way to a new process."""
    monkeypatch.setattr(warm, "_most_jobs", 1)
    before = warm._driver._process.pid
    assert run(warm, cloud.job("pass")).exit_code == 0
    assert warm._driver._process.pid != before
