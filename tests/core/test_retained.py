"""The newest metadata of a table that Glue has forgotten."""

from __future__ import annotations

import pytest

from tidemark.core.errors import TidemarkError
from tidemark.core.retained import newest_metadata

ID = "0b5f7d3e-9c7e-4d54-a5d5-0a6e7b1c2d3e"


def key(number: str, name: str = ID, table: str = "sales", ending: str = ".metadata.json") -> str:
    return f"tables/{table}/metadata/{number}-{name}{ending}"


def test_the_highest_number_is_the_newest() -> None:
    """As a number: the hundred-thousandth commit has one digit more. A loser's older file does not count."""
    keys = [key("00009"), key("99999"), key("99999", "aaaa"), key("100000"), key("00010")]
    assert newest_metadata("sales", keys) == key("100000")


def test_other_files_are_no_metadata() -> None:
    """Manifests and manifest lists lie in the same folder; another writer may compress its metadata."""
    keys = [
        f"tables/sales/metadata/snap-1-0-{ID}.avro",
        key("00002", table="other"),
        f"tables/sales/metadata/{ID}-m0.avro",
    ]
    assert newest_metadata("sales", keys) == ""
    assert newest_metadata("sales", [*keys, key("00001", ending=".gz.metadata.json")]).endswith(".gz.metadata.json")


def test_two_newest_files_are_refused() -> None:
    """One of them is from a commit that Glue refused, and its rows must not be shown."""
    with pytest.raises(TidemarkError, match=r"sales: expected one newest metadata file, found .*-aaaa.* and .*-bbbb"):
        newest_metadata("sales", [key("00001"), key("00002", "bbbb"), key("00002", "aaaa")])
