"""The reason of a failed job: one good line, and the traceback without Java's frames."""

from __future__ import annotations

from typing import Any

import pytest

from spark_jobs.engine import failures
from spark_jobs.engine.s3_objects import ReadError
from tidemark.core.errors import DeclarationError, Unbalanced
from tidemark.core.files import FileVersion
from tidemark.core.job import RunFailure

FRAMES = "\tat org.apache.spark.X.y(X.scala:1)\n" * 30
IN_TASK = """Traceback (most recent call last):
  File "/tmp/jobs.zip/spark_jobs/reader.py", line 70, in read
    yield from parse(part)
  File "/tmp/jobs.zip/spark_jobs/transforms/shop.py", line 12, in price
    return table[code]
{raised}
"""
PY4J = "An error occurred while calling o95.parquet.\n: org.apache.spark.SparkException: "
LOST = "Job aborted due to stage failure: Task 0 in stage 1.0 failed 4 times, most recent failure: Lost task 0.3 "


def java(*causes: str) -> str:
    """What py4j makes of exceptions that were thrown of one another."""
    return PY4J + LOST + causes[0] + "\n" + "".join(f"{FRAMES}Caused by: {cause}\n" for cause in causes) + FRAMES


def in_task(raised: str) -> str:
    """A Python error in a task, as it comes through two Java exceptions."""
    python = "org.apache.spark.api.python.PythonException: " + IN_TASK.format(raised=raised)
    return java("org.apache.spark.SparkException: [TASK_WRITE_FAILED] Task failed while writing rows.", python)


class Py4JJavaError(Exception):
    """Replaces py4j's own class, which needs a JVM."""


class AnalysisException(Exception):
    """Replaces Spark's own class."""


SPARK = (
    "[INCONSISTENT_BEHAVIOR.WRITE_ANCIENT] You may get another result due to the upgrade:\n"
    "writing timestamps before\n1900 can be dangerous. See the guide\nfor more."
)
UNRESOLVED = (
    "[UNRESOLVED_COLUMN] A column with name `a` cannot be resolved. Did you mean `b`?;\n'Project ['a]\n+- Range\n"
)
REASONS = [
    (Py4JJavaError(in_task("KeyError: 'x9'")), "KeyError: 'x9' (transforms/shop.py:12)"),
    (Py4JJavaError(in_task("shop.errors.NoPrice")), "NoPrice (transforms/shop.py:12)"),
    (Py4JJavaError(in_task("ValueError: two:\nhint: lines")), "ValueError: two: hint: lines (transforms/shop.py:12)"),
    (Py4JJavaError(in_task("ValueError: a\nhint: b")), "ValueError: a (transforms/shop.py:12)"),
    (
        Py4JJavaError(java(f"org.apache.spark.SparkUpgradeException: {SPARK}")),
        "SparkUpgradeException: " + " ".join(SPARK.split()),
    ),
    (
        Py4JJavaError(
            java("org.apache.spark.SparkException: [TASK] Task failed.", "java.io.IOException: disk is full")
        ),
        "IOException: disk is full",
    ),
    (
        Py4JJavaError(java("java.io.IOException: no luck", "java.lang.NullPointerException")),
        "IOException: no luck",
    ),
    (
        AnalysisException(UNRESOLVED),
        "AnalysisException: [UNRESOLVED_COLUMN] A column with name `a` cannot be resolved. Did you mean `b`?",
    ),
    (Unbalanced("rows of t: expected 2, found 1"), "Unbalanced: rows of t: expected 2, found 1"),
    (ValueError(), "ValueError"),
]


@pytest.mark.parametrize(("error", "reason"), REASONS)
def test_the_reason_is_one_line_that_ends_with_its_sentence(error: Exception, reason: str) -> None:
    """The innermost Python error with the user's own line, or Spark's error class and what it explains."""
    assert failures.of(error).message == reason


def raised(error: BaseException) -> BaseException:
    """The error as it comes out of a transform's third line."""
    names: dict[str, Any] = {"error": error}
    code = compile("def transform():\n\n    raise error\n", "/j.zip/spark_jobs/transforms/shop.py", "exec")
    try:
        exec(code, names)
        names["transform"]()
    except BaseException as found:  # noqa: BLE001
        return found
    raise AssertionError("not raised")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ModuleNotFoundError("No module named 'shop'"), "beyond"),
        (ImportError("cannot import name 'transform'"), "beyond"),
        (SyntaxError("invalid syntax"), "beyond"),
        (IndentationError("unexpected indent"), "beyond"),
        (DeclarationError("expected the tables a, found b", ("transforms", "shop")), "beyond"),
        (AnalysisException(UNRESOLVED), "beyond"),
        (Py4JJavaError(in_task("ModuleNotFoundError: No module named 'shop'")), "beyond"),
        (Py4JJavaError(in_task("KeyError: 'x9'")), "unknown"),
        (Py4JJavaError(java("java.lang.OutOfMemoryError: Java heap space")), "small"),
        (MemoryError(), "small"),
        (Py4JJavaError(java("java.io.IOException: S3Exception: Please reduce your request rate.")), "transient"),
        (Py4JJavaError(java("java.nio.file.AccessDeniedException: s3://lake/batches/x: Forbidden")), "denied"),
        (Unbalanced("rows of t: expected 2, found 1"), "unknown"),
        (KeyError("x9"), "unknown"),
    ],
)
def test_code_that_is_wrong_for_every_file_is_no_files_fault(error: Exception, kind: str) -> None:
    """A batch of a thousand files must not be halved because a module is missing."""
    assert failures.of(error).kind == kind


def test_an_error_in_the_driver_is_told_by_the_users_line() -> None:
    """As one in a task is."""
    assert failures.of(raised(KeyError("x9"))).message == "KeyError: 'x9' (transforms/shop.py:3)"


def test_a_long_message_is_cut_and_keeps_its_place() -> None:
    """The ledger's items are small, and the place is what a person looks for."""
    message = failures.of(raised(ValueError("x" * 9_000))).message
    assert len(message) == 500 + 1
    assert message.endswith("xxx… (transforms/shop.py:3)")


def test_a_traceback_counts_javas_frames_instead_of_listing_them() -> None:
    """What a person reads of it is Python's."""
    text = failures.traceback_of(raised(Py4JJavaError(in_task("KeyError: 'x9'"))))
    assert "\tat " not in text
    assert "… 30 lines of the JVM" in text
    assert 'transforms/shop.py", line 12, in price' in text


def test_a_traceback_is_bounded_in_bytes_and_keeps_both_ends() -> None:
    """Its beginning says where, its end what."""
    text = failures.traceback_of(raised(ValueError("ü" * 50_000 + " the end")))
    assert len(text.encode()) <= 20_000
    assert text.startswith("Traceback")
    assert text.rstrip().endswith("the end")


def test_a_reason_survives_sparks_stack_traces() -> None:
    """Spark hands on the text of an error and nothing else: who is to blame is in it."""
    error = ReadError("file", FileVersion("raw", 'k"1', "v", 1), "it's gone")
    wrapped = RuntimeError(f"Job aborted.\n  at java.x\nspark_jobs.objects.ReadError: {error}\n\n at org.apache.spark")
    assert failures.of(wrapped) == RunFailure("it's gone", "file", FileVersion("raw", 'k"1', "v", 0))
