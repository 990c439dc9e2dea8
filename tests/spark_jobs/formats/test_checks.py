"""Fields that declare all that they may say, by the reader's fast way and by its exact one."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from spark_jobs.formats.checks import UnfitError, field_check, row_check
from spark_jobs.formats.records import RecordReader, Rejected
from tidemark.core.dataset import ColumnType, Field

STRING = ColumnType("string", (16,))
EVENT_TYPE = Field("event_type", STRING, values=("view", "click"))
NOT_JSON = b"oops\n"  # sends its whole block the exact way


@pytest.mark.parametrize("said", ["hover", "View", "", "view "])
def test_a_value_that_is_not_declared_is_named_beside_those_that_are(said: str) -> None:
    """Whoever reads the reason sees what came and what may come; case and blanks count."""
    with pytest.raises(UnfitError) as raised:
        row_check([EVENT_TYPE])({"event_type": said})
    assert str(raised.value) == f"event_type: {said!r} is none of view, click"


def test_a_declared_value_passes_as_it_is() -> None:
    """The enumeration changes nothing of what it lets through, and null is for `required` to judge."""
    assert field_check(EVENT_TYPE)("click") == "click"
    assert row_check([EVENT_TYPE])({"event_type": None}) == [None]


def test_a_field_without_values_says_anything() -> None:
    """An empty enumeration would allow nothing; it means that there is none."""
    assert field_check(Field("event_type", STRING))("hover") == "hover"


@pytest.mark.parametrize("neighbour", [b"", NOT_JSON], ids=["fast", "exact"])
def test_only_records_with_declared_values_are_kept(neighbour: bytes) -> None:
    """The vectorised parser lets no value through that the exact way rejects, nor the other way round."""
    said = ["view", "hover", None, "click", "CLICK"]
    lines = b"".join(json.dumps({"event_type": one}).encode() + b"\n" for one in said)
    *pieces, _ = RecordReader([EVENT_TYPE]).read([neighbour + lines])
    kept = [row["event_type"] for piece in pieces if isinstance(piece, pa.Table) for row in piece.to_pylist()]
    rejected: list[Rejected] = [one for piece in pieces if isinstance(piece, list) for one in piece]
    assert kept == ["view", None, "click"]
    assert [one.reason for one in rejected if "none of" in one.reason] == [
        "event_type: 'hover' is none of view, click",
        "event_type: 'CLICK' is none of view, click",
    ]
    assert len(rejected) == (3 if neighbour else 2)


def test_records_with_declared_values_go_the_fast_way() -> None:
    """A block in which every value is declared is one table: nothing sent it the slow way."""
    lines = b'{"event_type":"view"}\n{"event_type":null}\n' * 3
    table = RecordReader([EVENT_TYPE])._parse(lines)
    assert table is not None
    assert table.num_rows == 6
