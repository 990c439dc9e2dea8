"""Every command names a function that takes what the command gives it."""

from __future__ import annotations

import inspect

import pytest

from cli.commands import EXAMPLES, sealed_world, tidemark
from cli.program import Command, leaves

LEAVES = {" ".join(path): command for path, command in leaves(tidemark)}


@pytest.mark.parametrize("name", sorted(LEAVES))
def test_a_function_takes_the_options_of_its_command(name: str) -> None:
    """A command's function takes its options by name, after the console and, if it works on a stack, the world."""
    command = LEAVES[name]
    given = [param.name for param in command.params if param.name != "as_json"]
    taken = list(inspect.signature(command.function).parameters.values())
    first = [parameter.name for parameter in taken if parameter.name in ("world", "stack", "console")]
    rest = {parameter.name for parameter in taken[len(first) :]}
    optional = {parameter.name for parameter in taken if parameter.default is not parameter.empty}
    assert first in (["console"], ["world", "console"], ["stack", "console"])
    assert set(given) <= rest
    assert rest - optional <= set(given)


def test_commands_that_change_the_ledger_are_refused_unless_it_is_whole() -> None:
    """The others only read, or must work then: `recover` above all, and `pause`, `resume` and `drain` before it."""
    assert {name for name, command in LEAVES.items() if command.opens is sealed_world} == {
        "backfill",
        "nightly run",
        "quarantine acknowledge",
        "quarantine discard",
        "quarantine release",
        "reconcile",
        "replay",
    }


def test_the_examples_of_the_help_name_commands() -> None:
    """Every example in the help begins with an existing command."""
    examples = [line.split("  ")[1] for line in EXAMPLES.splitlines() if line.startswith("  tidemark ")]
    assert len(examples) == 5
    assert all(any(f"{example} ".startswith(f"tidemark {name} ") for name in LEAVES) for example in examples)


def test_a_stack_is_named_by_the_option_or_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--stack` wins over `TIDEMARK_STACK`, and an empty variable counts as unset."""
    stacks: list[str] = []
    monkeypatch.setattr(Command, "invoke", lambda _, context: stacks.append(context.find_root().params["stack"]))
    for variable, words in (("", []), ("staging", []), ("staging", ["--stack", "prod"])):
        monkeypatch.setenv("TIDEMARK_STACK", variable)
        with tidemark.make_context("tidemark", [*words, "status"]) as context:
            tidemark.invoke(context)
    assert stacks == ["tidemark", "staging", "prod"]
