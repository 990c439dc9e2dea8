"""Conversion between values and ledger items. Times are fixed-width ISO text, so the indexes sort by time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import fields
from functools import cache
from types import MappingProxyType
from typing import Any

from tidemark.adapters.ledger.attribute_values import UNSTORED, attributes, plain, typed
from tidemark.clock import from_iso, iso
from tidemark.core.errors import NewerRelease
from tidemark.core.files import FileVersion
from tidemark.core.lifecycle import AT_REST, Batch, Counts, Failures, State
from tidemark.core.loading import Load
from tidemark.core.release import FORMAT, FORMAT_NAME, NEWER, is_newer_format

Item = dict[str, Any]
#: Partitions of the `open` index besides the datasets; no dataset's name begins with `#`.
QUARANTINE, LOADS, BLEMISHED = "#quarantine", "#loads", "#blemished"
#: Attributes of items besides the fields of their values.
SYSTEM = frozenset(("pk", "sk", "open", "due_at", "dataset", "batch_dataset", FORMAT_NAME))
#: Every attribute that this release gives a batch or an attempt.
BATCH_NAMES = frozenset(entry.name for entry in fields(Batch) if entry.name not in UNSTORED) | SYSTEM
#: Maps of a batch that a newer release may add keys to.
BATCH_MAPS: Mapping[str, type] = MappingProxyType({"counts": Counts, "failures": Failures})
TIMES = ("created_at", "updated_at", "began_at", "due_at", "not_before", "waiting_since")


def to_item(values: Mapping[str, Any]) -> Item:
    """Returns plain values in DynamoDB's typed form, of the first format unless they have another one.

    None and "" are left out, so sparse indexes stay sparse.
    """
    return {key: typed(value) for key, value in {FORMAT_NAME: 1, **values}.items() if value not in (None, "")}


def is_newer(item: Item) -> bool:
    """Returns whether only a newer release may act on the item."""
    return is_newer_format(int(item.get(FORMAT_NAME, {"N": "1"})["N"]))


def readable(items: Iterable[Item]) -> Iterator[Item]:
    """Yields the items that this release may act on; sweep reports the others."""
    return (item for item in items if not is_newer(item))


def from_item(item: Item) -> dict[str, Any]:
    """Returns an item's plain values.

    Raises `NewerRelease` if only a newer release may act on the item.
    """
    if is_newer(item):
        name = " ".join(str(item[key]["S"]) for key in ("pk", "sk") if key in item)
        number = item[FORMAT_NAME]["N"]
        raise NewerRelease(f"item {name} is of format {number}, this release reads formats up to {FORMAT}: {NEWER}")
    return {key: plain(value) for key, value in item.items()}


def batch_item(batch: Batch) -> Item:
    """Returns the batch's item; it has `open` only while the batch is not at rest or is listed for people."""
    values = attributes(batch)
    keys = {"pk": batch_key(batch.batch_id), "sk": "BATCH"}
    return _with_unknown(to_item({**values, **keys, **_indexed(batch)}), batch.unknown)


def _indexed(batch: Batch) -> dict[str, Any]:
    """Returns the attributes that put a batch in the `open` index, under its dataset or in a partition for people."""
    if batch.state is State.QUARANTINED:
        return {"open": QUARANTINE, "due_at": batch.updated_at}
    if batch.state is State.LOADED and batch.counts.is_blemished and batch.acknowledged != batch.attempt:
        return {"open": BLEMISHED, "due_at": batch.updated_at}
    return {} if batch.at_rest else {"open": batch.dataset}


def attempt_item(batch: Batch) -> Item:
    """Returns the attempt's item, which is kept for ever: the batch as this attempt last wrote it."""
    values = {**attributes(batch), "due_at": None, "dataset": None, "batch_dataset": batch.dataset}
    keys = {"pk": batch_key(batch.batch_id), "sk": f"ATTEMPT#{batch.attempt:06d}"}
    return _with_unknown(to_item({**values, **keys}), batch.unknown)


def _with_unknown(item: Item, unknown: Mapping[str, Any]) -> Item:
    """Returns the item with the attributes of a newer release, in DynamoDB's form, also inside its maps."""
    merged = {
        name: {"M": {**value["M"], **item[name]["M"]}} if name in item else value for name, value in unknown.items()
    }
    return {**item, **merged}


def _unknown(item: Item, known: Collection[str], maps: Mapping[str, type] = MappingProxyType({})) -> dict[str, Any]:
    """Returns the attributes that this release does not know, and of each of its maps the unknown keys."""
    unknown = {name: value for name, value in item.items() if name not in known}
    for name, kind in maps.items():
        inner = {key: value for key, value in item[name]["M"].items() if key not in _names(kind)}
        unknown |= {name: {"M": inner}} if inner else {}
    return unknown


@cache
def _names(kind: type) -> frozenset[str]:
    return frozenset(entry.name for entry in fields(kind))


def _known(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name in _names(kind)}


def parse_batch(item: Item) -> Batch:
    """Returns the batch of an item that `batch_item` or `attempt_item` made.

    Raises `NewerRelease` if only a newer release may act on it.
    """
    values = from_item(item)
    values.setdefault("dataset", values.get("batch_dataset", ""))
    found = _known(Batch, values)
    found.update({name: from_iso(found[name]) for name in TIMES if name in found})
    found["state"] = State(found["state"])
    found["counts"] = Counts(**_known(Counts, found["counts"]))
    found["failures"] = Failures(**_known(Failures, found["failures"]))
    found["unknown"] = _unknown(item, BATCH_NAMES, BATCH_MAPS)
    if found["state"] in AT_REST:
        found["due_at"] = None
    tuples = (name for name in ("segments", "children", "file_range") if name in found)
    found.update({name: tuple(found[name]) for name in tuples})
    return Batch(**found)


def load_item(load: Load) -> Item:
    """Returns the load's item; it is in the `open` index until the load is closed."""
    values = attributes(load)
    indexed = {"open": LOADS, "due_at": iso(load.created_at)} if load.state == "OPEN" else {}
    item = to_item({**values, **indexed, "pk": load_key(load.load_id), "sk": "LOAD"})
    return _with_unknown(item, load.unknown)


def parse_load(item: Item) -> Load:
    """Returns the load of an item that `load_item` made.

    Raises `NewerRelease` if only a newer release may act on it.
    """
    found = _known(Load, from_item(item))
    found["created_at"] = from_iso(found["created_at"])
    found["batches"] = tuple((batch, attempt) for batch, attempt in found["batches"])
    found["datasets"] = tuple(found["datasets"])
    found["unknown"] = _unknown(item, _names(Load) | SYSTEM)
    return Load(**found)


def file_values(file: FileVersion) -> dict[str, Any]:
    """Returns the attributes of a file version, by name."""
    return attributes(file)


def parse_file(values: Mapping[str, Any]) -> FileVersion:
    """Returns the file version in an item's plain values; other values are ignored."""
    return FileVersion(**_known(FileVersion, values))


def beside_file(item: Item) -> dict[str, Any]:
    """Returns what a claimed version's item has besides the version and its holder, in DynamoDB's form."""
    return _unknown(item, _names(FileVersion) | SYSTEM | {"holder"})


def batch_key(batch_id: str) -> str:
    """Returns the partition key of a batch, its attempts and its changes."""
    return f"BATCH#{batch_id}"


def load_key(load_id: str) -> str:
    """Returns the partition key of a load."""
    return f"LOAD#{load_id}"


def pending_key(dataset: str, background: bool = False) -> str:
    """Returns the partition key of the heads of a dataset's pending segments, of fresh or of backfilled files."""
    return f"{'BACKFILL' if background else 'PENDING'}#{dataset}"


def segment_key(dataset: str, sk: str) -> str:
    """Returns the partition key of a segment's body, which holds its files."""
    return f"SEGMENT#{dataset}/{sk}"


def file_key(bucket: str, key: str) -> str:
    """Returns the partition key of a file. An S3 key of 1,024 bytes fits DynamoDB's limit of 2,048."""
    return f"FILE#{bucket}/{key}"
