from __future__ import annotations

import json

from hypothesis import example, given
from hypothesis import strategies as st

from tidemark.core.files import FileVersion
from tidemark.core.manifest import Manifest

FILES = st.builds(
    FileVersion,
    bucket=st.sampled_from(["raw", "raw.eu-1"]),
    key=st.text(min_size=1),
    version=st.text(min_size=1, max_size=8),
    size=st.integers(0, 5 << 40),
    landed_at=st.none() | st.text(max_size=8),
    sequencer=st.none() | st.text(max_size=8),
)
MANIFESTS = st.builds(
    Manifest, batch_id=st.text(), attempt=st.integers(1), dataset=st.text(), files=st.lists(FILES).map(tuple)
)
ODD = FileVersion("raw", 'a "b"\n\\c\u2028d+%20ü🌊/{}],', "null", 3)


@given(MANIFESTS)
@example(Manifest("b", 1, "d", ()))
@example(Manifest("b", 1, "d", (ODD,)))
def test_a_manifest_reads_back_as_written(manifest: Manifest) -> None:
    """Whatever S3 allows as a key survives, and also no file at all."""
    assert Manifest.loads(manifest.dumps()) == manifest
    assert Manifest.loads(manifest.dumps().encode()) == manifest


@given(MANIFESTS)
def test_a_manifest_is_plain_json_with_its_total(manifest: Manifest) -> None:
    """Other tools read it with any JSON parser."""
    data = json.loads(manifest.dumps())
    assert list(data) == ["batch_id", "attempt", "dataset", "bytes", "files"]
    assert data["bytes"] == sum(file["size"] for file in data["files"]) == manifest.total_bytes


def test_every_file_has_its_line() -> None:
    """A person can read a manifest and compare two of them."""
    files = tuple(FileVersion("raw", f"web/{name}\n.json", "v1", 5) for name in "ab")
    lines = Manifest("web.20260301T120000.00000000", 2, "web", files).dumps().splitlines()
    assert len(lines) == 4
    assert json.loads(lines[1].strip().rstrip(","))["key"] == "web/a\n.json"
