"""A ledger that is set back to a moment of its past, or lost, and the person who recovers it.

In the midst of a story the ledger becomes what it was some time ago, as a new table. A handler that stands still goes
on with the old one. Timers and events go on as well, and find the seal of another table. Some time later a
person runs `recover`, again and again until it is through; then every promise holds as if nothing had happened.

People release, discard, replay and acknowledge before the loss and after it. In some seeds nothing is lost and a person
recovers anyway; in some, rows are deleted from the warehouse, and a person accepts that and replays their batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from tests.simulation.faults import Killed, Rates
from tests.simulation.invariants import Invariants
from tests.simulation.people import command
from tests.simulation.quiet import quiet
from tests.simulation.repeats import Once
from tests.simulation.scenario import REST_HOURS_MAX, Outcome, land_files, outcome, play
from tests.simulation.simulation import Simulation
from tests.simulation.stage import Worker
from tests.simulation.violation import Violation
from tidemark.core.errors import Conflict, TidemarkError, Transient
from tidemark.core.lifecycle import TO_BE_PUBLISHED, Batch, State
from tidemark.service.operate import find_batch, replay
from tidemark.service.recover import HANDLERS_END_AFTER, recover, stop
from tidemark.service.seal import sealed

EVERY_SECONDS = 30  #: between two moments of which a backup is kept
CHAOS_SECONDS = 100 * 60  #: recovery takes place among faults
TRIES_MAX = 60
Items = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Plan:
    """When the ledger is set back, and to which moment."""

    after: float  # seconds since the start
    to: float | None  # None: nothing is lost; 0: the ledger is empty; else as it was so many seconds after the start
    away: float  # seconds until a person comes
    rows_deleted: bool = False  # somebody deletes a batch's rows from the warehouse at the same moment


class SetBack(Invariants):
    """The promises, but for the time from the loss of the ledger to its seal: then only what readers see must hold."""

    def __init__(self, simulation: Simulation, plans: list[Plan]) -> None:
        super().__init__(simulation)
        simulation.looks_at_seal = True
        self.is_whole = True
        self.recovered = 0
        self.backups: list[tuple[float, Items]] = []
        self.tries = 0
        self.without_rows = ""  # the batch whose rows somebody has deleted from the warehouse
        self.disagreements: tuple[str, ...] = ()  # that the person has read last
        self.accepted: set[tuple[str, int]] = set()  # attempts of which the person knows that rows are missing
        self.plans = plans
        for plan in plans:
            simulation.stage.after(plan.after, "set back", lambda plan=plan: self._begin(plan))
        self._back_up()

    def _back_up(self) -> None:
        items = {pk: dict(under) for pk, under in self.sim.dynamodb.items.items()}
        self.backups.append((self._elapsed(), items))
        if self._elapsed() < max(plan.after for plan in self.plans):
            self.sim.stage.after(EVERY_SECONDS, "backup", self._back_up)

    def _elapsed(self) -> float:
        return (self.sim.stage.time - self.sim.stage.epoch).total_seconds()

    def _begin(self, plan: Plan) -> None:
        if plan.rows_deleted:
            self._delete_rows()
        if plan.to is None:
            self.sim.faults.count("recovered_anyway")
        else:
            self._set_back(plan.to)
        self.sim.stage.after(plan.away, "recover", self._recover)

    def _delete_rows(self) -> None:
        """All rows of a loaded batch go from its table of facts."""
        for batch in (one for one in self.batches.values() if one.state is State.LOADED and not one.period):
            of_batch = f"FROM \"{batch.dataset}\" WHERE _batch_id = '{batch.batch_id}'"
            if self.sim.redshift.read(f"SELECT 1 {of_batch}"):
                self.sim.faults.count("rows_deleted")
                self.sim.redshift.make([f"DELETE {of_batch}"])
                self.without_rows = batch.batch_id
                return

    def _set_back(self, to: float) -> None:
        before = [items for when, items in self.backups if when <= to]
        items = before[-1] if before and to else {}
        self.sim.faults.count("ledger_set_back" if items else "ledger_lost")
        self.sim.note(f"the ledger is set back from {self._elapsed():.0f} s to {to:.0f} s")
        set_back(self.sim, items)
        self.is_whole = False
        self.tries = 0
        self._relearn()

    def _relearn(self) -> None:
        """Know what the ledger now says, and nothing of what it said before."""
        self.batches.clear()
        self.pending.clear()
        self._segments.clear()
        self.moved.clear()
        self.nights.under_way.clear()
        items = [(pk, sk, item) for pk, under in self.sim.dynamodb.items.items() for sk, item in under.items()]
        for pk, sk, item in sorted(items, key=lambda one: not one[0].startswith("SEGMENT#")):
            if pk.startswith(("PENDING#", "BACKFILL#")):
                self._segments.setdefault((pk.split("#")[1], sk), [])  # its body was deleted before it
            self._written(pk, sk, None, item)
        self.nights.broken.clear()  # nobody has begun any of these just now
        for batch in self.batches.values():
            if batch.period and batch.state in TO_BE_PUBLISHED:
                self.nights.under_way[batch.dataset, batch.period] = (self.sim.invocations, 0)

    # ── the person ──────────────────────────────────────────────────────────────────────────────────────────

    def _recover(self) -> None:
        self.tries += 1
        self.is_whole = False
        if self.tries > TRIES_MAX:
            raise Violation(f"recovery was tried {TRIES_MAX} times")
        self.sim.note("recover")
        table = self.sim.dynamodb

        def act(_: Worker) -> str:
            try:
                if self.sim.stage.now() < stop(self.sim.world) + HANDLERS_END_AFTER:
                    self.tries -= 1
                    return "too early"
                return self._recovered(accept=self._expected_so())
            except (Transient, Conflict) as passing:
                return f"again: {passing}"
            except TidemarkError as error:
                return f"refused: {error}"

        def ended(error: BaseException | None, answer: Any) -> None:
            if table is not self.sim.dynamodb:
                return  # set back once more meanwhile
            if error is None and not answer:
                self._relearn()
                self.moved += self.batches.values()
                self.is_whole, self.recovered = True, self.recovered + 1
                self.sim.night_news += 1
                self.sim.note("the ledger is whole")
                return
            self.sim.note(f"  recover: {error or answer}")
            if isinstance(error, Killed):
                self.sim.faults.count("recovery_killed")
            self.sim.stage.after(60, "recover", self._recover)

        self.sim.run("recover", act, ended)

    def _recovered(self, accept: bool) -> str:
        """What still keeps the ledger from being whole; rows that are missing come back by a replay."""
        found = recover(self.sim.world, accept)
        self.disagreements = found.disagreements
        if not accept:
            return "; ".join(found.disagreements)
        self.sim.faults.count("disagreement_accepted")
        for batch_id in sorted({line.partition(":")[0] for line in found.disagreements}):
            batch = find_batch(self.sim.world, batch_id)
            self.accepted.add((batch.batch_id, batch.attempt))
            self._replay(batch)
        return ""

    def _expected_so(self) -> bool:
        """Whether all that disagrees are rows that the person knows to be deleted, or that a COPY has left out."""
        known = {self.without_rows, *(batch_id for batch_id, _ in self.sim.redshift.shorted)}
        told = self.disagreements
        return bool(told) and all(line.partition(": warehouse")[0] in known for line in told)

    def _replay(self, batch: Batch) -> None:
        """Replay the batch as soon as that can be done, unless it begins again by itself."""

        def act(_: Worker) -> bool:
            with suppress(TidemarkError):
                world = sealed(self.sim.world)
                found = find_batch(world, batch.batch_id)
                return found.attempt != batch.attempt or bool(replay(world, found))
            return False

        def ended(_: BaseException | None, is_done: Any) -> None:
            if not is_done:
                self._replay(batch)

        self.sim.stage.after(60, "replay", lambda: self.sim.run("person", act, ended))

    # ── the promises ────────────────────────────────────────────────────────────────────────────────────────

    def check(self) -> None:
        """All of them while the ledger is whole; of a broken one, what readers see, and that nobody crashes."""
        if self.is_whole:
            super().check()
            return
        # What a function had collected into the old table is found in the bucket, once the ledger is whole.
        self.sim.received.clear()
        self.moved.clear()
        self.nights.broken.clear()
        super().check()

    def _check_batch(self, batch: Batch) -> None:
        if (batch.batch_id, batch.attempt) not in self.accepted:
            super()._check_batch(batch)

    def check_rest(self) -> None:
        """No reader sees a batch that the ledger does not know."""
        for dataset in (found for found in self.sim.declared.values() if not found.nightly):
            for place, rows in self.readers.rows(dataset.name).items():
                strange = {row[len(dataset.tables[0].columns)] for row in rows} - set(self.batches)
                if strange:
                    raise Violation(f"{place}, {dataset.name}: rows of {min(strange)}, which the ledger forgot")
        super().check_rest()

    def unfinished(self) -> list[str]:
        """A ledger that is not whole is not at rest."""
        return super().unfinished() + ([] if self.is_whole else ["the ledger is to be recovered"])


class SetBackOnce(SetBack, Once):
    """And no key is shown twice, where keys are remembered."""


def set_back(simulation: Simulation, items: Items) -> None:
    """The ledger is restored as a new table; who is in the midst of something keeps the old one."""
    simulation.dynamodb.on_write = lambda *_: None
    made = simulation.dynamodb = simulation.new_ledger()
    made.items = {pk: dict(under) for pk, under in items.items()}
    made.seen = {(pk, sk): item for pk, under in items.items() for sk, item in under.items()}
    world = simulation.world
    simulation.world = replace(world, clients={**world.clients, "dynamodb": made})


def tell_story(simulation: Simulation) -> None:
    """Files land, and in three of four seeds people give commands."""
    land_files(simulation)
    rng = simulation.rng
    if rng.random() < 0.75:
        for _ in range(rng.randint(4, 20)):
            simulation.stage.after(rng.uniform(60, CHAOS_SECONDS), "person", lambda: command(simulation))


def plans(simulation: Simulation) -> list[Plan]:
    """One loss, or two; to a moment long ago, to one just now, or of everything; now and then of nothing."""
    rng = simulation.rng
    after = rng.uniform(300, 2700)
    moments = (0.0, rng.uniform(1, after), max(1.0, after - rng.uniform(30, 300)))
    to = None if rng.random() < 0.2 else rng.choice(moments)
    first = Plan(after, to, _away(rng), rows_deleted=after > 1200 and rng.random() < 0.7)
    if rng.random() < 0.8:
        return [first]
    later = after + rng.uniform(60, 2400)
    return [first, Plan(later, rng.uniform(1, later), _away(rng))]


def _away(rng: Any) -> float:
    return float(rng.choice((rng.uniform(10, 600), rng.uniform(960, 1800))))


def run(
    seed: int,
    rates: Rates | None = None,
    trace: bool = False,
    chosen: Callable[[Simulation], list[Plan]] = plans,
    story: Callable[[Simulation], None] | None = None,
    promises: type[SetBack] = SetBack,
    rest_hours: int = REST_HOURS_MAX,
) -> Outcome:
    """Play a seed in which the ledger is set back. A broken promise is the outcome's `problem`."""
    simulation = Simulation(seed, rates or Rates(), trace)
    simulation.looks_at_seal = True
    invariants = promises(simulation, chosen(simulation))
    problem = ""
    with quiet(simulation):
        try:
            (story or tell_story)(simulation)
            play(simulation, invariants, CHAOS_SECONDS, rest_hours)
            if not invariants.recovered:
                problem = "the ledger was never recovered"
        except Violation as broken:
            problem = str(broken)
    return outcome(simulation, invariants, problem)
