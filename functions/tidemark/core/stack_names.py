"""The names that the template gives to its resources, and whether AWS accepts them for a stack's name. Pure.

CloudFormation finds out resource by resource, minutes into a deployment (docs/aws-facts.md#names-of-resources).
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class NameRule:
    """A kind of name that contains the stack's, and AWS's rule for it."""

    what: str
    form: str  # with {stack}, {account} and {region}
    longest: int
    lower_case: bool = False


#: Every name in the template that contains the stack's. CloudFormation makes the others, and shortens them itself.
NAME_RULES = (
    NameRule("S3 bucket", "{stack}-raw-{account}-{region}", 63, lower_case=True),
    NameRule("S3 bucket", "{stack}-control-{account}-{region}", 63, lower_case=True),
    NameRule("S3 bucket", "{stack}-lake-{account}-{region}", 63, lower_case=True),
    NameRule("IAM role", "{stack}-loader-{region}", 64),
    NameRule("Redshift workgroup", "{stack}", 64, lower_case=True),
    NameRule("EMR Serverless application", "{stack}", 64),
    NameRule("HTTP API", "{stack}", 128),
    NameRule("DynamoDB table", "{stack}-ledger", 255),
    NameRule("schedule", "{stack}-plan", 64),
    NameRule("schedule", "{stack}-nightly", 64),
    NameRule("schedule", "{stack}-load", 64),
    NameRule("schedule", "{stack}-sweep", 64),
    NameRule("schedule", "{stack}-reconcile", 64),
    NameRule("log group", "/aws/vendedlogs/{stack}/http", 512),
    NameRule("SSM parameter", "/{stack}/settings", 1011),
)
SHORTEST = 3  # a Redshift namespace's
RESERVED = {
    "aws": "Systems Manager, and EventBridge for the source of events",
    "ssm": "Systems Manager",
    "xn--": "S3",
    "sthree-": "S3",
    "amzn-s3-demo-": "S3",
}


def check_stack_name(stack: str, account: str, region: str) -> list[str]:
    """Why AWS would refuse the stack's name or a resource's name made of it; each problem is one sentence."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", stack):
        rule = "a stack name of letters, digits and hyphens that begins with a letter"
        return [_problem(rule, repr(stack), "choose another name")]
    return [*_length(stack, account, region), *_case(stack), *_reserved(stack)]


def longest_stack_name(account: str, region: str) -> tuple[int, NameRule]:
    """The most characters that a stack's name may have, and the rule that sets this limit."""
    return min(
        ((rule.longest - len(_name(rule, "", account, region)), rule) for rule in NAME_RULES),
        key=lambda limit: limit[0],
    )


def _length(stack: str, account: str, region: str) -> list[str]:
    if len(stack) < SHORTEST:
        rule = f"a stack name of {SHORTEST} characters at least, because a Redshift namespace has the same name"
        return [_problem(rule, f"{stack!r} with {len(stack)}", "choose a longer name")]
    longest, limit = longest_stack_name(account, region)
    if len(stack) <= longest:
        return []
    name = _name(limit, stack, account, region)
    rule = f"a name of {limit.longest} characters at most for the {limit.what} {name}"
    remedy = f"choose a stack name of {longest} characters at most instead of {len(stack)}"
    return [_problem(rule, str(len(name)), remedy)]


def _case(stack: str) -> list[str]:
    if stack == stack.lower():
        return []
    kinds = " and ".join(dict.fromkeys(f"{rule.what}s" for rule in NAME_RULES if rule.lower_case))
    rule = f"a stack name in lower case, because the names of {kinds} are"
    return [_problem(rule, repr(stack), f"choose {stack.lower()!r}")]


def _reserved(stack: str) -> list[str]:
    taken = {prefix: owner for prefix, owner in RESERVED.items() if stack.lower().startswith(prefix)}
    rule = "a stack name that does not begin with {!r}, which is reserved by {}"
    return [_problem(rule.format(*entry), repr(stack), "choose another name") for entry in taken.items()]


def _problem(rule: str, found: str, remedy: str) -> str:
    return f"expected {rule}, found {found}: {remedy}"


def _name(rule: NameRule, stack: str, account: str, region: str) -> str:
    return rule.form.format(stack=stack, account=account, region=region)
