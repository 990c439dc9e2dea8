"""Why a job failed, in one line and sorted by what to do about it: the shape of failure.json."""

from __future__ import annotations

import re
from typing import Any

from spark_jobs.objects import ReadError

_LINE_MAX = 500
#: The line of a stack trace that says what happened; the last one is the cause.
_CAUSE = re.compile(r"^(?:Caused by: )?(?:[\w.]+\.)?(\w*(?:Error|Exception)\b(?:: .*)?)$", re.MULTILINE)


def of(error: BaseException) -> dict[str, Any]:
    """`{"kind": "file" | "transient" | "beyond" | "unknown", "file": …, "message": …}` of whatever went wrong."""
    report = ReadError.report_in(str(error))
    if report:
        return {**report, "message": _short(report["message"])}
    return {"kind": "unknown", "file": None, "message": _short(f"{type(error).__name__}: {_cause(str(error))}")}


def _cause(text: str) -> str:
    causes = _CAUSE.findall(text)
    lines = text.strip().splitlines() or [""]
    return causes[-1] if len(lines) > 1 and causes else lines[0]


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LINE_MAX else f"{line[:_LINE_MAX]}…"
