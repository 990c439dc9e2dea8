"""From bytes to a case: an object's body, how it is declared, and what is known of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tests.fuzz import samples
from tests.fuzz.choices import Choices
from tests.fuzz.damage import cut, damaged
from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Field, Format
from tidemark.core.path import parse_path

TYPES = ("json", "csv", "tsv", "parquet", "orc", "avro")
FILES_MAX, ROWS_MAX, LAYERS_MAX = 3, 5, 3
#: As the first byte of an input: what follows is a body as it is, behind the byte that chooses the declaration.
AS_IT_IS = 255
STATEFUL = ("utf-7", "iso2022_jp")  # in which the place of a record is not told exactly
ENCODINGS = ("utf-8", "latin-1", "cp1252", "utf-16", "shift_jis", "gb18030", "utf-32", "cp037", *STATEFUL)
_LOOSE = tuple(Field(field.name, field.type) for field in samples.FIELDS)
_TEXTS = (Field("id", ColumnType.parse("string(64)")), Field("more", ColumnType.parse("string(64)"), required=True))


class Case(NamedTuple):
    format: Format
    fields: tuple[Field, ...]
    body: bytes
    content: bytes | None  # what is packed in the body, where no packing was damaged and there is one file in it
    rows: int | None  # that were written into the body, none of them beyond notice
    intact: bool  # nothing was damaged


def case_of(type_: str, data: bytes) -> Case:
    """The case that these bytes make for a format; any bytes make one."""
    if data[:1] == bytes([AS_IT_IS]):
        choices = Choices(data[1:])
        format_, fields = _declared(type_, choices)
        body = choices.rest()
        return Case(format_, fields, body, None, None, False)
    choices = Choices(data)
    format_, fields = _declared(type_, choices)
    return _packed(format_, fields, _files(format_, choices), choices)


def _declared(type_: str, choices: Choices) -> tuple[Format, tuple[Field, ...]]:
    chosen = choices.number(64)
    fields = (samples.FIELDS, _LOOSE, _TEXTS)[chosen % 3]
    if type_ == "json":
        return Format(records=parse_path("Records[*].body") if chosen % 8 == 7 else ()), fields
    if type_ not in ("csv", "tsv"):
        return Format(type_), fields
    encoding = ENCODINGS[chosen // 3 % len(ENCODINGS)] if chosen > 31 else "utf-8"
    header, delimiter = chosen % 5 != 4 or fields == _TEXTS, "\t" if type_ == "tsv" else ";" if chosen % 7 == 6 else ","
    return Format(type_, header=header, delimiter=delimiter, encoding=encoding, trim=chosen % 11 == 10), fields


def _files(format_: Format, choices: Choices) -> tuple[list[bytes], int]:
    write = samples.envelope_file if format_.records else samples.WRITERS[format_.type]
    files, number = [], 0
    for _ in range(1 + choices.number(FILES_MAX)):
        count = 1 + choices.number(ROWS_MAX)
        more = choices.one_of(samples.NASTY) if choices.rarely() else ""
        files.append(write([samples.row(number + at, more) for at in range(count)], choices, format_))
        number += count
    if format_.type == "json" and choices.rarely():
        files = [file.decode().encode("utf-16") for file in files]
    return files, number


def _packed(format_: Format, fields: Sequence[Field], written: tuple[list[bytes], int], choices: Choices) -> Case:
    files, rows = written
    inner = choices.rarely() or choices.rarely()
    join: Callable[..., bytes] = choices.one_of((_one_behind_the_other, samples.zipped, _streams))
    if len(files) == 1 or join is _one_behind_the_other:
        content: bytes | None = b"".join(files)
        content = damaged(content, choices) if inner and content is not None else content
        body = content or b""
    else:
        files[0] = damaged(files[0], choices) if inner else files[0]
        body, content = join(*files), None
    gone = not content if content is not None else not files[0]  # an empty file is read whole
    last = ""
    for _ in range(choices.number(LAYERS_MAX)):
        last = choices.one_of(tuple(samples.STREAMS))
        body = samples.STREAMS[last](body)
    outer = bool(last) and choices.rarely()
    noticed = not inner and (not outer or last in samples.SUMMED)
    if outer:
        body = damaged(body, choices) if last in samples.SUMMED else cut(body, choices)
    return Case(
        format_,
        tuple(fields),
        body,
        None if outer else content,
        rows if body and not gone and (noticed or (inner and format_.type in ("parquet", "orc", "avro"))) else None,
        not inner and not outer,
    )


def _one_behind_the_other(*files: bytes) -> bytes:
    return b"".join(files)


def _streams(*files: bytes) -> bytes:
    return b"".join(map(samples.STREAMS["gzip"], files))
