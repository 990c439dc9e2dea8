"""Which metadata file of a retained Iceberg table is the newest. Pure.

Every commit writes `<number>-<id>.metadata.json` beside the file before it, and Glue points to one of them. A commit
that Glue refused leaves a file, too, with the number of the one that won; the loser then commits the next number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tidemark.core.errors import TidemarkError

TABLES = "tables/"  # in the lake bucket
METADATA = re.compile(rf"{TABLES}(?P<table>[^/]+)/metadata/(?P<number>\d+)-[0-9A-Fa-f-]+(\.gz)?\.metadata\.json")


def newest_metadata(table: str, keys: Iterable[str]) -> str:
    """The key of the table's newest metadata file; "" if there is none.

    Raises `TidemarkError` if two files have the highest number: one of them was never committed, and only Glue knew
    which.
    """
    matches = [match for key in keys if (match := METADATA.fullmatch(key)) and match["table"] == table]
    found = [(int(match["number"]), match[0]) for match in matches]
    highest = max((number for number, _ in found), default=0)
    newest = sorted(key for number, key in found if number == highest)
    if len(newest) > 1:
        raise TidemarkError(f"{table}: expected one newest metadata file, found {' and '.join(newest)}")
    return newest[0] if newest else ""
