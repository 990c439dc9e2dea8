"""Folders that commands write into: they remove and overwrite only what the same command made."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cli.render import number
from cli.text import name
from tidemark.core.errors import TidemarkError

MARKER = ".tidemark-demo"  #: in a demo's folder: a JSON object of everything the demo made there, path → digest
#: What `local run` and `demo` leave in their folder.
RESULTS = ("lake", "quarantine", "summary.json", "warehouse.duckdb")


def refuse_used(out: Path) -> None:
    """Raise unless the folder is new, or an empty folder and no symbolic link."""
    if out.is_symlink():
        raise TidemarkError(f"expected an empty or new folder for the results, found the symbolic link {name(out)}")
    if os.path.lexists(out) and not out.is_dir():
        raise TidemarkError(f"expected an empty or new folder for the results, found the file {name(out)}")
    if out.is_dir() and any(out.iterdir()):
        raise TidemarkError(f"expected an empty or new folder for the results, found {name(out)} in use")


@contextmanager
def whole_or_nothing(out: Path) -> Iterator[Claim]:
    """A run that fails removes its half-written results, and leaves the folder as it was before."""
    new = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TidemarkError(f"cannot make the folder {name(out)}: {error.strerror}") from error
    if not os.access(out, os.W_OK | os.X_OK):
        raise TidemarkError(f"expected a folder to write into, found {name(out)} that cannot be written")
    claim = Claim(out)
    try:
        yield claim
    except BaseException:
        _remove(out, [path for path in _below(out) if path.parts[0] in claim.taken])
        if new and not any(out.iterdir()):
            out.rmdir()
        raise


class Claim:
    """The results' names in a folder. Each is taken when it is written: others may write there during a run."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self.taken: set[str] = set()

    def folder(self, title: str) -> Path:
        """A new folder of that name; raises if there is anything already."""
        path = self._out / title
        self._take(title, path.mkdir)
        return path

    def file(self, title: str) -> Path:
        """A new empty file of that name; raises if there is anything already."""
        path = self._out / title
        self._take(title, lambda: path.touch(exist_ok=False))
        return path

    def _take(self, title: str, make: Callable[[], None]) -> None:
        try:
            make()
        except FileExistsError:
            where = name(self._out / title)
            raise TidemarkError(f"expected the folder for the results to stay empty meanwhile, found {where}") from None
        self.taken.add(title)


def clear_demo(out: Path) -> None:
    """Remove an earlier demo's files, if the folder holds these and no others.

    Raises, with everything still there, for a folder that no demo made, or in which something is new or changed.
    """
    if out.is_symlink() or not (out / MARKER).is_file() or (out / MARKER).is_symlink():
        refuse_used(out)
        return
    made = _made(out / MARKER)
    present = list(_below(out))
    foreign = [path for path in present if not _is_made(out, path, made)]
    if foreign:
        more = f" and {number(len(foreign) - 1)} more" if len(foreign) > 1 else ""
        raise TidemarkError(
            f"expected a folder with nothing but an earlier demo as it was, found {name(out / foreign[0])}{more}"
            " new or changed: move it, or choose another --out"
        )
    _remove(out, present)


def mark_demo(out: Path) -> None:
    """Write down what a demo made, so that the next demo may replace it; other files in the folder are not its own."""
    made = {path.as_posix(): _digest(out / path) for path in _below(out) if path.parts[0] in RESULTS}
    with (out / MARKER).open("x") as marker:
        json.dump(made, marker, indent=1, sort_keys=True)


def _made(marker: Path) -> Mapping[str, str]:
    try:
        return dict(json.loads(marker.read_bytes()))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise TidemarkError(f"expected the list of a demo's files in {name(marker)}, found another: {error}") from None


def _is_made(out: Path, path: Path, made: Mapping[str, str]) -> bool:
    """Whether a demo made this, and it is unchanged."""
    listed = made.get(path.as_posix())
    return path.as_posix() == MARKER or (listed is not None and listed == _digest(out / path))


def _digest(path: Path) -> str:
    """A file's SHA-256; `link` or `folder` for these, which no file's digest can be."""
    if path.is_symlink():
        return "link"
    if path.is_dir():
        return "folder"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _below(out: Path) -> Iterator[Path]:
    """Every file, folder and link below the folder, as a path from there; links are not followed."""
    for place, folders, files in os.walk(out, onerror=_raise):
        yield from (Path(place, entry).relative_to(out) for entry in (*folders, *files))


def _raise(error: OSError) -> None:
    raise error


def _remove(out: Path, paths: Iterable[Path]) -> None:
    """Remove the files and links among the paths, then the folders among them that are empty."""
    for path in sorted((out / path for path in paths), key=lambda path: -len(path.parts)):
        if path.is_symlink() or not path.is_dir():
            path.unlink()
        elif not any(path.iterdir()):
            path.rmdir()
