"""Numbers in seven bits a byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_jobs.engine.formats.varints import signed, varint


@pytest.mark.parametrize(
    ("data", "number", "behind"), [(b"\x00", 0, 1), (b"\x7f", 127, 1), (b"\x80\x01", 128, 2), (b"\xac\x02rest", 300, 2)]
)
def test_a_number_ends_with_the_first_byte_below_128(data: bytes, number: int, behind: int) -> None:
    """What stands behind it is left alone."""
    assert varint(data, 0) == (number, behind)
    assert varint(b"??" + data, 2) == (number, behind + 2)


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff\xff"])
def test_a_number_that_is_cut_off_is_an_error(data: bytes) -> None:
    """It never reads as a smaller one."""
    with pytest.raises(IndexError):
        varint(data, 0)


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_a_sign_stands_in_the_last_bit(number: int) -> None:
    """Small numbers of either sign stay short."""
    assert signed(2 * number if number >= 0 else -2 * number - 1) == number
