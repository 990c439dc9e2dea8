"""The reader of CSV and TSV without Spark and S3: an object's bytes in, rows and rejected records out."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spark_jobs.engine import decompression
from spark_jobs.engine.formats import delimited
from spark_jobs.engine.formats.records import RAW_MAX, End, Rejected
from tests.spark_jobs.engine.formats.delimited_read import BARE, CSV, FIELDS, field, ids, read, reasons, value
from tidemark.core.dataset import Format

TRIMMED = Format("csv", header=False, trim=True, nulls=("", "?"))


# ---------------------------------------------------------------------------------------------- records


@pytest.mark.parametrize(
    "body",
    [
        b"id,n,note\na,1,x\nb,2,y\n",
        b"id,n,note\na,1,x\nb,2,y",
        b"id,n,note\r\na,1,x\r\nb,2,y\r\n",
        b"id,n,note\ra,1,x\rb,2,y\r",
        b"\xef\xbb\xbfid,n,note\na,1,x\nb,2,y\n",
        b"\n\nid,n,note\n\na,1,x\n   \nb,2,y\n\n",
        b"note,id,n\nx,a,1\ny,b,2\n",
        b" id ,n, note\na,1,x\nb,2,y\n",
        b"id,n,note,,\na,1,x,,\nb,2,y,,,,\n",
        b'"id","n","note"\n"a","1","x"\n"b",2,"y"\n',
        b"id,n,note\na,1,x\nid,n,note\nb,2,y\n",
        gzip.compress(b"id,n,note\na,1,x\n", mtime=0) + gzip.compress(b"id,n,note\nb,2,y\n", mtime=0),
        "id,n,note\na,1,x\nb,2,y\n".encode("utf-16"),
        b"\xfe\xff" + "id,n,note\na,1,x\nb,2,y\n".encode("utf-16-be"),
        "id,n,note\na,1,x\nb,2,y\n".encode("utf-32"),
    ],
    ids=[
        "lf", "no last line break", "crlf", "cr", "bom", "empty lines", "order", "blanks in the header",
        "empty fields behind", "quotes", "header again", "joined gzip", "utf-16", "utf-16-be", "utf-32",
    ],
)  # fmt: skip
def test_the_same_records_come_out_however_they_are_written(body: bytes) -> None:
    """The content says what it is: line ends, marks, compression, order of the columns."""
    rows, rejected, end = read(body)
    assert rows == [{"id": "a", "n": 1, "note": "x"}, {"id": "b", "n": 2, "note": "y"}]
    assert (rejected, end.problem) == ([], None)


@pytest.mark.parametrize(
    ("written", "note"),
    [
        ('"a,b"', "a,b"),
        ('"a ""b"" c"', 'a "b" c'),
        ('""""', '"'),
        ('"two\nlines"', "two\nlines"),
        ('"two\r\nlines\r"', "two\r\nlines\r"),
        ('5" pipe', '5" pipe'),
        (' "a" ', ' "a" '),
        ("é ʤ 😀", "é ʤ 😀"),
        ("\x0b\x85\u2028", "\x0b\x85\u2028"),
    ],
)
def test_what_stands_in_a_field_stays_as_it_is(written: str, note: str) -> None:
    """Only quotes at both ends of a field mean anything; only CR and LF end a line."""
    body = f"id,n,note\na,1,{written}\nb,2,z\n".encode()
    assert read(body)[:2] == ([{"id": "a", "n": 1, "note": note}, {"id": "b", "n": 2, "note": "z"}], [])


@pytest.mark.parametrize(
    "before",
    [b"  \n", b",\n", b",,,\r\n", b'""\n', b'""," "\n', b"\t\n\n", b"\xef\xbb\xbf,,\n", b"\xef\xbb\xbf\n\xef\xbb\xbf"],
)
def test_lines_that_say_nothing_may_stand_before_the_header(before: bytes) -> None:
    """Excel writes an empty first row as delimiters only."""
    rows, (one,), end = read(before + b"id,n,note\na,1,x\n,2,\n")
    assert (rows, end.problem) == ([{"id": "a", "n": 1, "note": "x"}], None)
    assert (one.reason, one.line) == ("id is missing", before.count(b"\n") + 3)


def test_blanks_and_tabs_may_stand_before_the_header_of_a_tsv() -> None:
    """There a line of tabs is one of delimiters."""
    assert ids(b"\t\t\n \t\nid\tn\na\t1\n", Format("tsv", delimiter="\t")) == ["a"]


def test_without_a_header_no_line_is_one() -> None:
    """The declaration says so."""
    fields = (field("id"), field("note"))
    assert read(b"a,b\nnote,id\n", fields, BARE)[0] == [{"id": "a", "note": "b"}, {"id": "note", "note": "id"}]


@pytest.mark.parametrize(
    "body", [b"", b"\n\r\n", b"\xef\xbb\xbf", b"id,n,note\n", b"id,n,note", gzip.compress(b"", mtime=0)]
)
def test_an_empty_file_holds_nothing_and_is_no_problem(body: bytes) -> None:
    """A file with only a header is normal on a day without events."""
    rows, rejected, end = read(body)
    assert (rows, rejected, end.problem) == ([], [], None)


def test_without_a_header_the_columns_are_those_declared_in_their_order() -> None:
    """The first line is a record like any other."""
    assert read(b"a,1,x\nb,2,\n", FIELDS, BARE)[0] == [{"id": "a", "n": 1, "note": "x"}, {"id": "b", "n": 2}]


def test_a_column_is_found_under_its_raw_name() -> None:
    """A reason uses the raw name, too, because that is the name in the file to fix."""
    fields = (field("id", source="Invoice No", required=True), field("n", "int", source="N"))
    rows, rejected, _ = read(b"N,Invoice No\n1,a\nx,b\n1,\n", fields)
    assert rows == [{"id": "a", "n": 1}]
    assert [one.reason for one in rejected] == ["N: 'x' is not a number", "Invoice No is missing"]


def test_one_column_may_become_two_fields() -> None:
    """Each has its own type; the same digits can be a timestamp and a text."""
    fields = (field("at", "timestamp", source="time"), field("text", source="time"))
    assert read(b"time\n0\n", fields)[0] == [{"at": datetime(1970, 1, 1, tzinfo=UTC), "text": "0"}]


def test_columns_that_nobody_declared_are_rescued() -> None:
    """As JSON, without those that are empty."""
    rows, _, _ = read(b'id,color,size\na,red,\nb,"""",7\nc,,\n')
    assert rows == [
        {"id": "a", "_rescued": '{"color":"red"}'},
        {"id": "b", "_rescued": '{"color":"\\"","size":"7"}'},
        {"id": "c"},
    ]


def test_nulls_are_what_the_format_says() -> None:
    """In quotes or not; blanks around them count unless they are trimmed."""
    assert read(b"id,n,note\na,,\nb,\"\",' '\n")[0] == [{"id": "a"}, {"id": "b", "note": "' '"}]
    assert read(b"a, 5 ,\t?\nb,?, x y \n", FIELDS, TRIMMED)[0] == [{"id": "a", "n": 5}, {"id": "b", "note": "x y"}]
    assert read(b"id,note\na,\n", FIELDS, Format("csv", nulls=("NA",)))[0] == [{"id": "a", "note": ""}]


def test_another_delimiter_is_declared() -> None:
    """Semicolons are what spreadsheets write where the comma is the decimal point."""
    assert ids(b'id;n;note\na;1;"x;y"\n', Format("csv", delimiter=";")) == ["a"]
    assert ids(b"id\tn\tnote\na\t1\tx,y\n", Format("tsv", delimiter="\t")) == ["a"]


def test_another_encoding_is_declared() -> None:
    """Places count the bytes of the file, not those of UTF-8."""
    rows, rejected, _ = read("id,note\né,ß\né,ß,x\n".encode("latin-1"), FIELDS, Format("csv", encoding="iso8859-1"))
    assert rows == [{"id": "é", "note": "ß"}]
    assert rejected == [Rejected(12, 3, "expected 2 fields, found 3", "é,ß,x")]


# ---------------------------------------------------------------------------------------------- rejected records


def test_a_rejected_record_says_where_and_why() -> None:
    """Position counts bytes of the decompressed content, lines count from 1, also those within quotes."""
    body = 'id,n,note\né,1,"two\nlines"\nb,x,y\n\nc,1\nd,1,x,y\n,1,x\ne,1,ok\n'.encode()
    rows, rejected, _ = read(gzip.compress(body))
    assert [row["id"] for row in rows] == ["é", "e"]
    assert rejected == [
        Rejected(27, 4, "n: 'x' is not a number", "b,x,y"),
        Rejected(34, 6, "expected 3 fields, found 2", "c,1"),
        Rejected(38, 7, "expected 3 fields, found 4", "d,1,x,y"),
        Rejected(46, 8, "id is missing", ",1,x"),
    ]
    assert body[27:].startswith(b"b,x,y")


def test_a_byte_order_mark_counts_as_bytes() -> None:
    """A place is where an editor of bytes finds it."""
    assert read(b"\xef\xbb\xbfid,n\na,x\n")[1][0].position == 8
    assert read("id,n\na,x\n".encode("utf-16"))[1][0].position == 12


def test_bytes_that_are_no_text_reject_their_record() -> None:
    """And stay visible; the file goes on."""
    rows, rejected, _ = read(b"id,n,note\na,1,x\n\xff,2,y\nc,3,\xe2\x82\nd,4,z\n")
    assert [row["id"] for row in rows] == ["a", "d"]
    assert [(one.reason, one.raw) for one in rejected] == [
        ("invalid UTF-8", "\\xff,2,y"),
        ("invalid UTF-8", "c,3,\\xe2\\x82"),
    ]
    assert reasons("id,n\na,1\nb".encode("utf-16") + b"\n")[0][1] == "invalid UTF-16-LE"


def test_a_zero_byte_rejects_its_record() -> None:
    """Text has no zero bytes; they indicate a damaged disk or another encoding."""
    assert reasons(b"id,n,note\na,1,\0\0\nb,2,y\n") == [(2, "a zero byte")]


def test_raw_text_is_cut() -> None:
    """A person reads it; the original stays where the position says."""
    (rejected,) = read(b"id,n,note\na,x," + b"y" * 100_000 + b"\n")[1]
    assert len(rejected.raw) == RAW_MAX


def test_unknown_columns_that_are_too_long_to_be_rescued_reject_their_record() -> None:
    """Nothing is cut in silence."""
    body = b"id,other\na," + b"x" * 70_000 + b"\nb,y\n"
    assert ids(body) == ["b"]
    assert reasons(body)[0][0] == 2


def test_of_a_truncated_file_the_torn_record_is_rejected_even_if_it_looks_whole() -> None:
    """12.5 may have been 12.53: a last line without its end is not believed."""
    body = gzip.compress(b"id,n,note\n" + b"".join(b"%d,%d,%x\n" % (n, n, hash(str(n)) & 0xFFFF) for n in range(5_000)))
    rows, rejected, end = read(body[: len(body) // 2])
    assert end.problem == f"gzip truncated at byte {len(body) // 2}"
    assert [row["id"] for row in rows] == [str(number) for number in range(len(rows))]
    assert 1_000 < len(rows) < 4_000
    assert [(one.reason, one.line) for one in rejected] == [("record cut off", len(rows) + 2)]


def test_a_line_beyond_reason_is_rejected_once_and_reading_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number and content of the blocks in which it arrives do not matter."""
    monkeypatch.setattr(delimited, "RECORD_MAX", 100)
    monkeypatch.setattr(decompression, "BLOCK", 40)
    body = b"id,n,note\na,1,x\n" + b"b,2,y" * 200 + b"\nc,3,z\n"
    rows, rejected, end = read(body)
    assert [row["id"] for row in rows] == ["a", "c"]
    assert [(one.position, one.line, one.reason) for one in rejected] == [(16, 3, "a line of more than 100 bytes")]
    assert end == End(len(body), None)


# ---------------------------------------------------------------------------------------------- types


MOMENT = datetime(2015, 5, 17, 10, 5, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("type_", "text", "expected"),
    [
        ("int", "200", 200),
        ("int", "-007", -7),
        ("int", "17850.0", 17850),
        ("int", "2e2", 200),
        ("int", "0x10", "'0x10' is not a number"),
        ("int", " 5", "' 5' is not a number"),
        ("int", "2147483648", "'2147483648' is out of range for int"),
        ("bigint", "9223372036854775807", 2**63 - 1),
        ("double", "0.1", 0.1),
        ("double", "inf", "'inf' is not a number"),
        ("decimal(12,2)", "12.5", Decimal("12.50")),
        ("decimal(12,2)", '"12.50"', Decimal("12.50")),
        ("decimal(12,2)", "12.505", "'12.505' has more than 2 decimals"),
        ("decimal(2,2)", "0.25", Decimal("0.25")),
        ("boolean", "true", True),
        ("boolean", "TRUE", True),
        ("boolean", "maybe", "'maybe' is neither true nor false"),
        ("date", "2015-05-17", date(2015, 5, 17)),
        ("date", "2015-02-29", "'2015-02-29' is not a date"),
        ("timestamp", "2015-05-17 10:05:03", MOMENT),
        ("timestamp", "2015-05-17T10:05:03.000Z", MOMENT),
        ("timestamp", "2015-05-17T12:05:03+02:00", MOMENT),
        ("timestamp", "1431857103", MOMENT),
        ("timestamp", "1431857103000", MOMENT),
        ("timestamp", "1431857103.5", MOMENT.replace(microsecond=500000)),
        ("timestamp", "17/May/2015", "'17/May/2015' is not a timestamp"),
        ("string(4)", "ééé", "6 bytes, at most 4"),
    ],
)
def test_a_value_fits_its_type_or_says_why_not(type_: str, text: str, expected: object) -> None:
    """As for texts in JSON; but digits can also be timestamps, because CSV values have no types."""
    assert value(type_, text) == expected


TYPES = ["int", "bigint", "double", "decimal(12,2)", "decimal(5,5)", "decimal(38,10)", "boolean", "date", "timestamp"]
NUMBERS = st.one_of(
    st.integers().map(str),
    st.decimals().map(str),
    st.floats().map(json.dumps),
    st.from_regex(r"[+-]?[0-9]{1,13}(\.[0-9]{0,4})?([eE][+-]?[0-9]{1,2})?", fullmatch=True),
)
MOMENTS = st.from_regex(
    r"(0000|0001|1969|2015|9999)-(02-29|05-17|12-31)"
    r"([T ](0[0-9]|2[34])(:[0-5][0-9](:(5[0-9]|60)(\.[0-9]{1,7})?)?)?(Z|[+-](0[0-9]|2[34])(:?[0-5][0-9])?)?)?",
    fullmatch=True,
)
VALUES = st.one_of(NUMBERS, MOMENTS, st.sampled_from(["true", "false", "True", "1", "0x1f", "nan", "", "٣"]))


@given(st.sampled_from([*TYPES, "string(6)"]), st.lists(VALUES, min_size=1, max_size=4))
@example("timestamp", ["0", "2015-05-17 10:05:03"])
@example("int", ["1", "1.0", "x"])
def test_a_records_fate_does_not_depend_on_its_neighbours(type_: str, texts: list[str]) -> None:
    """Converting a column as a whole and checking each of its values give the same values and reasons."""
    fields = (field("id", required=True), field("x", type_))
    lines = [f"{number},{text}\n".encode() for number, text in enumerate(texts)]
    together = read(b"".join(lines), fields, BARE)
    alone = [read(line + b"y,no value\n", (fields[0], field("x", type_)), BARE) for line in lines]
    good = [row for rows, _, _ in alone for row in rows if row["id"] != "y"]
    assert together[0] == good
    bad = [one.reason for _, rejected, _ in alone for one in rejected if not one.raw.startswith("y")]
    assert [one.reason for one in together[1]] == bad


# ---------------------------------------------------------------------------------------------- nothing is lost

NOTES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12).filter(lambda text: text != "")
RECORDS = st.lists(st.tuples(st.sampled_from(["good", "good", "type", "ragged", "noise"]), NOTES), max_size=12)


def written(kind: str, number: int, note: str, ending: str) -> bytes:
    """A line, by Python's own writer."""
    line = io.StringIO()
    cells = [f"k{number}", "x" if kind == "type" else str(number), note] + ["more"] * (kind == "ragged")
    quoting = csv.QUOTE_ALL if "\r" in note else csv.QUOTE_MINIMAL
    csv.writer(line, lineterminator=ending, quoting=quoting).writerow(cells)
    return line.getvalue().encode() if kind != "noise" else b"k,1,\xff\xfe" + ending.encode()


def cut(body: bytes, size: int) -> Iterator[bytes]:
    return (body[start : start + size] for start in range(0, len(body), size))


@given(RECORDS, st.sampled_from(["\n", "\r\n"]), st.integers(4, 200), st.booleans())
def test_everything_is_read_or_rejected(records: list[tuple[str, str]], ending: str, block: int, header: bool) -> None:
    """Any records, cut into any blocks: the good ones come out as they were written, the bad ones are named."""
    lines = [written(kind, number, note, ending) for number, (kind, note) in enumerate(records)]
    body = b"".join([b"id,n,note" + ending.encode()] * header + lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decompression, "BLOCK", block)
        rows, rejected, end = read(cut(body, block), FIELDS, CSV if header else BARE)
    good = [(f"k{n}", n, note) for n, (kind, note) in enumerate(records) if kind == "good"]
    assert [(row["id"], row["n"], row["note"]) for row in rows if row["id"].startswith("k")] == good
    assert end == End(len(body), None)
    one_line = all("\n" not in note and "\r" not in note for _, note in records)
    if one_line:
        assert len(rejected) == len(records) - len(good)


@given(st.text(alphabet='a1,"\n\r ', max_size=60), st.integers(4, 30))
def test_where_a_file_is_cut_into_blocks_does_not_matter(text: str, block: int) -> None:
    """Not even for what is no CSV: the same rows and the same rejected records, at the same places."""
    body = text.encode()
    fields = (field("x"), field("y"))
    whole = read(body, fields, BARE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decompression, "BLOCK", block)
        assert read(cut(body, block), fields, BARE) == whole


# ---------------------------------------------------------------------------------------------- real data


def sample(shared: Path, *names: str) -> Path:
    path = shared.joinpath("data", *names)
    if not path.exists():
        pytest.skip(f"{path} is not here")
    return path


def test_the_csv_spectrum_reads_as_its_answers_say(shared: Path) -> None:
    """Twelve corners of the format, with the answers of those who collected them."""
    folder = sample(shared, "corner_csv", "dev", "csv-spectrum")
    files = sorted((folder / "csvs").glob("*.csv"))
    assert len(files) == 12
    for file in files:
        answers = json.loads((folder / "json" / f"{file.stem}.json").read_text(encoding="utf-8"))
        answers = answers if isinstance(answers, list) else [answers]
        if file.stem == "location_coordinates":
            answers[0]["Contact Phone Number"] = "2095257564"  # as the file has it; the answer has another
        fields = tuple(field(f"c{number}", source=name) for number, name in enumerate(answers[0]))
        body = file.read_bytes()
        if file.stem.endswith("_crlf"):  # which Git took out
            body = body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        rows, rejected, end = read(body, fields)
        named = [{one.source: row.get(one.name, "") for one in fields} for row in rows]
        assert (named, rejected, end.problem) == (answers, [], None), file.name


def test_invoices_come_out_to_the_penny(shared: Path) -> None:
    """Quotes and commas in descriptions, customers as 17850.0, prices with one decimal or two."""
    fields = (
        field("invoice", required=True, source="InvoiceNo"),
        field("description", "string(64)", source="Description"),
        field("quantity", "int", required=True, source="Quantity"),
        field("at", "timestamp", required=True, source="InvoiceDate"),
        field("price", "decimal(12,3)", required=True, source="UnitPrice"),
        field("customer", "int", source="CustomerID"),
    )
    count, amount, expected, lines = 0, Decimal(0), Decimal(0), 0
    for file in sorted(sample(shared, "tx_online_retail", "dev").glob("*.csv")):
        rows, rejected, end = read(file.read_bytes(), fields)
        assert (rejected, end.problem) == ([], None), file.name
        count += len(rows)
        amount += sum((row["quantity"] * row["price"] for row in rows), Decimal(0))
        with file.open(newline="", encoding="utf-8") as text:
            for row in csv.DictReader(text):
                lines += 1
                expected += int(row["Quantity"]) * Decimal(row["UnitPrice"])
    assert (count, amount) == (lines, expected) == (25_281, expected)


def test_a_census_without_header_and_with_blanks_is_read(shared: Path) -> None:
    """A comma and a blank between fields, a question mark for what is not known."""
    names = "age class weight education years marital occupation relationship race sex gain loss hours country income"
    numbers = ("age", "weight", "years", "gain", "loss", "hours")
    fields = tuple(
        field(name, "int" if name in numbers else "string(64)", required=name == "age") for name in names.split()
    )
    file = sample(shared, "cust_adult_uci", "dev", "adult_train_first10000.csv")
    rows, rejected, end = read(file.read_bytes(), fields, TRIMMED)
    assert (len(rows), rejected, end.problem) == (10_000, [], None)
    assert sum("class" not in row for row in rows) == 585
    assert rows[0]["country"] == "United-States"


def test_requests_with_two_tabs_too_many_are_read(shared: Path) -> None:
    """The header has seven columns, each line nine fields, the last two empty; moments are seconds since 1970."""
    fields = (
        field("host"),
        field("at", "timestamp", source="time"),
        field("response", "int"),
        field("bytes", "bigint"),
    )
    file = sample(shared, "web_nasa_http", "dev", "nasa_19950701.tsv")
    rows, rejected, end = read(file.read_bytes(), fields, Format("tsv", delimiter="\t"))
    assert (len(rows), rejected, end.problem) == (9_999, [], None)
    assert Counter(row["response"] for row in rows) == {200: 9_012, 304: 531, 302: 408, 404: 48}
    assert rows[0]["at"] == datetime(1995, 7, 1, 4, 0, 1, tzinfo=UTC)


# ---------------------------------------------------------------------------------------------- work
