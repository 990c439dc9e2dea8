from __future__ import annotations

import json
from datetime import date

from hypothesis import example, given
from hypothesis import strategies as st

from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Column
from tidemark.core.files import FileVersion
from tidemark.core.manifest import Input, Manifest, NightlyManifest, SnapshotFile
from tidemark.core.periods import Period

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
    assert list(data) == ["format", "batch_id", "attempt", "dataset", "changes", "bytes", "files"]
    assert data["bytes"] == sum(file["size"] for file in data["files"]) == manifest.total_bytes


def test_every_file_has_its_line() -> None:
    """A person can read a manifest and compare two of them."""
    files = tuple(FileVersion("raw", f"web/{name}\n.json", "v1", 5) for name in "ab")
    lines = Manifest("web.20260301T120000.00000000", 2, "web", files).dumps().splitlines()
    assert len(lines) == 4
    assert json.loads(lines[1].strip().rstrip(","))["key"] == "web/a\n.json"


SIZES = st.integers(0)
PINNED = st.builds(SnapshotFile, bucket=st.just("lake"), key=st.text(min_size=1), size=SIZES, rows=SIZES)
COLUMNS = (Column("day", ColumnType("date")), Column("net", ColumnType("decimal", (12, 2))))
INPUTS = st.builds(
    Input,
    table=st.sampled_from(["sales", "people"]),
    kind=st.sampled_from(["facts", "latest", "additive", "report"]),
    snapshot=st.none() | st.integers(0),
    sequence=st.integers(0),
    files=st.lists(PINNED, max_size=3).map(tuple),
    columns=st.sampled_from([(), COLUMNS]),
    sums=st.sampled_from([(), ("net",)]),
    day=st.none() | st.just("day"),
    days=st.none() | st.just((date(2026, 2, 27), date(2026, 3, 1))),
)
NIGHTLY = st.builds(
    NightlyManifest,
    batch_id=st.text(),
    attempt=st.integers(1),
    dataset=st.text(),
    period=st.just(Period("month", date(2026, 2, 1))),
    inputs=st.lists(INPUTS, max_size=3).map(tuple),
)


@given(NIGHTLY)
def test_a_nightly_manifest_reads_back_as_written(manifest: NightlyManifest) -> None:
    """With and without days, tables without a snapshot, and whatever S3 allows as a key."""
    assert NightlyManifest.loads(manifest.dumps()) == manifest
    assert NightlyManifest.loads(manifest.dumps().encode()) == manifest


@given(NIGHTLY)
def test_a_nightly_manifest_is_plain_json_with_its_totals(manifest: NightlyManifest) -> None:
    """Rows of each table and bytes of all are there for whoever does not want to add up."""
    data = json.loads(manifest.dumps())
    assert data["period"] == {"every": "month", "start": "2026-02-01", "end": "2026-03-01"}
    assert data["bytes"] == manifest.total_bytes == sum(file["size"] for one in data["inputs"] for file in one["files"])
    assert [one["rows"] for one in data["inputs"]] == [sum(file.rows for file in one.files) for one in manifest.inputs]
    assert manifest.total_files == sum(len(one["files"]) for one in data["inputs"])
