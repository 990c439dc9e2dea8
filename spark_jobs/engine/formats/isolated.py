"""Runs a library that damaged files can crash in a child process, and returns its Arrow batches.

If the library crashed the Spark worker, the whole batch would be retried and bisected until the damaged file is found.
In a child process, a crash affects only its own file.
"""

from __future__ import annotations

import json
import os
import signal
import warnings
from collections.abc import Callable, Iterator
from typing import IO, Any

import pyarrow as pa

from spark_jobs.engine.decompression.source import DamagedError

#: Seconds for all batches of a file, because damage can cause an endless loop.
SECONDS_MAX = 3_600
#: Signals that must end the child, regardless of the parent's handlers.
_ENDS = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGALRM)
_BATCH, _ERROR, _END = b"B", b"E", b"."
_LENGTH = 8  # bytes of a message's length, which follows its kind


def isolated(read: Callable[[], Iterator[pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
    """The batches of `read`, run in a child process; `DamagedError` if it raises an error or its process crashes."""
    from_child, to_parent = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # if the child deadlocks, its alarm ends it
        child = os.fork()
    if not child:
        os.close(from_child)  # otherwise the pipe would still have a reader after the parent closes it
        _serve(read, to_parent)
    os.close(to_parent)
    try:
        with os.fdopen(from_child, "rb") as pipe:
            yield from _received(pipe)
    finally:
        os.waitpid(child, 0)  # the child also ends when it writes to the closed pipe


def answered(ask: Callable[[], Any]) -> Any:
    """The JSON-serializable result of `ask`, run in a child process; errors as in `isolated`."""
    [batch] = isolated(lambda: iter([pa.record_batch({"answer": [json.dumps(ask())]})]))
    return json.loads(batch["answer"][0].as_py())


def _serve(read: Callable[[], Iterator[pa.RecordBatch]], to_parent: int) -> None:
    """The child's program. It exits without cleaning up, because all surrounding state belongs to the parent."""
    for number in _ENDS:
        signal.signal(number, signal.SIG_DFL)
    signal.alarm(SECONDS_MAX)
    try:
        with os.fdopen(to_parent, "wb") as pipe:
            for kind, content in _messages(read):
                pipe.write(kind + len(content).to_bytes(_LENGTH, "big"))
                pipe.write(content)
    finally:
        os._exit(0)


def _messages(read: Callable[[], Iterator[pa.RecordBatch]]) -> Iterator[tuple[bytes, bytes]]:
    try:
        for batch in read():
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, batch.schema) as stream:
                stream.write_batch(batch)
            yield _BATCH, sink.getvalue()
    except Exception as error:  # noqa: BLE001 -- the parent receives every error
        yield _ERROR, (str(error).strip() or type(error).__name__).encode("utf-8", "replace")
    else:
        yield _END, b""


def _received(pipe: IO[bytes]) -> Iterator[pa.RecordBatch]:
    while True:
        kind, content = _message(pipe)
        if kind == _END:
            return
        if kind == _ERROR:
            raise DamagedError(content.decode().partition("\n")[0])
        yield from pa.ipc.open_stream(content)


def _message(pipe: IO[bytes]) -> tuple[bytes, bytes]:
    head = pipe.read(1 + _LENGTH)
    size = int.from_bytes(head[1:], "big")
    content = pipe.read(size)
    if len(head) < 1 + _LENGTH or len(content) < size:
        raise DamagedError("its reader crashed")
    return head[:1], content
