"""Versions of the job's code: uploaded once, chosen by a small document."""

from __future__ import annotations

from dataclasses import replace

import pytest

import tidemark.service.submit as submit_module
from tests.service.lost import ONE, Shop
from tests.service.steps import asked, batch_of, did
from tests.simulation.faults import Killed
from tests.simulation.race import Hand, Step
from tests.simulation.small_worlds import (
    LOADED,
    PLANNED,
    RUN,
    load,
    minutes,
    plan,
    publish,
    replay,
    run_ended,
    runs_end,
    submit,
    wait,
)
from tidemark.core.errors import TidemarkError
from tidemark.core.job import JobSpec
from tidemark.core.job_code import CURRENT, code_hash
from tidemark.core.lifecycle import State
from tidemark.service.job_code import code_uri, code_versions, current_code, put_code, use_code

OLD, NEW = {"run_batch.py": b"old", "spark_jobs.zip": b"zip"}, {"run_batch.py": b"new", "spark_jobs.zip": b"zip"}
FIRST, SECOND = code_hash(OLD), code_hash(NEW)


def uploaded(files: dict[str, bytes]) -> Step:
    """A person uploads the code."""
    return lambda hand: hand.person(lambda world: put_code(world, files))


def codes(hand: Hand) -> list[str]:
    """The code of every run, as its job spec and its entry point have it."""
    runs = hand.simulation.emr.runs
    found = [JobSpec.loads(run.told).code for run in runs]
    assert [run.entry for run in runs] == [f"{code_uri(hand.simulation.world, code)}/run_batch.py" for code in found]
    return found


# ── versions ────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_upload_is_a_version_of_its_own_and_current(shop: Shop) -> None:
    """The version before stays; uploading it again makes it current and writes nothing."""
    world = shop.world
    assert (current_code(world), code_versions(world)) == ("", [])
    assert [put_code(world, files) for files in (OLD, NEW)] == [FIRST, SECOND]
    assert {version.code: version.is_current for version in code_versions(world)} == {FIRST: False, SECOND: True}
    assert world.store.get("control", f"jobs/{FIRST}/run_batch.py") == b"old"
    put_code(world, OLD)
    assert (current_code(world), len(code_versions(world))) == (FIRST, 2)


def test_a_version_is_never_overwritten(shop: Shop) -> None:
    """The first one who writes below its prefix has written it."""
    put_code(shop.world, OLD)
    shop.world.store.put("control", f"jobs/{FIRST}/run_batch.py", "by hand")
    put_code(shop.world, OLD)
    assert shop.world.store.get("control", f"jobs/{FIRST}/run_batch.py") == b"by hand"


def test_a_version_whose_upload_was_interrupted_is_none(shop: Shop) -> None:
    """Its entry point comes last."""
    shop.world.store.put("control", f"jobs/{FIRST}/spark_jobs.zip", "zip")
    assert code_versions(shop.world) == []
    with pytest.raises(TidemarkError, match="expected the hash of uploaded job code"):
        use_code(shop.world, FIRST)


@pytest.mark.parametrize("code", ["ffffffffffffffff", "", "../batches"])
def test_only_an_uploaded_version_can_be_used(shop: Shop, code: str) -> None:
    """Anything else is one line, and changes nothing."""
    put_code(shop.world, OLD)
    with pytest.raises(
        TidemarkError, match=r"^expected the hash of uploaded job code \(see `tidemark jobs list`\), found"
    ):
        use_code(shop.world, code)
    assert current_code(shop.world) == FIRST


def test_of_two_people_at_once_the_second_is_told(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one's choice stays."""
    put_code(shop.world, OLD)
    put_code(shop.world, NEW)
    present = shop.world.store.tagged("control", CURRENT)
    use_code(shop.world, FIRST)
    monkeypatch.setattr(shop.world.store, "tagged", lambda *_: present)
    with pytest.raises(TidemarkError, match="was changed at the same time"):
        put_code(shop.world, {**NEW, "run_batch.py": b"newest"})
    assert current_code(shop.world) == FIRST


def test_a_version_counts_the_batches_under_way_with_it(shop: Shop) -> None:
    """So that a person knows what may be deleted; a batch at rest needs its code no more."""
    put_code(shop.world, OLD)
    batch = shop.know(ONE, State.RUNNING)
    shop.world.ledger.batches.save(replace(batch, code=FIRST))
    assert [version.batches for version in code_versions(shop.world)] == [1]


# ── which attempt takes which version ───────────────────────────────────────────────────────────────────────


def test_a_run_has_the_code_that_is_current_when_it_starts(hand: Hand) -> None:
    """The batch says which; a later upload changes nothing about the run."""
    did(hand, uploaded(OLD), *PLANNED, submit(), uploaded(NEW))
    assert (codes(hand), batch_of(hand).code) == ([FIRST], FIRST)


def test_without_an_upload_a_run_has_the_code_from_before_there_were_versions(hand: Hand) -> None:
    """A stack that was deployed anew and whose code was not uploaded yet goes on."""
    did(hand, *PLANNED, submit())
    assert hand.simulation.emr.runs[0].entry == "s3://control/jobs/run_batch.py"


def test_before_the_first_upload_no_run_starts_and_afterwards_sweep_starts_it(hand: Hand) -> None:
    """Files that land on a stack that was just created cost no attempt."""
    del hand.simulation.s3.objects["control", "jobs/run_batch.py"]
    did(hand, *PLANNED, submit())
    assert (codes(hand), batch_of(hand).state, batch_of(hand).attempt) == ([], State.PLANNED, 1)
    did(hand, uploaded(OLD), submit())
    assert (codes(hand), batch_of(hand).attempt) == ([FIRST], 1)


def test_a_run_that_failed_for_a_passing_reason_is_repeated_as_it_was(hand: Hand) -> None:
    """With the same code and the same declaration, however often, whatever is uploaded meanwhile."""
    did(hand, uploaded(OLD), runs_end("transient", "capacity"), *PLANNED, *RUN, publish(), uploaded(NEW))
    hand.simulation.deploy("orders", on_overwrite="supersede", max_files=9, max_running=3, added=1)
    did(hand, minutes(40), *RUN, publish(), minutes(40), *RUN, publish())
    assert codes(hand) == [FIRST] * 3
    assert {len(JobSpec.loads(run.told).dataset.tables[0].columns) for run in hand.simulation.emr.runs} == {4}
    assert batch_of(hand).state is State.PUBLISHED


def test_a_run_that_the_code_may_have_failed_is_repeated_with_the_current_code(hand: Hand) -> None:
    """A person who has corrected the code, or gone back, need not wait until the batch is split to its last file."""
    did(
        hand, uploaded(OLD), runs_end("unknown"), *PLANNED, *RUN, publish(), uploaded(NEW), minutes(40), *RUN, publish()
    )
    assert (codes(hand), batch_of(hand).state) == ([FIRST, SECOND], State.PUBLISHED)


def test_the_halves_of_a_batch_take_the_current_code(hand: Hand) -> None:
    """Each is a batch of its own."""
    failing = (runs_end("unknown", "unknown"), *PLANNED, *RUN, publish(), minutes(40), *RUN, publish())
    did(hand, uploaded(OLD), *failing, uploaded(NEW), plan, submit(1), submit(2))
    assert codes(hand) == [FIRST, FIRST, SECOND, SECOND]


def test_a_replay_takes_the_current_code(hand: Hand) -> None:
    """That is what it is for."""
    did(hand, uploaded(OLD), *LOADED, uploaded(NEW), replay, plan, *RUN, publish(), load)
    assert codes(hand) == [FIRST, SECOND]


def submitter_dies(hand: Hand, monkeypatch: pytest.MonkeyPatch, at: object, name: str) -> None:
    """The submitter of the first batch dies when it calls this function."""

    def dies(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(at, name, dies)
        with pytest.raises(Killed):
            asked(hand, submit_module.submit, hand.batch(0))


def test_a_submitter_that_died_before_it_started_the_run_has_chosen_the_code(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attempt's job spec stays as it was first written."""
    did(hand, uploaded(OLD), *PLANNED)
    submitter_dies(hand, monkeypatch, hand.simulation.emr, "start_job_run")
    did(hand, uploaded(NEW), submit())
    assert codes(hand) == [FIRST]


def test_the_event_of_a_run_brings_its_code_if_the_submitter_has_died(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a repetition keeps it."""
    did(hand, uploaded(OLD), runs_end("transient"), *PLANNED)
    submitter_dies(hand, monkeypatch, submit_module, "move")
    did(hand, uploaded(NEW), wait, run_ended, minutes(40), *RUN)
    assert codes(hand) == [FIRST, FIRST]
