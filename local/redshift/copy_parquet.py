"""COPY … FORMAT AS PARQUET MANIFEST, as strict as Redshift: columns by position, exact types, lengths in bytes.

What AWS does not document is refused too: a codec of the pages, or an option (docs/aws-facts.md#copy-from-parquet).

The warehouse's own connection may not read files. A second DuckDB, which never runs a caller's SQL, reads them and
passes the rows on.
"""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import duckdb
from botocore.exceptions import ClientError

from local.redshift.plans import Copy
from local.redshift.tables import Column, SqlError, filled_columns, quoted
from tidemark.core.files import split_uri

IGNORED_OPTIONS: Final = {"STATUPDATE"}  # DuckDB has no statistics of Redshift's
#: Redshift takes these too, but they are not played.
UNPLAYED_OPTIONS: Final = {"ACCEPTINVCHARS", "CREDENTIALS", "EXPLICIT_IDS", "FILLRECORD", "SERIALIZETOJSON"}
CODECS: Final = {"UNCOMPRESSED", "SNAPPY", "GZIP"}  # documented for COPY; bzip2 is no codec of Parquet
CONNECTIONS: Final = 8
ROWS: Final = "tidemark_copied_rows"  # name under which the warehouse's connection sees the rows to insert
S3 = Callable[[str], Any]  # ARN of a role → a boto3 client that calls as this role; KeyError for an unknown role


@dataclass(frozen=True)
class Source:
    """One downloaded file of the manifest."""

    uri: str
    path: Path


@dataclass(frozen=True)
class Leaf:
    """A column of a Parquet file, as its footer describes it."""

    name: str
    physical: str | None  # None for nested columns
    converted: str | None
    logical: str | None
    precision: int | None
    scale: int | None

    @property
    def is_signed(self) -> bool:
        return self.converted is None or self.converted.startswith("INT_")

    @property
    def text(self) -> str:
        size = f" ({self.precision},{self.scale})" if self.converted == "DECIMAL" else ""
        return f"optional {(self.physical or 'group').lower()} {self.name} [{self.converted or 'none'}{size}]"


def copy(cursor: Any, plan: Copy, s3: S3) -> int:
    """Load the manifest's files into the table; the number of rows. SqlError with Redshift's wording."""
    check_options(plan)
    target = filled_columns(cursor, plan.table, plan.columns)
    client = _client_of(s3, plan.iam_role)
    entries = read_manifest(client, plan.uri)
    with tempfile.TemporaryDirectory(prefix="tidemark-copy-") as folder, closing(parquet_reader()) as files:
        sources = fetch(client, entries, Path(folder))
        layouts = read_layouts(files, sources)
        for source in sources:
            check_layout(source, layouts[source.path.name], target, str(plan.table))
        check_codecs(files, sources)
        return sum(insert(cursor, files, plan, target, group) for group in by_column_names(sources, layouts))


def _client_of(s3: S3, role_arn: str) -> Any:
    try:
        return s3(role_arn)
    except KeyError as error:
        raise SqlError(f"Not authorized to get credentials of role {role_arn}") from error


def parquet_reader() -> Any:
    """An empty DuckDB that reads Parquet files."""
    files = duckdb.connect()
    files.execute("SET TimeZone = 'UTC'")
    return files


def check_options(plan: Copy) -> None:
    """Raises SqlError for formats and options other than those of COPY from Parquet with a manifest."""
    options = dict(plan.options)
    format_ = options.pop("FORMAT", None)
    if format_ is None or format_.upper() != "PARQUET":
        raise SqlError(f"COPY: only FORMAT AS PARQUET is supported, found {format_ or ' '.join(options) or 'none'}")
    if options.pop("MANIFEST", None) is None:
        raise SqlError("COPY: only MANIFEST sources are supported")
    others = [option for option in options if option not in {*IGNORED_OPTIONS, "ON", "OFF"}]
    if set(others) & UNPLAYED_OPTIONS:
        raise SqlError(f"COPY: {' '.join(others)} is not supported by the local warehouse")
    if others:
        raise SqlError(f"{others[0]} argument is not supported for PARQUET based COPY")


# ---- files


def read_manifest(client: Any, uri: str) -> list[dict[str, Any]]:
    """The manifest's entries, each with a url and, as Redshift requires for Parquet, its exact content_length."""
    bucket, key = source_named(uri)
    try:
        manifest = json.loads(client.get_object(Bucket=bucket, Key=key)["Body"].read())
        entries = manifest["entries"]
        broken = [e for e in entries if not isinstance(e["url"], str)]
    except ClientError as error:
        raise SqlError(f"Problem reading manifest file - S3ServiceException:{_reason(error)} {uri}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise SqlError(f"Manifest file is not in correct json format: {uri}") from error
    if broken or not entries:
        raise SqlError(f"Manifest file does not contain any entries: {uri}")
    for entry in entries:
        if not isinstance(entry.get("meta", {}).get("content_length"), int):
            raise SqlError(f"Manifest file entry has no meta.content_length: {entry['url']}")
    return list(entries)


def source_named(uri: str) -> tuple[str, str]:
    """`s3://bucket/key` → ("bucket", "key"); SqlError for anything else."""
    bucket, key = split_uri(uri)
    if not uri.startswith("s3://") or not bucket or not key:
        raise SqlError(f"COPY source {uri!r} is not an s3:// object")
    return bucket, key


def fetch(client: Any, entries: Sequence[Mapping[str, Any]], folder: Path) -> list[Source]:
    """Download the objects that the entries list, each as often as it is listed.

    A missing object is skipped, or is an SqlError if its entry is mandatory.
    """
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        paths = (folder / f"{number:05}.parquet" for number in range(len(entries)))
        downloads = pool.map(lambda job: _fetch_one(client, *job), zip(entries, paths, strict=False))
        sources = [source for source in downloads if source]
    if not sources:
        raise SqlError("The specified S3 prefix does not exist: no file of the manifest was found")
    return sources


def _fetch_one(client: Any, entry: Mapping[str, Any], path: Path) -> Source | None:
    bucket, key = source_named(entry["url"])
    try:
        path.write_bytes(client.get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError as error:
        if entry.get("mandatory") is True or _reason(error) not in ("NoSuchKey", "404"):
            raise SqlError(f"S3ServiceException:{_reason(error)}, mandatory file {entry['url']}") from error
        return None
    expected, size = entry["meta"]["content_length"], path.stat().st_size
    if size != expected:
        words = f"content_length {expected} of {entry['url']} does not match the object's size {size}"
        raise SqlError(f"Manifest file entry is wrong: {words}")
    return Source(entry["url"], path)


def _reason(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])


# ---- layout


def read_layouts(files: Any, sources: Sequence[Source]) -> dict[str, tuple[Leaf, ...]]:
    """The top-level columns of all files, by file name."""
    paths = [str(source.path) for source in sources]
    try:
        rows = files.execute(
            "SELECT file_name, name, type, converted_type, logical_type, precision, scale, num_children"
            " FROM parquet_schema(?)",
            [paths],
        ).fetchall()
    except Exception as error:
        raise SqlError(f"Spectrum Scan Error: a file is not Parquet: {error}") from error
    by_file = groupby(rows, key=lambda row: Path(row[0]).name)
    return {name: tuple(_leaves(row[1:] for row in group)) for name, group in by_file}


def _leaves(rows: Iterator[Any]) -> Iterator[Leaf]:
    """The root's children in a file's flattened schema, without the nested levels below them."""
    next(rows)
    inner = 0
    for name, physical, converted, logical, precision, scale, children in rows:
        if inner == 0:
            yield Leaf(name, physical, converted, logical, precision, scale)
        inner = max(inner - 1, 0) + (children or 0)


def check_layout(source: Source, leaves: Sequence[Leaf], target: Sequence[Column], table: str) -> None:
    """Raises SqlError unless the file's columns match the table's in number and, by position, in type."""
    if len(leaves) != len(target):
        numbers = f"Table columns: {len(target)}, Data columns: {len(leaves)}, File name: {source.uri}"
        raise SqlError(f"Spectrum Scan Error: Unmatched number of columns between table and file. {numbers}")
    for leaf, column in zip(leaves, target, strict=True):
        if not fits(leaf, column):
            raise SqlError(
                f"Spectrum Scan Error: File '{source.uri}' has an incompatible Parquet schema for column"
                f" '{table}.{column.name}'. Column type: {column.redshift_type}, Parquet schema:\n{leaf.text}"
            )


def fits(leaf: Leaf, column: Column) -> bool:
    """Whether Redshift accepts this Parquet column for this table column."""
    if column.type.startswith("DECIMAL"):
        return leaf.converted == "DECIMAL" and column.type == f"DECIMAL({leaf.precision},{leaf.scale})"
    match column.type:
        case "SMALLINT" | "INTEGER":
            return leaf.physical == "INT32" and leaf.is_signed
        case "BIGINT":
            return leaf.physical == "INT64" and leaf.is_signed
        case "TIMESTAMP" | "TIMESTAMP WITH TIME ZONE":
            return leaf.physical == "INT96" or leaf.converted == "TIMESTAMP_MICROS"
        case "VARCHAR":
            return leaf.converted in ("UTF8", "ENUM")
        case "DATE":
            return leaf.converted == "DATE"
        case "DOUBLE" | "FLOAT" | "BOOLEAN" as kind:
            return leaf.physical == kind
    return False


def check_codecs(files: Any, sources: Sequence[Source]) -> None:
    """Raises SqlError for a file whose pages have a codec that AWS does not document for COPY."""
    rows = files.execute(
        "SELECT DISTINCT file_name, compression FROM parquet_metadata(?) ORDER BY ALL",
        [[str(source.path) for source in sources]],
    ).fetchall()
    uris = {str(source.path): source.uri for source in sources}
    for path, codec in rows:
        if codec not in CODECS:
            raise SqlError(
                f"Spectrum Scan Error: File '{uris[path]}' has pages compressed with {codec}; AWS documents"
                f" {', '.join(sorted(CODECS))} for COPY"
            )


# ---- rows


def by_column_names(sources: Sequence[Source], layouts: Mapping[str, tuple[Leaf, ...]]) -> Iterator[list[Source]]:
    """Sources grouped by their column names, because DuckDB combines files by name but COPY goes by position."""

    def names(source: Source) -> tuple[str, ...]:
        return tuple(leaf.name for leaf in layouts[source.path.name])

    for _, group in groupby(sorted(sources, key=names), key=names):
        yield list(group)


def insert(cursor: Any, files: Any, plan: Copy, target: Sequence[Column], sources: Sequence[Source]) -> int:
    """Append the files' rows; the number of rows. SqlError for a text with too many bytes."""
    paths = [str(source.path) for source in sources]
    check_lengths(files, target, sources)
    aliases = ", ".join(f"c{number}" for number in range(len(target)))
    names = ", ".join(quoted(column.name) for column in target)
    rows = files.sql(
        f"SELECT * FROM (SELECT * FROM read_parquet(?, hive_partitioning = false)) AS file({aliases})", params=[paths]
    )
    cursor.register(ROWS, rows.to_arrow_reader())
    try:
        loaded = cursor.execute(f"INSERT INTO {plan.table.sql} ({names}) SELECT * FROM {ROWS}").fetchone()
    finally:
        cursor.unregister(ROWS)
    return int(loaded[0])


def check_lengths(files: Any, target: Sequence[Column], sources: Sequence[Source]) -> None:
    """Raises SqlError, naming column and file, if a text is longer than its column allows."""
    limited = [(number, column) for number, column in enumerate(target) if column.length]
    if not limited:
        return
    names = ", ".join(["file", *(f"c{number}" for number in range(len(target)))])
    longest = ", ".join(f"max(strlen(c{number}))" for number, _ in limited)
    rows = files.execute(
        f"SELECT file, {longest} FROM (SELECT filename, * EXCLUDE (filename)"
        f" FROM read_parquet(?, filename = true, hive_partitioning = false)) AS rows({names}) GROUP BY file",
        [[str(source.path) for source in sources]],
    ).fetchall()
    uris = {str(source.path): source.uri for source in sources}
    for path, *lengths in rows:
        for (_, column), length in zip(limited, lengths, strict=True):
            if length is not None and column.length is not None and length > column.length:
                sizes = f"Table: {column.length}, Data: {length}, File name: {uris[path]}"
                raise SqlError(
                    f"Spectrum Scan Error: The length of the data column {column.name} is longer than"
                    f" the length defined in the table. {sizes}"
                )
