"""The template keeps its promises: what runs, what is heard, who may do what, and what happens when it fails."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.stack.event_pattern import Pattern
from local.stack.template import expand, load
from tidemark.core.draining import SUBMITTERS_END_AFTER
from tidemark.observability import COUNTS, GAUGES
from tidemark.service.recover import HANDLERS_END_AFTER
from tidemark.settings import Settings

Json = Any
ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "template.yaml"
WRITTEN = load(TEMPLATE)  # as a person wrote it
DEPLOYED = expand(WRITTEN)  # as CloudFormation gets it
RESOURCES: dict[str, Json] = DEPLOYED["Resources"]
HANDLERS = sorted(path.stem for path in (ROOT / "functions").glob("*.py"))

#: Statements whose resource is `*`, each with the reason why it can be nothing narrower.
UNBOUND = {
    (
        "LoaderRole",
        "AskStatements",
    ): "IAM knows no statements; the service tells of them to their issuer alone",
    ("ReaderPolicy", "ReadOwnResults"): "as above; a condition names the issuer",
}
#: What SAM, or a role of our own, attaches. Those for sources of events would open every queue and stream.
MANAGED_POLICIES = {"AWSLambdaBasicExecutionRole", "AWSLambdaVPCAccessExecutionRole"}
#: state of an overdue batch → function that moves it on
HINTS = {"FORMING": "Plan", "PLANNED": "Submit", "RUNNING": "Publish", "PUBLISHED": "Load", "LOADING": "Settle"}
#: What the events in the library call the resources that patterns refer to.
NAMES = {
    "AWS::StackName": "tidemark",
    "RawBucket": "tidemark-raw-123456789012-us-east-1",
    "SparkApplication": "00f1cbsc6anuij25",
}


def of_type(kind: str) -> dict[str, Json]:
    """Properties of all deployed resources of a type, by logical id."""
    return {name: resource.get("Properties", {}) for name, resource in RESOURCES.items() if resource["Type"] == kind}


FUNCTIONS = of_type("AWS::Lambda::Function")
BUCKETS = of_type("AWS::S3::Bucket")
QUEUES = of_type("AWS::SQS::Queue")
RULES = of_type("AWS::Events::Rule")
SCHEDULES = of_type("AWS::Scheduler::Schedule")
SOURCES = of_type("AWS::Lambda::EventSourceMapping")


def arn(name: str) -> Json:
    return {"Fn::GetAtt": [name, "Arn"]}


def dead_letter_queues() -> set[str]:
    """Logical ids of all queues that something else names as the place for what it cannot handle."""
    redrives = [queue["RedrivePolicy"]["deadLetterTargetArn"] for queue in QUEUES.values() if "RedrivePolicy" in queue]
    invocations = [
        config["DestinationConfig"]["OnFailure"]["Destination"]
        for config in of_type("AWS::Lambda::EventInvokeConfig").values()
    ]
    return {target["Fn::GetAtt"][0] for target in redrives + invocations}


def statements() -> Iterator[tuple[str, Json]]:
    """(role or managed policy, statement) of every permission in the stack."""
    for name, role in of_type("AWS::IAM::Role").items():
        for policy in role.get("Policies", []):
            yield from ((name, unconditional(statement)) for statement in policy["PolicyDocument"]["Statement"])
    for name, policy in of_type("AWS::IAM::ManagedPolicy").items():
        yield from ((name, unconditional(statement)) for statement in policy["PolicyDocument"]["Statement"])


def unconditional(statement: Json) -> Json:
    """The statement, whether or not it is under a condition."""
    return next(branch for branch in statement["Fn::If"][1:] if "Sid" in branch) if "Fn::If" in statement else statement


def each(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value]


def named(tree: Json) -> Json:
    """`tree` with references to resources replaced by the names in the library of events."""
    if isinstance(tree, dict):
        if "Fn::If" in tree:
            return named(tree["Fn::If"][1])  # what the stack makes itself
        if "Fn::Sub" in tree:
            return re.sub(r"\$\{([^}]+)\}", lambda reference: NAMES[reference[1]], tree["Fn::Sub"])
        return NAMES[tree["Ref"]] if "Ref" in tree else {key: named(child) for key, child in tree.items()}
    return [named(child) for child in tree] if isinstance(tree, list) else tree


def targets(rule: Json) -> set[str]:
    return {target["Arn"]["Fn::GetAtt"][0] for target in rule["Targets"]}


def heard_by(event: Json) -> set[str]:
    """Logical ids of the targets of all rules that match an event."""
    return {
        target
        for rule in RULES.values()
        if Pattern.parse(json.dumps(named(rule["EventPattern"]))).matches(event)
        for target in targets(rule)
    }


def event(path: str) -> Json:
    return json.loads((ROOT / "events" / f"{path}.json").read_text(encoding="utf-8"))


# ── What runs ───────────────────────────────────────────────────────────────────────────────────────────────


def test_sam_finds_nothing_to_say() -> None:
    """`sam validate --lint` fails on warnings too."""
    sam = Path(sys.executable).with_name("sam")
    command = [str(sam), "validate", "--lint", "--template", str(TEMPLATE), "--region", "us-east-1"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_every_handler_file_is_a_function_of_its_name_and_the_other_way_round() -> None:
    """`Collect` is functions/collect.py: who knows one knows the other."""
    assert {name: function["Handler"] for name, function in FUNCTIONS.items()} == {
        stem.title().replace("_", ""): f"{stem}.handler" for stem in HANDLERS
    }


def test_no_parameter_shares_its_name_with_a_resource() -> None:
    """SAM derives names such as PlanTick from function and event; CloudFormation refuses a clash, linters miss it."""
    assert set(DEPLOYED["Parameters"]) & set(RESOURCES) == set()


def test_two_stacks_fit_into_one_account() -> None:
    """Every fixed name of a resource begins with the stack's, or is a parameter."""
    keys = {
        "BucketName",
        "RoleName",
        "Name",
        "LogGroupName",
        "NamespaceName",
        "WorkgroupName",
        "QueueName",
        "TableName",
    }
    fixed = {
        (logical_id, key, json.dumps(value))
        for logical_id, resource in RESOURCES.items()
        for key, value in resource.get("Properties", {}).items()
        if key in keys and "AWS::StackName" not in json.dumps(value) and "Ref" not in value
    }
    assert fixed == set()


def test_every_function_has_the_environment_that_settings_ask_for_and_none_of_its_own() -> None:
    """One environment, in Globals, holds every name that `Settings` reads."""
    wanted = {field.name.upper() for field in fields(Settings)}
    common = WRITTEN["Globals"]["Function"]["Environment"]["Variables"]
    own = [name for name, resource in WRITTEN["Resources"].items() if "Environment" in resource.get("Properties", {})]
    assert wanted - set(common) == set()
    assert own == []
    assert [name for name, function in FUNCTIONS.items() if function["Environment"]["Variables"] != common] == []
    assert len(FUNCTIONS) > 5


def test_a_job_knows_its_region_by_both_names() -> None:
    """Libraries read one of two variables, in driver and executors: another region's service must never be asked."""
    [defaults] = RESOURCES["SparkApplication"]["Properties"]["RuntimeConfiguration"]
    for place in ("spark.emr-serverless.driverEnv", "spark.executorEnv"):
        for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
            assert defaults["Properties"][f"{place}.{name}"] == {"Ref": "AWS::Region"}


def test_no_log_level_silences_the_metrics() -> None:
    """Metrics are lines without a level, which Lambda counts as INFO, so its own filter must let INFO pass."""
    assert {function["LoggingConfig"]["ApplicationLogLevel"] for function in FUNCTIONS.values()} == {"DEBUG"}


def test_only_publish_and_nightly_carry_the_heavy_layer() -> None:
    """pyiceberg and pyarrow cost every cold start of whoever has them."""
    (layer,) = of_type("AWS::Lambda::LayerVersion")
    assert {name: function.get("Layers") for name, function in FUNCTIONS.items() if "Layers" in function} == {
        "Publish": [{"Ref": layer}],
        "Nightly": [{"Ref": layer}],
    }


# ── What is heard ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "path",
    sorted(
        f"{path.parent.name}/{path.stem}"
        for path in (ROOT / "events").glob("*/*.json")
        if "detail-type" in json.loads(path.read_text(encoding="utf-8"))
    ),
)
def test_every_event_in_the_library_reaches_its_function_and_no_other(path: str) -> None:
    """The rules and the library describe the same events."""
    assert heard_by(event(path)) == {path.split("/", maxsplit=1)[0].title()}


def test_a_file_that_lands_reaches_the_queue() -> None:
    """And one in somebody else's bucket does not."""
    landed = json.loads(event("collect/usual")["Records"][0]["body"])
    elsewhere = landed | {"detail": landed["detail"] | {"bucket": {"name": "somebody-elses"}}}
    assert heard_by(landed) == {"LandedQueue"}
    assert heard_by(elsewhere) == set()


@pytest.mark.parametrize(("state", "function"), HINTS.items())
def test_a_hint_reaches_the_function_that_moves_its_state_on(state: str, function: str) -> None:
    """Every state that is not at rest has somebody to call; nightly batches are formed by a function of their own."""
    hint, nightly = event("plan/hint"), event("nightly/hint")
    assert heard_by(hint | {"detail": hint["detail"] | {"state": state}}) == {function}
    assert heard_by(hint | {"source": "tidemark-prod", "detail": hint["detail"] | {"state": state}}) == set()
    former = "Nightly" if state == "FORMING" else function
    assert heard_by(nightly | {"detail": nightly["detail"] | {"state": state}}) == {former}


def test_settle_hears_of_the_ends_of_loads_alone() -> None:
    """Loads are named after stack and load; DDL, people's queries and another stack's loads are not."""
    assert RULES["SettleStatementEnded"]["EventPattern"] == {
        "source": ["aws.redshift-data"],
        "detail-type": ["Redshift Data Statement Status Change"],
        "detail": {
            "statementName": [{"prefix": {"Fn::Sub": "${AWS::StackName}.load."}}],
            "state": ["FINISHED", "FAILED", "ABORTED"],
        },
    }
    ended = event("settle/usual")
    for name in ("tidemark-history", "load.1", "tidemark-prod.load.1"):
        assert heard_by(ended | {"detail": ended["detail"] | {"statementName": name}}) == set()


def test_publish_hears_of_the_ends_of_our_own_runs_alone() -> None:
    """Neither a run that goes on nor another application's run wakes it."""
    ended = event("publish/usual")
    assert heard_by(ended | {"detail": ended["detail"] | {"state": "RUNNING"}}) == set()
    assert heard_by(ended | {"detail": ended["detail"] | {"applicationId": "00fother"}}) == set()


def test_submit_sees_batches_that_are_planned_and_nothing_else_of_the_ledger() -> None:
    """An attempt's own item is PLANNED too, and must not start a second look."""
    planned, _ = SOURCES["SubmitPlanned"]["FilterCriteria"]["Filters"]
    pattern = Pattern.parse(planned["Pattern"])
    record = event("submit/usual")["Records"][0]
    image = record["dynamodb"]["NewImage"]
    others = [
        image | {"state": {"S": "RUNNING"}},
        image | {"sk": {"S": "ATTEMPT#000001"}},
    ]
    assert pattern.matches(record)
    assert [other for other in others if pattern.matches(record | {"dynamodb": {"NewImage": other}})] == []


def test_submit_sees_the_keys_of_batches_that_are_published() -> None:
    """They come with the end of a turn; whose turn it is, and the batches themselves, are no such news."""
    _, published = SOURCES["SubmitPlanned"]["FilterCriteria"]["Filters"]
    pattern = Pattern.parse(published["Pattern"])
    (record,) = event("submit/keys")["Records"]
    image = record["dynamodb"]["NewImage"]
    others = [image | {"pk": {"S": "LOCK#transactions"}}, image | {"pk": {"S": f"BATCH#{image['batch_id']['S']}"}}]
    assert pattern.matches(record)
    assert [other for other in others if pattern.matches(record | {"dynamodb": {"NewImage": other}})] == []


def test_nightly_sees_nightly_batches_that_are_published_and_nothing_else_of_the_ledger() -> None:
    """A batch of files has no period; an attempt's own item is PUBLISHED too, and starts no second look."""
    (filter_,) = SOURCES["NightlyPublished"]["FilterCriteria"]["Filters"]
    pattern = Pattern.parse(filter_["Pattern"])
    (record,) = event("nightly/published")["Records"]
    image = record["dynamodb"]["NewImage"]
    others = [
        image | {"state": {"S": "RUNNING"}},
        image | {"sk": {"S": "ATTEMPT#000001"}},
        {name: value for name, value in image.items() if name != "period"},
    ]
    assert pattern.matches(record)
    assert [other for other in others if pattern.matches(record | {"dynamodb": {"NewImage": other}})] == []


def test_the_ledgers_stream_has_no_more_readers_than_it_bears() -> None:
    """DynamoDB advises against more than two readers of a shard: beyond, they throttle one another."""
    readers = {name for name, source in SOURCES.items() if "StreamArn" in json.dumps(source["EventSourceArn"])}
    assert readers == {"SubmitPlanned", "NightlyPublished"}


def test_schedules_have_a_name_of_the_stack_and_tell_the_minute() -> None:
    """The scheduled time is the same at every retry: who needs a key for a tick has one."""
    assert {name: schedule["Target"]["Arn"]["Fn::GetAtt"][0] for name, schedule in SCHEDULES.items()} == {
        "PlanTick": "Plan",
        "LoadTick": "Load",
        "SweepTick": "Sweep",
        "ReconcileTick": "Reconcile",
        "NightlyTick": "Nightly",
    }
    for schedule in SCHEDULES.values():
        declared = schedule["Target"]["Input"]
        text = declared["Fn::Sub"].replace("${Eager}", "false") if isinstance(declared, dict) else declared
        assert json.loads(text)["scheduled_time"] == "<aws.scheduler.scheduled-time>"


def test_the_http_api_has_the_routes_that_are_described_and_lets_in_who_signs() -> None:
    """docs/openapi.yaml is the contract: the same methods and paths, and each asks for IAM."""
    described = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text(encoding="utf-8"))
    deployed = RESOURCES["HttpApi"]["Properties"]["Body"]
    routes = {path: set(operations) for path, operations in deployed["paths"].items()}
    assert routes == {path: set(operations) for path, operations in described["paths"].items()}
    assert [op["security"] for each_ in deployed["paths"].values() for op in each_.values()] == [[{"AWS_IAM": []}]] * 2
    assert described["security"] == [{"AWS_IAM": []}]
    assert described["components"]["securitySchemes"].keys() == deployed["components"]["securitySchemes"].keys()


def test_the_http_api_is_throttled_and_logged() -> None:
    """Nobody can make it costly, and who asked what is known."""
    stage = RESOURCES["HttpApiApiGatewayDefaultStage"]["Properties"]
    assert stage["DefaultRouteSettings"] == {"ThrottlingRateLimit": 50, "ThrottlingBurstLimit": 100}
    assert stage["AccessLogSettings"]["DestinationArn"] == arn("AccessLogs")
    assert {"caller", "route", "status", "error"} <= set(json.loads(stage["AccessLogSettings"]["Format"]))


def test_predictions_read_the_model_and_nothing_else() -> None:
    """What is open to callers can neither write nor see data."""
    own = {statement.get("Sid"): statement for role, statement in statements() if role == "PredictRole"}
    del own[None]  # SAM's, for what could not be handled
    assert {sid: each(statement["Action"]) for sid, statement in own.items()} == {
        "ReadTheModel": ["s3:GetObject"],
        "TellMissingFromForbidden": ["s3:ListBucket"],
    }
    assert own["ReadTheModel"]["Resource"] == [
        {"Fn::Sub": "${LakeBucket.Arn}/artifacts/segment_customers/current.json"},
        {"Fn::Sub": "${LakeBucket.Arn}/batches/segment_customers/*/artifacts/model.json"},
    ]


# ── What happens when it fails ──────────────────────────────────────────────────────────────────────────────


def test_every_queue_has_a_dead_letter_queue_or_is_one() -> None:
    """No message is thrown away."""
    without = {name for name, queue in QUEUES.items() if "RedrivePolicy" not in queue}
    assert without == dead_letter_queues()


@pytest.mark.parametrize("queue", sorted(dead_letter_queues()))
def test_every_dead_letter_queue_has_an_alarm(queue: str) -> None:
    """The first message in it is one too many."""
    alarms = [
        (alarm["Namespace"], alarm["MetricName"], alarm["Threshold"], alarm["ComparisonOperator"])
        for alarm in of_type("AWS::CloudWatch::Alarm").values()
        if alarm["Dimensions"] == [{"Name": "QueueName", "Value": {"Fn::GetAtt": [queue, "QueueName"]}}]
    ]
    assert alarms == [("AWS/SQS", "ApproximateNumberOfMessagesVisible", 0, "GreaterThanThreshold")]


def test_every_alarm_on_our_own_metrics_watches_one_that_is_written() -> None:
    """An alarm on a metric nobody writes is silent for ever, and one on a count that a crash may lose, at times."""
    watched = {
        alarm["MetricName"]: alarm["Dimensions"]
        for alarm in of_type("AWS::CloudWatch::Alarm").values()
        if alarm["Namespace"] == "Tidemark"
    }
    assert watched
    assert set(watched) - set(GAUGES) == set()
    dimension = [{"Name": "service", "Value": {"Ref": "AWS::StackName"}}]
    assert all(dimensions == dimension for dimensions in watched.values())
    written = WRITTEN["Globals"]["Function"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
    assert written == dimension[0]["Value"]  # another stack's metrics move no alarm of this one


def test_every_alarm_tells_people_when_there_is_an_address() -> None:
    """And says in a sentence what happened."""
    tell = {"Fn::If": ["AlarmsAreMailed", [{"Ref": "AlarmTopic"}], {"Ref": "AWS::NoValue"}]}
    alarms = of_type("AWS::CloudWatch::Alarm")
    assert len(alarms) > 10
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"] == tell, name
        assert alarm["AlarmDescription"].endswith("."), name


def test_a_sweep_that_does_not_come_rings_and_ends_no_other_alarm() -> None:
    """Alarms on what sweep tells stay as they are without it; only missing nights and sweeps ring by silence."""
    ours = {
        name: alarm["TreatMissingData"]
        for name, alarm in of_type("AWS::CloudWatch::Alarm").items()
        if alarm["Namespace"] == "Tidemark"
    }
    silent = {"SweepSilentAlarm", "NightMissedAlarm"}
    assert ours == {name: "breaching" if name in silent else "ignore" for name in ours}


def test_the_page_for_operators_has_every_alarm_and_every_metric() -> None:
    """With the same words as the code."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    alarms = [name for name in of_type("AWS::CloudWatch::Alarm") if f"\n| {name} | " not in page]
    metrics = [name for name, text in {**COUNTS, **GAUGES}.items() if f"| `{name}` | {text} |" not in page]
    assert (alarms, metrics) == ([], [])


def test_nights_that_do_not_come_are_an_alarm_though_nobody_fails() -> None:
    """Threshold beyond a day and the hour of a late delivery; a stack in which no night was ever seen through rings."""
    alarm = RESOURCES["NightMissedAlarm"]["Properties"]
    parameter = DEPLOYED["Parameters"][alarm["Threshold"]["Ref"]]
    tried = RESOURCES["NightlyTick"]["Properties"]["Target"]["RetryPolicy"]["MaximumEventAgeInSeconds"]
    assert DEPLOYED["Parameters"]["NightlySchedule"]["Default"] == "cron(30 0 * * ? *)"
    assert parameter["Default"] > 86_400 + tried
    assert (alarm["ComparisonOperator"], alarm["TreatMissingData"]) == ("GreaterThanThreshold", "breaching")


def test_a_message_is_not_shown_again_while_it_is_worked_on() -> None:
    """Visibility is six times timeout and window; an hour of throttled receives sets nothing aside."""
    source, queue = SOURCES["CollectLanded"], QUEUES["LandedQueue"]
    window, timeout = source["MaximumBatchingWindowInSeconds"], FUNCTIONS["Collect"]["Timeout"]
    assert source["EventSourceArn"] == arn("LandedQueue")
    assert queue["VisibilityTimeout"] >= 6 * timeout + window
    assert queue["RedrivePolicy"]["maxReceiveCount"] * queue["VisibilityTimeout"] >= 3_600
    assert source["ScalingConfig"] == {"MaximumConcurrency": 2}  # of the ten that a new account has
    assert source["BatchSize"] <= 10 or window >= 1


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_one_bad_record_does_not_hold_up_its_batch(name: str) -> None:
    """Functions answer with the records that failed; the rest is done."""
    assert SOURCES[name]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


@pytest.mark.parametrize("name", ["SubmitPlanned", "NightlyPublished"])
def test_a_bad_stream_record_does_not_hold_up_its_shard(name: str) -> None:
    """The stream's batch is cut in half, retried a few times, and set aside: sweep, or the next night, comes back."""
    source = SOURCES[name]
    assert source["BisectBatchOnFunctionError"] is True
    assert 1 <= source["MaximumRetryAttempts"] <= 10
    assert 60 <= source["MaximumRecordAgeInSeconds"] <= 86400
    assert source["DestinationConfig"]["OnFailure"]["Destination"] == arn("DeadLetters")


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_function_hands_over_what_it_could_not_do(name: str) -> None:
    """An invocation that failed for good lies in DeadLetters with its event and its error."""
    config = RESOURCES[f"{name}EventInvokeConfig"]["Properties"]
    assert config["FunctionName"] == {"Ref": name}
    assert config["DestinationConfig"]["OnFailure"]["Destination"] == arn("DeadLetters")


@pytest.mark.parametrize("name", sorted([*RULES, *SCHEDULES]))
def test_what_cannot_be_delivered_is_kept(name: str) -> None:
    """Every rule's and schedule's target has a dead-letter queue."""
    resource = RESOURCES[name]["Properties"]
    found = [
        target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0]
        for target in resource.get("Targets", [resource.get("Target")])
    ]
    assert set(found) <= dead_letter_queues()


# ── Who may do what ─────────────────────────────────────────────────────────────────────────────────────────


def test_no_permission_is_for_everything_but_those_listed_with_a_reason() -> None:
    """`*` stands only where IAM knows nothing narrower."""
    unbound = {
        (role, statement.get("Sid", ""))
        for role, statement in statements()
        if statement["Effect"] == "Allow" and "*" in each(statement["Resource"])
    }
    assert unbound == set(UNBOUND)


def test_no_permission_is_for_every_action_of_a_service() -> None:
    """Actions are listed one by one."""
    actions = [action for _, statement in statements() for action in each(statement["Action"])]
    assert actions
    assert [action for action in actions if "*" in action] == []


def test_every_permission_of_ours_is_named_for_its_reason() -> None:
    """What SAM adds itself (for schedules and destinations) has no name; everything written here has."""
    written = re.findall(r"\n +(?:- Effect|- Sid): (\w+)", TEMPLATE.read_text(encoding="utf-8"))
    assert [sid for sid in written if sid == "Allow"] == ["Allow"] * 2  # the trust of JobRole and CopyRole
    assert all(re.fullmatch(r"[A-Z][A-Za-z]+", sid) for sid in written)


def test_every_function_has_a_role_of_its_own_except_the_two_that_share_a_statement() -> None:
    """Redshift's Data API tells of a statement only to the role that issued it: Load and Settle must be one."""
    roles: dict[str, set[str]] = {}
    for name, function in FUNCTIONS.items():
        roles.setdefault(function["Role"]["Fn::GetAtt"][0], set()).add(name)
    assert roles.pop("LoaderRole") == {"Load", "Settle"}
    assert {len(users) for users in roles.values()} == {1}


def test_the_only_managed_policy_is_that_for_logs() -> None:
    """Nothing wider comes in by name."""
    attached = {
        str(policy).split("/")[-1].rstrip("'}")
        for role in of_type("AWS::IAM::Role").values()
        for policy in role.get("ManagedPolicyArns", [])
    }
    assert attached == MANAGED_POLICIES


def test_only_the_job_role_can_be_passed_and_only_to_spark() -> None:
    """Who may pass any role to any service has all their rights."""
    passing = [(role, statement) for role, statement in statements() if "iam:PassRole" in each(statement["Action"])]
    ((role, statement),) = passing
    assert role == "SubmitRole"
    assert statement["Resource"] == arn("JobRole")
    assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "emr-serverless.amazonaws.com"}}


# ── What is kept ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", sorted(BUCKETS))
def test_every_bucket_is_closed_encrypted_and_survives_its_stack(name: str) -> None:
    """No public access, no plain text on the wire, none at rest, and no deletion with the stack."""
    bucket = BUCKETS[name]
    (policy,) = [
        found["PolicyDocument"]["Statement"]
        for found in of_type("AWS::S3::BucketPolicy").values()
        if found["Bucket"] == {"Ref": name}
    ]
    assert all(bucket["PublicAccessBlockConfiguration"].values())
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["BucketEncryption"]
    assert [(each_["Effect"], each_["Condition"]) for each_ in policy] == [
        ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    ]
    assert RESOURCES[name]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert RESOURCES[name]["UpdateReplacePolicy"] == "Retain"


@pytest.mark.parametrize("name", sorted(BUCKETS))
def test_no_current_object_ever_expires(name: str) -> None:
    """Iceberg alone knows which files its tables need, and the ledger points at manifests for ever."""
    rules = BUCKETS[name]["LifecycleConfiguration"]["Rules"]
    assert rules
    assert [rule for rule in rules if {"ExpirationInDays", "ExpirationDate", "Transitions"} & set(rule)] == []


def test_raw_files_have_versions() -> None:
    """A file version is bucket, key and version: without versions an overwrite changes what a manifest names."""
    assert BUCKETS["RawBucket"]["VersioningConfiguration"] == {"Status": "Enabled"}


def test_the_ledger_can_be_brought_back() -> None:
    """It is the truth about every file: recoverable to the second, and not deleted with the stack."""
    ledger = RESOURCES["LedgerTable"]
    assert ledger["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert ledger["DeletionPolicy"] == "RetainExceptOnCreate"
    assert ledger["UpdateReplacePolicy"] == "Retain"


def test_spark_is_capped_and_sleeps() -> None:
    """EMR's defaults have no upper end; an application without work costs nothing."""
    application = RESOURCES["SparkApplication"]["Properties"]
    assert set(application["MaximumCapacity"]) == {"Cpu", "Memory", "Disk"}
    assert application["AutoStopConfiguration"]["Enabled"] is True
    assert "InitialCapacity" not in application
    assert application["Architecture"] == "X86_64"


def test_recovery_waits_for_the_slowest_function() -> None:
    """One that had begun by the old ledger would else write to it while the new one is made whole."""
    timeouts = [one["Properties"]["Timeout"] for one in RESOURCES.values() if one["Type"] == "AWS::Lambda::Function"]
    assert timeouts
    assert HANDLERS_END_AFTER.total_seconds() >= max(timeouts) + 60


@pytest.mark.parametrize(
    ("release", "allowed"),
    [
        ("emr-7.10.0", True),
        ("emr-7.14.0", True),
        ("emr-8.0.1", True),
        ("emr-10.2.0", True),
        ("emr-7.9.0", False),
        ("emr-7.1.0", False),
        ("emr-6.15.0", False),
        ("emr-7.10", False),
        ("7.14.0", False),
    ],
)
def test_only_releases_whose_s3_is_s3a_are_taken(release: str, allowed: bool) -> None:
    """Before emr-7.10, s3:// was EMRFS, which leaves objects of its own and has another committer."""
    pattern = DEPLOYED["Parameters"]["EmrRelease"]["AllowedPattern"]
    assert bool(re.match(pattern, release)) is allowed


def test_a_drain_waits_for_submitters_that_had_not_seen_it() -> None:
    """One that had begun before may start a run until its own timeout."""
    assert SUBMITTERS_END_AFTER.total_seconds() >= RESOURCES["Submit"]["Properties"]["Timeout"] + 15
