"""`sam build` makes what Lambda can run: whole, small enough, for its machine. One build serves all tests here."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from local.stack.template import load
from tests.ports import free_port

Json = Any
ROOT = Path(__file__).resolve().parents[2]
MB = 1 << 20

#: What Lambda's Python runtime brings along, so that the build leaves it out.
RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")
#: What the runtime interface itself needs.
INTERFACE = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        (sys.platform, platform.machine()) != ("linux", "x86_64"),
        reason="the build is for Linux on x86_64, and so are SAM's runtime interface emulator and awslambdaric",
    ),
    pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the build is run under Lambda's Python, 3.11"),
]


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that `sam build` fills, with its template."""
    place = tmp_path_factory.mktemp("build")
    binaries = Path(sys.executable).parent
    command = [str(binaries / "sam"), "build", "--no-cached", "--parallel", "--build-dir", str(place)]
    path = os.pathsep.join([str(binaries), os.environ["PATH"]])
    answer = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return place


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What stands beside a function in Lambda, and nothing else of this environment."""
    place = tmp_path_factory.mktemp("runtime")
    for name in RUNTIME + INTERFACE:
        spec = find_spec(name)
        if spec and spec.origin:
            origin = Path(spec.origin)
            target = origin.parent if origin.name == "__init__.py" else origin
            (place / target.name).symlink_to(target)
    return place


def properties(build: Path, logical_id: str) -> dict[str, Json]:
    found: dict[str, Json] = load(build / "template.yaml")["Resources"][logical_id]["Properties"]
    return found


def code(build: Path, logical_id: str) -> Path:
    return build / properties(build, logical_id)["CodeUri"]


def layer(build: Path) -> Path:
    return build / properties(build, "IcebergLayer")["ContentUri"] / "python"


def size(place: Path) -> int:
    return sum(path.stat().st_size for path in place.rglob("*") if path.is_file())


def path_of(*places: Path) -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join(map(str, places)), "PATH": os.environ["PATH"]}


def test_every_function_is_built_with_the_declarations(build: Path) -> None:
    """The link functions/datasets is followed: the artifact holds the files, not the link."""
    declared = {path.name for path in (ROOT / "datasets").glob("*.yaml")}
    for handler in sorted((ROOT / "functions").glob("*.py")):
        place = code(build, handler.stem.title())
        assert (place / handler.name).is_file()
        assert {path.name for path in (place / "datasets").glob("*.yaml") if not path.is_symlink()} == declared
    assert declared


def test_what_is_built_is_well_below_the_limit(build: Path) -> None:
    """Lambda takes 250 MB unzipped, function and layers together; a light function starts in a tenth of a second."""
    assert size(code(build, "Collect")) < 20 * MB
    assert size(layer(build)) < 200 * MB


def test_no_function_brings_what_the_runtime_has(build: Path) -> None:
    """botocore alone would be three times as large as everything else."""
    names = {path.name for path in [*code(build, "Collect").iterdir(), *layer(build).iterdir()]}
    assert names & {"boto3", "botocore", "s3transfer", "aws_xray_sdk"} == set()


def test_every_wheel_runs_on_the_glibc_of_the_runtime(build: Path) -> None:
    """Lambda's Python 3.11 runs on Amazon Linux 2, whose glibc is 2.26: a manylinux_2_28 wheel dies at import."""
    wheels = [*code(build, "Collect").glob("*.dist-info/WHEEL"), *layer(build).glob("*.dist-info/WHEEL")]
    newer = [
        f"{wheel.parent.name}: {tags}"
        for wheel in wheels
        if (tags := re.findall(r"manylinux_2_(\d+)_x86_64", wheel.read_text(encoding="utf-8")))
        and min(map(int, tags)) > 26
    ]
    assert wheels
    assert newer == []


@pytest.mark.parametrize("handler", sorted(path.stem for path in (ROOT / "functions").glob("*.py")))
def test_every_built_handler_imports_with_nothing_but_the_runtime(build: Path, runtime: Path, handler: str) -> None:
    """What a function needs lies in its own directory."""
    environment = path_of(code(build, handler.title()), runtime)
    command = [sys.executable, "-S", "-B", "-c", f"import {handler}; {handler}.handler"]
    answer = subprocess.run(command, env=environment, cwd=runtime, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr


def test_the_lake_works_with_the_trimmed_layer(build: Path, runtime: Path) -> None:
    """What was cut out of pyiceberg and pyarrow is not missed: Glue, S3 and Parquet are all there."""
    environment = path_of(code(build, "Publish"), layer(build), runtime)
    program = (
        "import tidemark.adapters.iceberg, pyiceberg.catalog.glue, pyiceberg.io.pyarrow\n"
        "import io, os, pyarrow, pyarrow.fs, pyarrow.parquet\n"
        "pyarrow.fs.S3FileSystem\n"
        "sink = io.BytesIO()\n"
        "pyarrow.parquet.write_table(pyarrow.table({'n': [1, 2]}), sink, compression='zstd')\n"
        "rows = pyarrow.parquet.read_table(io.BytesIO(sink.getvalue())).num_rows\n"
        "print(rows, pyarrow.__file__, flush=True)\n"
        # A function is frozen, never exited: pyarrow 20 now and then aborts in its destructors, harmlessly.
        "os._exit(0)\n"
    )
    command = [sys.executable, "-S", "-B", "-c", program]
    answer = subprocess.run(command, env=environment, cwd=runtime, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith(f"2 {layer(build)}")


def environment_of(build: Path) -> dict[str, str]:
    """The template's environment: parameters by their defaults, and for resources the variable's own name."""
    template = load(build / "template.yaml")
    declared: Mapping[str, Json] = template["Globals"]["Function"]["Environment"]["Variables"]

    def value(name: str, given: Json) -> str:
        parameter = {} if isinstance(given, str) else template["Parameters"].get(given.get("Ref"), {})
        return given if isinstance(given, str) else str(parameter.get("Default", name.lower()))

    return {name: value(name, given) for name, given in declared.items()}


@contextlib.contextmanager
def emulated(build: Path, runtime: Path, logical_id: str, log: Path) -> Iterator[str]:
    """The function under Lambda's own runtime interface; the address to invoke it at.

    Both addresses are given: the emulator would listen on every interface otherwise.
    """
    import samcli

    emulator = Path(samcli.__file__).parent / "local" / "rapid" / "aws-lambda-rie-x86_64"
    outside, inside = free_port(), free_port()
    function = properties(build, logical_id)
    command = [
        str(emulator),
        *("--runtime-interface-emulator-address", f"127.0.0.1:{outside}"),
        *("--runtime-api-address", f"127.0.0.1:{inside}"),
        *(sys.executable, "-S", "-B", "-m", "awslambdaric", function["Handler"]),
    ]
    environment = {
        **path_of(code(build, logical_id), runtime),
        **environment_of(build),
        "POWERTOOLS_LOG_LEVEL": "INFO",
        "AWS_LAMBDA_FUNCTION_NAME": logical_id,
        "AWS_LAMBDA_FUNCTION_TIMEOUT": "30",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",  # nobody listens: whoever calls AWS fails here
    }
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=code(build, logical_id),
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        await_listener(process, outside)
        yield f"http://127.0.0.1:{outside}/2015-03-31/functions/function/invocations"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        process.wait(10)


def await_listener(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError(f"the emulator does not listen on port {port}; its exit code is {process.poll()}")


def test_the_built_function_answers_under_lambdas_own_runtime_interface(
    build: Path, runtime: Path, tmp_path: Path
) -> None:
    """collect takes S3's test message and a file of no dataset, from the artifact alone, and reports no failures."""
    if find_spec("awslambdaric") is None:
        pytest.skip("awslambdaric, Lambda's runtime interface client, is not installed")
    log = tmp_path / "emulator.log"
    with emulated(build, runtime, "Collect", log) as address:
        for case in ("s3_test_event", "unknown_prefix"):
            event = (ROOT / "events" / "collect" / f"{case}.json").read_bytes()
            with urllib.request.urlopen(address, data=event, timeout=30) as response:
                answer = json.load(response)
            assert answer == {"batchItemFailures": []}, log.read_text(encoding="utf-8")
    assert '"FilesUnclaimed"' in log.read_text(encoding="utf-8")
