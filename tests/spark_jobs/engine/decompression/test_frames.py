"""Where a frame ends."""

from __future__ import annotations

import struct

from tests.spark_jobs.engine.decompression.packing import CONTENT, by_arrow, unpacked


def test_a_frame_to_be_skipped_may_come_first() -> None:
    """Parallel writers of zstd put their table of frames there."""
    assert unpacked(b"\x50\x2a\x4d\x18" + struct.pack("<I", 4) + b"1234" + by_arrow("zstd")(CONTENT)) == (CONTENT, "")
