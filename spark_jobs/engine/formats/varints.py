"""Varints, the integers of Thrift and protocol buffers: seven bits per byte, the lowest first."""

from __future__ import annotations


def varint(data: bytes, at: int) -> tuple[int, int]:
    """The varint at `at` and the position after it; `IndexError` if the data ends too early."""
    value = shift = 0
    while True:
        byte = data[at]
        value, shift, at = value | (byte & 0x7F) << shift, shift + 7, at + 1
        if byte < 0x80:
            return value, at


def signed(value: int) -> int:
    """The signed number of a zigzag-encoded one, whose lowest bit is the sign."""
    return (value >> 1) ^ -(value & 1)
