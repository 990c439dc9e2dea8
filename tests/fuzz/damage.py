"""What happens to files on their way: cut, joined, flipped, renamed, spliced, marked."""

from __future__ import annotations

from collections.abc import Callable

from tests.fuzz.choices import Choices

#: Texts that mean something to one format or another, and numbers at the edge of what a field of theirs holds.
WORDS = (
    b"\n", b"\r", b'"', b"{", b"}", b"[", b"]", b",", b"\\", b"\0", b":", b"\t", b";", b"null", b'{"id":"k9999"}',
    b"id,n,price\n", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\xff", b"\xc3", b"\xed\xa0\x80",
    b"\\ud800", b"\\u0000",
    b"PAR1", b"ORC", b"Obj\x01", b"PK\x03\x04", b"PK\x05\x06", b"PK\x01\x02", b"PK\x07\x08", b"\x1f\x8b", b"BZh9",
    b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18", b"\x50\x2a\x4d\x18", b"\x82SNAPPY\0", b"\xff\x06\0\0sNaPpY",
    b"\xff" * 4, b"\xff" * 8, b"\x80" * 9 + b"\x01", b"\xfe" + b"\xff" * 8 + b"\x01", b"\0" * 8, b"\x7f" + b"\xff" * 3,
    b"1e999999999", b"NaN", b"-0", b"9999-12-31", b"0001-01-01T00:00:00+14:00", b"__MACOSX/._", b"<html>",
)  # fmt: skip

Damage = Callable[[bytes, Choices], bytes]


def _place(body: bytes, choices: Choices) -> int:
    """Anywhere; often near one of the ends, where formats keep what they live by."""
    size, where = len(body), choices.number(4)
    if where == 1:
        return min(size, choices.number(64))
    if where == 2:
        return max(0, size - choices.number(64))
    return choices.number(size + 1)


def cut(body: bytes, choices: Choices) -> bytes:
    return body[: _place(body, choices)]


def beheaded(body: bytes, choices: Choices) -> bytes:
    return body[_place(body, choices) :]


def flipped(body: bytes, choices: Choices) -> bytes:
    changed = bytearray(body)
    for _ in range(1 + choices.number(3)):
        at = _place(body, choices)
        if at < len(changed):
            changed[at] ^= 1 << choices.number(8)
    return bytes(changed)


def overwritten(body: bytes, choices: Choices) -> bytes:
    at, word = _place(body, choices), choices.one_of(WORDS)
    return body[:at] + word + body[at + len(word) :]


def inserted(body: bytes, choices: Choices) -> bytes:
    at = _place(body, choices)
    return body[:at] + choices.one_of(WORDS) + body[at:]


def missing(body: bytes, choices: Choices) -> bytes:
    at = _place(body, choices)
    return body[:at] + body[at + 1 + choices.number(64) :]


def repeated(body: bytes, choices: Choices) -> bytes:
    at = _place(body, choices)
    end = at + choices.number(256)
    return body[:end] + body[at:end] + body[end:]


def spliced(body: bytes, choices: Choices) -> bytes:
    """The beginning with the end of the same file from another place."""
    return body[: _place(body, choices)] + body[_place(body, choices) :]


def marked(body: bytes, choices: Choices) -> bytes:
    return choices.one_of((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\n", b"\0", b" ")) + body


def followed(body: bytes, choices: Choices) -> bytes:
    return body + choices.one_of(WORDS) * (1 + choices.number(3))


DAMAGES: tuple[Damage, ...] = (
    cut, flipped, overwritten, inserted, missing, repeated, spliced, beheaded, marked, followed,
)  # fmt: skip


def damaged(body: bytes, choices: Choices) -> bytes:
    return choices.one_of(DAMAGES)(body, choices)
