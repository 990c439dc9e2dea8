"""How click is used: functions imported when their command is called, help in sections, usage errors of one line.

A usage error says what was expected and what was found, like every other error of Tidemark.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

import click

from cli.text import one_line
from tidemark.core.suggestions import did_you_mean

#: A width for help that reads well on a wide screen, too.
HELP_WIDTH = 100


class Argument(click.Argument):
    """A positional argument with a line in the help."""

    def __init__(self, *names: Any, description: str = "", **options: Any) -> None:
        super().__init__(*names, **options)
        self._description = description

    def get_help_record(self, _: click.Context) -> tuple[str, str]:
        """Its name and its line."""
        return self.human_readable_name, self._description


class Several(click.Option):
    """An option that takes one value or more: `--datasets a b`. The next option ends the list."""

    def __init__(self, *names: Any, **options: Any) -> None:
        super().__init__(*names, **{**options, "multiple": True})

    def spread(self, words: Sequence[str]) -> list[str]:
        """`--datasets a b` → `--datasets a --datasets b`, which click understands."""
        spread: list[str] = []
        inside = False
        for word in words:
            if word.startswith("-"):
                inside = word in self.opts
            elif inside and spread[-1] not in self.opts:
                spread.append(self.opts[0])
            spread.append(word)
        return spread


class _Plain(click.Command):
    """A command whose usage errors name it, and whose `--help` is described as other options are."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Adds the command to errors of click's option parser, which leaves it out."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """The option, described in lower case."""
        option = super().get_help_option(ctx)
        if option:
            option.help = "show this help"
        return option


class Command(_Plain):
    """A command that calls the function at `target`, `module:name`, with a console and its options by name.

    The module is imported only then, so that help and completion stay quick. For a command that works on a stack,
    `opens` turns the stack's name into the function's first argument.
    """

    def __init__(
        self,
        name: str,
        summary: str,
        target: str,
        *params: click.Parameter,
        opens: Callable[[str], object] | None = None,
    ) -> None:
        settings = {"allow_extra_args": True}  # so that they are refused in this project's words, below
        super().__init__(name, settings, params=[*params], help=_sentence(summary), short_help=summary)
        self.target = target
        self.opens = opens

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuses words that no argument takes."""
        for param in self.params:
            args = param.spread(args) if isinstance(param, Several) else args
        left = super().parse_args(ctx, args)
        if left and not ctx.resilient_parsing:
            ctx.fail(f"expected no more arguments, found {' '.join(left)!r}")
        return left

    def invoke(self, ctx: click.Context) -> int | None:
        """The exit status that the function returns; None is 0."""
        from cli.render import open_console

        options = dict(ctx.params)
        console = open_console(as_json=options.pop("as_json", False))
        world = [self.opens(ctx.find_root().params["stack"])] if self.opens else []
        status: int | None = self.function(*world, console, **options)
        return status

    @property
    def function(self) -> Callable[..., int | None]:
        """What the command calls."""
        module, _, name = self.target.partition(":")
        function: Callable[..., int | None] = getattr(import_module(module), name)
        return function

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Arguments and options, each under its heading."""
        arguments = [param for param in self.params if isinstance(param, Argument)]
        options = [param for param in self.get_params(ctx) if not isinstance(param, Argument)]
        for heading, params in (("Arguments", arguments), ("Options", options)):
            rows = [row for param in params if (row := param.get_help_record(ctx))]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)


class Group(_Plain, click.Group):
    """Commands under one name."""

    def __init__(self, name: str, summary: str, *commands: click.Command, **options: Any) -> None:
        super().__init__(
            name,
            {command.name or "": command for command in commands},
            invoke_without_command=True,
            callback=self._without_command,
            subcommand_metavar="COMMAND ...",
            help=_sentence(summary),
            short_help=summary,
            **options,
        )

    def list_commands(self, _: click.Context) -> list[str]:
        """In the order in which they were given."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Refuses a command that does not exist, and names the one that was probably meant."""
        if args[0] not in self.commands and not ctx.resilient_parsing:
            ctx.fail(f"expected a command, found {args[0]!r}{did_you_mean(args[0], self.commands)}")
        return super().resolve_command(ctx, args)

    def _without_command(self, **_: object) -> None:
        """Click calls this before the command, too."""
        ctx = click.get_current_context()
        if ctx.invoked_subcommand is None:
            self.refuse_nothing(ctx)

    def refuse_nothing(self, ctx: click.Context) -> None:
        """Raises: a group does nothing by itself."""
        ctx.fail(f"expected a command ({', '.join(self.commands)}), found none")


class Program(Group):
    """The whole command line: its help lists every command in its section, and no command means help."""

    def __init__(
        self, name: str, summary: str, sections: Mapping[str, Sequence[click.Command]], **options: Any
    ) -> None:
        settings = {"help_option_names": ["-h", "--help"], "max_content_width": HELP_WIDTH}
        commands = [command for section in sections.values() for command in section]
        super().__init__(name, summary, *commands, context_settings=settings, **options)
        self._sections = sections

    def refuse_nothing(self, ctx: click.Context) -> None:
        """Prints the help instead."""
        click.echo(ctx.get_help())

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """Every command with its full name."""
        sections = {title: list(_summaries(commands)) for title, commands in self._sections.items()}
        widest = max(len(path) for rows in sections.values() for path, _ in rows)
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl([(path.ljust(widest), summary) for path, summary in rows])


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Command]]:
    """(path, command) of every command below, groups left out."""
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from leaves(child, (*path, name))
    elif isinstance(command, Command):
        yield path, command


def usage_error(error: click.UsageError) -> str:
    """`tidemark batches: --limit: expected …, found … (see `tidemark batches --help`)`."""
    program = error.ctx.command_path if error.ctx else "tidemark"
    return f"{program}: {one_line(_complaint(error))} (see `{program} --help`)"


def _complaint(error: click.UsageError) -> str:
    if isinstance(error, click.NoSuchOption):
        known = error.ctx.command.get_params(error.ctx) if error.ctx else []
        return f"expected an option, found {error.option_name!r}{did_you_mean(error.option_name, _option_names(known))}"
    if isinstance(error, click.MissingParameter) and error.param:
        return f"expected {_label(error.param)}, found none"
    if isinstance(error, click.BadParameter) and error.param:
        return f"{_label(error.param)}: {error.message}"
    if isinstance(error, click.BadOptionUsage):
        return f"expected {_usage_of(error)}"
    return error.message


def _usage_of(error: click.BadOptionUsage) -> str:
    params = error.ctx.command.get_params(error.ctx) if error.ctx else []
    flags = _option_names(param for param in params if isinstance(param, click.Option) and param.is_flag)
    name = error.option_name
    return f"no value for {name}, found one" if name in flags else f"a value for {name}, found none"


def _option_names(params: Any) -> list[str]:
    return [name for param in params if isinstance(param, click.Option) for name in param.opts]


def _label(param: click.Parameter) -> str:
    return param.human_readable_name if isinstance(param, click.Argument) else param.opts[-1]


def _summaries(commands: Sequence[click.Command]) -> Iterator[tuple[str, str]]:
    for command in commands:
        for path, leaf in leaves(command, (command.name or "",)):
            yield " ".join(path), leaf.short_help or ""


def _sentence(summary: str) -> str:
    return f"{summary[0].upper()}{summary[1:]}."
