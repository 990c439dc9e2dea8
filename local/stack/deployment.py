"""The result of a deployment: plain values that the dispatcher, the functions and the tests read.

All of them are derived from the template; there is no second list of functions, queues or schedules.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Created:
    """One created resource: the values that `Ref` and `Fn::GetAtt` return for it."""

    type: str  #: AWS::Service::Kind
    ref: str  #: physical id
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FunctionSpec:
    """One Lambda function: how to start its process, and how to handle its asynchronous invocations."""

    logical_id: str
    name: str
    arn: str
    handler: str  #: module.function, relative to code_dir
    code_dir: Path
    environment: Mapping[str, str]  #: only the variables from the template
    timeout_seconds: int
    memory_mb: int
    role_arn: str
    layers: tuple[Path, ...] = ()
    log_group: str = ""
    logging: Mapping[str, str] = field(default_factory=dict)  #: LoggingConfig from the template
    runtime: str = "python3.11"
    architectures: tuple[str, ...] = ("x86_64",)
    description: str = ""
    retries: int = 2  #: further attempts of an asynchronous invocation
    maximum_age_seconds: int = 21_600
    on_failure: str | None = None  #: ARN that receives the invocation record of a failed asynchronous invocation
    dead_letters: str | None = None  #: ARN that receives only the event


@dataclass(frozen=True)
class EventSource:
    """One event source mapping from a queue or a table's stream to a function."""

    logical_id: str
    kind: Literal["sqs", "dynamodb"]
    arn: str
    function: str  #: logical id
    batch_size: int
    window_seconds: int = 0
    patterns: tuple[str, ...] = ()  #: JSON filter patterns; a record passes if it matches any of them
    report_failures: bool = False  #: ReportBatchItemFailures
    bisect: bool = False
    retries: int = -1  #: streams only; -1 = until the record is too old
    maximum_age_seconds: int = -1  #: streams only; -1 = never too old
    on_failure: str | None = None  #: ARN, streams only
    from_start: bool = True  #: streams only: TRIM_HORIZON, else LATEST
    enabled: bool = True


@dataclass(frozen=True)
class InputTransformer:
    paths: Mapping[str, str]  #: name → JSONPath of the event
    template: str  #: text with <name>


@dataclass(frozen=True)
class Target:
    """The target of a rule or a schedule."""

    arn: str
    id: str = ""
    input: str | None = None  #: JSON text that replaces the event
    input_path: str | None = None
    transformer: InputTransformer | None = None
    dead_letters: str | None = None  #: ARN of the queue for events that could not be delivered


@dataclass(frozen=True)
class RuleSpec:
    """One EventBridge rule on the default bus, with an event pattern, a schedule or both."""

    logical_id: str
    name: str
    arn: str
    targets: tuple[Target, ...]
    pattern: Mapping[str, Any] | None = None
    schedule: str | None = None
    enabled: bool = True


@dataclass(frozen=True)
class ScheduleSpec:
    """One EventBridge Scheduler schedule."""

    logical_id: str
    name: str
    arn: str
    expression: str  #: rate(…), cron(…) or at(…)
    target: Target
    timezone: str = "UTC"
    enabled: bool = True


@dataclass(frozen=True)
class RouteSpec:
    """One route of an HTTP API: it invokes a function for signed requests."""

    api_id: str
    method: str
    path: str
    function: str  #: ARN


@dataclass(frozen=True)
class Deployment:
    """A deployed stack."""

    stack: str
    resources: Mapping[str, Created]  #: by logical id
    functions: tuple[FunctionSpec, ...] = ()
    event_sources: tuple[EventSource, ...] = ()
    rules: tuple[RuleSpec, ...] = ()
    schedules: tuple[ScheduleSpec, ...] = ()
    routes: tuple[RouteSpec, ...] = ()
    event_buckets: frozenset[str] = frozenset()  #: names of the buckets that send events to EventBridge
    outputs: Mapping[str, Any] = field(default_factory=dict)

    def function(self, name: str) -> FunctionSpec:
        """The function with this logical id, name or ARN (qualified or not); KeyError if there is none."""
        plain = name.removesuffix(":$LATEST")
        for spec in self.functions:
            if plain in (spec.logical_id, spec.name, spec.arn):
                return spec
        raise KeyError(f"no function {name!r} in the template; it has {[f.logical_id for f in self.functions]}")
