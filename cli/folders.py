"""Folders that commands write into: nothing is removed or written over that the same command did not make."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.render import name, number
from tidemark.core.errors import TidemarkError

MARKER = ".tidemark-demo"  #: in a demo's folder: a JSON list of all that the demo made there
#: What `local run` and `demo` leave in their folder.
RESULTS = ("lake", "quarantine", "summary.json", "warehouse.duckdb")


def refuse_used(out: Path) -> None:
    """Raise unless the folder is new or empty, and one's own: no file, no symbolic link."""
    if out.is_symlink():
        raise TidemarkError(f"expected an empty or new folder for the results, found the symbolic link {name(out)}")
    if os.path.lexists(out) and not out.is_dir():
        raise TidemarkError(f"expected an empty or new folder for the results, found the file {name(out)}")
    if out.is_dir() and any(out.iterdir()):
        raise TidemarkError(f"expected an empty or new folder for the results, found {name(out)} in use")


@contextmanager
def whole_or_nothing(out: Path) -> Iterator[None]:
    """A run that fails leaves no half-written results, and the folder as it was."""
    new = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TidemarkError(f"cannot make the folder {name(out)}: {error.strerror}") from error
    if not os.access(out, os.W_OK | os.X_OK):
        raise TidemarkError(f"expected a folder to write into, found {name(out)} that cannot be written")
    try:
        yield
    except BaseException:
        _remove(out, [path for path in _below(out) if path.parts[0] in RESULTS])
        if new and not any(out.iterdir()):
            out.rmdir()
        raise


def clear_demo(out: Path) -> None:
    """Make room for a demo: an earlier one's files go, if the folder holds these and no others.

    Raises, with everything still there, for a folder that no demo has made, or in which something else lies as well.
    """
    if out.is_symlink() or not (out / MARKER).is_file() or (out / MARKER).is_symlink():
        refuse_used(out)
        return
    made = _made(out / MARKER)
    found = list(_below(out))
    foreign = [path for path in found if path.as_posix() not in made]
    if foreign:
        more = f" and {number(len(foreign) - 1)} more" if len(foreign) > 1 else ""
        raise TidemarkError(
            f"expected a folder with nothing but an earlier demo, found {name(out / foreign[0])}{more}:"
            " move it, or choose another --out"
        )
    _remove(out, found)


def mark_demo(out: Path) -> None:
    """Write down what a demo made, so that the next one may replace it."""
    made = [path.as_posix() for path in _below(out)]
    (out / MARKER).write_text(json.dumps(sorted([*made, MARKER]), indent=1))


def _made(marker: Path) -> frozenset[str]:
    try:
        listed = json.loads(marker.read_bytes())
        return frozenset(str(path) for path in listed)
    except (OSError, ValueError, TypeError) as error:
        raise TidemarkError(f"expected the list of a demo's files in {name(marker)}, found another: {error}") from None


def _below(out: Path) -> Iterator[Path]:
    """Every file, folder and link below the folder, as a path from there; links are not followed."""
    for place, folders, files in os.walk(out, onerror=_raise):
        yield from (Path(place, entry).relative_to(out) for entry in (*folders, *files))


def _raise(error: OSError) -> None:
    raise error


def _remove(out: Path, paths: Iterable[Path]) -> None:
    """Remove the files and links, and the folders of the list that are empty then."""
    for path in sorted((out / path for path in paths), key=lambda path: -len(path.parts)):
        if path.is_symlink() or not path.is_dir():
            path.unlink()
        elif not any(path.iterdir()):
            path.rmdir()
