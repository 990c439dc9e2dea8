"""Processes that do not outlive their parent: a group that is killed when its stdin closes.

Also a program: `spark_guard.py command…` runs the command in its own group under this rule and ends with its code.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any


def start(
    command: Sequence[str], environment: Mapping[str, str], log: IO[bytes], **more: Any
) -> subprocess.Popen[bytes]:
    """Start the head of a new process group; it has to watch its stdin, see `when_stdin_closes`."""
    return subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True, **more
    )


def guarded(command: Sequence[str]) -> list[str]:
    """The command under this module's watch, for programs that do not watch their stdin themselves."""
    return [sys.executable, "-P", str(Path(__file__)), *command]


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill the whole group and wait for its head. Ending it twice is harmless."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.stdin:
        with contextlib.suppress(OSError):
            process.stdin.close()
    process.wait()


def kill_group() -> None:
    """End this process and everything in its group at once."""
    os.killpg(0, signal.SIGKILL)


def when_stdin_closes(act: Callable[[], None], line: Callable[[bytes], None] = lambda _: None) -> None:
    """Watch stdin in the background: `line` for each line, `act` at its end. The program's own stdin becomes empty."""
    watched = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)

    def watch() -> None:
        with os.fdopen(watched, "rb") as source:
            for text in source:
                line(text)
        act()

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


if __name__ == "__main__":
    when_stdin_closes(kill_group)
    sys.exit(subprocess.run(sys.argv[1:], check=False).returncode)
