"""What is true of every reader, whatever it is given: each fault is a line, and a reader without faults has none.

told      every byte is kept, rejected, told in a problem, or documented as skipped; no exception leaves the reader
same      rows, rejected records and problem are the same however the bytes are cut, and by the exact way alone
bounded   the work on broken text is bounded by its length
"""

from __future__ import annotations

import io
import json
import re
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple
from unittest import mock

import fastavro
import pyarrow as pa

from spark_jobs.engine import decompression
from spark_jobs.engine.formats import FileReader, columns, reader_for, texts
from spark_jobs.engine.formats.bounds import bounded
from spark_jobs.engine.formats.members import read_members
from spark_jobs.engine.formats.records import RAW_MAX, End, RecordReader
from spark_jobs.engine.formats.scanner import CREDIT, EARNED, Budget
from tests.fuzz.cases import STATEFUL, Case
from tidemark.core.job import Rejected

INT64_MAX = (1 << 63) - 1
_MARKER = re.compile(r"(?<![a-z0-9A-Z])[kx]\d{4}(?![0-9a-zA-Z])")


class Answer(NamedTuple):
    rows: list[dict[str, Any]]
    rejected: list[Rejected]
    end: End


def faults(case: Case) -> list[str]:
    """All that the reader does wrong with the case, each in a line."""
    try:
        answer = _read(case, [case.body])
    except Exception as error:  # noqa: BLE001 -- whatever it is, it is a fault
        return [_raised(error)]
    found = [*_malformed(answer), *_untold(case, answer)]
    for name, slowly, block, parts in _cuts(case):
        try:
            with _blocks_of(block), _exactly(slowly):
                other = _read(case, parts, slowly=slowly)
        except Exception as error:  # noqa: BLE001 -- as above
            found.append(f"{name}: {_raised(error)}")
            continue
        found += _unlike(case, name, answer, other)
    return found


# ---------------------------------------------------------------------------------------------- reading


def _read(case: Case, parts: Sequence[bytes], *, slowly: bool = False) -> Answer:
    reader = reader_for(case.format, case.fields)
    budget = Budget()
    rows: list[dict[str, Any]] = []
    rejected: list[Rejected] = []
    ends: list[End] = []
    for piece in bounded(_pieces(reader, parts, budget, slowly)):
        if ends:
            raise AssertionError("a piece behind the end")
        if isinstance(piece, pa.Table):
            piece.validate(full=True)
            if piece.schema != reader.schema or not piece.num_rows:
                raise AssertionError("a table of another shape")
            rows += piece.to_pylist()
        elif isinstance(piece, End):
            ends.append(piece)
        else:
            rejected += piece
    if not ends:
        raise AssertionError("no end")
    if budget.spent > CREDIT + (EARNED + 1) * max(ends[0].bytes, len(case.body)):
        raise AssertionError("unbounded work")
    return Answer(rows, rejected, ends[0])


def _pieces(reader: FileReader, parts: Sequence[bytes], budget: Budget, slowly: bool) -> Iterator[Any]:
    if not isinstance(reader, RecordReader):
        return reader.read(parts)
    if slowly:
        reader._vectorised = False
    return read_members(parts, "utf-8", partial(reader.read_member, budget=budget))


def _cuts(case: Case) -> Iterator[tuple[str, bool, int, list[bytes]]]:
    body = case.body
    seed = len(body) * 31 + sum(body[:64])
    yield "exactly", True, decompression.BLOCK, [body]
    for block, step in ((37 + seed % 60, 1 + seed % 17), (300 + seed % 300, 256 + seed % 256)):
        yield f"in blocks of {block}", False, block, [body[at : at + step] for at in range(0, len(body), step)]


@contextmanager
def _blocks_of(size: int) -> Iterator[None]:
    with mock.patch.object(decompression, "BLOCK", size):
        yield


@contextmanager
def _exactly(slowly: bool) -> Iterator[None]:
    """Without what reads a whole column at once."""
    if not slowly:
        yield
        return
    with (
        mock.patch.object(texts, "_whole", return_value=None),
        mock.patch.object(columns, "_converted", return_value=None),
    ):
        yield


# ---------------------------------------------------------------------------------------------- faults


def _raised(error: BaseException) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "spark_jobs" in frame.filename]
    place = f"{frames[-1].filename.rpartition('spark_jobs/')[2]}:{frames[-1].name}" if frames else "the oracle"
    return f"raised {type(error).__name__} in {place}: {error}"


def _malformed(answer: Answer) -> Iterator[str]:
    for one in answer.rejected:
        if not 0 <= one.position <= INT64_MAX or not 1 <= one.line <= INT64_MAX:
            yield f"a place that is none: {one.position}, {one.line}"
        if not one.reason or not _printable(one.reason):
            yield f"a reason of more than one line: {one.reason!r}"
        if len(one.raw) > RAW_MAX or not _encodable(one.raw):
            yield f"a raw text that cannot be written: {one.raw[:60]!r}"
    if answer.end.problem is not None and not (answer.end.problem and _printable(answer.end.problem)):
        yield f"a problem of more than one line: {answer.end.problem!r}"
    if not 0 <= answer.end.bytes <= INT64_MAX:
        yield f"{answer.end.bytes} bytes"


def _ends_between_blocks(case: Case) -> bool:
    """Avro has no end of its own: what is cut off between two blocks is a whole file with fewer records."""
    if case.format.type != "avro" or not case.content:
        return False
    try:
        sync: bytes = fastavro.reader(io.BytesIO(case.content))._header["sync"]
    except Exception:  # noqa: BLE001 -- a header that cannot be read is the reader's to name
        return False
    return case.content.endswith(sync)


def _printable(text: str) -> bool:
    return _encodable(text) and "\n" not in text and "\r" not in text and "\0" not in text and "\x1b" not in text


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _untold(case: Case, answer: Answer) -> Iterator[str]:
    rows, rejected, end = answer
    if case.intact and (rejected or end.problem or len(rows) != case.rows):
        reason = end.problem or (rejected[0].reason if rejected else "")
        yield f"of an intact file {len(rows)} rows of {case.rows}: {reason}"
    if case.rows is not None and len(rows) < case.rows and not (rejected or end.problem or _ends_between_blocks(case)):
        yield f"silence: {len(rows)} rows of {case.rows}"
    counted = case.content is not None and not end.problem and not _may_be_utf16(case)
    if counted and end.bytes != len(case.content or b""):
        yield f"{end.bytes} bytes of {len(case.content or b'')}"
    if not end.problem and case.format.type in ("json", "csv", "tsv"):
        lost = _lost(case, answer)
        if lost:
            yield f"silence: {', '.join(sorted(lost))} of the text"


def _lost(case: Case, answer: Answer) -> set[str]:
    """The markers that are neither kept nor shown, and not in what is documented as skipped."""
    body = case.content if case.content is not None else case.body if _is_plain(case) else b""
    if _may_be_utf16(case) or any(len(one.raw) >= RAW_MAX - 4 for one in answer.rejected) or case.format.records:
        return set()
    text = body.decode("latin-1")
    written = set(_MARKER.findall(text))
    shown = " ".join(
        [*(str(value) for one in answer.rows for value in one.values()), *(one.raw for one in answer.rejected)]
    )
    lost = {marker for marker in written if marker not in shown}
    return lost and lost - _skipped(case, text)


def _may_be_utf16(case: Case) -> bool:
    head = (case.body if case.content is None else case.content)[:4]
    return head[:2] in (b"\xff\xfe", b"\xfe\xff") or (case.format.type == "json" and b"\0" in head)


def _is_plain(case: Case) -> bool:
    members = list(decompression.members([case.body], "utf-8"))
    return len(members) == 1 and members[0].name == "" and b"".join(members[0].parts) == case.body


def _skipped(case: Case, text: str) -> set[str]:
    """Markers where nothing is kept, and that is documented: headers, values of keys that come again."""
    if case.format.type == "json":
        return set(_MARKER.findall(" ".join(_overwritten(text))))
    lines = re.split("[\r\n]+", text)
    names = {field.raw for field in case.fields}
    headers = [line for line in lines if len(names.intersection(re.split(r"[^a-z]+", line))) > 1]
    first = next((line for line in lines if line.strip(" \t,;\ufeff")), "")
    return set(_MARKER.findall(" ".join([first, *headers])))


def _overwritten(text: str) -> list[str]:
    gone: list[str] = []

    def noted(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for name, value in pairs:
            if name in kept:
                gone.append(repr(kept[name]))
            kept[name] = value
        return kept

    decoder = json.JSONDecoder(strict=False, object_pairs_hook=noted)
    for found in re.finditer(r"\{", text):
        try:
            decoder.raw_decode(text, found.start())
        except (ValueError, RecursionError):
            continue
    return gone


def _unlike(case: Case, name: str, answer: Answer, other: Answer) -> Iterator[str]:
    pairs = zip(_compared(case, answer), _compared(case, other), strict=True)
    for part, (one, two) in zip(Answer._fields, pairs, strict=True):
        if one != two:
            yield f"{name}, another {part}: {_first_difference(one, two)}"


def _compared(case: Case, answer: Answer) -> Answer:
    """Without what depends on the size of blocks: how much is read of a file that is refused, and shown of a foreign
    one, and the places of records in encodings that have a state.
    """
    if answer.end.problem:
        rejected = [one._replace(raw="") if " but " in one.reason else one for one in answer.rejected]
        answer = answer._replace(end=answer.end._replace(bytes=0), rejected=rejected)
    if case.format.encoding in STATEFUL:
        answer = answer._replace(rejected=[one._replace(position=0) for one in answer.rejected])
    return answer


def _first_difference(one: list[Any] | End, two: list[Any] | End) -> str:
    if len(one) != len(two):
        return f"{len(one)} and {len(two)}: {str(one)[:300]} and {str(two)[:300]}"
    return next(f"{a} and {b}" for a, b in zip(one, two, strict=True) if a != b)
