"""Resources that run code or deliver events: functions, event source mappings, rules and schedules.

They are not created in moto, whose Lambda needs Docker and whose rules and schedules never fire. Instead they become
values of the Deployment, and the dispatcher implements them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from local.account import TemplateError
from local.clock import check_expression
from local.stack.builder import Properties, StackBuilder, as_bool, only, resource_type
from local.stack.deployment import Created, EventSource, FunctionSpec, InputTransformer, RuleSpec, ScheduleSpec, Target
from local.stack.template import LOCAL_CODE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from local.stack.builder import ResourceType

NO_AWS_ACCESS = "the laptop cloud enforces only the policies of roles"
NO_BILL = "tags allocate costs, and there are none"
ONE_WORKER = "each function is one warm process, so its concurrency is one"


def function(builder: StackBuilder, logical_id: str, p: Properties) -> Created:
    name = p.get("FunctionName", builder.name(logical_id))
    function_arn = builder.arn("lambda", f"function:{name}")
    variables = p.get("Environment", {})
    only(logical_id, "Environment", variables, {"Variables"})
    logging = p.get("LoggingConfig", {})
    only(logical_id, "LoggingConfig", logging, {"LogGroup", "LogFormat", "ApplicationLogLevel", "SystemLogLevel"})
    spec = FunctionSpec(
        logical_id=logical_id,
        name=name,
        arn=function_arn,
        handler=p["Handler"],
        code_dir=_code_dir(builder, logical_id, p["Code"]),
        environment={key: str(value) for key, value in variables.get("Variables", {}).items()},
        timeout_seconds=int(p.get("Timeout", 3)),
        memory_mb=int(p.get("MemorySize", 128)),
        role_arn=p["Role"],
        layers=tuple(builder.layers[layer] for layer in p.get("Layers", []) if builder.built),
        log_group=logging.get("LogGroup", f"/aws/lambda/{name}"),
        logging=logging,
        runtime=p["Runtime"],
        architectures=tuple(p.get("Architectures", ["x86_64"])),
        description=p.get("Description", ""),
        dead_letters=p.get("DeadLetterConfig", {}).get("TargetArn"),
    )
    builder.functions.append(spec)
    return Created("", name, {"Arn": function_arn})


def _code_dir(builder: StackBuilder, logical_id: str, code: Properties) -> Path:
    only(logical_id, "Code", code, {"S3Bucket", "S3Key"})
    if code.get("S3Bucket") != LOCAL_CODE:
        raise TemplateError(f"{logical_id}: property Code points to {code}, not to a local path")
    folder = builder.root / (f".aws-sam/build/{logical_id}" if builder.built else code["S3Key"])
    if not folder.is_dir():
        raise TemplateError(f"{logical_id}: property Code: no folder {folder}")
    return folder


def layer(builder: StackBuilder, logical_id: str, p: Properties) -> Created:
    name = p.get("LayerName", builder.name(logical_id))
    layer_arn = builder.arn("lambda", f"layer:{name}:1")
    # SAM appends ten hexadecimal digits to a layer's logical id; `sam build` names the folder without them.
    builder.layers[layer_arn] = builder.root / ".aws-sam" / "build" / logical_id[:-10] / "python"
    return Created("", layer_arn, {"LayerVersionArn": layer_arn})


def permission(builder: StackBuilder, logical_id: str, _: Properties) -> Created:
    return Created("", builder.name(logical_id))


def invoke_config(builder: StackBuilder, logical_id: str, p: Properties) -> Created:
    destinations = p.get("DestinationConfig", {})
    only(logical_id, "DestinationConfig", destinations, {"OnFailure"})
    config = {
        "retries": int(p.get("MaximumRetryAttempts", 2)),
        "maximum_age_seconds": int(p.get("MaximumEventAgeInSeconds", 21_600)),
        "on_failure": destinations.get("OnFailure", {}).get("Destination"),
    }
    builder.invoke_configs[p["FunctionName"]] = config
    return Created("", builder.name(logical_id))


def event_source(builder: StackBuilder, logical_id: str, p: Properties) -> Created:
    source_arn = p["EventSourceArn"]
    kind = source_arn.split(":")[2]
    if kind not in ("sqs", "dynamodb"):
        raise TemplateError(
            f"{logical_id}: property EventSourceArn: source {kind} is not supported by the laptop cloud"
        )
    batch_size, window = (
        int(p.get("BatchSize", 10 if kind == "sqs" else 100)),
        p.get("MaximumBatchingWindowInSeconds", 0),
    )
    if kind == "sqs" and batch_size > 10 and int(window) < 1:
        raise TemplateError(f"{logical_id}: property BatchSize {batch_size} needs MaximumBatchingWindowInSeconds >= 1")
    only(logical_id, "DestinationConfig", p.get("DestinationConfig", {}), {"OnFailure"})
    only(logical_id, "FilterCriteria", p.get("FilterCriteria", {}), {"Filters"})
    source = EventSource(
        logical_id=logical_id,
        kind=kind,
        arn=source_arn,
        function=_function_id(builder, logical_id, p["FunctionName"]),
        batch_size=batch_size,
        window_seconds=int(window),
        patterns=tuple(item["Pattern"] for item in p.get("FilterCriteria", {}).get("Filters", [])),
        report_failures="ReportBatchItemFailures" in p.get("FunctionResponseTypes", []),
        bisect=as_bool(p.get("BisectBatchOnFunctionError", False)),
        retries=int(p.get("MaximumRetryAttempts", -1)),
        maximum_age_seconds=int(p.get("MaximumRecordAgeInSeconds", -1)),
        on_failure=p.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"),
        from_start=p.get("StartingPosition", "TRIM_HORIZON") == "TRIM_HORIZON",
        enabled=as_bool(p.get("Enabled", True)),
    )
    builder.event_sources.append(source)
    return Created("", logical_id, {"Id": logical_id})


def _function_id(builder: StackBuilder, logical_id: str, name: str) -> str:
    for spec in builder.functions:
        if name in (spec.name, spec.arn, spec.logical_id):
            return spec.logical_id
    raise TemplateError(f"{logical_id}: property FunctionName: no function {name} in the template")


def rule(builder: StackBuilder, logical_id: str, p: Properties) -> Created:
    if p.get("EventBusName", "default") != "default":
        raise TemplateError(f"{logical_id}: property EventBusName: the laptop cloud supports only the default bus")
    name = p.get("Name", builder.name(logical_id))
    if "ScheduleExpression" in p:
        check_expression(p["ScheduleExpression"], f"{logical_id}: property ScheduleExpression")
    if "EventPattern" in p:
        check_pattern(json.dumps(p["EventPattern"]), f"{logical_id}: property EventPattern")
    spec = RuleSpec(
        logical_id=logical_id,
        name=name,
        arn=builder.arn("events", f"rule/{name}"),
        targets=tuple(_rule_target(logical_id, target) for target in p.get("Targets", [])),
        pattern=p.get("EventPattern"),
        schedule=p.get("ScheduleExpression"),
        enabled=p.get("State", "ENABLED").startswith("ENABLED"),
    )
    builder.rules.append(spec)
    return Created("", name, {"Arn": spec.arn})


def check_pattern(pattern: str, where: str) -> None:
    """Raises TemplateError unless the JSON text `pattern` is an event pattern that the matcher supports."""
    from local.stack.event_pattern import InvalidPatternError, Pattern

    try:
        Pattern.parse(pattern)
    except InvalidPatternError as error:
        raise TemplateError(f"{where}: {error}") from error


def _rule_target(logical_id: str, p: Properties) -> Target:
    # RetryPolicy is ignored: on a laptop, a failed delivery would fail again.
    known = {"Arn", "Id", "Input", "InputPath", "InputTransformer", "DeadLetterConfig", "RetryPolicy", "RoleArn"}
    only(logical_id, "Targets", p, known)
    _check_target(logical_id, p["Arn"])
    return Target(
        arn=p["Arn"],
        id=p["Id"],
        input=p.get("Input"),
        input_path=p.get("InputPath"),
        transformer=_transformer(logical_id, p.get("InputTransformer")),
        dead_letters=p.get("DeadLetterConfig", {}).get("Arn"),
    )


def _transformer(logical_id: str, p: Properties | None) -> InputTransformer | None:
    if p is None:
        return None
    only(logical_id, "Targets.InputTransformer", p, {"InputPathsMap", "InputTemplate"})
    return InputTransformer(p.get("InputPathsMap", {}), p["InputTemplate"])


def _check_target(logical_id: str, target_arn: str) -> None:
    service = target_arn.split(":")[2]
    if service not in ("sqs", "lambda"):
        raise TemplateError(f"{logical_id}: target {target_arn}: {service} is not supported by the laptop cloud")


def schedule(builder: StackBuilder, logical_id: str, p: Properties) -> Created:
    check_expression(p["ScheduleExpression"], f"{logical_id}: property ScheduleExpression")
    only(logical_id, "Target", p["Target"], {"Arn", "RoleArn", "Input", "RetryPolicy", "DeadLetterConfig"})
    _check_target(logical_id, p["Target"]["Arn"])
    name = p.get("Name", builder.name(logical_id))
    spec = ScheduleSpec(
        logical_id=logical_id,
        name=name,
        arn=builder.arn("scheduler", f"schedule/{p.get('GroupName', 'default')}/{name}"),
        expression=p["ScheduleExpression"],
        timezone=p.get("ScheduleExpressionTimezone", "UTC"),
        enabled=p.get("State", "ENABLED") == "ENABLED",
        target=Target(
            arn=p["Target"]["Arn"],
            input=p["Target"].get("Input"),
            dead_letters=p["Target"].get("DeadLetterConfig", {}).get("Arn"),
            role_arn=p["Target"]["RoleArn"],
        ),
    )
    builder.schedules.append(spec)
    return Created("", name, {"Arn": spec.arn})


TYPES: Mapping[str, ResourceType] = {
    "AWS::Lambda::Function": resource_type(
        function,
        # Runtime and Architectures are only reported: handlers run in the laptop cloud's own interpreter.
        "FunctionName Description Handler Runtime Architectures Code Environment Timeout MemorySize Role Layers "
        "LoggingConfig DeadLetterConfig",
        {
            "VpcConfig": "the processes reach this endpoint alone, in every network",
            "EphemeralStorage": "the laptop's disk",
            "TracingConfig": "the laptop cloud records no traces",
            "ReservedConcurrentExecutions": ONE_WORKER,
            "PackageType": "the check of Code accepts only folders anyway",
            "KmsKeyArn": "no data outlives the process, so there is nothing to encrypt",
            "SnapStart": "the processes stay warm",
            "RecursiveLoop": "a loop shows immediately",
            "RuntimeManagementConfig": "handlers run in the laptop cloud's own interpreter",
            "Tags": NO_BILL,
        },
        named_by="FunctionName",
    ),
    "AWS::Lambda::LayerVersion": resource_type(
        layer,
        "LayerName",
        {
            "Content": "the venv has the layer's packages, or .aws-sam/build has the built layer",
            "CompatibleRuntimes": "handlers run in the laptop cloud's own interpreter",
            "CompatibleArchitectures": "the laptop's own",
            "Description": "for people",
            "LicenseInfo": "for people",
        },
    ),
    "AWS::Lambda::Permission": resource_type(
        permission,
        "FunctionName",
        dict.fromkeys(("Action", "Principal", "SourceArn", "SourceAccount", "EventSourceToken"), NO_AWS_ACCESS),
    ),
    "AWS::Lambda::EventInvokeConfig": resource_type(
        invoke_config,
        "FunctionName MaximumRetryAttempts MaximumEventAgeInSeconds DestinationConfig",
        {"Qualifier": "there is one version"},
    ),
    "AWS::Lambda::EventSourceMapping": resource_type(
        event_source,
        "EventSourceArn FunctionName BatchSize MaximumBatchingWindowInSeconds FilterCriteria FunctionResponseTypes "
        "StartingPosition BisectBatchOnFunctionError MaximumRetryAttempts MaximumRecordAgeInSeconds DestinationConfig "
        "Enabled",
        {
            "ScalingConfig": ONE_WORKER,
            "ProvisionedPollerConfig": ONE_WORKER,
            "ParallelizationFactor": ONE_WORKER,
            "MetricsConfig": "the endpoint counts calls",
            "Tags": NO_BILL,
        },
    ),
    "AWS::Events::Rule": resource_type(
        rule,
        "Name EventBusName EventPattern ScheduleExpression State Targets",
        {"Description": "for people", "RoleArn": NO_AWS_ACCESS, "Tags": NO_BILL},
        named_by="Name",
    ),
    "AWS::Scheduler::Schedule": resource_type(
        schedule,
        "Name GroupName ScheduleExpression ScheduleExpressionTimezone State Target",
        {
            "Description": "for people",
            "FlexibleTimeWindow": "schedules fire exactly when due; a laptop need not spread the load",
            "KmsKeyArn": "no data outlives the process, so there is nothing to encrypt",
        },
        named_by="Name",
    ),
}
