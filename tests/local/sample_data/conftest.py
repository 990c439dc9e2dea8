"""Traffic, and how its files are read."""

from __future__ import annotations

import csv
import gzip
import json
from datetime import UTC, datetime
from typing import Any

from local.sample_data.encodings import JsonObjects
from local.sample_data.generate import LandedObject
from local.sample_data.records import SOURCES

START = datetime(2026, 3, 1, 23, 50, tzinfo=UTC)


STREAMS = {name: source.form for name, source in SOURCES.items() if isinstance(source.form, JsonObjects)}


def content(landed: LandedObject) -> str:
    return (gzip.decompress(landed.body) if landed.key.endswith(".gz") else landed.body).decode()


def objects_in(text: str) -> list[dict[str, Any]]:
    """The concatenated JSON objects; fails for anything else."""
    found, at, decoder = [], 0, json.JSONDecoder()
    while at < len(text):
        record, at = decoder.raw_decode(text, at)
        found.append(record)
    return found


def rows_of(landed: LandedObject) -> list[list[str]]:
    """The lines of an export after its header line."""
    header, *rows = csv.reader(content(landed).splitlines())
    assert header[0] == "household_id"
    return rows
