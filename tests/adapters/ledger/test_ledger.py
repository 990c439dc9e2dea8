from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from tidemark.adapters.ledger import Ledger
from tidemark.adapters.ledger.items import attempt_item, batch_item, load_item, parse_batch, parse_load
from tidemark.core.errors import Conflict, Terminal, Transient
from tidemark.core.files import Change, FileVersion, Holder, RefusedFile
from tidemark.core.lifecycle import AT_REST, Batch, Counts, Failures, State
from tidemark.core.loading import BATCHES_MAX, Load

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
IDS = st.text(min_size=1, max_size=20)
COUNTS = st.integers(0, 1 << 50)
BATCHES = st.builds(
    Batch,
    batch_id=IDS,
    dataset=IDS,
    created_at=TIMES,
    updated_at=TIMES,
    state=st.sampled_from(State),
    attempt=st.integers(1, 99_999),
    version=COUNTS,
    due_at=st.none() | TIMES,
    not_before=st.none() | TIMES,
    began_at=st.none() | TIMES,
    because=st.text(max_size=5),
    background=st.booleans(),
    changes=COUNTS,
    formed=COUNTS,
    waiting_since=st.none() | TIMES,
    acknowledged=COUNTS,
    period=st.text(max_size=5),
    inputs=st.dictionaries(IDS, COUNTS, max_size=3),
    published=COUNTS,
    segments=st.lists(IDS, max_size=3).map(tuple),
    base_manifest=st.text(max_size=5),
    file_range=st.none() | st.tuples(COUNTS, COUNTS),
    manifest=st.text(max_size=5),
    files=COUNTS,
    bytes=COUNTS,
    duplicate_files=COUNTS,
    run_id=st.text(max_size=5),
    maybe_visible=st.booleans(),
    load_id=st.text(max_size=5),
    company=COUNTS,
    counts=st.builds(
        Counts,
        read=COUNTS,
        kept=COUNTS,
        rejected=COUNTS,
        duplicate_records=COUNTS,
        rows=st.dictionaries(IDS, COUNTS, max_size=3),
        problems=COUNTS,
    ),
    failures=st.builds(Failures, runs=COUNTS, unexplained=COUNTS, loads=COUNTS, vanished=COUNTS),
    reason=st.text(max_size=20),
    discarded=COUNTS,
    parent=st.text(max_size=5),
    children=st.lists(IDS, max_size=2).map(tuple),
).map(lambda batch: replace(batch, due_at=None) if batch.at_rest else batch)
LOADS = st.builds(
    Load,
    load_id=IDS,
    created_at=TIMES,
    batches=st.lists(st.tuples(IDS, COUNTS), max_size=3).map(tuple),
    datasets=st.lists(IDS, max_size=3).map(tuple),
    statement_id=st.text(max_size=5),
    state=st.sampled_from(["OPEN", "FINISHED", "FAILED"]),
    reason=st.text(max_size=20),
    version=COUNTS,
)


def batch(name: str = "web.t.1", **changes: Any) -> Batch:
    return replace(Batch(name, "web", NOON, NOON, due_at=NOON), **changes)


def newer(file: FileVersion, version: str = "v2") -> FileVersion:
    return replace(file, version=version, sequencer=f"0B{version[1:]}")


def stored(dynamodb: Any) -> list[Mapping[str, Any]]:
    """Everything that the ledger holds."""
    return sorted(dynamodb.scan(TableName="ledger")["Items"], key=lambda item: (item["pk"]["S"], item["sk"]["S"]))


@pytest.fixture
def segments(ledger: Ledger, file: FileVersion, noon: datetime) -> tuple[str, ...]:
    """The sort keys of two pending segments of one file each, oldest first."""
    later = replace(file, key="web/c.json", landed_at="2026-03-01T11:59:30Z")
    for each in (later, file):
        ledger.segments.put("web", [each], noon)
    return tuple(segment.sk for segment in ledger.segments.pending("web"))


@pytest.fixture
def held(ledger: Ledger, file: FileVersion, noon: datetime) -> Holder:
    """The file, claimed by batch `web.t.1`, which is saved."""
    ledger.files.claim(file, "web", "web.t.1", noon)
    ledger.batches.save(batch(state=State.LOADED, due_at=None))
    return Holder(file, "web.t.1")


# ── values and items ────────────────────────────────────────────────────────────────────────────────────────


def types(batch: Batch) -> list[type]:
    return [type(getattr(batch, entry.name)) for entry in fields(Batch)]


@given(BATCHES)
def test_a_batch_survives_its_item(batch: Batch) -> None:
    """Every field comes back with its value and its type."""
    found = parse_batch(batch_item(batch))
    assert found == batch
    assert types(found) == types(batch)


@given(BATCHES)
def test_an_attempts_record_is_the_batch_without_its_due_time(batch: Batch) -> None:
    """Past attempts are remembered whole, and are nobody's work any more."""
    item = attempt_item(batch)
    assert parse_batch(item) == replace(batch, due_at=None)
    assert not {"open", "due_at", "dataset"} & set(item)


@given(LOADS)
def test_a_load_survives_its_item(load: Load) -> None:
    """Members keep their attempts, and only an open load is in the index."""
    assert parse_load(load_item(load)) == load
    assert ("open" in load_item(load)) == (load.state == "OPEN")


@given(BATCHES)
def test_only_what_waits_is_in_the_open_index(batch: Batch) -> None:
    """The index is sparse: it holds the work under way, what waits for a person, and what people are told of."""
    is_blemished = batch.state is State.LOADED and bool(batch.counts.rejected or batch.counts.problems)
    told = batch.state is State.QUARANTINED or is_blemished
    assert ("open" in batch_item(batch)) == (batch.state not in AT_REST or told)


@pytest.mark.parametrize("dataset", ["loads", "quarantine"])
def test_no_dataset_shares_its_place_in_the_index(ledger: Ledger, dataset: str) -> None:
    """Whatever a dataset is called, its batches are taken neither for loads nor for quarantine."""
    ledger.batches.save(batch(dataset=dataset))
    assert ledger.loads.open() == []
    assert ledger.quarantine.contents() == ([], [])


# ── segments ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_segment_gives_its_files_back(ledger: Ledger, file: FileVersion, segments: tuple[str, ...]) -> None:
    """Segments are listed oldest first, with what the policy needs."""
    first = ledger.segments.pending("web")[0]
    assert (first.head.files, first.head.bytes, first.batch_id) == (1, 5, "")
    assert first.head.oldest_at == NOON - timedelta(minutes=1)
    assert ledger.segments.files("web", first.sk) == [file]


def test_the_same_files_are_one_segment(ledger: Ledger, file: FileVersion, segments: tuple[str, ...]) -> None:
    """A repeated invocation writes the same item."""
    ledger.segments.put("web", [file], NOON + timedelta(seconds=9))
    assert tuple(segment.sk for segment in ledger.segments.pending("web")) == segments


def test_a_segment_that_is_worked_off_keeps_its_mark(
    ledger: Ledger, file: FileVersion, segments: tuple[str, ...]
) -> None:
    """A redelivery while the planner is at it does not free the segment for a second batch."""
    ledger.batches.begin(batch(segments=segments))
    ledger.segments.put("web", [file], NOON)
    assert [segment.batch_id for segment in ledger.segments.pending("web")] == ["web.t.1", "web.t.1"]


@pytest.mark.parametrize("landed_at", [None, "2026-03-01T13:00:00Z"])
def test_a_segment_is_never_younger_than_now(ledger: Ledger, file: FileVersion, landed_at: str | None) -> None:
    """Without a landing, or with one from a clock ahead, the wait begins now."""
    ledger.segments.put("web", [replace(file, landed_at=landed_at)], NOON)
    assert ledger.segments.pending("web")[0].head.oldest_at == NOON


def test_a_forgotten_segment_has_no_files(ledger: Ledger, segments: tuple[str, ...]) -> None:
    """Forgetting twice harms nothing."""
    for _ in range(2):
        ledger.segments.delete("web", segments[0])
    assert ledger.segments.files("web", segments[0]) == []
    assert [segment.sk for segment in ledger.segments.pending("web")] == [segments[1]]


def test_segments_beyond_one_page_are_listed(ledger: Ledger, dynamodb: Any) -> None:
    """DynamoDB answers with a megabyte at a time; all of it is pending, and another dataset's is not."""
    for number in range(5):
        item = {
            "pk": {"S": "PENDING#web"}, "sk": {"S": f"2026-03-01T12:00:0{number}.000000Z#s"},
            "packed": {"B": b"x" * 300_000}, "files": {"N": "1"}, "bytes": {"N": "5"},
            "oldest_at": {"S": "2026-03-01T12:00:00.000000Z"},
        }  # fmt: skip
        dynamodb.put_item(TableName="ledger", Item=item)
    query = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": "PENDING#web"}}}
    assert "LastEvaluatedKey" in dynamodb.query(TableName="ledger", **query)
    assert len(ledger.segments.pending("web")) == 5
    assert ledger.segments.pending("app") == []


# ── batches ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_of_two_planners_one_takes_a_segment(ledger: Ledger, segments: tuple[str, ...]) -> None:
    """The loser gets a conflict, and takes none of the other segments either."""
    ledger.batches.begin(batch("web.t.1", segments=segments[:1]))
    with pytest.raises(Conflict):
        ledger.batches.begin(batch("web.t.2", segments=segments))
    assert [segment.batch_id for segment in ledger.segments.pending("web")] == ["web.t.1", ""]
    assert ledger.batches.get("web.t.2") is None


def test_a_batch_begins_once(ledger: Ledger, segments: tuple[str, ...]) -> None:
    """Two planners that draw the same id in the same second are still one batch."""
    ledger.batches.begin(batch(segments=segments[:1]))
    with pytest.raises(Conflict):
        ledger.batches.begin(batch(segments=segments[1:]))
    assert ledger.segments.pending("web")[1].batch_id == ""


def test_a_batch_does_not_begin_with_a_segment_that_is_gone(ledger: Ledger, segments: tuple[str, ...]) -> None:
    """A planner that listed long ago finds the work done."""
    ledger.segments.delete("web", segments[0])
    with pytest.raises(Conflict):
        ledger.batches.begin(batch(segments=segments))
    assert ledger.segments.files("web", segments[0]) == []


def test_a_batch_begins_with_as_many_segments_as_a_transaction_takes(ledger: Ledger, file: FileVersion) -> None:
    """Ninety-nine segments and the batch are 100 items."""
    for number in range(99):
        ledger.segments.put("web", [replace(file, key=f"web/{number}")], NOON)
    taken = tuple(segment.sk for segment in ledger.segments.pending("web"))
    ledger.batches.begin(batch(segments=taken))
    assert {segment.batch_id for segment in ledger.segments.pending("web")} == {"web.t.1"}


def test_of_two_saves_of_one_version_one_stands(ledger: Ledger) -> None:
    """Two handlers advance the same batch: the second gets a conflict and changes nothing."""
    read = ledger.batches.save(batch())
    ledger.batches.save(replace(read, state=State.PLANNED))
    with pytest.raises(Conflict):
        ledger.batches.save(replace(read, state=State.EMPTY, due_at=None))
    assert ledger.batches.get("web.t.1") == replace(read, state=State.PLANNED, version=2)


def test_a_new_batch_does_not_overwrite_an_old_one(ledger: Ledger) -> None:
    """Version 0 says that there is none yet."""
    ledger.batches.save(batch())
    with pytest.raises(Conflict):
        ledger.batches.save(batch(files=9))


def test_several_batches_are_saved_together_or_not_at_all(ledger: Ledger) -> None:
    """A split is one transaction: no child without its parent's move."""
    parent = ledger.batches.save(batch())
    ledger.batches.save(parent)
    with pytest.raises(Conflict):
        ledger.batches.save_all([replace(parent, state=State.SPLIT, due_at=None), batch("web.t.2"), batch("web.t.3")])
    assert ledger.batches.get("web.t.2") is None


def test_every_attempt_is_remembered(ledger: Ledger) -> None:
    """The batch's past can be asked for ever, each attempt as it last was."""
    first = ledger.batches.save(ledger.batches.save(batch(run_id="run-1")))
    ledger.batches.save(replace(first, attempt=2, run_id="run-2"))
    assert [(past.attempt, past.run_id, past.version) for past in ledger.batches.attempts("web.t.1")] == [
        (1, "run-1", 2),
        (2, "run-2", 3),
    ]


def test_a_batch_at_rest_leaves_the_open_index(ledger: Ledger) -> None:
    """Open batches are those that something is due for, of one dataset."""
    read = ledger.batches.save(batch())
    ledger.batches.save(replace(batch("app.t.1"), dataset="app"))
    assert ledger.batches.open("web") == [read]
    ledger.batches.save(replace(read, state=State.LOADED, due_at=None))
    assert ledger.batches.open("web") == []


def test_history_lists_the_latest_first(ledger: Ledger) -> None:
    """A limit cuts the oldest off; attempts and files are not in it."""
    for number in range(3):
        ledger.batches.save(batch(f"web.t.{number}", created_at=NOON + timedelta(seconds=number)))
    assert [one.batch_id for one in ledger.batches.recent("web", 2)] == ["web.t.2", "web.t.1"]
    assert len(ledger.batches.all("web")) == 3


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_of_two_batches_one_claims_a_file(ledger: Ledger, file: FileVersion) -> None:
    """The first put wins; the second is told by whom, in the same call."""
    assert ledger.files.claim(file, "web", "web.t.1", NOON) is None
    assert ledger.files.claim(file, "web", "web.t.2", NOON) == Holder(file, "web.t.1")
    assert ledger.files.holder("raw", "web/a b.json") == Holder(file, "web.t.1")


def test_a_claim_repeated_by_its_batch_finds_itself(ledger: Ledger, file: FileVersion) -> None:
    """A crash is rolled forward."""
    ledger.files.claim(file, "web", "web.t.1", NOON)
    assert ledger.files.claim(file, "web", "web.t.1", NOON) == Holder(file, "web.t.1")


def test_another_version_of_a_claimed_key_is_told_apart(ledger: Ledger, file: FileVersion) -> None:
    """An overwritten key answers with the version that it was claimed in."""
    ledger.files.claim(file, "web", "web.t.1", NOON)
    assert ledger.files.claim(newer(file), "web", "web.t.2", NOON) == Holder(file, "web.t.1")


def test_a_key_nobody_claimed_has_no_holder(ledger: Ledger) -> None:
    """The ledger says so instead of guessing."""
    assert ledger.files.holder("raw", "web/unknown") is None
    assert ledger.files.holders("raw", "web/unknown") == []


def test_superseding_moves_file_and_batch_together(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """The new version is held, the old one remembered, and the batch's next attempt knows of the change."""
    read = ledger.batches.get("web.t.1")
    assert read is not None
    ledger.files.supersede(held, newer(file), replace(read, state=State.FORMING, attempt=2, changes=1, due_at=NOON))
    assert ledger.files.holder(file.bucket, file.key) == Holder(newer(file), "web.t.1")
    assert ledger.files.holders(file.bucket, file.key) == [Holder(newer(file), "web.t.1"), held]
    assert ledger.files.changes("web.t.1") == [Change(file.bucket, file.key, newer(file))]
    assert [past.attempt for past in ledger.batches.attempts("web.t.1")] == [1, 2]


def test_of_two_newer_versions_each_replaces_the_one_it_saw(
    ledger: Ledger, dynamodb: Any, held: Holder, file: FileVersion
) -> None:
    """A supersession that was decided against an outdated holder changes nothing."""
    read = ledger.batches.get("web.t.1")
    assert read is not None
    revised = ledger.files.supersede(held, newer(file, "v3"), replace(read, attempt=2, changes=1))
    before = stored(dynamodb)
    with pytest.raises(Conflict):
        ledger.files.supersede(held, newer(file, "v2"), replace(revised, attempt=3, changes=2))
    assert stored(dynamodb) == before


def test_a_batch_that_moved_on_is_not_superseded(
    ledger: Ledger, dynamodb: Any, held: Holder, file: FileVersion
) -> None:
    """Were the file replaced without the batch, its new version would be claimed and never read."""
    read = ledger.batches.get("web.t.1")
    assert read is not None
    ledger.batches.save(read)
    before = stored(dynamodb)
    with pytest.raises(Conflict):
        ledger.files.supersede(held, newer(file), replace(read, attempt=2, changes=1))
    assert stored(dynamodb) == before


def test_appending_keeps_both_versions_with_their_batches(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """The latest version answers for the key, the older one stays where it was."""
    ledger.files.append(held, newer(file), "web.t.2")
    assert ledger.files.holder(file.bucket, file.key) == Holder(newer(file), "web.t.2")
    assert held in ledger.files.holders(file.bucket, file.key)


@pytest.mark.parametrize("outdated", ["version", "holder"])
def test_of_two_appended_versions_one_looks_again(
    ledger: Ledger, dynamodb: Any, held: Holder, file: FileVersion, outdated: str
) -> None:
    """Appending to a holder that has changed raises, and changes nothing."""
    if outdated == "version":
        ledger.files.append(held, newer(file, "v3"), "web.t.3")
    known = held if outdated == "version" else Holder(file, "web.t.9")
    before = stored(dynamodb)
    with pytest.raises(Conflict):
        ledger.files.append(known, newer(file, "v2"), "web.t.2")
    assert stored(dynamodb) == before


def test_an_older_version_is_claimed_once(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """It stands beside the latest; whoever comes second loses the race, and finds whose it is."""
    older = replace(file, version="v0")
    ledger.files.claim_older(held, older, "web", "web.t.2", NOON)
    with pytest.raises(Conflict):
        ledger.files.claim_older(held, older, "web", "web.t.3", NOON)
    assert ledger.files.older_holder(older) == Holder(older, "web.t.2")
    assert ledger.files.holder(file.bucket, file.key) == held


def test_no_version_is_both_the_latest_and_an_older_one(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """Two batches claim it, one by an event and one by a listing that did not tell: the second one looks again."""
    ledger.files.claim_older(held, newer(file), "web", "web.t.2", NOON)
    with pytest.raises(Conflict):
        ledger.files.append(held, newer(file), "web.t.3")
    ledger.files.append(held, newer(file, "v3"), "web.t.3")
    with pytest.raises(Conflict):
        ledger.files.claim_older(held, newer(file, "v4"), "web", "web.t.2", NOON)


def test_a_refused_file_is_out_of_the_next_attempt(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """Its claim stays, so it is not taken for a new file."""
    read = ledger.batches.get("web.t.1")
    assert read is not None
    ledger.files.refuse(replace(read, attempt=2, changes=1), file)
    [change] = ledger.files.changes("web.t.1")
    assert change == Change(file.bucket, file.key, None, file.version)
    assert change.apply({file.identity: file, newer(file).identity: newer(file)}) == {newer(file).identity: newer(file)}
    assert ledger.files.holder(file.bucket, file.key) == held


def refused(ledger: Ledger, file: FileVersion) -> Batch:
    """The batch that holds the file, at its second attempt, without the file."""
    read = ledger.batches.get("web.t.1")
    assert read is not None
    return ledger.files.refuse(replace(read, attempt=2, changes=1, reason="not JSON"), file)


def test_what_waits_for_a_person_is_listed(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """Quarantined batches and refused files stand in one list, each with its reason."""
    refused(ledger, file)
    poisoned = ledger.batches.save(batch("web.t.2", state=State.QUARANTINED, due_at=None, reason="beyond repair"))
    assert ledger.quarantine.contents() == (
        [poisoned],
        [RefusedFile(file, "web.t.1", "not JSON", ledger.quarantine.contents()[1][0].since)],
    )
    assert ledger.batches.open("web") == []


def test_a_restored_file_is_a_normal_one_again(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """It is back in the next attempt and off the list."""
    revised = refused(ledger, file)
    ledger.files.restore(replace(revised, attempt=3, changes=2), file, latest=True)
    assert ledger.files.changes("web.t.1") == [Change(file.bucket, file.key, file, file.version)]
    assert ledger.quarantine.contents() == ([], [])


def test_an_outdated_version_is_not_restored(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """Its key was written again meanwhile: releasing it would replace the newer version's rows, so it is refused."""
    revised = ledger.files.supersede(held, newer(file), replace(refused(ledger, file), attempt=3, changes=2))
    with pytest.raises(Conflict):
        ledger.files.restore(replace(revised, attempt=4, changes=3), file, latest=True)
    assert ledger.quarantine.contents() == ([], [])


def test_an_older_version_is_restored_beside_the_latest(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """Where both count, the newer version stays the key's."""
    revised = refused(ledger, file)
    ledger.files.append(held, newer(file), "web.t.2")
    ledger.files.restore(replace(revised, attempt=3, changes=2), file, latest=False)
    assert ledger.files.changes("web.t.1") == [Change(file.bucket, file.key, file, file.version)]
    assert ledger.files.holder(file.bucket, file.key) == Holder(newer(file), "web.t.2")


def test_changes_before_a_discard_do_not_count(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """They are numbered, so the batch says up to which one its files were given up."""
    revised = refused(ledger, file)
    ledger.files.restore(replace(revised, attempt=3, changes=2), file, latest=True)
    assert ledger.files.changes("web.t.1", after=1) == ledger.files.changes("web.t.1")
    assert ledger.files.changes("web.t.1", after=2) == []


@pytest.mark.parametrize(
    ("reasons", "raised"),
    [
        (["None", "ConditionalCheckFailed"], Conflict),
        (["TransactionConflict"], Conflict),
        (["ValidationError", "ConditionalCheckFailed"], Terminal),
        (["ItemCollectionSizeLimitExceeded"], Terminal),
        (["ThrottlingError", "None"], Transient),
        ([], Transient),
    ],
)
def test_only_a_lost_race_is_a_conflict(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, reasons: list[str], raised: type[Exception]
) -> None:
    """An item that is too large or a throttle does not mean that somebody else has moved the batch."""
    told = {
        "Error": {"Code": "TransactionCanceledException"},
        "CancellationReasons": [{"Code": one} for one in reasons],
    }

    def refuse(**_: Any) -> None:
        raise ClientError(told, "TransactWriteItems")

    monkeypatch.setattr(ledger.table, "client", SimpleNamespace(transact_write_items=refuse))
    with pytest.raises(raised):
        ledger.batches.save(batch())


def test_a_file_is_restored_to_the_batch_as_it_is(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """Two people at once: the second gets a conflict, and the list is as the first left it."""
    revised = refused(ledger, file)
    ledger.batches.save(revised)
    with pytest.raises(Conflict):
        ledger.files.restore(replace(revised, attempt=3, changes=2), file, latest=True)
    assert len(ledger.quarantine.contents()[1]) == 1


def test_a_discarded_file_is_off_the_list_and_not_forgotten(
    ledger: Ledger, dynamodb: Any, held: Holder, file: FileVersion
) -> None:
    """Years later the ledger still says why its rows are missing."""
    refused(ledger, file)
    ledger.files.discard(file)
    assert ledger.quarantine.contents() == ([], [])
    assert [item["reason"] for item in stored(dynamodb) if item["sk"]["S"] == "REFUSED#v1"] == [{"S": "not JSON"}]
    assert ledger.files.holders(file.bucket, file.key) == [held]


def test_known_versions_leave_out_what_nobody_claimed(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """Reconciling asks for a hundred keys at once; two versions of a key are one question."""
    others = [replace(file, key=f"web/{number}") for number in range(98)]
    assert ledger.files.known_versions([file, newer(file), *others]) == {("raw", "web/a b.json"): "v1"}


def test_the_last_change_of_a_key_counts(ledger: Ledger, held: Holder, file: FileVersion) -> None:
    """A file that was refused and then written again is in the batch with its new version."""
    read = ledger.batches.get("web.t.1")
    assert read is not None
    revised = ledger.files.refuse(replace(read, attempt=2, changes=1), file)
    ledger.files.supersede(held, newer(file), replace(revised, attempt=3, changes=2))
    files = {file.identity: file}
    for change in ledger.files.changes("web.t.1"):
        files = change.apply(files)
    assert files == {newer(file).identity: newer(file)}


# ── loads and warehouse tables ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def published(ledger: Ledger) -> list[Batch]:
    """Two batches that wait for the warehouse."""
    return [ledger.batches.save(batch(f"web.t.{number}", state=State.PUBLISHED)) for number in (1, 2)]


def load_of(batches: list[Batch], name: str = "load.t.1") -> Load:
    return Load(name, NOON, tuple((one.batch_id, one.attempt) for one in batches), ("web",))


def loading(batches: list[Batch], name: str = "load.t.1") -> list[Batch]:
    return [replace(one, state=State.LOADING, load_id=name) for one in batches]


def test_a_load_begins_with_all_its_batches(ledger: Ledger, published: list[Batch]) -> None:
    """Load and batches are written in one transaction."""
    begun = ledger.loads.begin(load_of(published), loading(published))
    assert ledger.loads.get("load.t.1") == begun
    assert {one.load_id for one in ledger.batches.open("web")} == {"load.t.1"}


def test_no_batch_is_in_two_loads(ledger: Ledger, published: list[Batch]) -> None:
    """One batch taken elsewhere is enough: neither the load nor its other batches are written."""
    ledger.loads.begin(load_of(published[:1]), loading(published[:1]))
    with pytest.raises(Conflict):
        ledger.loads.begin(load_of(published, "load.t.2"), loading(published, "load.t.2"))
    assert ledger.loads.get("load.t.2") is None
    assert ledger.batches.get("web.t.2") == published[1]


def test_the_largest_load_fits_one_transaction(ledger: Ledger) -> None:
    """Every batch writes two items, the load one: 91 of 100."""
    batches = [ledger.batches.save(batch(f"web.t.{number}", state=State.PUBLISHED)) for number in range(BATCHES_MAX)]
    ledger.loads.begin(load_of(batches), loading(batches))
    assert {one.state for one in ledger.batches.open("web")} == {State.LOADING}


def test_of_two_settlers_one_closes_a_load(ledger: Ledger, published: list[Batch]) -> None:
    """The second gets a conflict, and a closed load leaves the index."""
    begun = ledger.loads.begin(load_of(published), loading(published))
    assert ledger.loads.open() == [begun]
    ledger.loads.save(replace(begun, state="FINISHED"))
    with pytest.raises(Conflict):
        ledger.loads.save(replace(begun, state="FAILED"))
    assert ledger.loads.open() == []


def test_a_setting_is_remembered_until_it_is_emptied(ledger: Ledger) -> None:
    """A pause holds for one dataset, and ends."""
    ledger.controls.set("PAUSE#web", {"by": "ann"})
    assert (ledger.controls.paused("web"), ledger.controls.paused("app")) == (True, False)
    assert ledger.controls.get("PAUSE#web") == {"by": "ann"}
    ledger.controls.set("PAUSE#web", {})
    assert not ledger.controls.paused("web")


def test_the_warehouses_columns_are_remembered(ledger: Ledger) -> None:
    """None says that the table was never made."""
    assert ledger.warehouse_tables.columns("events") is None
    for _ in range(2):
        ledger.warehouse_tables.put_columns("events", {"user_id": "VARCHAR(8)"})
    assert ledger.warehouse_tables.columns("events") == {"user_id": "VARCHAR(8)"}
