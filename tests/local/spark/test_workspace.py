"""What a job is given, and what its error says."""

import pytest

from local.spark.workspace import error_lines, local_properties, submit_options


def test_options_that_are_not_played_are_refused() -> None:
    """Unknown sparkSubmitParameters are errors; only settings that apply just to EMR are ignored."""
    words = (
        "--conf",
        "spark.a=b=c",
        "--py-files",
        "s3://b/x.zip,s3://b/y.zip",
        "--conf",
        "spark.submit.pyFiles=s3://b/z.zip",
    )
    options = submit_options(words)
    assert options.properties == {"spark.a": "b=c"}
    assert options.py_files == ("s3://b/x.zip", "s3://b/y.zip", "s3://b/z.zip")
    for broken in (("--packages", "a:b:c"), ("--conf",)):
        with pytest.raises(ValueError, match="sparkSubmitParameters"):
            submit_options(broken)
    emr = {
        "spark.archives": "s3://x",
        "spark.executor.cores": "4",
        "spark.emr-serverless.driverEnv.PYSPARK_PYTHON": "p",
    }
    assert local_properties(emr | {"spark.sql.ansi.enabled": "true"}) == {"spark.sql.ansi.enabled": "true"}


def test_the_essence_of_an_error_has_no_frames() -> None:
    """Java's and Python's stack frames are dropped, the causes stay, the last one last."""
    python = 'Traceback:\n  File "x.py", line 1\n    boom()\n    ^^^^^^\n'
    text = python + "Py4JJavaError\n\tat a.b(C.java:1)\n\t... 3 more\nCaused by: X: full\n"
    assert error_lines(text).splitlines()[-2:] == ["Py4JJavaError", "Caused by: X: full"]
