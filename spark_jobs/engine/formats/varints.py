"""Numbers as Thrift and protocol buffers write them: seven bits in a byte, the lowest first."""

from __future__ import annotations


def varint(data: bytes, at: int) -> tuple[int, int]:
    """The number that stands here, and the byte behind it; `IndexError` where the data ends too early."""
    value = shift = 0
    while True:
        byte = data[at]
        value, shift, at = value | (byte & 0x7F) << shift, shift + 7, at + 1
        if byte < 0x80:
            return value, at


def signed(value: int) -> int:
    """The number whose sign was written in the last bit."""
    return (value >> 1) ^ -(value & 1)
