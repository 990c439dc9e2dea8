"""A folder's files, and which of them can land in a bucket: the path below the folder is the key.

Every entry that does not land is told with its reason; none is passed over in silence. Files behind symbolic links
land as what they are; linked folders are not followed, for they may lead round in a circle.
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

KEY_BYTES_MAX = 1_024  # of S3


@dataclass(frozen=True)
class Survey:
    """What was found below a folder."""

    keys: tuple[str, ...]  # of files that can land
    skipped: tuple[Finding, ...]


def survey(folder: Path) -> Survey:
    """Every file below the folder, at any depth."""
    skipped: list[Finding] = []

    def unreadable(error: OSError) -> None:
        where = os.path.relpath(error.filename, folder) if error.filename else str(folder)
        skipped.append(Finding(where, f"the folder cannot be read: {error.strerror}"))

    keys = []
    for place, folders, files in os.walk(folder, onerror=unreadable):
        linked = [name for name in folders if Path(place, name).is_symlink()]
        for name in (*linked, *files):
            path = Path(place, name)
            key = path.relative_to(folder).as_posix()
            reason = _why_not(path, key)
            if reason:
                skipped.append(Finding(key, reason))
            else:
                keys.append(key)
    return Survey(tuple(sorted(keys)), tuple(sorted(skipped, key=lambda found: found.name)))


def land(keys: Iterable[str], upload: Callable[[str], object]) -> Survey:
    """Upload each file; one that fails does not keep the others from landing."""
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
    """Why a file cannot land; empty for one that can."""
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
