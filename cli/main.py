"""tidemark: files land, tables follow, exactly once.

Exit status 0: done. 1: done, and something needs a person. 2: the command could not be carried out as given.
130: interrupted. 141: the reader of the output has gone. 143: ended by a signal.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress

import click

from cli.commands import tidemark
from cli.program import usage_error
from cli.text import one_line

NOT_POSSIBLE, INTERRUPTED, READER_GONE = 2, 130, 141
#: A shell's completion script sets this, and reads suggestions instead of a command's output.
COMPLETION = "_TIDEMARK_COMPLETE"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command's exit status."""
    try:
        status = _run(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _write_nothing_more()
        return READER_GONE
    except click.UsageError as error:
        print(usage_error(error), file=sys.stderr)
        return NOT_POSSIBLE
    except Exception as error:
        if not _is_expected(error):
            raise
        return _refused(error)
    return status


def _run(arguments: Sequence[str]) -> int:
    # The services log and count for Lambda; a person reads the commands' own words.
    os.environ.update(POWERTOOLS_LOG_LEVEL="CRITICAL", POWERTOOLS_METRICS_DISABLED="true")
    if COMPLETION in os.environ:
        from click.shell_completion import shell_complete

        return shell_complete(tidemark, {}, "tidemark", COMPLETION, os.environ[COMPLETION])
    try:
        # Not click's own `main`: it ends with 1 where the reader has gone, and prints a line on Ctrl-C.
        with tidemark.make_context("tidemark", list(arguments)) as context:
            return tidemark.invoke(context) or 0
    except click.exceptions.Exit as end:  # --help
        return end.exit_code


def _refused(error: Exception) -> int:
    """One line on standard error says why."""
    print(f"tidemark: {one_line(error)}", file=sys.stderr)
    if isinstance(error, OSError):  # perhaps the output itself: the disk is full
        with suppress(OSError):
            sys.stdout.flush()
            return NOT_POSSIBLE
        _write_nothing_more()
    return NOT_POSSIBLE


def _is_expected(error: Exception) -> bool:
    """Whether the error is about what was given, or about the world, and not a fault of this program."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    from tidemark.core.errors import TidemarkError

    return isinstance(error, (TidemarkError, OSError, Boto3Error, BotoCoreError, ClientError, ResponseParserError))


def _write_nothing_more() -> None:
    """Discard what is left in the buffer: Python would complain about it when it exits."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
