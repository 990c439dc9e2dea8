"""Why a job failed: a reason of one line, sorted by what to do about it, and the traceback.

An error that Spark hands on is one long text: a Python error in a task lies in it as a traceback, one of Spark itself
as a chain of Java exceptions, printed several times over.
"""

from __future__ import annotations

import re
import traceback
from dataclasses import replace

from spark_jobs.engine.s3_objects import ReadError
from tidemark.core.errors import DeclarationError
from tidemark.core.job import RunFailure

_LINE_MAX = 500
#: Bytes of a traceback that are kept: its beginning says where, its end what.
_TRACEBACK_MAX = 20_000
_SENTENCES_MAX = 6  # lines of a message that does not end with its first

#: No file is to blame, and no other try would do better: the code itself is wrong.
_BEYOND = (DeclarationError, ImportError, SyntaxError)
_BEYOND_NAMES = re.compile(
    r"(ModuleNotFound|Import|Syntax|Indentation|Tab)Error$|AnalysisException$|ParseException$|ClassNotFoundException$"
)
_TRACEBACK = re.compile(r"Traceback \(most recent call last\):\n")
#: Of the code that users write, in a traceback: the module below the job's folder, and the line.
_USERS_LINE = re.compile(r'File "[^"\n]*?((?:transforms|nightly)/[\w/]+\.py)", line (\d+)')
#: The line of a Python traceback that says what was raised.
_RAISED = re.compile(r"^([A-Za-z_][\w.]*)(?:: (.*))?$")
#: The line of a Java trace that says what was thrown: the first follows py4j's own line, the last one is the cause.
_THROWN = re.compile(r"^(?:Caused by: |: )?(?:[\w$]+\.)+(\w*(?:Error|Exception|Throwable))(?:: (.*))?$", re.MULTILINE)
#: Where a message ends and Spark's noise begins: frames, plans, the position in a query.
_NOISE = re.compile(
    r"\s+at |\s*\.\.\. \d+ more|Caused by: |==|JVM stacktrace|Traceback |Driver stacktrace|'|\+- |SQLSTATE"
)
_FRAMES = re.compile(r"(?:^[ \t]+at [\w$.]+[^\n]*\n?|^[ \t]+\.\.\. \d+ more\n?)+", re.MULTILINE)


def of(error: BaseException) -> RunFailure:
    """The failure that an error is; its message is one line of up to 500 characters."""
    told = ReadError.told_in(str(error))
    if told:
        return replace(told, message=_short(told.message))
    if isinstance(error, DeclarationError):
        return RunFailure(_short(str(error)), "beyond")
    name, message = _named(error)
    kind = "beyond" if isinstance(error, _BEYOND) or _BEYOND_NAMES.search(name) else "unknown"
    place = _place(traceback_of(error))
    reason = f"{name}: {message}" if message else name
    # The place is what a person looks for first: it must not be what is cut off.
    return RunFailure(_short(reason, place), kind)


def traceback_of(error: BaseException) -> str:
    """The error's traceback, with Java's frames counted instead of listed, and no longer than 20 KB."""
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return _bounded(_FRAMES.sub(_counted, text))


def _counted(frames: re.Match[str]) -> str:
    count = frames[0].count("\n") or 1
    return f"\t… {count} lines of the JVM\n"


def _bounded(text: str) -> str:
    data = text.encode("utf-8", errors="replace")
    if len(data) <= _TRACEBACK_MAX:
        return data.decode()
    half = _TRACEBACK_MAX // 2 - 50
    head, tail = data[:half].decode(errors="ignore"), data[-half:].decode(errors="ignore")
    return f"{head}\n… {len(data) - 2 * half} bytes left out …\n{tail}"


def _named(error: BaseException) -> tuple[str, str]:
    """The name of what went wrong, and what it says: the innermost Python error, Spark's own, or Java's last cause."""
    text = str(error)
    in_task = _raised_in(text)
    if in_task:
        return in_task
    causes = [(cause[1], _sentence(text, cause.start(2)) if cause[2] else "") for cause in _THROWN.finditer(text)]
    if causes and "\n" in text.strip():
        return next((cause for cause in reversed(causes) if cause[1]), causes[-1])
    return type(error).__name__, _sentence(text, 0)


def _raised_in(text: str) -> tuple[str, str] | None:
    """What the Python worker's traceback within an error's text says was raised; None without one."""
    begin = _TRACEBACK.search(text)
    if begin is None:
        return None
    found, at, is_open = None, begin.end(), True
    for line in text[begin.end() :].splitlines(keepends=True):
        raised = _RAISED.match(line.rstrip("\n"))
        if line.startswith(("\tat ", "Caused by: ")):
            break
        if line.startswith("Traceback "):
            is_open = True  # an error that was raised while another was handled, or because of it
        elif raised and is_open:
            said = _sentence(text, at + raised.start(2)) if raised[2] else ""
            found, is_open = (raised[1].rpartition(".")[2], said), False  # what follows is its message's
        at += len(line)
    return found


def _sentence(text: str, start: int) -> str:
    """The line that begins there, and those behind it as long as it ends at a colon or in the midst of a sentence."""
    lines = text[start:].splitlines()[: _SENTENCES_MAX + 1]
    if not lines:
        return ""
    said = lines[0].strip()
    is_explained = said.startswith("[")
    for line in lines[1:]:
        ended = said.endswith((".", ";", "?", "!")) if is_explained or not said else not said.endswith(":")
        if ended or _NOISE.match(line) or not line.strip():
            break
        said = f"{said} {line.strip()}"
    return said.rstrip(";")


def _place(text: str) -> str:
    """The innermost line of the user's own code in the first traceback that has one; empty where none has."""
    for part in _TRACEBACK.split(text)[:0:-1]:
        lines = _USERS_LINE.findall(part)
        if lines:
            path, number = lines[-1]
            return f" ({path}:{number})"
    return ""


def _short(text: str, suffix: str = "") -> str:
    line, room = " ".join(text.split()), _LINE_MAX - len(suffix)
    return f"{line if len(line) <= room else line[:room] + '…'}{suffix}"
