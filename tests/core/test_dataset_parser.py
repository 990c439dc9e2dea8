from __future__ import annotations

from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest

from tidemark.core.column_types import ColumnType
from tidemark.core.dataset import Dataset, Field, Format
from tidemark.core.dataset_parser import parse_dataset
from tidemark.core.errors import DeclarationError
from tidemark.core.path import written_path

EVENTS, ACTIVITY = "tables.web_events", "tables.user_activity"
#: A field that is said to be in two places.
TWICE = {"type": "int", "from": "a", "from_key": "{user_id}"}
A_TYPE = "expected a type (string, int, bigint, double, decimal, boolean, date, timestamp)"
A_SIZED_TYPE = "expected string(1..65535) or decimal(1..38, scale)"
A_NAME = "expected a name of lower-case letters, digits and _"

#: (place, what stands there; None takes the key out, the start of the error)
WRONG: list[tuple[str, Any, str]] = [
    ("name", None, "expected a key `name`, found the keys prefix, record, tables"),
    ("prefix", None, "expected a key `prefix`, found the keys name, record, tables"),
    ("record", None, "expected a key `record`"),
    ("tables", None, "expected a key `tables`"),
    ("colour", "red", "colour: expected one of name, prefix, record, tables, description"),
    ("name", "Web-Logs", "name: expected a name of at most 32 lower-case letters, digits and _, found 'Web-Logs'"),
    ("name", "x" * 33, "name: expected a name of at most 32 lower-case"),
    ("name", 7, "name: expected a name of at most 32 lower-case letters, digits and _, found 7"),
    ("prefix", "web_logs", "prefix: expected a key prefix that ends with / and does not begin with it, found 'web_l"),
    ("prefix", "/web_logs/", "prefix: expected a key prefix that ends with / and does not begin with it, found '/web"),
    ("prefix", 7, "prefix: expected a text, found 7"),
    ("prefix", "s3://raw/web_logs/", "prefix: expected a key prefix without s3:// and the bucket's name, found 's3://"),
    ("prefix", "web_logs/*/", "prefix: expected a key prefix without * and ?: all keys that begin so are meant, found"),
    ("prefix", "web_logs/????/", "prefix: expected a key prefix without * and ?"),
    ("prefix", "logs/!{timestamp:yyyy}/", "prefix: expected a key prefix without Firehose's expressions"),
    ("prefix", "web//logs/", "prefix: expected a key prefix without empty parts, . and .. between its slashes"),
    ("prefix", "web/../logs/", "prefix: expected a key prefix without empty parts, . and .. between its slashes"),
    ("prefix", "./logs/", "prefix: expected a key prefix without empty parts, . and .. between its slashes"),
    ("prefix", "web\\logs/", "prefix: expected a key prefix with / instead of \\"),
    ("prefix", "web\tlogs/", "prefix: expected a key prefix without control characters"),
    ("prefix", "web_logs/\n", "prefix: expected a key prefix without control characters"),
    ("prefix", " web_logs/", "prefix: expected a key prefix without control characters, and without blanks at its"),
    ("prefix", "x" * 1_023 + "/", "prefix: expected a key prefix that leaves room in a key of 1,024 bytes"),
    ("description", ["a"], "description: expected a text, found ['a']"),
    ("transform", 7, "transform: expected a name of at most 32 lower-case letters, digits and _, found 7"),
    ("format", "json", "format: expected a mapping, found 'json'"),
    ("format", {"type": "xml"}, "format.type: expected json or csv or tsv or parquet or orc or avro, found 'xml'"),
    ("format", {"compression": "rar"}, "format.compression: expected auto, found 'rar'"),
    ("format", {"colour": "red"}, "format.colour: expected one of type, compression, header, delimiter"),
    ("record", {}, "record: expected at least one entry, found none"),
    ("record", ["user_id"], "record: expected a mapping, found ['user_id']"),
    ("record", {"User": "int"}, f"record.User: {A_NAME}, found 'User'"),
    ("record", {True: "int"}, f"record.True: {A_NAME}, found True"),
    ("record.user_id", "text", f"record.user_id: {A_TYPE}, found 'text'"),
    ("record.user_id", 7, "record.user_id: expected a mapping, found 7"),
    ("record.user_id", {"required": True}, "record.user_id: expected a key `type`, found the keys required"),
    ("record.user_id.type", ["int"], f"record.user_id.type: {A_TYPE}, found ['int']"),
    ("record.user_id.required", "yes", "record.user_id.required: expected true or false, found 'yes'"),
    ("record.user_id.unique", True, "record.user_id.unique: expected one of type, required, from, from_key, values, "),
    ("record.user_id.values", "view", "record.user_id.values: expected a list of texts, found 'view'"),
    ("record.user_id.values", [True], "record.user_id.values: expected a list of texts, found [True]"),
    ("record.user_id.values", [], "record.user_id.values: expected at least one text, each once, found []"),
    ("record.user_id.values", ["a", "a"], "record.user_id.values: expected at least one text, each once, found ['a'"),
    ("record.bytes_sent", {"type": "int", "values": ["1"]}, "record.bytes_sent.values: expected a key only for a fie"),
    ("record.bytes_sent", {"type": "int", "unit": "s"}, "record.bytes_sent.unit: expected a key only for a field of"),
    ("record.at", {"type": "timestamp", "unit": "m"}, "record.at.unit: expected s or ms or us or ns, found 'm'"),
    ("format", {"records": ["Records"]}, "format.records: expected a text, found ['Records']"),
    ("format", {"records": ""}, "format.records: expected .name, ['name'], [0] or [*], found '.'"),
    ("format", {"records": "Records[?]"}, "format.records: expected .name, ['name'], [0] or [*], found '[?]'"),
    ("format", {"type": "csv", "records": "Item"}, "format.records: expected a key only for the type json, fou"),
    ("record.user_id.from", "user..id", "record.user_id.from: expected .name, ['name'], [0] or [*], found '..id'"),
    ("record.user_id.from", "users[*].id", "record.user_id.from: expected a path to one value, such as items[0].sku"),
    ("record.user_id.from", ["user", "id"], "record.user_id.from: expected one name in brackets; a path is written"),
    ("record.user_id.from_key", "dt={day}", "record.user_id.from_key: expected each name once, and {user_id} among"),
    ("record.user_id", TWICE, "record.user_id.from_key: expected either from or from_key"),
    ("record", {"day": {"type": "date", "from_key": "{day}"}}, "record: expected at least one field that is in the re"),
    ("record.user_id.from", 7, "record.user_id.from: expected a text, found 7"),
    ("record.user_id", "integer", f"record.user_id: {A_TYPE}, found 'integer' (did you mean int?)"),
    ("tables", {}, "tables: expected at least one entry, found none"),
    ("tables", {"Web": {}}, f"tables.Web: {A_NAME}, found 'Web'"),
    (EVENTS, "facts", f"{EVENTS}: expected a mapping, found 'facts'"),
    (EVENTS, {}, f"{EVENTS}: expected a key `columns`, found {{}}"),
    (f"{EVENTS}.index", "user_id", f"{EVENTS}.index: expected one of columns, kind, partition, day, deduplicate"),
    (f"{EVENTS}.kind", "dimension", f"{EVENTS}.kind: expected facts or latest or additive, found 'dimension'"),
    (f"{EVENTS}.columns", {}, f"{EVENTS}.columns: expected at least one entry, found none"),
    (f"{EVENTS}.columns", {"_batch_id": "int"}, f"{EVENTS}.columns._batch_id: {A_NAME}, found '_batch_id'"),
    (f"{EVENTS}.columns", {"a": "decimal(12", "2)": None}, f"{EVENTS}.columns.2): {A_NAME}, found '2)' (between b"),
    (f"{EVENTS}.columns", {True: "int"}, f"{EVENTS}.columns.True: {A_NAME}, found True (quote it, or YAML takes it"),
    (f"{EVENTS}.columns.xmin", "int", f"{EVENTS}.columns.xmin: expected a name that Redshift has no column of its own"),
    (f"{EVENTS}.columns.oid", "int", f"{EVENTS}.columns.oid: expected a name that Redshift has no column of its own"),
    ("tables.pg_class", {"columns": {"a": "int"}}, "tables.pg_class: expected a name that Redshift keeps for no table"),
    ("tables.svv_tables", {"columns": {"a": "int"}}, "tables.svv_tables: expected a name that Redshift keeps for no"),
    (f"{EVENTS}.colums", {}, f"{EVENTS}.colums: expected one of columns, kind, partition"),
    (f"{EVENTS}.columns.user_id", "string(0)", f"{EVENTS}.columns.user_id: {A_SIZED_TYPE}, found 'string(0)'"),
    (f"{EVENTS}.columns.user_id", "string(65536)", f"{EVENTS}.columns.user_id: {A_SIZED_TYPE}, found 'string(65536"),
    (f"{EVENTS}.columns.user_id", "string(1,2)", f"{EVENTS}.columns.user_id: {A_SIZED_TYPE}, found 'string(1,2)'"),
    (f"{EVENTS}.columns.user_id", "decimal", f"{EVENTS}.columns.user_id: {A_SIZED_TYPE}, found 'decimal'"),
    (f"{EVENTS}.columns.user_id", "decimal(39,2)", f"{EVENTS}.columns.user_id: {A_SIZED_TYPE}, found 'decimal(39,2)"),
    (f"{EVENTS}.columns.user_id", "decimal(4,5)", f"{EVENTS}.columns.user_id: {A_SIZED_TYPE}, found 'decimal(4,5)'"),
    (f"{EVENTS}.columns.user_id", "int(5)", f"{EVENTS}.columns.user_id: {A_SIZED_TYPE}, found 'int(5)'"),
    (f"{EVENTS}.columns.event_date", None, f"{EVENTS}.partition: expected columns of the table (user_id), found"),
    (f"{EVENTS}.partition", "day", f"{EVENTS}.partition: expected columns of the table (user_id, event_date), found"),
    (f"{EVENTS}.partition", ["user_id", "event_date"], f"{EVENTS}.partition: expected one column, found"),
    (f"{EVENTS}.kind", "fact", f"{EVENTS}.kind: expected facts or latest or additive, found 'fact' (did you mean f"),
    (EVENTS, {"columns": {"x": "double"}, "partition": "x"}, f"{EVENTS}.partition: expected a column of the table"),
    (EVENTS, {"columns": {"x": "string"}, "partition": "x"}, f"{EVENTS}.partition: expected a column of the table"),
    (f"{EVENTS}.deduplicate", "id", f"{EVENTS}.deduplicate: expected columns of the table (user_id, event_date)"),
    (f"{EVENTS}.sort", {"by": "user_id"}, f"{EVENTS}.sort: expected columns of the table"),
    (f"{EVENTS}.dist", "id", f"{EVENTS}.dist: expected columns of the table"),
    (f"{EVENTS}.sums", ["user_id"], f"{EVENTS}.sums: expected the columns that add up, for a table of kind additive"),
    (f"{ACTIVITY}.sums", None, f"{ACTIVITY}.sums: expected the columns that add up, for a table of kind additive"),
    (f"{ACTIVITY}.sums", ["clicks"], f"{ACTIVITY}.sums: expected columns of the table"),
    (f"{ACTIVITY}.sums", ["user_id"], f"{ACTIVITY}.sums: expected columns of type int, bigint, double, decimal"),
    (f"{ACTIVITY}.columns.user_id", None, f"{ACTIVITY}.sums: expected at least one column that is not summed"),
    (f"{ACTIVITY}.deduplicate", "user_id", f"{ACTIVITY}.deduplicate: expected a key only for a table of kind facts or"),
    (f"{EVENTS}.day", "user_id", f"{EVENTS}.day: expected columns of the table (event_date), found 'user_id'"),
    (f"{EVENTS}.kind", "latest", f"{EVENTS}.key: expected the column of which the latest row is shown, for a table of"),
    (f"{EVENTS}.key", "user_id", f"{EVENTS}.key: expected a key only for a table of kind latest, found 'user_id'"),
    (f"{EVENTS}.deduplication_window", "7d",
     f"{EVENTS}.deduplication_window: expected a key only beside `deduplicate`, found '7d'"),
    (f"{EVENTS}.ratios", {"a": "b / c"}, f"{EVENTS}.ratios: expected a key only for a table of kind additive, found"),
    (f"{ACTIVITY}.ratios", {"rate": "events"}, f"{ACTIVITY}.ratios.rate: expected a new column as a"),
    (f"{ACTIVITY}.ratios", {"ctid": "events/events"}, f"{ACTIVITY}.ratios.ctid: expected a name that Redshift has no"),
    (f"{ACTIVITY}.ratios", {"events": "events/events"}, f"{ACTIVITY}.ratios.events: expected a new column as a"),
    (f"{EVENTS}.kind", "report", f"{EVENTS}.kind: expected facts or latest or additive, found 'report'"),
    ("format", {"header": False}, "format.header: expected a key only for the types csv and tsv, found False"),
    ("format", {"type": "csv", "header": "no"}, "format.header: expected true or false, found 'no'"),
    ("format", {"type": "csv", "delimiter": "||"}, "format.delimiter: expected one ASCII character that is neither"),
    ("format", {"type": "csv", "encoding": "utf-9"}, "format.encoding: expected the name of an encoding, such as"),
    ("format", {"type": "csv", "encoding": "base64"}, "format.encoding: expected the name of an encoding, such as"),
    ("format", {"type": "csv", "nulls": "?"}, "format.nulls: expected a list of texts, found '?'"),
    ("format", {"type": "csv", "encoding": "idna"}, "format.encoding: expected the name of an encoding, such as"),
    ("format", {"type": "csv", "encoding": "undefined"}, "format.encoding: expected the name of an encoding, such as"),
    ("format", {"type": "csv", "delimiter": "\0"}, "format.delimiter: expected one ASCII character that is neither"),
    ("format", {"type": "csv", "delimiter": " ", "trim": True}, "format.delimiter: expected another character than"),
    ("load", {"every": "9" * 30 + "d"}, "load.every: expected a duration of at most 36500d, found '999"),
    ("batch", {"max_wait": "36501d"}, "batch.max_wait: expected a duration of at most 36500d, found '36501d'"),
    (f"{EVENTS}.sort", ["user_id", "user_id"], f"{EVENTS}.sort: expected each column once, found user_id, user_id"),
    (EVENTS, {"columns": {f"c{n}": "int" for n in range(1_595)}}, f"{EVENTS}.columns: expected at most 1594 columns"),
    (f"{EVENTS}.deduplicate", "event_date", f"{EVENTS}.deduplicate: expected a field of the record, found 'event_d"),
    ("record.user_id", {"type": "string(2)", "values": ["ok", "view"]}, "record.user_id.values: expected texts that s"),
    ("record.user_id", {"type": "string(2)", "values": ["é", "\0"]}, "record.user_id.values: expected texts that str"),
    ("batch", {"max_files": 0}, "batch.max_files: expected a whole number from 1, found 0"),
    ("batch", {"max_running": True}, "batch.max_running: expected a whole number from 1, found True"),
    ("batch", {"max_bytes": "256 miles"}, "batch.max_bytes: expected a size such as 256MB, found '256 miles'"),
    ("batch", {"max_bytes": "0MB"}, "batch.max_bytes: expected a size such as 256MB, found '0MB'"),
    ("batch", {"max_wait": 60}, "batch.max_wait: expected a duration such as 60s, 5m, 1h, found 60"),
    ("batch", {"max_age": "60s"}, "batch.max_age: expected one of max_files, max_bytes, max_wait, max_running"),
    ("load", {"every": "often"}, "load.every: expected a duration such as 60s, 5m, 1h, found 'often'"),
    ("on_overwrite", "merge", "on_overwrite: expected supersede or append or ignore, found 'merge'"),
    ("tolerance", 1.5, "tolerance: expected a share from 0 to 1, found 1.5"),
    ("tolerance", float("nan"), "tolerance: expected a share from 0 to 1, found nan"),
    ("tolerance", True, "tolerance: expected a share from 0 to 1, found True"),
]  # fmt: skip


def changed(declaration: dict[str, Any], place: str, value: Any) -> dict[str, Any]:
    """The declaration with another value at a dotted place; None takes the key out."""
    result = deepcopy(declaration)
    *path, last = place.split(".")
    inner = result
    for step in path:
        inner = inner[step]
    inner[last] = value
    if value is None:
        del inner[last]
    return result


@pytest.mark.parametrize(("place", "value", "error"), WRONG, ids=[f"{one[0]}={one[1]!r:.60}" for one in WRONG])
def test_a_wrong_declaration_says_where_expected_and_found(
    declaration: dict[str, Any], place: str, value: Any, error: str
) -> None:
    """Whoever mistypes a declaration is told the key, what may stand there, and what does."""
    with pytest.raises(DeclarationError) as raised:
        parse_dataset(changed(declaration, place, value))
    assert str(raised.value).startswith(error)


@pytest.mark.parametrize("declared", [None, [], "web_logs", 7])
def test_a_declaration_is_a_mapping(declared: object) -> None:
    """An empty file or a list is refused, not taken for a dataset of defaults."""
    with pytest.raises(DeclarationError, match="expected a mapping, found"):
        parse_dataset(declared)


def test_what_is_left_out_has_a_default(dataset: Dataset) -> None:
    """Four keys make a dataset; batches then wait a minute and loads five."""
    assert (dataset.transform, dataset.on_overwrite, dataset.tolerance) == ("web_logs", "supersede", 0.0)
    assert (dataset.batch.max_files, dataset.batch.max_bytes) == (1_000, 256 << 20)
    assert (dataset.batch.max_wait, dataset.load.every) == (timedelta(minutes=1), timedelta(minutes=5))
    assert (dataset.format.type, dataset.format.compression) == ("json", "auto")


def test_policies_are_read_with_their_units(declaration: dict[str, Any]) -> None:
    """Sizes and durations are written as people write them."""
    batch = {"max_files": 5, "max_bytes": "64 mb", "max_wait": "2h", "max_running": 1}
    found = parse_dataset({**declaration, "batch": batch, "load": {"every": "1d"}, "tolerance": 1})
    assert (found.batch.max_files, found.batch.max_running, found.batch.max_bytes) == (5, 1, 64 << 20)
    assert (found.batch.max_wait, found.load.every) == (timedelta(hours=2), timedelta(days=1))


def test_a_field_is_a_type_or_a_mapping_with_one(dataset: Dataset) -> None:
    """The short form is an optional field."""
    assert dataset.record == (
        Field("user_id", ColumnType("string", (256,)), required=True),
        Field("bytes_sent", ColumnType("bigint")),
    )
    assert dataset.required == ("user_id",)


def test_a_field_may_say_all_that_its_values_are(declaration: dict[str, Any]) -> None:
    """An enumeration is a string field with its values, in the order in which they are declared."""
    event_type = {"type": "string(16)", "values": ["view", "click"]}
    found = parse_dataset(changed(declaration, "record.event_type", event_type))
    assert found.record[-1] == Field("event_type", ColumnType("string", (16,)), values=("view", "click"))


def test_two_tables_are_not_stored_under_one_name(declaration: dict[str, Any]) -> None:
    """Facts named like the store of an additive table would be deleted and filled by both."""
    facts = {"columns": {"user_id": "int"}}
    declaration["tables"]["user_activity_by_batch"] = facts
    with pytest.raises(DeclarationError, match=r"^tables.user_activity_by_batch: expected a name of its own"):
        parse_dataset(declaration)


def test_a_dataset_has_no_more_tables_than_one_load_takes(declaration: dict[str, Any]) -> None:
    """All tables of a batch are loaded in one transaction of at most 40 statements."""
    declaration["tables"] = {f"t{number}": {"columns": {"user_id": "int"}} for number in range(9)}
    with pytest.raises(DeclarationError, match=r"^tables: expected tables that 40 statements load .*, found 41 for 9"):
        parse_dataset(declaration)


def test_tables_of_the_latest_row_count_for_more(declaration: dict[str, Any]) -> None:
    """They are stored and shown, by seven statements each: five fit one load, six do not."""
    homes = {"kind": "latest", "key": "home_id", "columns": {"home_id": "int"}}
    declaration["tables"] = {f"t{number}": homes for number in range(5)}
    assert len(parse_dataset(declaration).tables) == 5
    declaration["tables"]["t5"] = homes
    with pytest.raises(DeclarationError, match=r"^tables: expected tables that 40 statements load .*, found 47 for 6"):
        parse_dataset(declaration)


def test_a_field_may_declare_what_its_numbers_count(declaration: dict[str, Any]) -> None:
    """And a format where the records are; without a word, numbers are told by size and objects are the records."""
    declaration["record"]["at"] = {"type": "timestamp", "unit": "ms"}
    declaration["format"] = {"records": "$.Records[*]"}
    found = parse_dataset(declaration)
    assert {field.name: field.unit for field in found.record if field.unit} == {"at": "ms"}
    assert found.format.records == ("Records", None)
    assert Format().records == ()


def test_all_mistakes_are_told_at_once(declaration: dict[str, Any]) -> None:
    """In every part, each with its place; what hangs on a part that is wrong is not blamed for it."""
    wrong = {**declaration, "prefix": "/web/", "tolerance": 2, "colour": "red", "every_": 1}
    wrong["record"] = {"user_id": "text", "bytes_sent": "integer"}
    wrong["tables"]["web_events"] = {"columns": {"a": "text", "b": "integer"}, "partition": "c", "kind": "fact"}
    wrong["tables"]["user_activity"]["sums"] = ["event"]
    wrong["tables"]["user_activity"]["sort"] = ["user"]
    with pytest.raises(DeclarationError, match=r"and 10 more") as raised:
        parse_dataset(wrong)
    assert [".".join(map(str, error.where)) for error in raised.value.all] == [
        "colour", "every_", "prefix", "record.user_id", "record.bytes_sent", "tolerance",
        f"{EVENTS}.kind", f"{EVENTS}.columns.a", f"{EVENTS}.columns.b", f"{ACTIVITY}.sums", f"{ACTIVITY}.sort",
    ]  # fmt: skip


@pytest.mark.parametrize("format_", [None, {"type": "parquet"}])
def test_a_name_with_a_dot_is_declared_as_a_list_of_one(declaration: dict[str, Any], format_: Any) -> None:
    """Because `a.b` is a path."""
    given = changed(declaration, "record.user_id.from", ["user.id"]) | ({"format": format_} if format_ else {})
    assert parse_dataset(given).record[0].raw == "user.id"


def test_a_path_leads_into_the_record(declaration: dict[str, Any]) -> None:
    """It is shown in one spelling; a single name in brackets is a name."""
    paths = {"user.id": ("user", "id"), "$.items[0]['s k u']": ("items", 0, "s k u"), '["user.id"]': ()}
    for text, path in paths.items():
        [field, *_] = parse_dataset(changed(declaration, "record.user_id.from", text)).record
        assert field.path == path
        assert field.raw == (written_path(path) if path else "user.id")
        assert field.steps == (path or ("user.id",))


def test_a_dot_in_a_header_is_a_dot(declaration: dict[str, Any]) -> None:
    """Delimited files have nothing inside a field."""
    given = changed(declaration, "record.user_id.from", "user.id") | {"format": {"type": "csv"}}
    assert parse_dataset(given).record[0].raw == "user.id"


@pytest.mark.parametrize("prefix", ["a/", "year=2026/a b+c%20/", "ü/{x}/[y]/", "a../b.c/", "x" * 1_022 + "/"])
def test_any_prefix_that_keys_can_have_is_fine(declaration: dict[str, Any], prefix: str) -> None:
    """Keys hold what a writer likes."""
    assert parse_dataset({**declaration, "prefix": prefix}).owns(f"{prefix}1.json")


@pytest.mark.parametrize("kind", ["string(1024)", "int", "bigint", "decimal(38,2)", "boolean", "date", "timestamp"])
def test_a_column_of_distinct_values_partitions(declaration: dict[str, Any], kind: str) -> None:
    """All types but double, and texts that fit a footer."""
    declared = changed(declaration, EVENTS, {"columns": {"v": kind}, "partition": "v"})
    assert parse_dataset(declared).table("web_events").partition == "v"


def test_the_declaration_is_kept_for_the_job(declaration: dict[str, Any]) -> None:
    """The spec that a job gets carries the declaration as it was written."""
    assert parse_dataset(declaration).declared == declaration


@pytest.mark.parametrize(
    ("format_", "fields", "error"),
    [
        ({}, {"a": {"type": "string(9)", "values": ["x", ""]}}, "record.a.values: expected values that are not null"),
        (
            {"nulls": ["NA"]},
            {"a": {"type": "string(9)", "values": ["NA"]}},
            "record.a.values: expected values that are",
        ),
        (
            {"trim": True},
            {"a": {"type": "string(9)", "values": [" x"]}},
            "record.a.values: expected values without bla",
        ),
        ({"header": False}, {"a": {"type": "int", "from": "b"}, "b": "int"}, "record.b: expected a column of its own"),
        ({}, {"a": {"type": "int", "from": " a"}}, "record.a.from: expected a name without blanks around it"),
    ],
)
def test_what_no_csv_can_hold_is_refused(
    declaration: dict[str, Any], format_: dict[str, Any], fields: dict[str, Any], error: str
) -> None:
    """Each record would be rejected, or its fields be mixed up; in JSON the same texts are values like others."""
    of_csv = {**declaration, "format": {"type": "csv", **format_}, "record": fields}
    with pytest.raises(DeclarationError) as raised:
        parse_dataset(of_csv)
    assert str(raised.value).startswith(error)
    assert parse_dataset({**of_csv, "format": {"type": "json"}}).record


def test_all_tables_that_keep_records_keep_the_same(declaration: dict[str, Any]) -> None:
    """Else a run would find it out, and the batch be set aside."""
    declaration["tables"] = {
        "a": {"columns": {"user_id": "string"}, "deduplicate": "user_id"},
        "b": {"columns": {"user_id": "string"}},
        "c": {"kind": "latest", "columns": {"user_id": "string"}, "key": "user_id", "deduplicate": "user_id"},
    }
    with pytest.raises(DeclarationError) as raised:
        parse_dataset(declaration)
    expected = "tables.b.deduplicate: expected user_id as of a, for all keep the same rows, found none"
    assert [str(error) for error in raised.value.all] == [expected]
