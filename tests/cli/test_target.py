"""Which options, which region and which account a stack is deployed with."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from cli.target import Target, find_target, options_of
from tidemark.core.errors import TidemarkError

CONFIG = """
version = 0.1
[default.global.parameters]
stack_name = "tidemark"
region = "us-east-1"
[prod.global.parameters]
stack_name = "tidemark-prod"
region = "eu-west-1"
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A samconfig.toml, and an account that answers."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "")
    account = SimpleNamespace(get_caller_identity=lambda: {"Account": "123456789012"})
    monkeypatch.setattr(boto3, "client", lambda _: account)
    monkeypatch.setattr("cli.target.region", lambda: "")
    path = tmp_path / "samconfig.toml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("stack", "region", "environment"),
    [("tidemark", "us-east-1", "default"), ("tidemark-prod", "eu-west-1", "prod"), ("mine", "us-east-1", "default")],
)
def test_the_stacks_name_chooses_its_options(config: Path, stack: str, region: str, environment: str) -> None:
    """A stack that samconfig.toml does not name gets the options of `default`."""
    assert find_target(stack, config) == Target(stack, region, "123456789012", environment)


def test_another_region_than_the_other_commands_use_is_refused(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They would not find the stack that was deployed."""
    monkeypatch.setattr("cli.target.region", lambda: "us-west-2")
    with pytest.raises(TidemarkError, match=r"expected eu-west-1, where .* 'tidemark-prod', found AWS"):
        find_target("tidemark-prod", config)


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"a": {"global": {"parameters": {"stack_name": "x"}}}, "b": {"global": {"parameters": {"stack_name": "x"}}}},
         "found a, b"),
    ],
)  # fmt: skip
def test_two_environments_of_one_stack_are_refused(config: dict[str, Any], complaint: str) -> None:
    """Nothing says which of them is meant."""
    with pytest.raises(TidemarkError, match=complaint):
        options_of("x", config)


def test_no_region_anywhere_is_refused(config: Path) -> None:
    """SAM would ask, or take one that nobody chose."""
    config.write_text("version = 0.1\n", encoding="utf-8")
    with pytest.raises(TidemarkError, match="expected a region for 'tidemark'"):
        find_target("tidemark", config)
