"""Logical types of Avro."""

from __future__ import annotations

from spark_jobs.engine.formats.logical import _decimal
from spark_jobs.engine.formats.rescue import plain


def test_a_decimal_of_any_size_is_held_or_told() -> None:
    """More digits than Python writes at once break no block of Avro, and a hostile file's millions cost no time."""
    digits = 10**5_000 - 1
    assert plain(digits) == "9" * 5_000
    exact = _decimal(digits.to_bytes(2_100, "big"), {"scale": 2})
    assert plain(exact) == "9" * 4_998 + ".99"
    assert _decimal(b"\1" * 5_000, {"scale": 2}) == "a decimal of 5000 bytes"
