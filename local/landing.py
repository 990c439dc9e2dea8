"""Uploads a folder's files to a bucket; a file's path relative to the folder is its key.

Every entry that cannot be uploaded is reported with the reason. A symbolic link to a file is uploaded as that file;
links to folders are not followed, because they may form a cycle.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from local.summary import Finding

KEY_BYTES_MAX = 1_024  # S3's limit


@dataclass(frozen=True)
class Survey:
    """The files below a folder: those that can be (or were) uploaded, and those that were skipped."""

    keys: tuple[str, ...]
    skipped: tuple[Finding, ...]


def survey(folder: Path) -> Survey:
    """All files below the folder, at any depth."""
    skipped: list[Finding] = []

    def unreadable(error: OSError) -> None:
        where = os.path.relpath(error.filename, folder) if error.filename else str(folder)
        skipped.append(Finding(where, f"the folder cannot be read: {error.strerror}"))

    keys = []
    for parent, folders, files in os.walk(folder, onerror=unreadable):
        linked = [name for name in folders if Path(parent, name).is_symlink()]
        for name in (*linked, *files):
            path = Path(parent, name)
            key = path.relative_to(folder).as_posix()
            reason = _why_not(path, key)
            if reason:
                skipped.append(Finding(key, reason))
            else:
                keys.append(key)
    return Survey(tuple(sorted(keys)), tuple(sorted(skipped, key=lambda finding: finding.name)))


def land(keys: Iterable[str], upload: Callable[[str], object]) -> Survey:
    """Upload each file; a failed upload does not stop the others."""
    landed, skipped = [], []
    for key in keys:
        try:
            upload(key)
        except (Boto3Error, BotoCoreError, ClientError, OSError) as error:
            skipped.append(Finding(key, f"cannot be landed: {error}"))
        else:
            landed.append(key)
    return Survey(tuple(landed), tuple(skipped))


def _why_not(path: Path, key: str) -> str:
    """The reason why a file cannot be uploaded; empty if it can."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return f"a symbolic link that leads nowhere: {error.strerror}" if path.is_symlink() else str(error.strerror)
    if stat.S_ISDIR(mode):
        return "a symbolic link to a folder, which is not followed"
    if not stat.S_ISREG(mode):
        return "neither a file nor a folder"
    return _why_no_key(key)


def _why_no_key(key: str) -> str:
    try:
        length = len(key.encode())
    except UnicodeEncodeError:
        return "its name is not UTF-8, as a key must be"
    if length > KEY_BYTES_MAX:
        return f"its key would have {length:,} bytes, and S3 takes {KEY_BYTES_MAX:,}"
    return ""
