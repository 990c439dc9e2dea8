"""The exact scanner: the records that it finds in a text, with any separators and any damage."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spark_jobs.engine.formats import records, scanner
from spark_jobs.engine.formats.records import RecordReader
from spark_jobs.engine.formats.scanner import BETWEEN, EARNED, UNSEARCHED, Budget, Shape, Stretch, scan
from tests.spark_jobs.reading import sorted_out
from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Field

SHAPE = Shape(required=frozenset({"a"}), known=frozenset({"a", "b"}))


def found(text: str, shape: Shape = SHAPE) -> list[object]:
    """The records as values, and everything else as (reason, text)."""
    items, end = scan(text, shape, final=True)
    assert end == len(text)
    return [item.value if item.value is not None else (item.reason, text[item.start : item.end]) for item in items]


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1}{"a":2}',
        '{"a":1} \t {"a":2}',
        '{"a":1}\n{"a":2}\n',
        '{"a":1}\r\n\r\n{"a":2}\r\n',
        '{"a":1}\r{"a":2}',
        '\ufeff{"a":1}\n\ufeff{"a":2}',
        '\x1e{"a":1}\n\x1e{"a":2}\n',
        '[{"a":1},{"a":2}]',
        '[\n  {"a":1},\n  {"a":2}\n]\n',
        '[{"a":1}][{"a":2}]',
        '{"a":1},\n{"a":2},\n',
        '{\n  "a": 1\n}\n{\n  "a": 2\n}\n',
    ],
)
def test_records_are_found_however_they_are_joined(text: str) -> None:
    """Concatenated, on lines, indented, or in arrays: the same two records."""
    assert found(text) == [{"a": "1"}, {"a": "2"}]


@pytest.mark.parametrize("text", ["", " \n\r\n\t", "\ufeff", "[]", "[\n]\n"])
def test_nothing_is_found_where_nothing_is(text: str) -> None:
    """Blank content and an empty array hold no record, and nothing to reject."""
    assert found(text) == []


def test_numbers_stay_as_written() -> None:
    """Cents and long ids would suffer as doubles."""
    assert found('{"a":0.10,"b":123456789012345678901}') == [{"a": "0.10", "b": "123456789012345678901"}]


def test_a_raw_line_break_inside_a_string_is_read() -> None:
    """It is not allowed in JSON, and means nothing else."""
    assert found('{"a":"x\ny"}{"a":2}') == [{"a": "x\ny"}, {"a": "2"}]


def test_of_two_equal_keys_the_last_one_counts() -> None:
    """As in most parsers."""
    assert found('{"a":1,"a":2}') == [{"a": "2"}]


@pytest.mark.parametrize(
    "cut",
    [
        '{"',
        '{"a',
        '{"a"',
        '{"a":',
        '{"a":1',
        '{"a":1,',
        '{"a":1,"b":"so',
        '{"a":1,"b":"so"',
        '{"a":{"b":1},"c":',
        '{"a":{"b":1},"c":[{"b":2},{"b":3}',
        '{"a":"\\',
        '{"a":"\\u00',
        '{"a":tr',
        '{"a":-',
    ],
)
@pytest.mark.parametrize("joint", ["", "\n", " "])
def test_a_record_that_is_cut_off_costs_itself_alone(cut: str, joint: str) -> None:
    """The record directly after it is read, and so is everything that follows."""
    items = found('{"a":0}' + joint + cut + joint + '{"a":1,"b":{"c":2}}' + joint + '{"a":2}')
    assert [item for item in items if isinstance(item, dict)] == [{"a": "0"}, {"a": "1", "b": {"c": "2"}}, {"a": "2"}]
    assert [item[1].strip() for item in items if isinstance(item, tuple)] == [cut]


def test_a_record_behind_a_cut_off_one_counts_though_it_lacks_a_needed_field() -> None:
    """It is rejected for what it lacks, and not swallowed by its neighbour's missing value."""
    shape = Shape(required=frozenset({"a", "b"}), known=frozenset({"a", "b", "c"}))
    assert found('{"a":1,"b":{"b":2,"c":3}{"a":4,"b":5}', shape) == [
        ("broken JSON: expecting ',' delimiter", '{"a":1,"b":'),
        {"b": "2", "c": "3"},
        {"a": "4", "b": "5"},
    ]


def test_two_cut_off_records_in_a_row_are_two() -> None:
    """The second one begins with a field that the record must have."""
    assert found('{"a":1,"b":"so{"a":2,"b":"th{"a":3}') == [
        ("broken JSON: expecting ',' delimiter", '{"a":1,"b":"so'),
        ("broken JSON: expecting ',' delimiter", '{"a":2,"b":"th'),
        {"a": "3"},
    ]


@pytest.mark.parametrize(
    "cut",
    [
        '{"a":1,"x":{"a":5},"y":[{"a":6},{"b":7}],"z"',
        '{"a":1,"x": {"a":5, "y": {"a":6}}, "z":',
        '{"b":1,"x":{"b":5}',
        '{"b":1,"x":[{"b":5}',
    ],
)
def test_an_object_nested_in_a_cut_off_record_is_no_record(cut: str) -> None:
    """It is not a record even if it has a record's fields, because its surroundings or its fields show it."""
    assert [item for item in found(cut + '{"a":2}') if isinstance(item, dict)] == [{"a": "2"}]


def test_in_an_array_a_broken_element_costs_itself_alone() -> None:
    """There, commas separate records."""
    items = found('[{"a":1},{"a":2,"b":"so,{"a":3},{"a":4}]')
    assert [item for item in items if isinstance(item, dict)] == [{"a": "1"}, {"a": "3"}, {"a": "4"}]


@pytest.mark.parametrize(
    ("text", "rejected"),
    [
        ('<html>502 Bad Gateway</html>{"a":1}', ["<html>502 Bad Gateway</html>"]),
        ('<html>1</html><html>2</html>{"a":1}', ["<html>1</html>", "<html>2</html>"]),
        ('{"a":0,"b":"x<html>1</html>{"a":1}', ['{"a":0,"b":"x', "<html>1</html>"]),
        ('oops\nagain\n{"a":1}', ["oops", "again"]),
        ('{"a":1}garbage', ["garbage"]),
        ('{"a":1}\n5\n"x"\ntrue\nnull\n', ["5", '"x"', "true", "null"]),
        ('null{"a":1}', ["null"]),
        ('{"a":1}\0\0\0', ["\0\0\0"]),
        ('{foo}\n{"a":1}', ["{foo}"]),
        ("{\"a\":1}\n{'a':2}\n", ["{'a':2}"]),
        ('[{"a":1},7,8]', ["7,8]"]),
        ('{"a":n/a,"b":1}\n{"a":1}', ['{"a":n/a,"b":1}']),
        ('{\n  "a": n/a,\n  "b": 1\n}\n{\n  "a": 1\n}', ['{\n  "a": n/a,\n  "b": 1\n}']),
    ],
)
def test_what_is_no_record_is_rejected_and_the_rest_is_read(text: str, rejected: list[str]) -> None:
    """Error pages, stray text, scalars and zeros are each rejected alone; the valid record next to them is kept."""
    items = found(text)
    assert [item for item in items if isinstance(item, dict)] == [{"a": "1"}]
    assert [item[1].strip() for item in items if isinstance(item, tuple)] == rejected


def test_bytes_that_are_no_utf8_reject_their_record_alone() -> None:
    """They come as surrogates, as `surrogateescape` decodes them."""
    text = b'{"a":"\xff"}{"a":"\xc3\xa9"}'.decode("utf-8", "surrogateescape")
    assert found(text) == [("invalid UTF-8", '{"a":"\udcff"}'), {"a": "é"}]


def test_an_object_nested_too_deeply_is_rejected() -> None:
    """Instead of ending the process."""
    assert found('{"a":' + "[" * 100_000 + "]" * 100_000 + '}\n{"a":1}')[-1] == {"a": "1"}


@pytest.mark.parametrize("tail", ['{"a":1', '{"a":"x', '{"a":tr', '{"a":1,"b":"x{"a":', "<htm", '{"a":1,"b":"x{"a":1}'])
def test_an_unfinished_end_is_left_for_the_next_block(tail: str) -> None:
    """More text could still make it a record, or its end could be another place."""
    assert scan('{"a":0}\n' + tail, SHAPE, final=False) == ([Stretch(0, 7, {"a": "0"})], 8)


def test_a_dataset_without_required_fields_still_tells_records_from_nested_objects() -> None:
    """By its known fields, then."""
    shape = Shape(required=frozenset(), known=frozenset({"a", "b"}))
    assert found('{"a":1,"x":{"y":2},"b":"so{"a":2,"b":3}', shape) == [
        ("broken JSON: expecting ',' delimiter", '{"a":1,"x":{"y":2},"b":"so'),
        {"a": "2", "b": "3"},
    ]


def test_the_cut_ends_do_not_matter_to_a_scan_in_two_steps() -> None:
    """The second step continues with the same result, regardless of what the first one has settled."""
    text = '{"a":1,"b":"so{"a":2}\n{"a":n/a}\n<html>x</html>[{"a":3},{"a":"é"}]'
    whole = found(text)
    for cut in range(len(text)):
        first, end = scan(text[:cut], SHAPE, final=False)
        rest, _ = scan(text[end:], SHAPE, final=True)
        pieces = [(text[:cut], one) for one in first] + [(text[end:], one) for one in rest]
        assert [
            one.value if one.value is not None else (one.reason, part[one.start : one.end]) for part, one in pieces
        ] == whole, json.dumps(text[:cut])


# ---------------------------------------------------------------------------------------------- work

SIZE = 60_000
HOSTILE = {
    "openings": '{"',
    "nested objects": '{"x":',
    "nested in a record": '{"a":1,"x":{"x":',
    "nested lists": '{"x":[',
    "lists": "[",
    "lists of objects": "[{",
    "None in a list": '{"x": None},',
    "quotes": '"',
    "odd quotes": '"{"',
    "backslashes": '{"\\',
    "a string that never ends": '{"a":"x',
    "empty objects": "{}{",
    "cut off and glued": '{"a":1,"b":',
    "short broken lines": '{"a":x\n',
    "short lines": "x\n",
    "lines that go on": '{"x":[\n',
    "long lines that go on": '{"x":["' + "y" * 1_000 + '",\n',
    "lines with a raw break": '{"x":"\n',
    "keys that are records": '{"a":{"b":"}',
    "blanks": '{"x"' + " " * 50,
    "pages": "<html>",
    "a page in each": '{"a":1<html>',
    "lines in lists that end": 'x{"x":["' + "y" * 500 + '",\n',
}


class Work:
    """What is really looked at: each attempt, and its characters."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.attempts = self.characters = 0
        decoded = scanner._decoded

        def counted(text: str) -> scanner._Attempt:
            attempt = decoded(text)
            broken = isinstance(attempt, scanner._Broken)
            self.attempts += 1
            self.characters += (len(text) if attempt.open else attempt.looked) if broken else attempt[1]
            return attempt

        patch.setattr(scanner, "_decoded", counted)


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("end", ["", '\n{"a":1}\n'], ids=["alone", "before a record"])
def test_work_grows_with_the_size_of_a_text_and_not_faster(
    monkeypatch: pytest.MonkeyPatch, kind: str, end: str
) -> None:
    """For any text, the work is limited to an initial budget plus what its characters earn."""
    work, budget = Work(monkeypatch), Budget(credit := 20_000)
    text = HOSTILE[kind] * (SIZE // len(HOSTILE[kind]))
    text += "1" + "]}" * text.count("[") + end
    _, at = scan(text, SHAPE, final=True, budget=budget)
    assert at == len(text)
    assert budget.spent <= credit + (1 + EARNED) * len(text) + scanner._DEEP
    assert work.characters <= credit + (2 + EARNED) * len(text) + scanner._DEEP
    assert work.attempts <= (credit + (2 + EARNED) * len(text)) / scanner._TRY + len(text) / 2


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_text_that_comes_in_many_parts_is_not_searched_again_for_each(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """What is not settled waits until there is twice as much of it."""
    credit = 20_000
    monkeypatch.setattr(records, "Budget", lambda: Budget(credit))
    monkeypatch.setattr(records.decompression, "BLOCK", 1_000)
    work = Work(monkeypatch)
    body = (HOSTILE[kind] * (SIZE // len(HOSTILE[kind]))).encode()
    *_, end = sorted_out(RecordReader([Field("a", ColumnType("int"))]), body)
    assert end.bytes == len(body)
    assert work.characters <= 10 * (credit + (2 + EARNED) * len(body))
    assert work.attempts <= 10 * (credit + (2 + EARNED) * len(body)) / scanner._TRY + len(body)


def test_what_was_not_searched_is_said() -> None:
    """In the reason of the record, and once as a problem of the file; the next line is read."""
    body = ('{"b":[' + '{"x": None},' * 100_000 + "]}\n" + '{"a":1}\n').encode()
    rows, rejected, end = sorted_out(RecordReader([Field("a", ColumnType("int"))]), body)
    assert [row["a"] for row in rows] == [1]
    assert [one.reason for one in rejected] == ["broken JSON: expecting value" + UNSEARCHED]
    assert end.problem == "too much broken JSON from line 1 on: lines of it were not searched for records"


def test_many_broken_lines_among_good_ones_are_searched_to_the_end() -> None:
    """The budget is for what is hostile: every second record broken, glued or not, uses none of it up."""
    pair = (
        '{"a":1,"b":"one record of some length, as they are"}{"a":2,"b":"another one, which is cut {"a":3,"b":null}\n'
    )
    items, _ = scan(pair * 2_000, SHAPE, final=True, budget=Budget(4_000))
    assert [item.value["a"] for item in items if item.value] == ["1", "3"] * 2_000
    assert all(item.searched for item in items)


@pytest.mark.parametrize("depth", [150, 990, 5_000, 200_000])
@pytest.mark.parametrize("inner", ['{"x":%s}', "[%s]"])
def test_a_record_of_any_depth_is_kept_or_rejected_by_itself(depth: int, inner: str) -> None:
    """It does not crash the process or affect its neighbours."""
    before, after = inner.split("%s")
    body = '{"a":1}\n{"a":2,"u":' + before * depth + "1" + after * depth + '}\n{"a":3}\n'
    rows, rejected, _ = sorted_out(RecordReader([Field("a", ColumnType("int"))]), body.encode())
    assert [row["a"] for row in rows] == ([1, 2, 3] if depth == 150 else [1, 3])
    assert {one.reason.partition(";")[0] for one in rejected} <= {"nested too deeply"}


# ---------------------------------------------------------------------------------------------- any text at all

PARTS = st.sampled_from(
    [
        *'{}[]":,\\ \n',
        *('{"a":', '"a"', '"b":', '{"a":1}', '{"a":"', '{"b":{"a":2},', '[{"a":3},', "{}", "[]", '{"a":[{"b":1},'),
        *(
            "1",
            "null",
            "None",
            "nul",
            "-",
            "1e",
            '"\\u00',
            '"\\ud800"',
            "\0",
            "\r\n",
            "\x1e",
            "<html>",
            "</html>",
            "x",
            "é",
        ),
        *('{"a":1,"b":"cut', '"x\ny"', '{"a":"x\ny"}', '{\n  "a": 1\n}\n', '{\n  "a": n/a\n}\n'),
    ]
)
TEXTS = st.lists(PARTS, max_size=30).map("".join)


@given(TEXTS, st.sampled_from([1, 700, scanner.CREDIT]))
@example('{"a":"x\ny', 1)
def test_every_character_belongs_to_one_record_or_stands_between_two(text: str, credit: int) -> None:
    """Nothing is omitted and nothing is read twice; a value is exactly the text's."""
    items, end = scan(text, SHAPE, final=True, budget=Budget(credit))
    assert end == len(text)
    at = 0
    for item in items:
        assert item.end > item.start >= at
        assert BETWEEN.fullmatch(text[at : item.start])
        if item.value is not None:
            assert scanner.read_value(text[item.start : item.end], 0) == (item.value, item.end - item.start)
        assert (item.value is None) == bool(item.reason)
        at = item.end
    assert BETWEEN.fullmatch(text[at:])


@given(TEXTS, st.sampled_from([1, 700, scanner.CREDIT]), st.lists(st.integers(1, 12), min_size=1, max_size=8))
@example('{"a":"x\ny"}', scanner.CREDIT, [7])
@example('{"b":x{"a":"' + "y" * 30 + '"}', scanner.CREDIT, [20])
def test_what_is_found_does_not_depend_on_the_cuts(text: str, credit: int, sizes: list[int]) -> None:
    """The same records, reasons and work, whether the text comes at once or in parts."""
    whole_budget, cut_budget = Budget(credit), Budget(credit)
    whole, _ = scan(text, SHAPE, final=True, budget=whole_budget)
    found, buffer, base, at = [], "", 0, 0
    while at < len(text) or buffer:
        size = sizes[len(found) % len(sizes)]
        buffer, at = buffer + text[at : at + size], at + size
        items, end = scan(buffer, SHAPE, final=at >= len(text), budget=cut_budget)
        found += [item._replace(start=item.start + base, end=item.end + base) for item in items]
        buffer, base = buffer[end:], base + end
    assert found == whole
    assert (cut_budget.left, cut_budget.spent) == (whole_budget.left, whole_budget.spent)


@pytest.mark.parametrize("block", range(1, 60))
@pytest.mark.parametrize("indent", ["", "\n  "])
def test_that_a_record_is_listed_is_known_wherever_the_text_is_cut(
    monkeypatch: pytest.MonkeyPatch, block: int, indent: str
) -> None:
    """The bracket or comma before a broken record shows that the following objects are records of the array, too."""
    monkeypatch.setattr(records.decompression, "BLOCK", block)
    body = f'[{indent}{{"a"1:1}},{indent}{{"a":2}},{indent}{{"a":3}}\n]'.encode()
    rows, rejected, _ = sorted_out(RecordReader([Field("a", ColumnType("int"))]), body)
    assert [row["a"] for row in rows] == [2, 3]
    assert [one.position for one in rejected] == [1 + len(indent)]
