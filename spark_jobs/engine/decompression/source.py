"""An object's bytes, taken in any amounts, with the place to which they are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Optional


class DamagedError(Exception):
    """The rest of the content cannot be read; the text says what is wrong and where."""


class Source:
    """Bytes that arrive in parts, as a file that is read forwards.

    Parts that end in a `DamagedError` are read up to it first: it is raised where nothing else is left.
    """

    closed = False  # what pyarrow asks of a file

    def __init__(self, parts: Iterable[bytes], position: int = 0) -> None:
        self._parts = iter(parts)
        self._held, self._at = b"", 0
        self.damage: Optional[DamagedError] = None  # behind what is held
        self.position = position  # of the next byte
        self.failed = False  # the parts themselves could not be had

    def peek(self, count: int) -> bytes:
        """As many bytes as that from here on, fewer only at the end; they stay."""
        if len(self._held) - self._at < count:
            left = self._held[self._at :]
            gathered = [left] if left else []
            size = len(left)
            while size < count and (part := self._next()) is not None:
                gathered.append(part)
                size += len(part)
            self._held, self._at = gathered[0] if len(gathered) == 1 else b"".join(gathered), 0
            if self.damage and count and not size:
                self.failed = True
                raise self.damage
        return self._held[self._at : self._at + count]

    def take(self, count: int) -> bytes:
        """The same, and they are gone."""
        taken = self.peek(count)
        self._go(len(taken))
        return taken

    def exactly(self, count: int, kind: str) -> bytes:
        """So many bytes; `DamagedError` when there are fewer."""
        taken = self.take(count)
        if len(taken) < count:
            raise self.damage or DamagedError(f"{kind} truncated at byte {self.position}")
        return taken

    def read(self, count: int) -> bytes:
        """The same as `take`, under the name that pyarrow asks for."""
        return self.take(count)

    def step_back(self, count: int) -> None:
        """So many of the bytes just taken were too many."""
        self._go(-count)

    def skip(self, byte: bytes) -> None:
        """Go behind all of this byte that stand here."""
        while self.peek(1) == byte:
            held = self._held[self._at :]
            self._go(len(held) - len(held.lstrip(byte)))

    def rest(self) -> Iterator[bytes]:
        """All that follows, in the parts in which it arrives."""
        while self.peek(1):
            yield self.take(len(self._held) - self._at)

    def part(self, count: int, kind: str) -> Iterator[bytes]:
        """The next so many bytes, in pieces; `DamagedError` behind the last of them when there are fewer."""
        while count:
            piece = self.take(min(count, _PIECE))
            if not piece:
                raise DamagedError(f"{kind} truncated at byte {self.position}")
            count -= len(piece)
            yield piece

    def _go(self, count: int) -> None:
        self._at += count
        self.position += count

    def readable(self) -> bool:
        """What pyarrow asks of a file."""
        return True

    def writable(self) -> bool:
        """What pyarrow asks of a file."""
        return False

    def seekable(self) -> bool:
        """What pyarrow asks of a file."""
        return False

    def close(self) -> None:
        """What pyarrow asks of a file; the parts belong to whoever made them."""

    def _next(self) -> bytes | None:
        try:
            return next(self._parts, None)
        except DamagedError as error:
            self.damage = error
            return None
        except BaseException:
            self.failed = True
            raise


_PIECE = 1 << 20


class Content:
    """What one of several that stand behind one another holds, and whether it could be read to its end."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self.damage: Optional[DamagedError] = None

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._pieces
        except DamagedError as error:
            self.damage = error
            raise

    def passed(self) -> bool:
        """Go behind what a reader left of it; whether what follows can be found."""
        try:
            for _ in self:
                pass
        except DamagedError:
            pass  # a reader that does not read to the end has said why
        return self.damage is None


def failing(error: DamagedError) -> Iterator[bytes]:
    """Content of which nothing can be read."""
    yield b""
    raise error


def told_apart(blocks: Iterator[bytes]) -> Iterator[tuple[bytes, bool, Optional[str]]]:
    """The blocks, each with whether it is the last, and what damage follows it."""
    held = b""
    try:
        held = next(blocks, b"")
        for block in blocks:
            yield held, False, None
            held = block
    except DamagedError as error:
        yield held, True, str(error)
    else:
        yield held, True, None
