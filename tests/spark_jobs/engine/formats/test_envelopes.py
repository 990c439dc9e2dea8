"""Records nested in other objects, by a declared path; and detection of undeclared envelopes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_jobs.engine import decompression
from spark_jobs.engine.formats import reader_for
from spark_jobs.engine.formats.records import RecordReader
from tests.spark_jobs.reading import Read, sorted_out
from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Field, Format
from tidemark.core.job import Rejected
from tidemark.core.path import parse_path

ID = Field("id", ColumnType("string", (16,)), required=True)
FIELDS = (ID, Field("n", ColumnType("int")))
OPTIONAL = (Field("id", ID.type), FIELDS[1])


def read(body: bytes | str | Any, path: str = "", fields: tuple[Field, ...] = FIELDS) -> Read:
    text = body if isinstance(body, (bytes, str)) else json.dumps(body)
    reader = RecordReader(fields, parse_path(path) if path else ())
    return sorted_out(reader, text.encode() if isinstance(text, str) else text)


def ids(read: Read) -> list[str]:
    return [row["id"] for row in read[0]]


def reasons(read: Read) -> list[str]:
    return [one.reason for one in read[1]]


A, B = {"id": "a", "n": 1}, {"id": "b", "n": 2}


@pytest.mark.parametrize(
    ("envelope", "path"),
    [
        ({"Records": [A, B]}, "Records[*]"),
        ({"owner": "1", "logEvents": [A, B], "more": [{"id": "x"}]}, "$.logEvents[*]"),
        ([{"Item": A}, {"Item": B}], "Item"),
        ([{"Type": "Notification", "Message": json.dumps(one)} for one in (A, B)], "Message"),
        ({"Message": json.dumps(A) + json.dumps(B)}, "Message"),
        ({"Message": json.dumps([A, B])}, "Message"),
        ({"Message": json.dumps([A, B])}, "Message[*]"),
        ({"Message": json.dumps({"Records": [A, B]})}, "Message.Records[*]"),
        (
            {"Records": [{"body": json.dumps({"Message": json.dumps(one)})} for one in (A, B)]},
            "Records[*].body.Message",
        ),
        ({"detail-type": {"x": [[A], [B]]}}, "['detail-type'].x[*][0]"),
        ({"a": {"first": A, "second": B}}, "a[*]"),
        ({"a": [A, {"id": "no"}, B]}, "a[0]"),
    ],
)
def test_records_are_found_where_the_path_says(envelope: Any, path: str) -> None:
    """In lists, objects and texts of JSON, and in all of these inside each other."""
    found = read(envelope, path)
    assert (ids(found), reasons(found)) == (["a"] if path == "a[0]" else ["a", "b"], [])


def test_each_element_is_a_record_of_its_own() -> None:
    """An invalid element is rejected alone, with the envelope's position, its own text and its own unknown fields."""
    body = 'x\n{"Records": [{"id":"a","more":1.50}, {"id":"b","n":"?"},7]}\n{"Records":[{"id":"c"}]}'
    rows, rejected, _ = read(body, "Records[*]")
    assert [(row["id"], row["_rescued"]) for row in rows] == [("a", '{"more":1.50}'), ("c", None)]
    assert rejected == [
        Rejected(0, 1, "not a JSON object", "x"),
        Rejected(2, 2, "n: '?' is not a number", '{"id":"b","n":"?"}'),
        Rejected(2, 2, "Records[2]: expected an object, found the number 7", "7"),
    ]


@pytest.mark.parametrize(
    ("envelope", "path", "reason"),
    [
        ({"Records": []}, "Records[*]", "Records[*] matches nothing: Records is an empty list"),
        ({"Event": "s3:TestEvent"}, "Records[*]", "Records[*] matches nothing: an object of Event"),
        ({"Records": {}}, "Records[*]", "Records[*] matches nothing: Records is an empty object"),
        ({"Records": None}, "Records[*]", "Records[*] matches nothing: Records is null"),
        ({"Records": [A]}, "Records", "Records: expected an object, found a list; declare Records[*]"),
        ({"Records": [A]}, "Records[1]", "Records[1] matches nothing: Records is a list"),
        ({"Message": "hello"}, "Message", "Message: not a JSON object"),
        ({"Message": ""}, "Message", "Message: an empty text"),
        ({"Message": "[1,"}, "Message[*]", "Message: not a JSON list"),
        ({"Message": '{"id":"a'}, "Message", "Message: JSON cut off"),
        ({"Message": {"id": "\0"}}, "Message", "id: a zero byte"),
    ],
)
def test_an_envelope_without_a_record_is_one_rejected_record(envelope: Any, path: str, reason: str) -> None:
    """It is never passed over in silence."""
    found = read(envelope, path)
    assert (ids(found), reasons(found)) == ([], [reason])


def test_of_a_list_with_a_broken_element_the_others_are_read() -> None:
    """An envelope that is cut off or broken costs what is broken."""
    cut = '{"Records":[{"id":"a"},{"id":"b"},{"id":"c'
    assert (ids(read(cut, "Records[*]")), reasons(read(cut, "Records[*]"))) == (["a", "b"], ["JSON cut off"])
    broken = '{"Records":[{"id":"a"},{"id": None},{"id":"b"}]}\n{"Records":[{"id":"c"}]}'
    assert ids(read(broken, "Records[*]")) == ["a", "b", "c"]
    assert reasons(read(broken, "Records[*]"))[0] == "broken JSON: expecting value"
    between = read('{"Records":[{"id":"a"},', "Records[*]")
    assert (ids(between), reasons(between)) == (["a"], ["JSON cut off"])


def test_the_declared_path_reaches_the_reader() -> None:
    """By the format."""
    reader = reader_for(Format(records=("Records", None)), FIELDS)
    assert ids(sorted_out(reader, json.dumps({"Records": [A]}).encode())) == ["a"]


@pytest.mark.parametrize(
    ("record", "path"),
    [
        ({"Records": [A, B]}, "Records[*]"),
        ({"owner": "1", "logEvents": [{"message": "x"}]}, "logEvents[*]"),
        ({"Item": {"x": {"S": "a"}}}, "Item"),
        ({"Type": "Notification", "Message": json.dumps(A), "Other": '{"x":1}'}, "Message"),
        ({"n": 1, "detail": A, "other": {"x": 1}}, "detail"),
        ({"detail-type": [A]}, "['detail-type'][*]"),
    ],
)
def test_what_looks_like_an_envelope_is_told_with_the_path_to_declare(record: Any, path: str) -> None:
    """The reason says what to do."""
    declare = f'; it looks like an envelope: declare `records: "{path}"` in `format`'
    assert reasons(read(record)) == [f"id is missing{declare}"]


def test_the_path_told_goes_on_from_the_declared_one() -> None:
    """One layer after the other can be found so."""
    [reason] = reasons(read({"Records": [{"body": json.dumps(A)}]}, "Records[*]"))
    assert reason.endswith('declare `records: "Records[*].body"` in `format`')


@pytest.mark.parametrize(
    "record", [{"n": 1}, {"n": 1, "items": [{"sku": 1}]}, {"x": 1}, {"x": {"y": 1}, "z": {"y": 2}}]
)
def test_what_does_not_look_like_one_is_not_taken_for_one(record: Any) -> None:
    """A record of this dataset that lacks a field may hold lists of its own."""
    assert reasons(read(record)) == ["id is missing"]


@pytest.mark.parametrize("neighbour", ["", "oops\n"], ids=["fast", "exact"])
def test_a_record_with_no_declared_field_is_rejected(neighbour: str) -> None:
    """It would be a row of nulls; a record with a declared field is kept even if that is null."""
    body = neighbour + '{"id":null}\n{"x":1,"y":2}\n{}\n{"n":1,"x":1}\n'
    rows, rejected, _ = read(body, fields=OPTIONAL)
    assert [(row["n"], row["_rescued"]) for row in rows] == [(None, None), (1, '{"x":1}')]
    assert [one.reason for one in rejected][bool(neighbour) :] == [
        "no declared field, found x, y",
        "no declared field, found an empty object",
    ]


OTHERS = st.none() | st.booleans() | st.integers(-9, 9) | st.dictionaries(st.sampled_from(["Records", "x"]), st.none())
ELEMENTS = st.lists(OTHERS | st.builds(dict, id=st.text("ab", max_size=2)), min_size=1, max_size=3)


@given(st.lists(st.tuples(ELEMENTS, st.booleans()), max_size=4), st.integers(1, 40))
def test_every_element_is_kept_or_rejected_however_the_file_is_cut(
    envelopes: list[tuple[list[Any], bool]], block: int
) -> None:
    """Each element of a list or of a list's text gives one record, and the valid ones are kept."""
    bodies = [{"Records": json.dumps(parts) if text else parts} for parts, text in envelopes]
    body = "\n".join(json.dumps(one) for one in bodies)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decompression, "BLOCK", block)
        cut = read(body, "Records[*]")
    whole = read(body, "Records[*]")
    assert cut == whole
    elements = [part for parts, _ in envelopes for part in parts]
    good = [part["id"] for part in elements if isinstance(part, dict) and "id" in part]
    assert ids(whole) == good
    assert len(whole[1]) == len(elements) - len(good)
