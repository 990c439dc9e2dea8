"""Which options of samconfig.toml, which region and which account a deployment of a stack uses."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from cli.connection import region
from tidemark.core.errors import TidemarkError

ANY = "default"  # the options of a stack that samconfig.toml does not name


@dataclass(frozen=True)
class Target:
    """Where a stack is deployed."""

    stack: str
    region: str
    account: str
    environment: str  # of samconfig.toml


def find_target(stack: str, config: Path) -> Target:
    """The stack's target; sets the region for all clients that are made from now on.

    Raises `TidemarkError` if AWS is configured for another region than samconfig.toml gives the stack, as every other
    command would look for the stack there.
    """
    environment, parameters = options_of(stack, tomllib.loads(config.read_text(encoding="utf-8")))
    configured, given = region(), str(parameters.get("region", ""))
    if configured and given and configured != given:
        raise TidemarkError(
            f"expected {given}, where samconfig.toml deploys {stack!r}, found AWS configured for {configured}:"
            " set AWS_REGION, or change samconfig.toml"
        )
    if not (configured or given):
        raise TidemarkError(f"expected a region for {stack!r} in samconfig.toml or AWS_REGION, found none")
    os.environ["AWS_REGION"] = os.environ["AWS_DEFAULT_REGION"] = configured or given
    account = boto3.client("sts").get_caller_identity()["Account"]
    return Target(stack, configured or given, account, environment)


def options_of(stack: str, config: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The environment that is for this stack, and its options for all commands; `default` if none is."""
    environments = {name: value for name, value in config.items() if isinstance(value, dict)}
    shared = {name: value.get("global", {}).get("parameters", {}) for name, value in environments.items()}
    named = [name for name, parameters in shared.items() if parameters.get("stack_name") == stack]
    if len(named) > 1:
        raise TidemarkError(f"expected one environment for {stack!r} in samconfig.toml, found {', '.join(named)}")
    environment = named[0] if named else ANY
    return environment, shared.get(environment, {})
