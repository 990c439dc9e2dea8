"""Files by URI through the session's Hadoop file system: S3A on EMR, a mounted folder on a laptop.

S3A is what s3:// means from emr-7.10 (docs/aws-facts.md#s3a-on-emr).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Union

from pyspark.sql import SparkSession


@dataclass(frozen=True)
class Stored:
    uri: str
    bytes: int


class FileSystem:
    """The file operations that a job needs besides reading and writing tables."""

    def __init__(self, spark: SparkSession) -> None:
        self._jvm: Any = spark._jvm  # noqa: SLF001  # PySpark has no public access to Hadoop
        self._conf: Any = spark._jsc.hadoopConfiguration()  # noqa: SLF001

    def _path(self, uri: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(uri)

    def write(self, uri: str, content: Union[str, bytes]) -> None:
        """Write or replace an object; text becomes UTF-8."""
        path = self._path(uri)
        stream = path.getFileSystem(self._conf).create(path, True)
        try:
            stream.write(bytearray(content.encode() if isinstance(content, str) else content))
        finally:
            stream.close()

    def files(self, uri: str) -> list[Stored]:
        """All files below a folder, ordered by URI; none if it does not exist."""
        path = self._path(uri)
        system = path.getFileSystem(self._conf)
        if not system.exists(path):
            return []
        statuses, stored = system.listFiles(path, True), []
        while statuses.hasNext():
            status = statuses.next()
            stored.append(Stored(status.getPath().toString(), status.getLen()))
        return sorted(stored, key=lambda file: file.uri)

    def parquet_rows(self, uri: str) -> int:
        """The number of rows of a Parquet file, from its footer."""
        opened = self._jvm.org.apache.parquet.hadoop.util.HadoopInputFile.fromPath(self._path(uri), self._conf)
        footer = self._jvm.org.apache.parquet.hadoop.ParquetFileReader.open(opened)
        try:
            return int(footer.getRecordCount())
        finally:
            footer.close()
