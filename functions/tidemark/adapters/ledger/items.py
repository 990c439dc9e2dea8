"""Values ↔ ledger items. Times are fixed-width ISO text, so the indexes sort by time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from tidemark.clock import from_iso, iso
from tidemark.core.files import FileVersion
from tidemark.core.lifecycle import AT_REST, Batch, Counts, Failures, State
from tidemark.core.loading import Load

Item = dict[str, Any]
#: In the `open` index beside the datasets; no dataset is called so.
QUARANTINE, LOADS, BLEMISHED = "#quarantine", "#loads", "#blemished"
TIMES = ("created_at", "updated_at", "began_at", "due_at", "not_before", "waiting_since")


@cache
def _codec() -> tuple[TypeSerializer, TypeDeserializer]:
    return TypeSerializer(), TypeDeserializer()


def to_item(values: Mapping[str, Any]) -> Item:
    """Plain values → DynamoDB's typed form; None and "" are left out, so sparse indexes stay sparse."""
    serialize = _codec()[0].serialize
    return {key: serialize(_plain(value)) for key, value in values.items() if value not in (None, "")}


def from_item(item: Item) -> dict[str, Any]:
    """DynamoDB's typed form → plain values; numbers become int (the ledger holds no others)."""
    deserialize = _codec()[1].deserialize
    return {key: _python(deserialize(value)) for key, value in item.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    if is_dataclass(value):
        return {entry.name: getattr(value, entry.name) for entry in fields(value)}
    return str(value) if isinstance(value, State) else value


def _python(value: Any) -> Any:
    if isinstance(value, list):
        return [_python(part) for part in value]
    if isinstance(value, dict):
        return {key: _python(part) for key, part in value.items()}
    if isinstance(value, Decimal):
        return int(value)
    return bytes(value) if hasattr(value, "value") else value


def batch_item(batch: Batch) -> Item:
    """The batch's item; `open` and `due_at` are there only while it is not at rest, or people are told of it."""
    values = {entry.name: getattr(batch, entry.name) for entry in fields(Batch)}
    keys = {"pk": batch_key(batch.batch_id), "sk": "BATCH"}
    return to_item({**values, **keys, **_indexed(batch)})


def _indexed(batch: Batch) -> dict[str, Any]:
    """The `open` index holds what is not at rest under its dataset, and what people are told of under other names."""
    if batch.state is State.QUARANTINED:
        return {"open": QUARANTINE, "due_at": batch.updated_at}
    if batch.state is State.LOADED and batch.counts.is_blemished and batch.acknowledged != batch.attempt:
        return {"open": BLEMISHED, "due_at": batch.updated_at}
    return {} if batch.at_rest else {"open": batch.dataset}


def attempt_item(batch: Batch) -> Item:
    """What is remembered of an attempt for ever: the batch as it was when the attempt was last written."""
    values = {entry.name: getattr(batch, entry.name) for entry in fields(Batch)}
    dropped = {"due_at": None, "dataset": None, "batch_dataset": batch.dataset}
    return to_item({**values, **dropped, "pk": batch_key(batch.batch_id), "sk": f"ATTEMPT#{batch.attempt:06d}"})


def parse_batch(item: Item) -> Batch:
    """The inverse of `batch_item` (and of `attempt_item`)."""
    found = from_item(item)
    found.setdefault("dataset", found.get("batch_dataset", ""))
    known = {entry.name: found[entry.name] for entry in fields(Batch) if entry.name in found}
    known.update({name: from_iso(known[name]) for name in TIMES if name in known})
    known["state"] = State(known["state"])
    known["counts"], known["failures"] = Counts(**known["counts"]), Failures(**known["failures"])
    if known["state"] in AT_REST:
        known["due_at"] = None
    known.update({name: tuple(known[name]) for name in ("segments", "children", "file_range") if name in known})
    return Batch(**known)


def load_item(load: Load) -> Item:
    """The load's item; in the `open` index until it is closed."""
    values = {entry.name: getattr(load, entry.name) for entry in fields(Load)}
    still_open = {"open": LOADS, "due_at": iso(load.created_at)} if load.state == "OPEN" else {}
    return to_item({**values, **still_open, "pk": load_key(load.load_id), "sk": "LOAD"})


def parse_load(item: Item) -> Load:
    """The inverse of `load_item`."""
    found = from_item(item)
    known = {entry.name: found[entry.name] for entry in fields(Load) if entry.name in found}
    known["created_at"] = from_iso(known["created_at"])
    known["batches"] = tuple((batch, attempt) for batch, attempt in known["batches"])
    known["datasets"] = tuple(known["datasets"])
    return Load(**known)


def file_values(file: FileVersion) -> dict[str, Any]:
    """A file version's own attributes."""
    return {entry.name: getattr(file, entry.name) for entry in fields(FileVersion)}


def parse_file(found: Mapping[str, Any]) -> FileVersion:
    """The inverse of `file_values`, from plain values."""
    return FileVersion(**{entry.name: found[entry.name] for entry in fields(FileVersion) if entry.name in found})


def batch_key(batch_id: str) -> str:
    """Partition key of a batch and its attempts."""
    return f"BATCH#{batch_id}"


def load_key(load_id: str) -> str:
    """Partition key of a load."""
    return f"LOAD#{load_id}"


def pending_key(dataset: str, background: bool = False) -> str:
    """Partition key of the heads of a dataset's pending segments: of fresh files, or of backfilled ones."""
    return f"{'BACKFILL' if background else 'PENDING'}#{dataset}"


def segment_key(dataset: str, sk: str) -> str:
    """Partition key of a segment's body, which holds its files."""
    return f"SEGMENT#{dataset}/{sk}"


def file_key(bucket: str, key: str) -> str:
    """Partition key of a file; S3 keys (1,024 bytes) fit DynamoDB's (2,048)."""
    return f"FILE#{bucket}/{key}"
