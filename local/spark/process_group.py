"""Process groups that do not outlive their parent: each is killed when its stdin closes.

As a program, `process_group.py command…` runs the command in its process group and exits with its exit code.
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
    """Start the leader of a new process group; it must watch its stdin (see `when_stdin_closes`)."""
    return subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True, **more
    )


def guarded(command: Sequence[str]) -> list[str]:
    """The command wrapped in this module's program, for programs that do not watch their stdin."""
    return [sys.executable, "-P", str(Path(__file__)), *command]


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill the whole group and wait for its leader. Idempotent."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.stdin:
        with contextlib.suppress(OSError):
            process.stdin.close()
    process.wait()


def kill_group() -> None:
    """Kill this process and its whole group at once."""
    os.killpg(0, signal.SIGKILL)


def when_stdin_closes(act: Callable[[], None], line: Callable[[bytes], None] = lambda _: None) -> None:
    """Call `line` for each line of stdin and `act` at its end, in a thread. The program's own stdin becomes empty."""
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
