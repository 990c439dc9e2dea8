"""Versions of the job's code in the control bucket: which one is current, which ones there are, which are in use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tidemark.adapters.world import World
from tidemark.clock import iso
from tidemark.core.errors import TidemarkError, Transient
from tidemark.core.job_code import CODE, CURRENT, ENTRY, CurrentCode, code_hash, code_prefix, version_of
from tidemark.service.transitions import known_datasets, unfinished_batches


@dataclass(frozen=True)
class CodeVersion:
    """One uploaded version of the job's code."""

    code: str  # its hash
    uploaded_at: datetime
    is_current: bool
    batches: int  # not at rest, whose run has this code


def current_code(world: World) -> str:
    """Returns the hash of the version that new work takes; "" if nothing was uploaded since there are hashes."""
    text = world.store.get(world.settings.control_bucket, CURRENT)
    return CurrentCode.loads(text).code if text else ""


def code_for_new_work(world: World) -> str:
    """Returns the hash of the current version, "" for code from before there were hashes.

    Raises `Transient` if nothing was uploaded at all: a stack that was just created gets its code a moment later.
    """
    code = current_code(world)
    if not code and world.store.get(world.settings.control_bucket, f"{code_prefix(code)}{ENTRY}") is None:
        raise Transient("no job code has been uploaded: `tidemark deploy` or `tidemark jobs upload` does it")
    return code


def code_uri(world: World, code: str) -> str:
    """Returns the s3:// URI, without a slash at the end, below which a run finds that version's files."""
    return f"s3://{world.settings.control_bucket}/{code_prefix(code)}".rstrip("/")


def put_code(world: World, files: Mapping[str, bytes]) -> str:
    """Writes a version of the code, given by file name, and makes it current. Returns its hash.

    The entry point is written last, so that a listed version is complete. Repeating it changes nothing.
    """
    code, bucket = code_hash(files), world.settings.control_bucket
    for name in sorted(files, key=lambda name: name == ENTRY):
        world.store.put_once(bucket, f"{code_prefix(code)}{name}", files[name])
    _make_current(world, code)
    return code


def use_code(world: World, code: str) -> None:
    """Makes an uploaded version current; raises `TidemarkError` if there is none with that hash."""
    known = [version.code for version in code_versions(world)]
    if code not in known:
        raise TidemarkError(f"expected the hash of uploaded job code (see `tidemark jobs list`), found {code!r}")
    _make_current(world, code)


def code_versions(world: World) -> list[CodeVersion]:
    """Returns every uploaded version, latest first."""
    current = current_code(world)
    batches = Counter(batch.code for batch in unfinished_batches(world, known_datasets(world)))
    keys = world.store.keys(world.settings.control_bucket, CODE)
    uploaded = [(code, at) for key, at in keys for code in [version_of(key)] if code]
    found = [CodeVersion(code, at, code == current, batches[code]) for code, at in uploaded]
    return sorted(found, key=lambda version: version.uploaded_at, reverse=True)


def _make_current(world: World, code: str) -> None:
    """Closes the race between two people who upload or roll back: the second is told, and decides anew."""
    bucket, text = world.settings.control_bucket, CurrentCode(code, iso(world.clock.now())).dumps()
    present = world.store.tagged(bucket, CURRENT)
    if present and CurrentCode.loads(present[0]).code == code:
        return
    written = (
        world.store.swap(bucket, CURRENT, text, present[1]) if present else world.store.put_once(bucket, CURRENT, text)
    )
    if not written:
        raise TidemarkError(f"the current job code was changed at the same time, {code} is not current: try again")
