"""Sample files overwrite nothing, and go nowhere else."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from cli.traffic import write_traffic
from tests.cli.outcomes import everything
from tidemark.core.errors import TidemarkError


def test_traffic_writes_over_no_other_file(tmp_path: Path) -> None:
    """Identical files and other names are fine; a file with other content stops the command before it writes."""
    console = Console(file=(tmp_path / "said").open("w"))
    sample = tmp_path / "sample"

    def write() -> None:
        write_traffic(console, sample, records=20, days=1, datasets=["content"], seed=1)

    write()
    (sample / "notes.txt").write_text("mine")
    write()
    first = next(path for path in sample.rglob("*.gz"))
    first.write_text("mine")
    with pytest.raises(TidemarkError, match="expected no other file in the way of the sample"):
        write()
    assert (first.read_text(), (sample / "notes.txt").read_text()) == ("mine", "mine")
    console.file.close()


def test_traffic_follows_no_link_out_of_its_folder(tmp_path: Path) -> None:
    """A link inside the folder is refused, and nothing is written to its target."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "sample").mkdir()
    (tmp_path / "sample" / "content").symlink_to(tmp_path / "elsewhere")
    console = Console(file=io.StringIO())
    with pytest.raises(TidemarkError, match=r"no other file in the way of the sample, found .*sample/content"):
        write_traffic(console, tmp_path / "sample", records=20, days=1, datasets=["content"], seed=1)
    assert everything(tmp_path / "elsewhere") == []
