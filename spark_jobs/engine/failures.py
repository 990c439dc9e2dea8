"""A job's failure: a one-line reason, its kind (which decides what happens next) and the traceback.

Spark's errors are one long text: it contains the traceback of a Python error in a task, or a chain of Java exceptions
for an error of Spark itself, often several times.
"""

from __future__ import annotations

import re
import traceback
from dataclasses import replace

from spark_jobs.engine.s3_objects import ReadError
from tidemark.core.error_texts import job_kind
from tidemark.core.errors import DeclarationError, NewerRelease
from tidemark.core.job import RunFailure

_LINE_MAX = 500
#: Bytes of a traceback that are kept, half from its beginning (where it happened) and half from its end (the error).
_TRACEBACK_MAX = 20_000
_SENTENCES_MAX = 6  # further lines of a multi-line message

#: Errors in the code itself: no file causes them, and another attempt would fail again.
_BEYOND = (DeclarationError, ImportError, SyntaxError)
_BEYOND_NAMES = re.compile(
    r"(ModuleNotFound|Import|Syntax|Indentation|Tab)Error$|AnalysisException$|ParseException$|ClassNotFoundException$"
)
_TRACEBACK = re.compile(r"Traceback \(most recent call last\):\n")
#: A traceback's line about the user's code: its module below the job's folder, and the line number.
_USERS_LINE = re.compile(r'File "[^"\n]*?((?:transforms|nightly)/[\w/]+\.py)", line (\d+)')
#: The line of a Python traceback with the exception.
_RAISED = re.compile(r"^([A-Za-z_][\w.]*)(?:: (.*))?$")
#: The lines of a Java stack trace with exceptions: the first follows py4j's own line, the last is the root cause.
_THROWN = re.compile(r"^(?:Caused by: |: )?(?:[\w$]+\.)+(\w*(?:Error|Exception|Throwable))(?:: (.*))?$", re.MULTILINE)
#: The text after a message: stack frames, query plans, the position in a query.
_NOISE = re.compile(
    r"\s+at |\s*\.\.\. \d+ more|Caused by: |==|JVM stacktrace|Traceback |Driver stacktrace|'|\+- |SQLSTATE"
)
_FRAMES = re.compile(r"(?:^[ \t]+at [\w$.]+[^\n]*\n?|^[ \t]+\.\.\. \d+ more\n?)+", re.MULTILINE)


def of(error: BaseException) -> RunFailure:
    """The failure for an error; its message is one line of up to 500 characters."""
    reported = ReadError.parse(str(error))
    if reported:
        return replace(reported, message=_short(reported.message))
    if isinstance(error, NewerRelease):
        return RunFailure(_short(str(error)), "outdated")
    if isinstance(error, DeclarationError):
        return RunFailure(_short(str(error)), "beyond")
    name, message = _named(error)
    kind = "beyond" if isinstance(error, _BEYOND) or _BEYOND_NAMES.search(name) else job_kind(f"{name}: {message}")
    location = _location(traceback_of(error))
    reason = f"{name}: {message}" if message else name
    # The location matters most to the reader, so the reason is shortened instead of it.
    return RunFailure(_short(reason, location), kind)


def traceback_of(error: BaseException) -> str:
    """The error's traceback of at most 20 KB, with Java's frames counted instead of listed."""
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
    """Name and message of the innermost Python error in a task, of Java's root cause, or of the error itself."""
    text = str(error)
    in_task = _raised_in(text)
    if in_task:
        return in_task
    causes = [(cause[1], _sentence(text, cause.start(2)) if cause[2] else "") for cause in _THROWN.finditer(text)]
    if causes and "\n" in text.strip():
        return next((cause for cause in reversed(causes) if cause[1]), causes[-1])
    return type(error).__name__, _sentence(text, 0)


def _raised_in(text: str) -> tuple[str, str] | None:
    """Name and message of the exception in the Python worker's traceback within an error's text; None without one."""
    begin = _TRACEBACK.search(text)
    if begin is None:
        return None
    innermost, at, is_open = None, begin.end(), True
    for line in text[begin.end() :].splitlines(keepends=True):
        raised = _RAISED.match(line.rstrip("\n"))
        if line.startswith(("\tat ", "Caused by: ")):
            break
        if line.startswith("Traceback "):
            is_open = True  # another exception, raised from or while handling the previous one
        elif raised and is_open:
            message = _sentence(text, at + raised.start(2)) if raised[2] else ""
            innermost, is_open = (raised[1].rpartition(".")[2], message), False  # later lines belong to its message
        at += len(line)
    return innermost


def _sentence(text: str, start: int) -> str:
    """The line at `start`, continued by the next lines while it ends with a colon or in the middle of a sentence."""
    lines = text[start:].splitlines()[: _SENTENCES_MAX + 1]
    if not lines:
        return ""
    sentence = lines[0].strip()
    is_explained = sentence.startswith("[")
    for line in lines[1:]:
        ended = sentence.endswith((".", ";", "?", "!")) if is_explained or not sentence else not sentence.endswith(":")
        if ended or _NOISE.match(line) or not line.strip():
            break
        sentence = f"{sentence} {line.strip()}"
    return sentence.rstrip(";")


def _location(text: str) -> str:
    """The innermost line of the user's code in the last traceback that has one; empty if there is none."""
    for part in _TRACEBACK.split(text)[:0:-1]:
        lines = _USERS_LINE.findall(part)
        if lines:
            path, number = lines[-1]
            return f" ({path}:{number})"
    return ""


def _short(text: str, suffix: str = "") -> str:
    line, room = " ".join(text.split()), _LINE_MAX - len(suffix)
    return f"{line if len(line) <= room else line[:room] + '…'}{suffix}"
