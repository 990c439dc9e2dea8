"""Arrow batches from a process of their own, for a library that damaged files can take down.

A batch of files that brings down its worker is tried again and halved until the one file is found; so that file costs
itself alone, as any other does that is damaged.
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

#: Seconds for all batches of a file; damage can make a library turn in a circle.
SECONDS_MAX = 3_600
#: By these the child ends, whatever its parent does with them.
_ENDS = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGALRM)
_BATCH, _ERROR, _END = b"B", b"E", b"."
_LENGTH = 8  # bytes of a message's length, which stands behind its kind


def isolated(read: Callable[[], Iterator[pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
    """What `read` gives; `DamagedError` with what it raises, and where its process ends before it does."""
    from_child, to_parent = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a child that waits for a lock ends by its alarm
        child = os.fork()
    if not child:
        os.close(from_child)  # or a pipe that the parent closes would still have a reader
        _serve(read, to_parent)
    os.close(to_parent)
    try:
        with os.fdopen(from_child, "rb") as pipe:
            yield from _received(pipe)
    finally:
        os.waitpid(child, 0)  # who writes to a pipe that is closed ends, too


def answered(ask: Callable[[], Any]) -> Any:
    """What `ask` returns, which JSON can write, from a process of its own; errors as of `isolated`."""
    [batch] = isolated(lambda: iter([pa.record_batch({"answer": [json.dumps(ask())]})]))
    return json.loads(batch["answer"][0].as_py())


def _serve(read: Callable[[], Iterator[pa.RecordBatch]], to_parent: int) -> None:
    """All that the child does. It leaves at once, since everything around it belongs to the parent."""
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
    except Exception as error:  # noqa: BLE001 -- whatever it is, the parent is told
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
        raise DamagedError("its reader broke down")
    return head[:1], content
