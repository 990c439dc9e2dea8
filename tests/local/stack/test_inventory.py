"""Which names are taken in an account."""

from __future__ import annotations

import pytest

from local.account import TemplateError
from local.stack.inventory import Inventory

TAKEN = r"^Resource of type '{}' with identifier 'x' already exists\.$"


@pytest.mark.parametrize(
    ("kind", "region", "free"),
    [
        ("AWS::S3::Bucket", "eu-west-1", False),
        ("AWS::IAM::Role", "eu-west-1", False),
        ("AWS::DynamoDB::Table", "eu-west-1", True),
        ("AWS::DynamoDB::Table", "us-east-1", False),
    ],
)
def test_a_name_of_another_stack_is_refused_where_it_must_be_unique(kind: str, region: str, free: bool) -> None:
    """Buckets in the world, roles in the account, everything else in its region."""
    inventory = Inventory()
    assert not inventory.claim(kind, "us-east-1", "x", "first", adopt=False)
    if free:
        assert not inventory.claim(kind, region, "x", "second", adopt=False)
    else:
        with pytest.raises(TemplateError, match=TAKEN.format(kind)):
            inventory.claim(kind, region, "x", "second", adopt=True)


def test_stacks_of_one_name_in_two_regions_are_two_stacks() -> None:
    """The second may not take the first one's role."""
    inventory = Inventory()
    inventory.claim("AWS::IAM::Role", "us-east-1", "x", "tide", adopt=False)
    with pytest.raises(TemplateError, match="already exists"):
        inventory.claim("AWS::IAM::Role", "eu-west-1", "x", "tide", adopt=False)


def test_a_stack_finds_its_own_names_again() -> None:
    """It is being updated."""
    inventory = Inventory()
    assert [inventory.claim("AWS::SSM::Parameter", "r", "x", "tide", adopt=False) for _ in range(2)] == [False, True]


def test_what_a_stack_has_left_is_taken_until_it_is_adopted() -> None:
    """By whichever stack has the same name for it."""
    inventory = Inventory()
    inventory.claim("AWS::S3::Bucket", "us-east-1", "x", "tide", adopt=False)
    inventory.leave("AWS::S3::Bucket", "us-east-1", "x")
    with pytest.raises(TemplateError, match="already exists"):
        inventory.claim("AWS::S3::Bucket", "us-east-1", "x", "tide", adopt=False)
    assert inventory.claim("AWS::S3::Bucket", "us-east-1", "x", "tide", adopt=True)


def test_a_deleted_name_is_free() -> None:
    """For a new resource."""
    inventory = Inventory()
    inventory.claim("AWS::S3::Bucket", "us-east-1", "x", "tide", adopt=False)
    inventory.forget("AWS::S3::Bucket", "us-east-1", "x")
    assert not inventory.claim("AWS::S3::Bucket", "us-east-1", "x", "other", adopt=False)
