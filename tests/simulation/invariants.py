"""What must hold after every step, and once the world has come to rest (the promises in docs/architecture.md)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

from tests.simulation.faults import FAIR
from tests.simulation.job import Row
from tests.simulation.nightwatch import NightWatch
from tests.simulation.progress import Progress
from tests.simulation.readers import Readers, batch_at, same_rows
from tests.simulation.s3 import Landed
from tests.simulation.simulation import Simulation
from tests.simulation.violation import Violation
from tests.simulation.world import SETTINGS
from tidemark.adapters.ledger.items import BLEMISHED, QUARANTINE, from_item, parse_file
from tidemark.core.errors import Transient
from tidemark.core.files import FileVersion, unpack
from tidemark.core.lifecycle import Batch, State

#: What a handler may die of in a bad world; anything else is a fault of its own.
EXPECTED_ERRORS = (ClientError, ReadTimeoutError, Transient)
#: What a person is asked about though the batch's files are good: another tool has deleted what was to be copied, or a
#: deployment has taken a column back.
EXCUSES = ("The specified key does not exist", "found no such column", "has no column named")
SHOWN = (State.PUBLISHED, State.LOADING, State.LOADED)


class Invariants:
    """Watches one simulation. Checks only what a step has touched."""

    def __init__(self, simulation: Simulation) -> None:
        self.sim = simulation
        self.batches: dict[str, Batch] = {}
        self.pending: Counter[tuple[str, str, str]] = Counter()
        self._segments: dict[tuple[str, str], list[FileVersion]] = {}  # by dataset and name of the head
        self.moved: list[Batch] = []
        self.given_up: set[tuple[str, str, str]] = set()  # versions that a person has discarded
        self.readers = Readers(simulation)
        self.nights = NightWatch(simulation, self.readers)
        self.progress = Progress(simulation) if simulation.faults.rates == FAIR else None
        simulation.watchers.append(self._written)

    def _written(self, pk: str, sk: str, old: Any, new: Any) -> None:
        if sk == "BATCH":
            batch = self.sim.parse_batch(new)
            before = self.batches.get(batch.batch_id)
            self._note_discarded(before, batch)
            if self.progress and before and before.manifest and not batch.period:
                self.progress.moved(before, batch, self.manifest(before.manifest))
            self.batches[batch.batch_id] = batch
            self.moved.append(batch)
            if new.get("open", {"S": ""})["S"] != place_in_index(batch):
                raise Violation(f"{batch.batch_id} is {batch.state}, in the index as {new.get('open')}")
        elif pk.startswith(("PENDING#", "BACKFILL#")) and (old is None) != (new is None):
            files = self._segments[pk.split("#")[1], sk]
            for file in files:
                self.pending[file.identity] += 1 if new else -1
            if new is None:
                self._all_accounted(files)
        elif sk.startswith("REFUSED#") and new and "open" not in new:
            file = parse_file(from_item(new))
            self.given_up.add(file.identity)
        elif pk.startswith("SEGMENT#") and new:
            dataset, _, name = pk.removeprefix("SEGMENT#").partition("/")
            self._segments[dataset, name] = unpack(from_item(new)["packed"])

    def _note_discarded(self, before: Batch | None, batch: Batch) -> None:
        if before is None or before.state is not State.QUARANTINED or batch.because != "discarded by a person":
            return
        changes = self.sim.dynamodb.items[f"BATCH#{batch.batch_id}"].items()
        changed = [from_item(item) for sk, item in changes if sk.startswith("CHANGE#") and "version" in item]
        listed = (
            self.manifest(before.manifest or before.base_manifest) if before.manifest or before.base_manifest else []
        )
        self.given_up.update(listed, (parse_file(found).identity for found in changed))

    def _all_accounted(self, files: list[FileVersion]) -> None:
        for file in files:
            if not self.accounted(file):
                raise Violation(f"{file.identity} is lost: neither pending nor claimed")

    def accounted(self, file: FileVersion | Landed) -> bool:
        """Whether a landed version is pending, claimed, or outdone by a claimed one, as the dataset's policy has it."""
        if self.pending[(file.bucket, file.key, file.version)] > 0:
            return True
        known = self.sim.dynamodb.items.get(f"FILE#{file.bucket}/{file.key}", {})
        claimed = [parse_file(from_item(item)) for sk, item in known.items() if not sk.startswith("REFUSED")]
        if any(held.version == file.version for held in claimed):
            return True
        policies = self.policies(file.key)
        # Whatever happens to a version that was overwritten, at rest the latest one must be there.
        overwritten = any(
            self._order(other) > self._order(file) for other in self.sim.s3.versions(file.bucket, file.key)
        )
        return ("ignore" in policies and bool(claimed)) or ("supersede" in policies and overwritten)

    def _order(self, file: FileVersion | Landed) -> int:
        """Which version of its key this is, as S3 knows it: a listing does not tell, an event does."""
        return int(self.sim.s3.raw[(file.bucket, file.key, file.version)].sequencer, 16)

    def policies(self, key: str) -> set[str]:
        """What the key's dataset does with an overwritten key, or did before a deployment."""
        name = key.split("/", maxsplit=1)[0]
        return self.sim.policies.get(name) or {self.sim.declared[name].on_overwrite}

    # ── after every step ────────────────────────────────────────────────────────────────────────────────────

    def check(self) -> None:
        """Raise `Violation` if the step has broken a promise."""
        for function, error in self.sim.failed:
            parts = error.exceptions if isinstance(error, ExceptionGroup) else (error,)
            if not all(isinstance(part, EXPECTED_ERRORS) for part in parts):
                raise Violation(f"{function} crashed: {type(error).__name__}: {error}") from error
        self.sim.failed.clear()
        if self.sim.emr.doubled:
            raise Violation(f"a second run was started of {self.sim.emr.doubled[0]}")
        for landed in self.sim.received:
            if not self.accounted(landed) and landed.key.split("/")[0] not in self.sim.retired_once:
                raise Violation(f"{landed.identity} is lost: taken from the queue, neither pending nor claimed")
        self.sim.received.clear()
        self.readers.check()
        self.nights.check()
        if self.progress:
            self.progress.check(self._need_not_be_read)
        if self.moved:
            for batch in self.moved:
                self._check_batch(batch)
            self.moved.clear()
            self._check_claims()

    def _check_batch(self, batch: Batch) -> None:
        if (batch.due_at is None) != batch.at_rest:
            raise Violation(f"{batch.batch_id} is {batch.state} and due at {batch.due_at}")
        if batch.state not in SHOWN:
            return
        if batch.counts.read != batch.counts.kept + batch.counts.rejected + batch.counts.duplicate_records:
            raise Violation(f"{batch.batch_id}: read {batch.counts.read} is not kept + rejected + repeated")
        places = ("lake", "warehouse") if batch.state is State.LOADED else ("lake",)
        for place in places:
            for table, rows in self.readers.output(batch.batch_id, batch.attempt).items():
                shown = self.readers.attempts.get((place, table, batch.batch_id), 0)
                current = self.batches[batch.batch_id]
                if rows and shown != batch.attempt and current == batch:
                    raise Violation(f"{batch.batch_id} is {batch.state} at {batch.attempt}, the {place} shows {shown}")
                if batch.state is State.LOADED and (table, batch.batch_id) in self.readers.short:
                    raise Violation(f"{batch.batch_id} is LOADED, and rows of {table} are lost in the warehouse")

    def _check_claims(self) -> None:
        """No file version, and under `supersede` and `ignore` no key, is in the manifests of two live batches."""
        holders: dict[tuple[str, ...], str] = {}
        for batch in self.batches.values():
            if batch.state in (State.SPLIT, State.EMPTY) or not batch.manifest or batch.period:
                continue
            for identity in self.manifest(batch.manifest):
                name = identity if "append" in self.policies(identity[1]) else identity[:2]
                other = holders.setdefault(name, batch.batch_id)
                if other != batch.batch_id:
                    raise Violation(f"{identity} is in two live batches, {other} and {batch.batch_id}")

    def manifest(self, key: str) -> list[tuple[str, str, str]]:
        """The identities that a manifest lists."""
        body = self.sim.s3.objects[(SETTINGS.control_bucket, key)]
        if body not in self._manifests:
            files = json.loads(body)["files"]
            if blank := next((f for f in files if not (f["size"] and f["landed_at"])), None):
                raise Violation(f"{key} lists {blank['key']} without its size, or when it landed")
            self._manifests[body] = [(f["bucket"], f["key"], f["version"]) for f in files]
        return self._manifests[body]

    _manifests: dict[bytes, list[tuple[str, str, str]]] = {}  # noqa: RUF012 - a cache of immutable documents

    # ── at rest ─────────────────────────────────────────────────────────────────────────────────────────────

    def unfinished(self) -> list[str]:
        """What is not at rest yet, as text."""
        found = [f"{batch.batch_id} is {batch.state}" for batch in self.batches.values() if not batch.at_rest]
        found += self.nights.unfinished()
        found += [f"{identity} is pending" for identity, count in self.pending.items() if count > 0]
        found += [
            f"{landed.identity} is not seen"
            for landed in self.sim.landed
            if not (found or self.accounted(landed) or self.deleted(landed))
        ]
        loads = (items["LOAD"] for pk, items in self.sim.dynamodb.items.items() if pk.startswith("LOAD#"))
        return found + [f"{item['load_id']['S']} is open" for item in loads if "open" in item]

    def check_rest(self) -> None:
        """Every version's rows are in lake and warehouse exactly once, or it is set aside with a reason."""
        live = [batch for batch in self.batches.values() if batch.state in (State.LOADED, State.QUARANTINED)]
        of_files = [batch for batch in live if not batch.period]
        holder = {identity: batch for batch in of_files for identity in self.manifest(batch.manifest)}
        for landed in self._winners():
            batch = holder.get(landed.identity)
            if batch is None and not self._is_set_aside(landed):
                raise Violation(f"{landed.identity} is lost: in no batch, and not set aside with a reason")
            if batch is not None and batch.state is State.QUARANTINED:
                self._check_quarantine(batch)
        self._check_readers({batch.batch_id: batch for batch in live})
        self.nights.check_rest([batch for batch in live if batch.period])
        if self.progress:
            self.progress.check_passes()

    def _winners(self) -> Iterator[Landed]:
        """The versions whose rows readers must see."""
        by_key: dict[str, list[Landed]] = {}
        for landed in self.sim.landed:
            by_key.setdefault(landed.key, []).append(landed)
        for key, versions in by_key.items():
            policies = self.policies(key)
            if policies == {"append"}:
                yield from versions
            elif "ignore" not in policies:
                yield versions[-1]
            elif known := self.sim.dynamodb.items.get(f"FILE#{versions[0].bucket}/{key}"):
                yield next(one for one in versions if one.version == known["FILE"]["version"]["S"])

    def deleted(self, landed: Landed) -> bool:
        """Whether the bucket has no such version any more, or shows the key no more: a listing does not bring it."""
        s3 = self.sim.s3
        return landed.identity in s3.gone or (landed.bucket, landed.key) in s3.marked

    def _need_not_be_read(self, landed: Landed) -> bool:
        return self._is_set_aside(landed) or landed.identity in self.sim.s3.bad

    def _is_set_aside(self, landed: Landed) -> bool:
        return self._refused(landed) or self.deleted(landed) or landed.identity in self.given_up

    def _refused(self, landed: Landed) -> bool:
        """Whether the ledger says why a file is in no batch."""
        known = self.sim.dynamodb.items.get(f"FILE#{landed.bucket}/{landed.key}", {})
        refused = known.get(f"REFUSED#{landed.version}", {})
        waits = refused.get("open") == {"S": QUARANTINE} or landed.identity in self.given_up
        return landed.identity in self.sim.s3.bad and "reason" in refused and waits

    def _check_quarantine(self, batch: Batch) -> None:
        files = [self.sim.s3.raw[identity] for identity in self.manifest(batch.manifest)]
        records = [record for file in files for record in file.records]
        if not batch.reason:
            raise Violation(f"{batch.batch_id} is in quarantine without a reason")
        runs = [run for run in self.sim.emr.runs if run.name.rpartition(".")[0] == batch.batch_id]
        if any(run.outcome == "short" for run in runs) and "expected" in batch.reason:
            return
        if any(record.get("note", "") > "oversized" for record in records):
            return
        if any(words in batch.reason for words in EXCUSES):
            return
        if (batch.batch_id, batch.attempt) in self.sim.redshift.shorted and "rows in the warehouse" in batch.reason:
            return
        poisoned = [file for file in files if file.identity in self.sim.s3.bad]
        unexplained = sum(run.outcome in ("unknown", "late", "empty") for run in runs)
        if not poisoned and not (unexplained >= 2 and (batch.files == 1 or batch.maybe_visible)):
            raise Violation(f"{batch.batch_id} is in quarantine though its files are good: {batch.reason}")
        if poisoned and batch.files > 1 and not batch.maybe_visible:
            raise Violation(f"{batch.batch_id} takes {batch.files} files into quarantine for {len(poisoned)} bad ones")

    def _check_readers(self, live: dict[str, Batch]) -> None:
        self.readers.latest.check_rest([name for name, batch in live.items() if batch.state is State.QUARANTINED])
        for dataset in (found for found in self.sim.declared.values() if not found.nightly):
            expected: Counter[Row] = Counter()
            for batch in live.values():
                if batch.dataset == dataset.name and batch.state is State.LOADED:
                    expected.update(self.readers.output(batch.batch_id, batch.attempt)[dataset.name])
            at = batch_at(dataset.tables[0])
            for place, rows in self.readers.rows(dataset.name).items():
                if left := next((row[at] for row in rows if row[at] not in live), ""):
                    raise Violation(
                        f"{place}, {dataset.name} shows rows of {left}, which is {self.batches[left].state}"
                    )
                shown = Counter(row for row in rows if live[row[at]].state is State.LOADED)
                same_rows(f"{place}, {dataset.name}", expected, shown)
                twice = [name for name, times in Counter(row[0] for row in rows).items() if times > 1]
                if twice:
                    raise Violation(f"{place}, {dataset.name}: {twice[:3]} and {len(twice)} in all are there twice")


def place_in_index(batch: Batch) -> str:
    """Where the `open` index has to have it; empty for nowhere."""
    if batch.state is State.QUARANTINED:
        return QUARANTINE
    if (
        batch.state is State.LOADED
        and (batch.counts.problems or batch.counts.rejected)
        and batch.acknowledged != batch.attempt
    ):
        return BLEMISHED
    return "" if batch.at_rest else batch.dataset
