"""Snappy, framed and in blocks."""

from __future__ import annotations

from spark_jobs.engine.decompression import snappy
from tests.spark_jobs.engine.decompression.packing import CONTENT, XERIAL_HEADER, framed, raw_snappy, unpacked


def test_an_unknown_chunk_of_framed_snappy_is_damage() -> None:
    """The format says so of those that may not be skipped."""
    at = len(framed(CONTENT))
    assert unpacked(framed(CONTENT) + b"\x02\x01\0\0?") == (CONTENT, f"snappy corrupt near byte {at}: unknown chunk")


def test_a_length_beyond_reason_is_damage_and_takes_no_memory() -> None:
    """Four bytes of noise must not ask for gigabytes."""
    assert unpacked(XERIAL_HEADER + b"\x7f\xff\xff\xff" + bytes(100)) == (
        b"",
        "snappy corrupt near byte 16: a chunk of 2147483647 bytes",
    )


def test_a_raw_block_of_snappy_is_only_taken_for_one_when_all_of_it_is() -> None:
    """It has no mark: with a byte more or less it is what it is."""
    block = raw_snappy(CONTENT)
    assert unpacked(block + b"\n") == (block + b"\n", "")
    assert unpacked(block[:-1]) == (block[:-1], "")
    assert snappy.is_hadoop(block) is False
