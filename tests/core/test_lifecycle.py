from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.core.errors import IllegalMove
from tidemark.core.lifecycle import (
    AT_REST,
    MEANING,
    PATIENCE,
    STEP,
    TRANSITIONS,
    Alarm,
    Batch,
    Bisected,
    Changed,
    Counts,
    Discarded,
    Emptied,
    Event,
    Failures,
    FileRefused,
    Formed,
    Loaded,
    LoadRefused,
    LoadRetried,
    LoadStarted,
    Poisoned,
    Published,
    Renewed,
    Replayed,
    RunRetried,
    RunStarted,
    Stale,
    State,
    Superseded,
    Vanished,
    advance,
    changed,
    failed_for_good,
    loaded,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVENTS: tuple[type, ...] = get_args(Event)
MOVES = [(state, event, target) for state, row in TRANSITIONS.items() for event, target in row.items()]
ILLEGAL = [(state, event) for state in State for event in EVENTS if event not in TRANSITIONS[state]]
#: These begin the next attempt.
NEW_ATTEMPT = (RunRetried, FileRefused, Vanished, Renewed, Superseded, Replayed, Discarded)
OF_A_LOAD = (Loaded, LoadRetried, LoadRefused, Vanished)
RENEWED = [(state, event) for state, event, _ in MOVES if event is Renewed]
VALUES: dict[str, Any] = {
    "attempt": 3,
    "manifest": "batches/web/b/0003/manifest.json",
    "files": 2,
    "bytes": 10,
    "duplicate_files": 1,
    "run_id": "run-3",
    "counts": Counts(read=5, kept=4, rejected=1, rows={"web_events": 4}),
    "inputs": {},
    "reason": "because",
    "children": ("child-0", "child-1"),
    "load_id": "load-3",
    "unknown": True,
    "outdated": True,
    "code": "c0de",
    "larger": True,
    "changes": 0,
    "company": 0,
}


def batch_in(state: State, **changes: Any) -> Batch:
    """A batch at its third attempt, as it stands in a state."""
    due_at = None if state in AT_REST else NOW
    batch = Batch("web.t.1", "web", NOW, NOW, state, attempt=3, version=9, due_at=due_at, files=2, manifest="m3")
    batch = replace(batch, run_id="run-3", load_id="load-3" if state is State.LOADING else "")
    return replace(batch, **changes)


def event_of(kind: type, **changes: Any) -> Any:
    """An event of the third attempt and, if it speaks of one, its load."""
    values = {entry.name: VALUES[entry.name] for entry in fields(kind)} | ({"load_id": ""} if kind is Renewed else {})
    return kind(**{**values, **changes})


def reached_from(start: State) -> set[State]:
    reached, new = {start}, {start}
    while new:
        new = {target for state in new for target in TRANSITIONS[state].values()} - reached
        reached |= new
    return reached


# ── the table ───────────────────────────────────────────────────────────────────────────────────────────────


def test_the_table_is_complete() -> None:
    """Every state has a row, every event a meaning and a place, every state not at rest a function and a patience."""
    assert set(TRANSITIONS) == set(State)
    assert set(MEANING) == set(EVENTS) == {event for _, event, _ in MOVES}
    assert set(STEP) == set(PATIENCE) == set(State) - AT_REST


def test_every_state_can_be_reached() -> None:
    """A batch begins FORMING, and no state is written down in vain."""
    assert reached_from(State.FORMING) == set(State)


@pytest.mark.parametrize("state", sorted(set(State) - AT_REST))
def test_every_way_leads_to_rest(state: State) -> None:
    """No batch can be caught for ever: LOADED stays possible from wherever something is due."""
    assert State.LOADED in reached_from(state)


@pytest.mark.parametrize(("state", "event", "target"), MOVES)
def test_a_legal_move_leads_where_the_table_says(state: State, event: type, target: State) -> None:
    """The next batch has the table's state, and says when it moved; a change that is only noted moves nothing."""
    moved, _ = advance(batch_in(state), event_of(event), NOW + timedelta(seconds=1))
    assert (moved.state, moved.updated_at) == (target, NOW + timedelta(seconds=event is not Changed))


@pytest.mark.parametrize(("state", "event"), ILLEGAL)
def test_every_other_move_is_refused(state: State, event: type) -> None:
    """What is not in the table raises, names batch, event and state, and changes nothing."""
    batch = batch_in(state, load_id="load-3")
    before = replace(batch)
    with pytest.raises(IllegalMove, match=f"web.t.1: no {event.__name__} in state {state}$"):
        advance(batch, event_of(event), NOW)
    assert batch == before


# ── the fence ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("attempt", [2, 4])
@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", EVENTS)
def test_an_event_of_another_attempt_is_stale(state: State, event: type, attempt: int) -> None:
    """A zombie run or a late event moves no batch, whatever its state."""
    with pytest.raises(Stale, match=f"is at attempt 3, the event at {attempt}"):
        advance(batch_in(state), event_of(event, attempt=attempt), NOW)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", OF_A_LOAD)
def test_an_event_of_another_load_is_stale(state: State, event: type) -> None:
    """A load that the batch has left says nothing about it."""
    with pytest.raises(Stale, match=r"load-1$"):
        advance(batch_in(state), event_of(event, load_id="load-1"), NOW)


@pytest.mark.parametrize(("state", "event", "target"), MOVES)
def test_the_attempt_rises_by_one_for_a_new_attempt_only(state: State, event: type, target: State) -> None:
    """The fence moves with what begins the work anew, and with nothing else."""
    moved, _ = advance(batch_in(state), event_of(event), NOW)
    assert moved.attempt == 3 + (event in NEW_ATTEMPT)


@pytest.mark.parametrize(("state", "event"), [(state, event) for state, event, _ in MOVES if event in NEW_ATTEMPT])
def test_a_new_attempt_forgets_run_and_load(state: State, event: type) -> None:
    """Nothing of the old attempt is taken for the new one's."""
    moved, _ = advance(batch_in(state, company=4, failures=Failures(loads=2)), event_of(event), NOW)
    assert (moved.run_id, moved.load_id, moved.failures.loads, moved.company) == ("", "", 0, 0)


@pytest.mark.parametrize(("state", "event", "target"), MOVES)
def test_identity_and_version_are_not_the_events_to_change(state: State, event: type, target: State) -> None:
    """The ledger's version belongs to the save; id, dataset and birth belong to the batch."""
    before = batch_in(state, parent="p")
    moved, _ = advance(before, event_of(event), NOW + timedelta(days=1))
    kept = ("batch_id", "dataset", "created_at", "version", "parent")
    assert [getattr(moved, name) for name in kept] == [getattr(before, name) for name in kept]


# ── due times ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("state", "event", "target"), MOVES)
def test_what_is_not_at_rest_is_due(state: State, event: type, target: State) -> None:
    """Sweep finds every batch that something must still be done for, and no other."""
    moved, _ = advance(batch_in(state), event_of(event), NOW)
    assert (moved.due_at is None) == moved.at_rest == (target in AT_REST)
    noted = event is Changed
    assert moved.due_at is None or (moved.due_at == NOW if target is State.FORMING or noted else moved.due_at > NOW)


@given(st.data())
def test_any_history_keeps_the_promises(data: st.DataObject) -> None:
    """Along every walk through the table, a due time stands exactly where something is due, and attempts count on."""
    batch = Batch("web.t.1", "web", NOW, NOW, due_at=NOW)
    for _ in range(data.draw(st.integers(1, 20))):
        legal = list(TRANSITIONS[batch.state])
        if not legal:
            break
        kind = data.draw(st.sampled_from(legal))
        event = event_of(kind, attempt=batch.attempt)
        if kind in OF_A_LOAD:
            event = replace(event, load_id=batch.load_id)
        if kind in (Formed, Emptied):
            event = replace(event, changes=batch.changes)
        if kind is Loaded and batch.outdated:
            event = loaded(batch)
        moved, _ = advance(batch, event, NOW)
        assert moved.attempt - batch.attempt == isinstance(event, NEW_ATTEMPT)
        assert (moved.due_at is None) == moved.at_rest
        assert moved.maybe_visible >= batch.maybe_visible
        assert moved.changes >= batch.changes
        assert not (moved.at_rest and moved.outdated and moved.state in (State.LOADED, State.EMPTY))
        batch = moved


def test_a_failed_run_waits_before_the_next() -> None:
    """Backoff keeps the batch PLANNED, and sweep looks when it is over."""
    moved, _ = advance(batch_in(State.RUNNING), event_of(RunRetried), NOW)
    assert moved.failures.runs == 1
    assert moved.not_before is not None
    assert moved.not_before >= NOW + timedelta(seconds=15)
    assert moved.due_at == moved.not_before


@pytest.mark.parametrize(("larger", "enlarged"), [(False, 1), (True, 2)])
def test_larger_workers_are_counted(larger: bool, enlarged: int) -> None:
    """The next run takes its size from the count, and a published attempt ends it."""
    failed = batch_in(State.RUNNING, failures=Failures(enlarged=1))
    moved, _ = advance(failed, event_of(RunRetried, larger=larger), NOW)
    assert moved.failures.enlarged == enlarged
    published, _ = advance(failed, event_of(Published), NOW)
    assert published.failures.enlarged == 0


def test_the_wait_ends_with_the_start() -> None:
    """A run or a load that has begun is not held back any more."""
    held = {"not_before": NOW + timedelta(minutes=1)}
    assert advance(batch_in(State.PLANNED, **held), event_of(RunStarted), NOW)[0].not_before is None
    assert advance(batch_in(State.PUBLISHED, **held), event_of(LoadStarted), NOW)[0].not_before is None


def test_a_load_that_failed_for_a_passing_reason_waits() -> None:
    """In an outage nothing is marked: the batch stays in whatever company it had, and the pauses grow."""
    first, _ = advance(batch_in(State.LOADING, company=4), event_of(LoadRetried), NOW)
    assert (first.company, first.failures.loads) == (4, 1)
    assert first.not_before is not None
    assert first.not_before > NOW
    second, _ = advance(replace(first, state=State.LOADING, load_id="load-3"), event_of(LoadRetried), NOW)
    assert second.not_before is not None
    assert second.not_before - NOW > timedelta(seconds=25)


def test_a_load_that_was_refused_is_tried_at_once_in_smaller_company() -> None:
    """The fault may be another batch's: whoever is not to blame must not wait."""
    moved, _ = advance(batch_in(State.LOADING), event_of(LoadRetried, company=23), NOW)
    assert (moved.company, moved.not_before) == (23, NOW)


def test_files_gone_before_their_load_are_counted_until_a_load_succeeds() -> None:
    """The next attempt is made at once, of the same files; a person's replay counts anew, as does what was loaded."""
    moved, _ = advance(batch_in(State.LOADING, failures=Failures(vanished=1)), event_of(Vanished), NOW)
    assert (moved.state, moved.attempt, moved.base_manifest, moved.failures.vanished) == (State.FORMING, 4, "m3", 2)
    assert (moved.because, moved.not_before) == ("because", None)
    again = replace(moved, state=State.LOADING, load_id="load-3")
    assert advance(again, event_of(Loaded, attempt=4), NOW)[0].failures.vanished == 0
    often = Failures(vanished=3)
    replayed, _ = advance(batch_in(State.QUARANTINED, failures=often), event_of(Replayed), NOW)
    retried, _ = advance(batch_in(State.RUNNING, failures=often), event_of(RunRetried), NOW)
    assert (replayed.failures.vanished, retried.failures.vanished) == (0, 3)


# ── files that are overwritten meanwhile ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("state", sorted(set(State) - AT_REST))
def test_a_change_under_way_is_noted_and_stops_nothing(state: State) -> None:
    """The attempt goes on, with its times: a key that is written every second holds up no other file."""
    batch = batch_in(state, changes=4, formed=4, not_before=NOW)
    moved, effects = advance(batch, changed(batch, "k was overwritten"), NOW + timedelta(hours=1))
    assert (moved, effects) == (replace(batch, changes=5), ())
    assert moved.outdated


@pytest.mark.parametrize("state", [State.LOADED, State.QUARANTINED, State.EMPTY])
def test_a_change_at_rest_begins_the_next_attempt(state: State) -> None:
    """Nothing is under way that it could wait for."""
    batch = batch_in(state, changes=4, formed=4)
    moved, _ = advance(batch, changed(batch, "k was overwritten"), NOW)
    assert (moved.state, moved.attempt, moved.changes, moved.formed) == (State.FORMING, 4, 5, 4)


def test_an_attempt_that_is_loaded_makes_way_for_the_changes_that_wait() -> None:
    """One attempt for all that came meanwhile; without changes the batch is at rest."""
    batch = batch_in(State.LOADING, changes=6, formed=4, waiting_since=NOW)
    moved, _ = advance(batch, loaded(batch), NOW)
    assert (moved.state, moved.attempt, moved.base_manifest, moved.waiting_since) == (State.FORMING, 4, "m3", None)
    assert advance(batch_in(State.LOADING), loaded(batch_in(State.LOADING)), NOW)[0].state is State.LOADED


def test_a_batch_is_not_at_rest_while_changes_wait() -> None:
    """Who has decided before the change came must decide again."""
    with pytest.raises(Stale, match="changes that attempt 3 does not know"):
        advance(batch_in(State.LOADING, changes=1), event_of(Loaded), NOW)
    with pytest.raises(Stale, match="has 1 changes, the event knows 0"):
        advance(batch_in(State.FORMING, changes=1), event_of(Emptied), NOW)


def test_changes_that_wait_come_before_a_person() -> None:
    """The file that made the batch fail may be the one that was overwritten; without changes a person is asked."""
    for refusal in (event_of(Poisoned), event_of(LoadRefused)):
        waiting = failed_for_good(batch_in(State.LOADING, changes=1), refusal)
        assert waiting == Renewed(3, "because")
        assert failed_for_good(batch_in(State.LOADING), refusal) == refusal


def test_failures_count_on_over_changes() -> None:
    """A job that fails for every version of a hot key must come to a person's notice."""
    batch = batch_in(State.RUNNING, failures=Failures(runs=3, unexplained=1), changes=1)
    moved, _ = advance(batch, event_of(Renewed), NOW)
    assert (moved.failures.runs, moved.failures.unexplained, moved.maybe_visible) == (3, 1, True)


def test_the_wait_for_the_warehouse_counts_from_the_first_publication() -> None:
    """A later attempt that is published before the load does not begin it anew."""
    first, _ = advance(batch_in(State.RUNNING), event_of(Published), NOW)
    again = replace(first, state=State.RUNNING)
    assert advance(again, event_of(Published), NOW + timedelta(hours=1))[0].waiting_since == NOW
    assert advance(batch_in(State.LOADING, waiting_since=NOW), event_of(Loaded), NOW)[0].waiting_since is None


def test_a_replay_stays_in_the_background_until_it_is_loaded() -> None:
    """A thousand replays leave room for fresh files; a file overwritten later is fresh work again."""
    moved, _ = advance(batch_in(State.LOADED), event_of(Replayed), NOW)
    assert moved.background
    assert advance(replace(moved, state=State.RUNNING, attempt=3), event_of(RunRetried), NOW)[0].background
    assert not advance(batch_in(State.LOADING, background=True), event_of(Loaded), NOW)[0].background


# ── what moves carry ────────────────────────────────────────────────────────────────────────────────────────


def test_forming_ends_with_a_manifest() -> None:
    """The segments are worked off, duplicates add up over attempts."""
    moved, _ = advance(batch_in(State.FORMING, segments=("s1",), duplicate_files=2), event_of(Formed), NOW)
    assert (moved.manifest, moved.files, moved.bytes) == (VALUES["manifest"], 2, 10)
    assert (moved.segments, moved.duplicate_files) == ((), 3)


def test_a_batch_of_duplicates_holds_nothing() -> None:
    """EMPTY keeps only the count of what it dropped."""
    moved, _ = advance(batch_in(State.FORMING, segments=("s1",)), event_of(Emptied), NOW)
    assert (moved.files, moved.segments, moved.duplicate_files) == (0, (), 1)


def test_publishing_brings_the_counts_and_clears_the_failures() -> None:
    """From here on the lake shows the attempt."""
    moved, _ = advance(batch_in(State.RUNNING, failures=Failures(runs=1), reason="throttled"), event_of(Published), NOW)
    assert moved.counts == VALUES["counts"]
    assert (moved.maybe_visible, moved.failures.runs, moved.reason) == (True, 0, "")


def test_loading_ends_without_a_trace_of_failure() -> None:
    """A batch that was loaded in the end has no reason any more."""
    moved, _ = advance(
        batch_in(State.LOADING, failures=Failures(loads=1), company=1, reason="1023"), event_of(Loaded), NOW
    )
    assert (moved.failures.loads, moved.company, moved.reason, moved.load_id) == (0, 0, "", "load-3")


def test_a_file_set_aside_leaves_the_rest_to_the_next_attempt() -> None:
    """The next manifest is the last one without the file, which is a change like others."""
    moved, _ = advance(batch_in(State.RUNNING), event_of(FileRefused), NOW)
    assert (moved.base_manifest, moved.manifest, moved.changes) == ("m3", "", 1)


def test_a_discarded_batch_begins_an_attempt_without_files() -> None:
    """A person gives the files up, and whatever was shown of them is replaced by nothing."""
    moved, effects = advance(batch_in(State.QUARANTINED, changes=7), event_of(Discarded), NOW)
    assert (moved.discarded, moved.base_manifest, moved.manifest, moved.attempt) == (7, "", "", 4)
    assert effects == ()


@pytest.mark.parametrize(("state", "event"), [(State.LOADED, Replayed), (State.LOADED, Superseded), *RENEWED])
def test_the_next_attempt_forms_its_manifest_of_the_last_one(state: State, event: type) -> None:
    """Its files, with the changes since; before the first manifest, what that one was to be made of."""
    moved, _ = advance(batch_in(state), event_of(event), NOW)
    assert (moved.base_manifest, moved.manifest, moved.state) == ("m3", "", State.FORMING)


def test_a_retry_keeps_its_manifest() -> None:
    """It works off the same files, and knows as many changes."""
    moved, _ = advance(batch_in(State.RUNNING, changes=2, formed=1), event_of(RunRetried), NOW)
    assert (moved.manifest, moved.changes, moved.formed) == ("m3", 2, 1)


def test_a_split_batch_names_its_children() -> None:
    """The family can be followed downwards."""
    moved, _ = advance(batch_in(State.RUNNING), event_of(Bisected), NOW)
    assert (moved.children, moved.reason) == (("child-0", "child-1"), "because")


# ── effects ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_poisoned_while_publishing_may_have_been_seen() -> None:
    """The tables are committed one by one, so a batch refused by the second shows in the first."""
    assert advance(batch_in(State.RUNNING), event_of(Poisoned), NOW)[0].maybe_visible


@pytest.mark.parametrize(
    ("state", "event"), [(state, event) for state, event, target in MOVES if target is State.QUARANTINED]
)
def test_quarantine_calls_a_person(state: State, event: type) -> None:
    """The alarm carries the reason, and the batch keeps it."""
    moved, effects = advance(batch_in(state), event_of(event), NOW)
    assert effects == (Alarm("web.t.1", "because"),)
    assert moved.reason == "because"


@pytest.mark.parametrize(
    ("state", "event"),
    [(state, event) for state, event, target in MOVES if target is not State.QUARANTINED],
)
def test_other_moves_call_for_nothing(state: State, event: type) -> None:
    """The next function finds its work in the state, not in an effect."""
    assert advance(batch_in(state), event_of(event), NOW)[1] == ()
