"""What a drive leaves in its folder."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog

from local.summary import export_lake

ROWS = pa.table({"day": ["a/b", "c d", None], "n": [1, 2, 3]})


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A lake with one table."""
    source = tmp_path_factory.mktemp("source")
    catalog = SqlCatalog("source", uri=f"sqlite:///{source / 'catalog.db'}", warehouse=str(source))
    catalog.create_namespace("tidemark")
    catalog.create_table(("tidemark", "sales"), ROWS.schema).append(ROWS)
    yield SimpleNamespace(
        lake=SimpleNamespace(catalog=catalog),
        settings=SimpleNamespace(lake_database="tidemark"),
        store=SimpleNamespace(get=lambda bucket, key: Path(f"/{bucket}/{key}").read_bytes()),
    )
    catalog.engine.dispose()


@pytest.mark.parametrize(
    "title",
    ["plain", "two words", "we?ird", "h#sh", "50%41", "\u00fcml\u00e4ut", "it's", 'a"b', "a\nb", "back\\slash", "c:d"],
)
def test_the_lake_is_exported_into_a_folder_of_any_name(
    title: str, world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The export is complete, and no part of it mistakes a path for a URI."""
    monkeypatch.setattr("local.summary.split_uri", lambda uri: uri.strip("/").split("/", 1))
    out = tmp_path / title / "lake"
    out.mkdir(parents=True)
    export_lake(world, out)
    catalog = SqlCatalog("lake", uri=f"sqlite:///{quote(str(out / 'catalog.db'))}")
    assert catalog.load_table(("lake", "sales")).scan().to_arrow() == ROWS
    catalog.engine.dispose()
    assert (out / "sales" / "data" / "00000.parquet").is_file()
    assert [path.name for path in tmp_path.iterdir()] == [title]
