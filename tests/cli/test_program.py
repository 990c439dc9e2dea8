"""How commands are declared: a usage error is one line in this project's words, and help lists every command."""

from __future__ import annotations

import click
import pytest

from cli.commands import tidemark
from cli.program import Several, leaves
from tests.cli.outcomes import refused


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["statsu"], "tidemark: expected a command, found 'statsu' (did you mean status?) (see `tidemark --help`)"),
        (["quarantine", "realese"], "tidemark quarantine: expected a command, found 'realese' (did you mean release?)"),
        (["local"], "tidemark local: expected a command (run, up), found none (see `tidemark local --help`)"),
        (["batches", "--limt", "3"], "tidemark batches: expected an option, found '--limt' (did you mean --limit?)"),
        (["--stak", "x", "status"], "tidemark: expected an option, found '--stak' (did you mean --stack?)"),
        (["batches", "--limit"], "tidemark batches: expected a value for --limit, found none"),
        (["--stack"], "tidemark: expected a value for --stack, found none"),
        (["replay", "--plan=yes"], "tidemark replay: expected no value for --plan, found one"),
        (["batches", "--limit", "x"], "tidemark batches: --limit: expected a whole number from 1, found 'x'"),
        (["local", "run", "", "--out", "o"], "tidemark local run: FOLDER: expected a folder, found an empty name"),
        (["explain"], "tidemark explain: expected s3://BUCKET/KEY, found none (see `tidemark explain --help`)"),
        (["local", "run", "in"], "tidemark local run: expected --out, found none"),
        (["status", "now", "--", "-x"], "tidemark status: expected no more arguments, found 'now -x'"),
        (["traffic", "out", "--datasets"], "tidemark traffic: expected a value for --datasets, found none"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_usage_error_says_what_was_expected_and_what_was_found(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A usage error names its command, what was expected, what was found, and the help."""
    assert refused(words, capsys).startswith(message)


@pytest.mark.parametrize(
    ("words", "spread"),
    [
        (["out", "--datasets", "a", "b"], ["out", "--datasets", "a", "--datasets", "b"]),
        (["--datasets", "a", "b", "--days", "3", "out"], ["--datasets", "a", "--datasets", "b", "--days", "3", "out"]),
        (["--datasets", "a", "--datasets", "b"], ["--datasets", "a", "--datasets", "b"]),
        (["--datasets"], ["--datasets"]),
        (["out"], ["out"]),
    ],
)
def test_an_option_with_several_values_takes_all_up_to_the_next_option(words: list[str], spread: list[str]) -> None:
    """Words up to the next option become values of the option."""
    assert Several(["--datasets"]).spread(words) == spread


def test_help_lists_every_command_with_its_summary() -> None:
    """The help has one line of at most 80 columns for every command."""
    context = click.Context(tidemark, info_name="tidemark", terminal_width=80)
    rows = tidemark.get_help(context).splitlines()
    for path, command in leaves(tidemark):
        assert f"  {' '.join(path):22}  {command.short_help}" in rows


def test_help_of_a_command_explains_its_arguments_and_options() -> None:
    """A command's help describes positional arguments as well as options."""
    nightly = tidemark.commands["nightly"]
    assert isinstance(nightly, click.Group)
    run = nightly.commands["run"]
    text = run.get_help(click.Context(run, info_name="run", terminal_width=80))
    assert "Arguments:\n  [JOB]...  all jobs, if left out\n" in text
    assert "  --date DATE  only periods with this date, ended or not; may be repeated\n" in text
