"""Every order in which the statements of two sessions can run on a real server.

A session that waits for a lock cannot be chosen; its statement ends when the other session lets it. An order is a tuple
of session numbers, one for each statement that began.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import psycopg

from tests.postgres.sessions import Rows, Session, Watcher


@dataclass(frozen=True)
class Played:
    """How one order went."""

    order: tuple[int, ...]
    choices: tuple[tuple[int, ...], ...]  # the sessions that could be chosen for each statement
    answers: tuple[tuple[Rows, ...], ...]  # of each session's statements, as far as they ended
    errors: tuple[str, ...]  # of each session, "" without one
    waited: tuple[tuple[int, ...], ...]  # of each session, the numbers of its statements that waited for the other


@dataclass
class _Player:
    """One session and the statements that it has yet to run."""

    session: Session
    statements: Sequence[str]
    began: int = 0
    is_under_way: bool = False
    answers: list[Rows] = field(default_factory=list)
    waited: list[int] = field(default_factory=list)
    error: str = ""

    @property
    def can_begin(self) -> bool:
        return not self.is_under_way and not self.error and self.began < len(self.statements)

    def begin(self) -> None:
        self.session.send(self.statements[self.began])
        self.began, self.is_under_way = self.began + 1, True

    def end(self) -> None:
        """Takes the answer of the statement, which has ended; after an error the transaction is rolled back."""
        self.is_under_way = False
        try:
            self.answers.append(self.session.answer())
        except psycopg.Error as error:
            self.error = str(error).partition("\n")[0]
            self.session.execute("ROLLBACK")


def play(
    sessions: Sequence[Session], watcher: Watcher, programs: Sequence[Sequence[str]], order: Sequence[int] = ()
) -> Played:
    """Runs the programs' statements in the given order, and what is left of them in the order of the sessions."""
    players = [_Player(session, program) for session, program in zip(sessions, programs, strict=True)]
    chosen: list[int] = []
    choices: list[tuple[int, ...]] = []
    while free := tuple(number for number, player in enumerate(players) if player.can_begin):
        choices.append(free)
        chosen.append(order[len(chosen)] if len(chosen) < len(order) else free[0])
        players[chosen[-1]].begin()
        _settle(players, watcher)
    for session in sessions:
        session.execute("ROLLBACK; DISCARD TEMP")  # a reader's transaction may still be open
    return Played(
        tuple(chosen),
        tuple(choices),
        tuple(tuple(player.answers) for player in players),
        tuple(player.error for player in players),
        tuple(tuple(player.waited) for player in players),
    )


def _settle(players: Sequence[_Player], watcher: Watcher) -> None:
    """Waits until each statement has ended, or waits for a session that can go on."""
    while under_way := [player for player in players if player.is_under_way]:
        ended = [player for player in under_way if not watcher.is_waiting(player.session)]
        for player in ended:
            player.end()
        for player in under_way:
            if player.is_under_way and player.began - 1 not in player.waited:
                player.waited.append(player.began - 1)
        if not ended and any(player.can_begin for player in players):
            return


def every_order(play_one: Callable[[Sequence[int]], Played]) -> Iterator[Played]:
    """Plays every order, each from the start; the first one runs one session after the other."""
    following: Sequence[int] | None = ()
    while following is not None:
        played = play_one(following)
        yield played
        following = _next(played)


def _next(played: Played) -> Sequence[int] | None:
    """The order that differs as late as possible; None after the last one."""
    for place in reversed(range(len(played.order))):
        later = [number for number in played.choices[place] if number > played.order[place]]
        if later:
            return (*played.order[:place], later[0])
    return None
