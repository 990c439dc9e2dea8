"""COPY from a Parquet manifest, over moto's S3, through the Data API."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from local.redshift.data_api import RedshiftDataApp
from tests.local.stand_ins import Events, client, moto, served

ROLE = "arn:aws:iam::123456789012:role/CopyRole"
DDL = (
    "CREATE TABLE x (user_id VARCHAR(8), status INTEGER, bytes BIGINT, ratio DOUBLE PRECISION, amount DECIMAL(12,2),"
    " ok BOOLEAN, day DATE, at TIMESTAMP)"
)
SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("status", pa.int32()),
        ("bytes", pa.int64()),
        ("ratio", pa.float64()),
        ("amount", pa.decimal128(12, 2)),
        ("ok", pa.bool_()),
        ("day", pa.date32()),
        ("at", pa.timestamp("us", tz="UTC")),
    ]
)
ROW = ("u1", 200, 2**40, 0.5, Decimal("1.50"), True, date(2026, 11, 20), datetime(2026, 11, 20, 7, 5, 0, 250, UTC))
LOADED = (*ROW[:7], datetime(2026, 11, 20, 7, 5, 0, 250))  # noqa: DTZ001 - TIMESTAMP has no zone


class Lake:
    """A bucket, a warehouse, and COPY between them."""

    def __init__(self, s3: Any, redshift: Any, app: RedshiftDataApp) -> None:
        self.s3, self.redshift, self.app = s3, redshift, app

    def put(self, key: str, table: pa.Table, codec: str = "snappy") -> dict[str, Any]:
        """Write a Parquet object; its entry for a manifest."""
        sink = BytesIO()
        pq.write_table(table, sink, compression=codec)
        self.s3.put_object(Bucket="lake", Key=key, Body=sink.getvalue())
        size = len(sink.getvalue())
        return {"url": f"s3://lake/{key}", "mandatory": True, "meta": {"content_length": size}}

    def copy(
        self, *entries: dict[str, Any], options: str = "FORMAT AS PARQUET MANIFEST", into: str = "x"
    ) -> dict[str, Any]:
        """COPY what the entries list; the answer of DescribeStatement."""
        self.s3.put_object(Bucket="lake", Key="m.manifest", Body=json.dumps({"entries": list(entries)}).encode())
        return self.run(f"COPY {into} FROM 's3://lake/m.manifest' IAM_ROLE '{ROLE}' {options}")

    def run(self, *sqls: str) -> dict[str, Any]:
        made = self.redshift.batch_execute_statement(Sqls=list(sqls), WorkgroupName="wg1", Database="dev")
        return dict(self.redshift.describe_statement(Id=made["Id"], WaitTimeSeconds=10))

    def rows(self, sql: str = "SELECT * FROM x") -> list[tuple[Any, ...]]:
        session = self.app.warehouse.session()
        try:
            return list(session.cursor.execute(sql).fetchall())
        finally:
            session.close()


@pytest.fixture(scope="module")
def bucket() -> Iterator[Any]:
    with moto() as url:
        s3 = client("s3", url)
        s3.create_bucket(Bucket="lake")
        yield s3


@pytest.fixture
def lake(bucket: Any, tmp_path: Path) -> Iterator[Lake]:
    app = RedshiftDataApp(Events(), tmp_path / "warehouse.duckdb", s3=lambda _: bucket)
    with served(app) as url:
        lake = Lake(bucket, client("redshift-data", url), app)
        lake.run(DDL)
        yield lake
    app.close()


def rows_table(*rows: tuple[Any, ...], schema: pa.Schema = SCHEMA) -> pa.Table:
    columns = [pa.array([row[i] for row in rows], field.type) for i, field in enumerate(schema)]
    return pa.Table.from_arrays(columns, schema=schema)


def failed(done: dict[str, Any]) -> str:
    assert done["Status"] == "FAILED"
    return str(done["Error"])


def test_every_type_is_loaded(lake: Lake) -> None:
    """A file of matching types is loaded whole, NULLs included, and the rows are counted."""
    done = lake.copy(lake.put("a.parquet", rows_table(ROW, (None,) * 8)))
    assert (done["Status"], done["ResultRows"]) == ("FINISHED", 2), done.get("Error")
    assert lake.rows("SELECT * FROM x ORDER BY user_id") == [LOADED, (None,) * 8]


def test_columns_are_taken_by_position(lake: Lake) -> None:
    """Names in the files mean nothing, also when they differ between files."""
    renamed = rows_table(ROW).rename_columns(list("hgfedcba"))
    done = lake.copy(lake.put("a.parquet", rows_table(ROW)), lake.put("b.parquet", renamed))
    assert done["ResultRows"] == 2
    assert lake.rows() == [LOADED, LOADED]


def test_named_columns_are_filled(lake: Lake) -> None:
    """A column list names the targets in the file's order; the others stay NULL."""
    table = pa.table({"x": pa.array([7], pa.int32()), "y": ["u1"]})
    lake.copy(lake.put("a.parquet", table), into="x (status, user_id)")
    assert lake.rows("SELECT user_id, status, bytes FROM x") == [("u1", 7, None)]


def test_a_file_listed_twice_is_loaded_twice(lake: Lake) -> None:
    """COPY appends all listed files, and does not remember those it has loaded."""
    entry = lake.put("a.parquet", rows_table(ROW))
    assert lake.copy(entry, entry)["ResultRows"] == 2
    lake.copy(entry)
    assert len(lake.rows()) == 3


def test_a_stage_is_filled_inside_a_batch(lake: Lake) -> None:
    """COPY works into a temporary table of the same batch, and a later failure undoes what was made of it."""
    entry = lake.put("a.parquet", rows_table(ROW))
    lake.s3.put_object(Bucket="lake", Key="m.manifest", Body=json.dumps({"entries": [entry]}).encode())
    copy = f"COPY stage FROM 's3://lake/m.manifest' IAM_ROLE '{ROLE}' FORMAT AS PARQUET MANIFEST"
    sqls = ["CREATE TEMP TABLE stage (LIKE x)", copy, "INSERT INTO x SELECT * FROM stage"]
    assert lake.run(*sqls, "SELECT 1/0")["Status"] == "FAILED"
    assert lake.rows() == []
    assert lake.run(*sqls)["Status"] == "FINISHED"
    assert lake.rows() == [LOADED]


@pytest.mark.parametrize(
    ("column", "kind", "value"),
    [
        ("status", pa.int64(), 1),
        ("status", pa.uint32(), 1),
        ("bytes", pa.int32(), 1),
        ("ratio", pa.float32(), 1.0),
        ("amount", pa.decimal128(12, 3), Decimal("1.5")),
        ("amount", pa.decimal128(10, 2), Decimal("1.5")),
        ("amount", pa.int64(), 1),
        ("day", pa.timestamp("us"), datetime(2026, 11, 20, tzinfo=UTC)),
        ("at", pa.timestamp("ms"), datetime(2026, 11, 20, tzinfo=UTC)),
        ("at", pa.date32(), date(2026, 11, 20)),
        ("user_id", pa.binary(), b"u"),
        ("user_id", pa.list_(pa.string()), ["u"]),
        ("ok", pa.string(), "true"),
    ],
)
def test_types_must_match(lake: Lake, column: str, kind: pa.DataType, value: Any) -> None:
    """A column of another type, width, sign, precision or unit fails by name and loads nothing."""
    number = SCHEMA.get_field_index(column)
    schema = SCHEMA.set(number, pa.field(column, kind))
    entry = lake.put("a.parquet", rows_table((*ROW[:number], value, *ROW[number + 1 :]), schema=schema))
    words = failed(lake.copy(lake.put("good.parquet", rows_table(ROW)), entry))
    assert f"has an incompatible Parquet schema for column 'x.{column}'" in words
    assert "s3://lake/a.parquet" in words
    assert lake.rows() == []


def test_small_integers_are_loaded(lake: Lake) -> None:
    """SMALLINT takes INT32 with its annotation, as Spark's short writes it."""
    lake.run("CREATE TABLE small (a SMALLINT)")
    assert lake.copy(lake.put("a.parquet", pa.table({"a": pa.array([7], pa.int16())})), into="small")["ResultRows"] == 1


def test_the_number_of_columns_must_match(lake: Lake) -> None:
    """One column more or less fails with both numbers and the file."""
    entry = lake.put("a.parquet", rows_table(ROW).drop_columns(["at"]))
    words = failed(lake.copy(entry))
    assert "Table columns: 8, Data columns: 7, File name: s3://lake/a.parquet" in words


def test_texts_are_measured_in_bytes(lake: Lake) -> None:
    """Eight bytes fit VARCHAR(8), five umlauts do not; the error names column, sizes and file."""
    fits = lake.put("a.parquet", rows_table(("öööö", *ROW[1:])))
    assert lake.copy(fits)["ResultRows"] == 1
    words = failed(lake.copy(fits, lake.put("b.parquet", rows_table(("ööööö", *ROW[1:])))))
    assert "The length of the data column user_id is longer than the length defined in the table" in words
    assert "Table: 8, Data: 10, File name: s3://lake/b.parquet" in words


def test_the_manifest_tells_the_exact_size(lake: Lake) -> None:
    """A missing or wrong content_length fails."""
    entry = lake.put("a.parquet", rows_table(ROW))
    assert "meta.content_length" in failed(lake.copy({"url": entry["url"], "mandatory": True}))
    wrong = entry | {"meta": {"content_length": 17}}
    assert "content_length 17 of s3://lake/a.parquet does not match" in failed(lake.copy(wrong))


def test_missing_files_count_if_mandatory(lake: Lake) -> None:
    """A missing mandatory file fails, another is left out, and with no file left COPY fails."""
    missing = {"url": "s3://lake/none.parquet", "mandatory": False, "meta": {"content_length": 1}}
    assert lake.copy(lake.put("a.parquet", rows_table(ROW)), missing)["ResultRows"] == 1
    assert "NoSuchKey, mandatory file s3://lake/none.parquet" in failed(lake.copy(missing | {"mandatory": True}))
    assert "no file of the manifest was found" in failed(lake.copy(missing))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("CSV MANIFEST", "only FORMAT AS PARQUET"),
        ("FORMAT AS JSON 'auto' MANIFEST", "only FORMAT AS PARQUET"),
        ("FORMAT AS PARQUET", "only MANIFEST"),
        ("FORMAT AS PARQUET MANIFEST MAXERROR 5", "MAXERROR argument is not supported for PARQUET based COPY"),
        ("FORMAT AS PARQUET MANIFEST GZIP", "GZIP argument is not supported for PARQUET based COPY"),
        ("FORMAT AS PARQUET MANIFEST COMPUPDATE OFF", "COMPUPDATE argument is not supported for PARQUET based COPY"),
        ("FORMAT AS PARQUET MANIFEST REGION 'us-east-1'", "REGION argument is not supported for PARQUET based COPY"),
        ("FORMAT AS PARQUET MANIFEST TRUNCATECOLUMNS", "TRUNCATECOLUMNS argument is not supported for PARQUET based"),
        ("FORMAT AS PARQUET MANIFEST ACCEPTANYDATE", "ACCEPTANYDATE argument is not supported for PARQUET based COPY"),
        ("FORMAT AS PARQUET MANIFEST FILLRECORD", "FILLRECORD is not supported by the local warehouse"),
    ],
)
def test_other_formats_and_options_are_refused(lake: Lake, options: str, words: str) -> None:
    """Only Parquet with a manifest is supported, and no option is silently ignored."""
    assert words in failed(lake.copy(lake.put("a.parquet", rows_table(ROW)), options=options))


@pytest.mark.parametrize("options", ["", " STATUPDATE OFF", " STATUPDATE"])
def test_statistics_may_be_asked_for(lake: Lake, options: str) -> None:
    """STATUPDATE is among the options that AWS lists for columnar formats."""
    entry = lake.put("a.parquet", rows_table(ROW))
    assert lake.copy(entry, options=f"FORMAT AS PARQUET MANIFEST{options}")["Status"] == "FINISHED"


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip"])
def test_documented_codecs_are_read(lake: Lake, codec: str) -> None:
    """AWS names gzip and Snappy for columnar files."""
    assert lake.copy(lake.put("a.parquet", rows_table(ROW), codec))["ResultRows"] == 1


@pytest.mark.parametrize("codec", ["zstd", "lz4", "brotli"])
def test_undocumented_codecs_are_refused(lake: Lake, codec: str) -> None:
    """No page of AWS says that COPY reads these pages, so what is loaded here would perhaps not be loaded there."""
    entries = [lake.put("a.parquet", rows_table(ROW)), lake.put("b.parquet", rows_table(ROW), codec)]
    words = failed(lake.copy(*entries))
    assert f"File 's3://lake/b.parquet' has pages compressed with {codec.upper()}" in words
    assert lake.rows() == []


def test_a_role_is_required(lake: Lake) -> None:
    """COPY without IAM_ROLE fails."""
    assert "IAM_ROLE is required" in failed(lake.run("COPY x FROM 's3://lake/m.manifest' FORMAT AS PARQUET MANIFEST"))


@pytest.mark.parametrize("body", [b"not json", b"{}", b'{"entries": []}', b'{"entries": [{}]}'])
def test_a_broken_manifest_fails(lake: Lake, body: bytes) -> None:
    """The error for a manifest that is missing, not JSON, or empty names its URI."""
    lake.s3.put_object(Bucket="lake", Key="broken", Body=body)
    copy = "COPY x FROM 's3://lake/{}' IAM_ROLE default FORMAT AS PARQUET MANIFEST"
    assert "s3://lake/broken" in failed(lake.run(copy.format("broken")))
    assert "NoSuchKey" in failed(lake.run(copy.format("nowhere")))


def test_what_is_not_parquet_fails(lake: Lake) -> None:
    """An object of another format fails as a scan error, not as a crash."""
    lake.s3.put_object(Bucket="lake", Key="text", Body=b"hello")
    entry = {"url": "s3://lake/text", "mandatory": True, "meta": {"content_length": 5}}
    assert "not Parquet" in failed(lake.copy(entry))


def test_copy_reads_as_its_role_and_only_as_one_that_is_there(bucket: Any, tmp_path: Path) -> None:
    """The client belongs to the role of the statement; for an unknown role, Redshift gets no credentials."""
    roles = {ROLE: bucket}
    app = RedshiftDataApp(Events(), tmp_path / "warehouse.duckdb", s3=roles.__getitem__)
    with served(app) as url:
        lake = Lake(bucket, client("redshift-data", url), app)
        lake.run(DDL)
        assert lake.copy(lake.put("a.parquet", rows_table(ROW)))["Status"] == "FINISHED"
        roles.clear()
        error = failed(lake.copy(lake.put("a.parquet", rows_table(ROW))))
    app.close()
    assert f"Not authorized to get credentials of role {ROLE}" in error
