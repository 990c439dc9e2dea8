"""`sam local invoke` and `aws lambda invoke` with every event of the library, against the laptop cloud.

SAM resolves a function's environment in this process; the handler then runs with exactly these variables in a process
of its own, as it would in SAM's container.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from samcli.cli.main import cli as sam
from samcli.commands.local.lib.local_lambda import LocalLambdaRunner
from samcli.lib.providers.sam_function_provider import SamFunctionProvider
from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider

from local.cloud import Cloud
from local.endpoint.containers import Containers
from local.lambda_runtime.functions import WORKER
from local.lambda_runtime.sam_environment import write_sam_variables
from local.world import LaptopWorld, laptop_world
from tests.functions.conftest import CURRENT, small_model
from tests.local.stand_ins import client

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:\\w+ is deprecated and will be removed:DeprecationWarning"),  # SAM CLI calls it
]

ROOT = Path(__file__).resolve().parents[2]
EVENTS = ROOT / "events"
ROW = re.compile(r"\| \[\w+\]\((?P<function>\w+)/(?P<case>\w+)\.json\) \|[^|]*\|[^|]*\| (?P<answer>[^|]+) \|")
#: In the order of the README's tables: (function, case) → what its last column says.
ANSWERS = {
    (row["function"], row["case"]): row["answer"]
    for row in ROW.finditer((EVENTS / "README.md").read_text(encoding="utf-8"))
}
FUNCTIONS = list(dict.fromkeys(function for function, _ in ANSWERS))
#: How many segments and file versions each of collect's events leaves in the ledger.
COLLECTED = {
    "usual": (2, 3),
    "duplicate": (2, 2),
    "malformed": (2, 2),
    "direct_s3_notification": (1, 2),
    "literal_key": (1, 1),
    "s3_test_event": (0, 0),
    "unknown_prefix": (0, 0),
    "overwritten": (1, 2),
}
ARN = "arn:aws:lambda:us-east-1:123456789012:function:"


def event(function: str, case: str) -> Any:
    """A sample event."""
    return json.loads((EVENTS / function / f"{case}.json").read_text(encoding="utf-8"))


def told(answer: Any, error: bool) -> str:
    """A function's answer as the README's last column shows it."""
    if error:
        return f"error {answer['errorType']}"
    if answer is None:
        return "–"
    if "statusCode" in answer:
        return str(answer["statusCode"])
    [(name, value)] = answer.items()
    count, noun = (len(value), "failure") if name == "batchItemFailures" else (value, name.removesuffix("s"))
    return f"{count} {noun}{'' if count == 1 else 's'}"


# ---- the cloud


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The laptop cloud with its template, a model, and nothing that goes on by itself."""
    state = tmp_path_factory.mktemp("state")
    containers = Containers("127.0.0.1")  # there is no container here, so loopback is the way
    with Cloud(state_dir=state, schedules=False, containers=containers) as cloud:
        cloud.dispatcher.halt()
        publish(small_model().dumps(), laptop_world(cloud))
        yield cloud


def publish(model: str, world: LaptopWorld) -> None:
    """Puts a model where a nightly batch leaves it."""
    key, lake = "batches/segment_customers/b/0001/artifacts/model.json", world.settings.lake_bucket
    pointer = {
        "batch_id": "segment_customers.20261116T000000.0a1b2c3d",
        "attempt": 1,
        "period": "2026-11-16",
        "artifacts": {"model.json": f"s3://{lake}/{key}"},
    }
    world.store.put(lake, key, model)
    world.store.put(lake, CURRENT, json.dumps(pointer))


@pytest.fixture(scope="module")
def resolved(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, str]]:
    """SAM's own resolution of a function's environment, with the file that `tidemark local up --docker` writes."""
    path = tmp_path_factory.mktemp("sam") / "variables.json"
    write_sam_variables(path, cloud.deployment.functions, cloud.container_url)
    stacks, _ = SamLocalStackProvider.get_stacks(template_file=str(ROOT / "template.yaml"))
    overrides = json.loads(path.read_text(encoding="utf-8"))
    runner = LocalLambdaRunner(
        None, SamFunctionProvider(stacks), str(ROOT), str(ROOT), aws_region="us-east-1", env_vars_values=overrides
    )

    def resolve(function: str) -> dict[str, str]:
        config = runner.get_invoke_config(runner.get_function(function))
        return dict(config.env_vars.resolve())

    return resolve


class Handler:
    """One function in a process whose environment is given whole."""

    def __init__(self, name: str, environment: dict[str, str]) -> None:
        handler = environment["AWS_LAMBDA_FUNCTION_HANDLER"]
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(WORKER), handler, ARN + name, "[]"],
            cwd=ROOT / "functions",
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert "init_seconds" in self._read()

    def __call__(self, event: Any) -> str:
        request = {"request_id": "r", "event": event, "timeout_seconds": 60, "trace_id": "Root=1-0-0"}
        assert self._process.stdin
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._read()
        return told(answer.get("payload", answer.get("error")), "error" in answer)

    def close(self) -> None:
        self._process.communicate()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout
        return dict(json.loads(self._process.stdout.readline()))


@pytest.fixture(scope="module")
def played(cloud: Cloud, resolved: Any) -> tuple[dict[tuple[str, str], str], dict[str, tuple[int, int]]]:
    """Every event in the README's order: the answers, and what collect left in the ledger."""
    answers: dict[tuple[str, str], str] = {}
    collected: dict[str, tuple[int, int]] = {}
    for function in FUNCTIONS:
        handle = Handler(function, resolved(function.capitalize()))
        for case in [case for name, case in ANSWERS if name == function]:
            answers[function, case] = handle(event(function, case))
            if function == "collect":
                collected[case] = taken_out(laptop_world(cloud))
        if function == "collect":
            handle(event("collect", "usual"))  # so that plan finds something
        handle.close()
    return answers, collected


def taken_out(world: LaptopWorld) -> tuple[int, int]:
    """The numbers of pending segments and of their files, which are then forgotten."""
    found = [(name, segment) for name in world.datasets for segment in world.ledger.segments.all(name)]
    for name, segment in found:
        world.ledger.segments.delete(name, segment.sk)
    return len(found), sum(segment.head.files for _, segment in found)


# ---- what SAM makes of the template


def test_every_event_has_an_answer() -> None:
    """The README's tables have a last column for each file."""
    assert set(ANSWERS) == {(path.parent.name, path.stem) for path in EVENTS.glob("*/*.json")}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_sam_resolves_the_environment_of_the_running_cloud(cloud: Cloud, resolved: Any, function: str) -> None:
    """Names of resources instead of logical ids, the endpoint, the region, and the shell's credentials."""
    environment = resolved(function.capitalize())
    spec = cloud.deployment.function(function.capitalize())
    expected = {**spec.environment, "AWS_ENDPOINT_URL": cloud.url, "AWS_REGION": "us-east-1"}
    assert {name: environment[name] for name in expected} == expected
    assert (environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"]) == ("testing", "testing")


def test_without_the_file_sam_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cloud that is not up is one line, and not a call to AWS."""
    for name in ("template.yaml", "samconfig.toml"):
        shutil.copy(ROOT / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    finished = CliRunner().invoke(
        sam, ["local", "invoke", "Collect", "--event", str(EVENTS / "collect" / "usual.json")]
    )
    assert finished.exit_code == 2
    assert "'.tidemark/sam-variables.json' does not exist" in finished.output


# ---- what the functions answer


@pytest.mark.parametrize(("function", "case"), list(ANSWERS))
def test_an_event_is_answered_as_the_readme_says(played: Any, function: str, case: str) -> None:
    """By the handler in SAM's environment, on a cloud that has only just started."""
    assert played[0][function, case] == ANSWERS[function, case]


def test_collect_leaves_the_files_that_the_readme_says(played: Any) -> None:
    """Segments and file versions in the laptop cloud's own ledger."""
    assert played[1] == COLLECTED


@pytest.mark.parametrize("case", [case for function, case in ANSWERS if function == "predict"])
def test_lambdas_own_api_answers_alike(cloud: Cloud, case: str) -> None:
    """`aws lambda invoke --payload file://events/predict/…` by the function's name."""
    payload = (EVENTS / "predict" / f"{case}.json").read_bytes()
    answer = client("lambda", cloud.url).invoke(FunctionName="tidemark-Predict", Payload=payload)
    assert told(json.load(answer["Payload"]), "FunctionError" in answer) == ANSWERS["predict", case]


# ---- with Docker


def missing() -> str:
    """What this machine lacks for SAM's container; "" if nothing."""
    image = "public.ecr.aws/lambda/python:3.11-rapid-x86_64"
    for why, command in {
        "no Docker daemon answers": ["docker", "version"],
        f"there is no image {image}: run `make invoke` once": ["docker", "image", "inspect", image],
    }.items():
        if shutil.which("docker") is None or subprocess.run(command, capture_output=True, check=False).returncode:
            return why
    return (
        "" if (ROOT / ".aws-sam" / "build" / "template.yaml").is_file() else "the functions are not built: `make build`"
    )


@pytest.mark.skipif(bool(missing()), reason=missing())
def test_a_container_answers_alike() -> None:
    """`tidemark local up --docker` in one terminal, `make invoke` in the other."""
    up = [sys.executable, "-m", "cli.main", "local", "up", "--port", "0", "--docker"]
    with subprocess.Popen(up, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert any("sam local invoke" in line for line in process.stdout)
            invoke = ["make", "invoke", "FUNCTION=Collect", "EVENT=events/collect/malformed.json"]
            finished = subprocess.run(invoke, cwd=ROOT, capture_output=True, text=True, check=True, timeout=300)
        finally:
            process.terminate()
    assert told(json.loads(finished.stdout.splitlines()[-1]), error=False) == ANSWERS["collect", "malformed"]
