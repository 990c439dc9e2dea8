"""Whether AWS accepts the names that a stack gives its resources."""

from __future__ import annotations

import pytest

from tidemark.core.stack_names import NAME_RULES, RESERVED, check_stack_name, longest_stack_name

ACCOUNT = "123456789012"


@pytest.mark.parametrize("stack", ["tidemark", "tidemark-prod", "a1b", "t--x-"])
def test_a_good_name_has_no_problem(stack: str) -> None:
    """Lower case, digits and hyphens."""
    assert check_stack_name(stack, ACCOUNT, "us-east-1") == []


@pytest.mark.parametrize(("region", "longest"), [("us-east-1", 32), ("ap-southeast-2", 27), ("us-gov-west-1", 28)])
def test_the_longest_bucket_name_limits_the_stacks(region: str, longest: int) -> None:
    """63 characters less `-control-`, the account, a hyphen and the region; one more is refused."""
    assert longest_stack_name(ACCOUNT, region)[0] == longest == 63 - len(f"-control-{ACCOUNT}-{region}")
    assert check_stack_name("t" * longest, ACCOUNT, region) == []
    (problem,) = check_stack_name("t" * (longest + 1), ACCOUNT, region)
    bucket = f"{'t' * (longest + 1)}-control-{ACCOUNT}-{region}"
    assert problem == (
        f"expected a name of 63 characters at most for the S3 bucket {bucket}, found 64:"
        f" choose a stack name of {longest} characters at most instead of {longest + 1}"
    )


LETTERS = (
    "expected a stack name of letters, digits and hyphens that begins with a letter, found {}: choose another name"
)
CASE = "expected a stack name in lower case, because the names of S3 buckets and Redshift workgroups are, found {}"
SHORT = "expected a stack name of 3 characters at least, because a Redshift namespace has the same name, found {}"
TAKEN = "expected a stack name that does not begin with 'ssm', which is reserved by Systems Manager, found {}"


@pytest.mark.parametrize(
    ("stack", "problem"),
    [
        ("Tidemark", CASE.format("'Tidemark': choose 'tidemark'")),
        ("tide_mark", LETTERS.format("'tide_mark'")),
        ("1tide", LETTERS.format("'1tide'")),
        ("", LETTERS.format("''")),
        ("tide\n", LETTERS.format("'tide\\n'")),
        ("ti", SHORT.format("'ti' with 2: choose a longer name")),
        ("ssm-lake", TAKEN.format("'ssm-lake': choose another name")),
    ],
)
def test_a_refused_name_says_rule_finding_and_remedy(stack: str, problem: str) -> None:
    """One sentence each."""
    assert check_stack_name(stack, ACCOUNT, "us-east-1") == [problem]


def test_all_problems_are_told_at_once() -> None:
    """Too long, in capitals, and reserved."""
    assert len(check_stack_name("AWS" + "t" * 60, ACCOUNT, "us-east-1")) == 3


def test_every_reserved_beginning_is_refused_in_any_case() -> None:
    """SSM's are reserved in capitals too."""
    for prefix in RESERVED:
        assert check_stack_name(f"{prefix}tide", ACCOUNT, "us-east-1")
        assert check_stack_name(f"{prefix.upper()}tide", ACCOUNT, "us-east-1")


def test_no_rule_is_listed_twice() -> None:
    """A rule is a kind and a form."""
    assert len({(rule.what, rule.form) for rule in NAME_RULES}) == len(NAME_RULES)
