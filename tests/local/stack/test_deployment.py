"""What a deployed template comes to."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.stack.deployment import Deployment, FunctionSpec

ARN = "arn:aws:lambda:us-east-1:123456789012:function:tide-Plan"
PLAN = FunctionSpec("Plan", "tide-Plan", ARN, "plan.handler", Path(), {}, 3, 128, "arn:role")
OTHER = FunctionSpec("Load", "tide-Load", ARN.replace("Plan", "Load"), "load.handler", Path(), {}, 3, 128, "arn:role")


@pytest.mark.parametrize("name", ["Plan", "tide-Plan", ARN, f"{ARN}:$LATEST"])
def test_a_function_is_found_by_any_of_its_names(name: str) -> None:
    """Logical id, name and ARN, with a qualifier or without."""
    assert Deployment("tide", {}, (OTHER, PLAN)).function(name) is PLAN


def test_an_unknown_function_is_refused_with_those_that_there_are() -> None:
    """A part of a name is no name."""
    with pytest.raises(KeyError, match=r"no function 'Pla' in the template; it has \['Load', 'Plan'\]"):
        Deployment("tide", {}, (OTHER, PLAN)).function("Pla")
