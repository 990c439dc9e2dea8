"""`tidemark validate`: the declarations in a folder, and every mistake in them."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

from cli.render import plural, say
from cli.sample import show_sample
from cli.text import one_line
from tidemark.adapters.dataset_files import validate
from tidemark.core.dataset import Dataset
from tidemark.core.errors import DeclarationError, TidemarkError

NOT_POSSIBLE = 2  # exit status


def validate_declarations(console: Console, folder: Path, sample: Path | None) -> int:
    """Print a line for each dataset, or one for each mistake on standard error and exit status 2.

    With `sample`, also print what the files of that folder, at their keys, make of each dataset.
    """
    if not folder.is_dir():
        raise TidemarkError(f"expected a folder of declarations, found no folder {folder}")
    if sample and not sample.is_dir():
        raise TidemarkError(f"expected a folder of raw files, found no folder {sample}")
    try:
        datasets = validate(folder)
    except DeclarationError as mistakes:
        for mistake in mistakes.all:
            print(f"tidemark: {one_line(mistake)}", file=sys.stderr)
        return NOT_POSSIBLE
    for name, dataset in datasets.items():
        say(console, f"{name}: {_kind(dataset)}, tables {', '.join(table.name for table in dataset.tables)}")
        if sample and not dataset.nightly:
            show_sample(console, dataset, sample)
    return 0


def _kind(dataset: Dataset) -> str:
    return f"every {dataset.nightly.every}" if dataset.nightly else plural(len(dataset.record), "field")
