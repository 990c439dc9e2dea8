"""Batches from a child process, for every way in which it can end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pyarrow as pa
import pytest

from spark_jobs.engine.decompression.source import DamagedError
from spark_jobs.engine.formats.isolated import answered, isolated

BATCHES = [pa.record_batch({"id": [1, 2], "x": ["a", None]}), pa.record_batch({"id": [3], "x": ["c"]})]


def test_what_is_read_comes_as_it_is() -> None:
    """Batch by batch; of nothing there is nothing."""
    assert list(isolated(lambda: iter(BATCHES))) == BATCHES
    assert list(isolated(lambda: iter(()))) == []


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL, signal.SIGALRM])
def test_a_library_that_ends_its_process_costs_what_is_behind(number: int) -> None:
    """The batches before it are read, and the parent process goes on."""

    def read() -> Iterator[pa.RecordBatch]:
        yield BATCHES[0]
        yield BATCHES[1].slice(0, 0)  # hands over what is written before
        os.kill(os.getpid(), number)

    batches = isolated(read)
    with pytest.raises(DamagedError, match="its reader crashed"):
        list(batches)


def test_what_it_says_is_told_in_a_line() -> None:
    """An error has the same text as here."""

    def read() -> Iterator[pa.RecordBatch]:
        yield BATCHES[0]
        raise OSError("bad stripe\nfooter")

    batches = isolated(read)
    assert next(batches) == BATCHES[0]
    with pytest.raises(DamagedError, match=r"^bad stripe$"):
        next(batches)


def test_who_asks_for_no_more_ends_the_process() -> None:
    """No process remains, even if it had more batches."""

    def read() -> Iterator[pa.RecordBatch]:
        for _ in range(1_000):
            yield pa.record_batch({"process": pa.array([os.getpid()] * 100_000)})

    batches = isolated(read)
    process = next(batches)["process"][0].as_py()
    assert process != os.getpid()
    batches.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_an_answer_comes_as_json_tells_it() -> None:
    """Lists and numbers; an error has the same text as here, and a library's crash is damage."""
    assert answered(lambda: [["a", "b"], 7, False]) == [["a", "b"], 7, False]
    with pytest.raises(DamagedError, match=r"^bad footer$"):
        answered(lambda: (_ for _ in ()).throw(OSError("bad footer")))
    with pytest.raises(DamagedError, match="its reader crashed"):
        answered(lambda: os.kill(os.getpid(), signal.SIGSEGV))
