"""What `tidemark validate --sample` says of raw files."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from cli.sample import sample
from cli.validate import validate_declarations
from tests.cli.outcomes import checked, printed
from tidemark.adapters.dataset_files import load_file
from tidemark.core.errors import TidemarkError

ORDERS = """
name: orders
prefix: orders/
record:
  id: {type: string(8), from: order.id, required: true}
  country: {type: string(2), from: order.ship.cuntry}
  placed: timestamp
tables:
  orders: {columns: {id: string(8), country: string(2)}}
"""
ONE = {"order": {"id": "a1", "ship": {"country": "DE"}}, "placed": "2026-11-20T10:00:00Z"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A declaration with a misspelt path, and two files of samples."""
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "orders.yaml").write_text(ORDERS)
    folder = tmp_path / "samples" / "orders" / "2026"
    folder.mkdir(parents=True)
    (folder / "a.json").write_text(json.dumps(ONE) + json.dumps({"order": {}}))
    (folder / "b.json.gz").write_bytes(gzip.compress(json.dumps(ONE).encode()))
    return tmp_path


def test_a_field_that_no_record_has_is_told(project: Path) -> None:
    """A misspelt path is not silent; records that do not fit are counted, and each file's first reason shown."""
    checked(
        lambda console: validate_declarations(console, project / "datasets", project / "samples"),
        "orders: 3 fields, tables orders",
        "2 sample files: 2 records, 1 rejected",
        "not read: orders/2026/a.json: line 1: order.id is missing",
        "always null: country, because no record has order.ship.cuntry",
    )


def test_without_samples_nothing_is_said_of_fields(project: Path) -> None:
    """Neither without the option, nor where no file has a key of the dataset."""
    assert printed(lambda console: validate_declarations(console, project / "datasets", None)).count("\n") == 1
    (project / "samples" / "orders").rename(project / "samples" / "order")
    shown = printed(lambda console: validate_declarations(console, project / "datasets", project / "samples"))
    assert "no sample file has a key that begins with orders/" in shown
    assert "always null" not in shown


def test_files_are_read_by_the_reader_of_a_run(project: Path) -> None:
    """With its packings, and a file that is broken off is named."""
    (project / "samples" / "orders" / "c.json.gz").write_bytes(gzip.compress(json.dumps(ONE).encode())[:-9])
    found = sample(load_file(project / "datasets" / "orders.yaml"), project / "samples")
    assert (found.files, found.seen) == (3, {"id", "placed", "_rescued"})
    assert [remark.partition(":")[0] for remark in found.remarks] == ["orders/2026/a.json", "orders/c.json.gz"]


def test_a_corrected_path_is_seen(project: Path) -> None:
    """Then nothing is left to say."""
    path = project / "datasets" / "orders.yaml"
    path.write_text(path.read_text().replace("cuntry", "country"))
    shown = printed(lambda console: validate_declarations(console, project / "datasets", project / "samples"))
    assert "always null" not in shown


def test_a_key_that_a_run_would_refuse_is_told(project: Path) -> None:
    """Its file is not read, as in a run; a value that fits is seen."""
    path = project / "datasets" / "orders.yaml"
    path.write_text(path.read_text().replace("placed: timestamp", 'year: {type: int, from_key: "orders/{year}"}'))
    (project / "samples" / "orders" / "soon").mkdir()
    (project / "samples" / "orders" / "soon" / "c.json").write_text(json.dumps(ONE))
    found = sample(load_file(path), project / "samples")
    assert (found.files, found.kept) == (3, 2)
    assert "year" in found.seen
    assert found.remarks[-1].startswith("the key orders/soon/c.json: year: 'soon' is not")


def test_samples_lie_in_a_folder(project: Path) -> None:
    """A misspelt name is no folder without files."""
    with pytest.raises(TidemarkError, match="expected a folder of raw files, found no folder "):
        printed(lambda console: validate_declarations(console, project / "datasets", project / "sample"))
