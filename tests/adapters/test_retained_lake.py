"""A lake whose Glue tables are gone, on moto's Glue and S3."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from tests.adapters.conftest import a_lake
from tests.adapters.test_iceberg import FIRST, SALES, SECOND, shown, wrote
from tidemark.adapters.iceberg import Lake
from tidemark.adapters.retained_lake import RetainedLake
from tidemark.core.errors import TidemarkError
from tidemark.service.register import look, register


@pytest.fixture
def retained(lake: Lake, s3: Any) -> RetainedLake:
    """A table of two batches, one of which was replaced by its second attempt."""
    for listed in s3.list_objects_v2(Bucket="lake", Prefix="tables/").get("Contents", ()):  # other tests' leftovers
        s3.delete_object(Bucket="lake", Key=listed["Key"])
    lake.publish(SALES, FIRST, 1, [wrote(s3, FIRST, 1, ["1.00"])])
    lake.publish(SALES, SECOND, 1, [wrote(s3, SECOND, 1, ["5.00"])])
    lake.publish(SALES, FIRST, 2, [wrote(s3, FIRST, 2, ["3.00"])])
    return RetainedLake(lake, s3)


def forget(endpoint: str) -> None:
    """The database is deleted with the stack, and its tables with it; a new stack makes it anew."""
    glue = boto3.client("glue", endpoint_url=endpoint)
    for table in glue.get_tables(DatabaseName="tide")["TableList"]:
        glue.delete_table(DatabaseName="tide", Name=table["Name"])


def test_a_table_comes_back_with_its_last_rows(retained: RetainedLake, endpoint: str, s3: Any) -> None:
    """And it goes on from there: the next attempt replaces rows as before. A second call registers nothing."""
    before = shown(retained.lake)
    assert register(retained) == []
    forget(endpoint)
    [table] = register(retained)
    assert (table.name, table.metadata.startswith("tables/sales/metadata/0000")) == ("sales", True)
    assert (shown(a_lake(endpoint)), register(retained)) == (before, [])
    a_lake(endpoint).publish(SALES, FIRST, 3, [wrote(s3, FIRST, 3, ["7.00"])])
    assert shown(retained.lake) == [(FIRST, 3, "7.00"), (SECOND, 1, "5.00")]
    assert [table.is_registered for table in look(retained)] == [True]


def test_a_table_with_other_data_is_left_alone(retained: RetainedLake, endpoint: str, s3: Any) -> None:
    """The new stack has published before its lake was registered: neither table may be lost."""
    forget(endpoint)
    a_lake(endpoint).publish(SALES, SECOND, 9, [wrote(s3, SECOND, 9, ["9.00"])])
    with pytest.raises(TidemarkError, match="sales: Glue has another table of this name"):
        register(retained)
    assert shown(retained.lake) == [(SECOND, 9, "9.00")]


def test_a_folder_without_metadata_is_no_table(retained: RetainedLake, s3: Any) -> None:
    """Something else that lies below `tables/`."""
    s3.put_object(Bucket="lake", Key="tables/notes/readme.txt", Body=b"")
    assert [table.name for table in look(retained)] == ["sales"]
