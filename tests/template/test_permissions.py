"""No call without a permission, and no permission without a call or a written reason.

`permissions.txt` has the permissions that were used while all end-to-end tests ran: principal, action, resource, in the
template's terms. Some calls occur only in some runs, so it is the record of several. The laptop cloud enforces the
policies during these tests, so what is used is allowed; here, the file is compared with the template of today.
`make permissions` records anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import click
import pytest

from cli.commands import tidemark
from local.iam.actions import BUCKETS, OBJECTS
from local.iam.policy import listed, matches, parse
from local.iam.recording import Grant, symbolic_grants
from local.stack.template import expand, load
from tests.template.operators import POLICIES
from tidemark.core.dataset_parser import parse_dataset
from tidemark.core.job import JobSpec
from tidemark.core.run_policy import run_policy

ROOT = Path(__file__).resolve().parents[2]
EXPANDED = expand(load(ROOT / "template.yaml"))
RECORDED = Path(__file__).with_name("permissions.txt").read_text(encoding="utf-8").splitlines()

COMMITTER = "S3A's committer; on a laptop Spark writes to a folder"
#: (principal, `action on resource` or resource) → why no end-to-end test uses the permission. Names may have wildcards.
REASONS = {
    ("*Role", "logs:* on *"): "Lambda itself writes the logs; on a laptop they are files",
    ("*Role", "ec2:* on *"): "Lambda makes a function's network interfaces, if it is in subnets",
    ("*Role", "sqs:SendMessage on *"): "for what failed for good, or could not be delivered: tests/local/delivery",
    ("*Role", "dynamodb:ListStreams on *"): "Lambda asks for it when the mapping is made; the laptop knows the stream",
    ("*", "s3:ListBucket on *"): "S3 asks for it only if an object is missing",
    ("*", "{*Bucket.Arn}"): "S3 asks for s3:ListBucket only if an object is missing",
    ("PlanRole", "dynamodb:ConditionCheckItem on *"): "on_overwrite append: tests/service/test_claim.py",
    ("PlanRole", "s3:GetObject on {RawBucket.Arn}*"): "for files that a listing found: tests/service/test_plan.py",
    ("NightlyRole", "s3:GetObject on {ControlBucket.Arn}*"): "after a crash: tests/service/test_nightly.py",
    ("LoaderRole", "events:PutEvents on *"): "for the next load of a shard: tests/service/test_settle.py",
    ("SubmitRole", "emr-serverless:ListJobRuns on *"): "for a run whose id a crash lost: tests/service/test_submit.py",
    ("JobRole", "s3:AbortMultipartUpload on *"): COMMITTER,
    ("JobRole", "s3:DeleteObject on *"): COMMITTER,
    ("JobRole", "s3:ListBucketMultipartUploads on *"): COMMITTER,
    ("JobRole", "s3:GetObject on {RawBucket.Arn}*"): "raw files that S3 stored without a version",
    ("JobRole", "s3:GetObject on {LakeBucket.Arn}/tables/*"): "files that Iceberg has rewritten lie there",
    ("PublishRole", "s3:AbortMultipartUpload on *"): "pyarrow gives up an upload that failed",
    ("PublishRole", "s3:DeleteObject on *"): "pyiceberg deletes metadata that is older than twenty commits",
    ("PublishRole", "s3:GetObject on {LakeBucket.Arn}/artifacts/*"): "tests/service/test_artifacts.py",
    ("PublishRole", "s3:PutObject on {LakeBucket.Arn}/artifacts/*"): "tests/service/test_artifacts.py",
    ("CopyRole", "s3:GetObject on {LakeBucket.Arn}/tables/*"): "`warehouse rebuild`: tests/service/test_rebuild.py",
    ("ReaderPolicy", "{ControlBucket.Arn}/jobs/*"): "`jobs list`: tests/service/test_job_code.py",
    ("SubmitRole", "{ControlBucket.Arn}/jobs/run_batch.py"): "before the first upload: tests/service/test_job_code.py",
    ("CopyRole", "s3:GetBucketLocation on *"): "COPY asks where a bucket is; the stand-in knows one region",
    (
        "OperatorPolicy",
        "dynamodb:ConditionCheckItem on *",
    ): "`quarantine release` of a file: tests/service/test_operate.py",
    ("OperatorPolicy", "s3:PutObject on {ControlBucket.Arn}/jobs/*"): "`jobs upload`: tests/cli/test_upload_jobs.py",
    ("OperatorPolicy", "s3:PutObject on {ControlBucket.Arn}/batches/*"): "`nightly run`: tests/service/test_nightly.py",
    ("OperatorPolicy", "s3:GetObject on {RawBucket.Arn}/*"): "`recover`, if two versions do not show which is newer",
}


def plain(resource: str) -> str:
    """A resource in the template's terms, without the `${` that a policy would take for a variable."""
    return resource.replace("${", "{")


GRANTS = [replace(grant, resources=tuple(map(plain, grant.resources))) for grant in symbolic_grants(EXPANDED)]


def lines(recorded: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    for line in recorded:
        principal, action, resource = plain(line).split(" ", 2)
        yield principal, action, resource


def covers(grant: Grant, principal: str, action: str, resource: str) -> bool:
    is_action = any(matches(one.lower(), action.lower(), {}) for one in grant.actions)
    return grant.principal == principal and is_action and any(matches(r, resource, {}) for r in grant.resources)


def unallowed(allowing: list[Grant], recorded: Iterable[str]) -> list[str]:
    """Recorded calls that no statement allows."""
    return [" ".join(used) for used in lines(recorded) if not any(covers(grant, *used) for grant in allowing)]


def unused(allowing: list[Grant], recorded: Iterable[str]) -> set[tuple[str, str]]:
    """(principal, `action on resource`) for actions of a statement that no recorded call used, and unused resources."""
    used = list(lines(recorded))
    found = set()
    for grant in allowing:
        mine = [
            (action, resource) for principal, action, resource in used if covers(grant, principal, action, resource)
        ]
        actions, resources = {action for action, _ in mine}, {resource for _, resource in mine}
        without = [action for action in grant.actions if action not in actions]
        found |= {(grant.principal, f"{action} on {one}") for action in without for one in grant.resources}
        if mine:
            found |= {(grant.principal, one) for one in grant.resources if one not in resources}
    return found


def reason(principal: str, what: str) -> tuple[str, str] | None:
    fitting = (key for key in REASONS if fnmatchcase(principal, key[0]) and fnmatchcase(what, key[1]))
    return next(fitting, None)


def test_every_recorded_call_is_allowed_by_the_template() -> None:
    """A statement that was removed or narrowed, although something needs it, is found without running anything."""
    assert unallowed(GRANTS, RECORDED) == []


def test_every_permission_was_used_or_has_a_reason() -> None:
    """Each action of each statement, and each of its resources."""
    assert sorted(each for each in unused(GRANTS, RECORDED) if reason(*each) is None) == []


def test_every_reason_is_needed() -> None:
    """A reason for what is used, or for what is not allowed at all, would hide the next finding."""
    needed = {reason(*each) for each in unused(GRANTS, RECORDED)}
    assert set(REASONS) - needed == set()


def test_the_record_is_sorted_and_says_nothing_twice() -> None:
    """So a change of it can be reviewed line by line."""
    assert sorted(set(RECORDED)) == RECORDED
    assert len({principal for principal, _, _ in lines(RECORDED)}) > 10


def test_both_directions_can_fail() -> None:
    """A missing statement leaves its call unallowed; a statement too many, a wide one and a new resource are unused."""
    own = [Grant("R", ("s3:GetObject",), ("arn:b/*",))]
    calls = ["R s3:GetObject arn:b/*", "R s3:PutObject arn:b/*", "Q s3:GetObject arn:b/*", "R s3:GetObject arn:c/*"]
    assert unallowed(own, calls) == calls[1:]
    wide = [Grant("R", ("s3:GetObject", "s3:DeleteObject"), ("arn:b/*", "arn:c/*"))]
    assert unused(wide, calls[:1]) == {
        ("R", "s3:DeleteObject on arn:b/*"),
        ("R", "s3:DeleteObject on arn:c/*"),
        ("R", "arn:c/*"),
    }
    assert unused([*own, Grant("Q", ("sqs:SendMessage",), ("*",))], calls[:1]) == {("Q", "sqs:SendMessage on *")}


@pytest.mark.parametrize("principal", sorted({grant.principal for grant in GRANTS}))
def test_who_may_read_objects_learns_which_are_missing(principal: str) -> None:
    """Without s3:ListBucket on the bucket, S3 answers 403 for a missing object, and "not there" would be an error."""
    together = {"OperatorPolicy": {"ReaderPolicy", "OperatorPolicy"}}.get(principal, {principal})
    mine = [grant for grant in GRANTS if grant.principal in together]
    read = {one for grant in mine if "s3:GetObject" in grant.actions for one in grant.resources}
    listing = {one for grant in mine if BUCKETS["ListObjectsV2"] in grant.actions for one in grant.resources}
    assert {one.partition("/")[0] for one in read} - listing == set()
    assert OBJECTS["HeadObject"] == "s3:GetObject"


def test_services_assume_roles_for_this_account_alone() -> None:
    """The keys are those that the service sends: another key would refuse the service itself."""
    found = {}
    for name in ("JobRole", "CopyRole"):
        [statement] = EXPANDED["Resources"][name]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        found[name] = (listed(statement["Principal"]["Service"]), statement["Condition"])
    assert found["JobRole"] == (
        ["emr-serverless.amazonaws.com"],
        {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
    )
    assert found["CopyRole"][0] == ["redshift.amazonaws.com", "redshift-serverless.amazonaws.com"]
    [external] = found["CopyRole"][1]["StringLike"].items()
    assert external == (
        "sts:ExternalId",
        {"Fn::Sub": "arn:${AWS::Partition}:redshift:${AWS::Region}:${AWS::AccountId}:dbuser:*/*"},
    )


def test_a_runs_own_policy_and_its_role_have_the_same_actions() -> None:
    """A run may do what both allow: an action that only one of them has would be allowed to no run at all."""
    shop = {
        "name": "shop",
        "prefix": "shop/",
        "record": {"day": "date"},
        "tables": {"sales": {"columns": {"day": "date"}}},
    }
    night = {
        "name": "total",
        "every": "day",
        "reads": {"sales": "period"},
        "tables": {"totals": {"columns": {"day": "date"}}},
    }
    specs = [
        JobSpec("b", 1, parse_dataset(declared), "s3://control/batches/m.json", "s3://lake/batches/b/0001/", seen)
        for declared, seen in ((shop, None), (shop, ()), (night, None))
    ]
    in_runs = {action for spec in specs for one in parse(json.loads(run_policy(spec, "raw"))) for action in one.actions}
    in_role = {action for grant in GRANTS if grant.principal == "JobRole" for action in grant.actions}
    assert in_runs == in_role


def commands(group: Any, words: tuple[str, ...] = ()) -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))
        else:
            yield " ".join((*words, name))


def test_the_page_for_operators_says_which_command_needs_which_policy() -> None:
    """Both rows of its table are those that the end-to-end tests use."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    rows = {
        who: re.findall(r"`([^`]+)`", names)
        for who, names in re.findall(r"^\| (ReaderPolicy|both) \| (.+) \|$", page, re.MULTILINE)
    }
    for who, policy in (("ReaderPolicy", "reader"), ("both", "operator")):
        assert sorted(rows[who]) == sorted(name for name, needed in POLICIES.items() if needed == policy)


def test_every_command_says_which_policy_it_needs() -> None:
    """The end-to-end tests run it with this policy and nothing else."""
    assert sorted(POLICIES) == sorted(commands(tidemark))
    assert set(POLICIES.values()) == {"none", "reader", "operator"}
