"""Content, ways to pack it, and what comes out again."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa

from spark_jobs.engine import decompression
from spark_jobs.engine.decompression.source import DamagedError

NUMBERS = random.Random(7)


RECORDS = [json.dumps({"id": NUMBERS.getrandbits(60), "n": n}).encode() + b"\n" for n in range(20_000)]


CONTENT = b"".join(RECORDS)


XERIAL_HEADER = b"\x82SNAPPY\x00" + struct.pack(">2I", 1, 1)


def by_arrow(codec: str) -> Callable[[bytes], bytes]:
    def pack(plain: bytes) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, codec) as stream:
            stream.write(plain)
        return bytes(sink.getvalue().to_pybytes())

    return pack


def raw_snappy(plain: bytes) -> bytes:
    return bytes(pa.Codec("snappy").compress(plain, asbytes=True))


def chunks(plain: bytes, size: int) -> Iterator[bytes]:
    return (plain[start : start + size] for start in range(0, len(plain), size))


def framed(plain: bytes) -> bytes:
    """As the framing format says, with every third chunk stored, padding and a reserved chunk that is to be skipped."""

    def chunk(kind: int, data: bytes) -> bytes:
        return bytes([kind]) + len(data).to_bytes(3, "little") + data

    packed = chunk(0xFF, b"sNaPpY") + chunk(0xFE, bytes(9)) + chunk(0x80, b"whatever")
    for number, part in enumerate(chunks(plain, 64 << 10)):
        packed += chunk(1, b"\0\0\0\0" + part) if number % 3 == 2 else chunk(0, b"\0\0\0\0" + raw_snappy(part))
    return packed


def zipped(*entries: bytes, method: int = zipfile.ZIP_DEFLATED, seekable: bool = True, zip64: bool = False) -> bytes:
    """A zip by Python's writer, which stores sizes after an entry if it cannot seek back."""
    sink = io.BytesIO()

    class Forwards(io.RawIOBase):
        def write(self, data: object) -> int:
            return sink.write(data)  # type: ignore[arg-type]

        def writable(self) -> bool:
            return True

    with zipfile.ZipFile(sink if seekable else Forwards(), "w", method) as archive:
        for number, entry in enumerate(entries):
            with archive.open(f"{number}.json", "w", force_zip64=zip64) as file:
                file.write(entry)
    return sink.getvalue()


def plain(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The content of all members, concatenated."""
    return (piece for member in decompression.members(parts) for piece in member.parts)


def unpacked(body: bytes, part: int = 1 << 16) -> tuple[bytes, str]:
    """The content, and what was wrong with the rest."""
    found = b""
    try:
        for piece in plain(chunks(body, part)):
            found += piece
    except DamagedError as error:
        return found, str(error)
    return found, ""


Told = list[tuple[str, bytes, str]]


def archive_of(**entries: bytes) -> bytes:
    return archive(*((name.replace("_", "."), body) for name, body in entries.items()))


def archive(*entries: tuple[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as file:
        for name, body in entries:
            file.writestr(name, body)
    return sink.getvalue()


def told(body: bytes, encoding: str | None = "utf-8", part: int = 7) -> Told:
    """Name, content and damage of every member; the body arrives in small parts."""
    found = []
    for member in decompression.members((body[at : at + part] for at in range(0, len(body), part)), encoding):
        read, damage = b"", ""
        try:
            for piece in member.parts:
                read += piece
        except DamagedError as error:
            damage = str(error)
        found.append((member.name, read, damage))
    return found


def zstd(plain: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(plain)
    return bytes(sink.getvalue().to_pybytes())
