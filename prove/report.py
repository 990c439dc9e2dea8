"""A proof written down: a report for people, recordings for the contract suite, and what differs between two."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from local.account import ACCOUNT
from prove.step import Finding, Step

REPORT, RECORDINGS = "report.md", "recordings"
#: Fields whose values are facts of a service and not of one proof.
FACTS = ("Status",)


def report(stack: str, region: str, began: datetime, steps: Sequence[Step[Any]], findings: Sequence[Finding]) -> str:
    """The report in Markdown."""
    claims = {step.name: step for step in steps}
    rows = [
        f"| {finding.step} | {_cell(claims[finding.step].claim)} | {_cell(claims[finding.step].expected)}"
        f" | {finding.verdict.value} | {_cell(finding.found)} | {finding.seconds:.0f} |"
        for finding in findings
    ]
    return "\n".join(
        [
            f"# Proof of {stack} in {region}, {began:%Y-%m-%d %H:%M} UTC", "",
            "| step | claim | expected | verdict | found | seconds |", "|---|---|---|---|---|--:|", *rows, "",
        ]
    )  # fmt: skip


def _cell(text: str) -> str:
    """Text of a service in a cell of a table."""
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").split())


def write(folder: Path, text: str, findings: Sequence[Finding], account: str) -> None:
    """Writes report.md, and recordings/<step>.json with the account's number replaced."""
    (folder / RECORDINGS).mkdir(parents=True, exist_ok=True)
    (folder / REPORT).write_text(_anonymous(text, account), encoding="utf-8")
    for finding in findings:
        if finding.recording:
            recording = json.dumps(finding.recording, indent=1, sort_keys=True, default=str, ensure_ascii=False)
            path = folder / RECORDINGS / f"{finding.step}.json"
            path.write_text(_anonymous(recording, account) + "\n", encoding="utf-8")


def _anonymous(text: str, account: str) -> str:
    return re.sub(rf"(?<!\d){re.escape(account)}(?!\d)", ACCOUNT, text) if account else text


def read_recordings(folder: Path) -> dict[str, Any]:
    """Step → recording, from the folder of a proof. Raises `ValueError` for what is not JSON."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}


def differences(recorded: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[str]:
    """What two proofs answer differently: missing fields, other types, other facts. Values of one proof may differ."""
    for step in sorted({*recorded} & {*here}):
        yield from (f"{step}: {difference}" for difference in _differences("", recorded[step], here[step]))


def _differences(where: str, there: Any, here: Any) -> Iterator[str]:
    if isinstance(there, dict) and isinstance(here, dict):
        for name in sorted({*there} | {*here}):
            yield from _field(f"{where}.{name}".lstrip("."), name, there, here)
    elif isinstance(there, list) and isinstance(here, list):
        if there and here:
            yield from _differences(f"{where}[]", there[0], here[0])
    elif type(there) is not type(here):
        yield f"{where} is {_kind(there)} there, {_kind(here)} here"


def _field(where: str, name: str, there: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[str]:
    if name not in there or name not in here:
        yield f"{where} is only {'here' if name in here else 'there'}"
    elif name in FACTS and there[name] != here[name]:
        yield f"{where} is {there[name]!r} there, {here[name]!r} here"
    else:
        yield from _differences(where, there[name], here[name])


def _kind(value: Any) -> str:
    return "null" if value is None else type(value).__name__
