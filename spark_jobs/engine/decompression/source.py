"""An object's bytes as a forward-only stream that knows its position and the damage in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Optional


class DamagedError(Exception):
    """The rest of the content cannot be read; the message says what is wrong and where."""


class Source:
    """A forward-only stream over bytes that arrive in parts.

    If the parts end with a `DamagedError`, it is raised only after all bytes before it have been taken.
    """

    closed = False  # required by pyarrow, as are read, readable, writable, seekable and close

    def __init__(self, parts: Iterable[bytes], position: int = 0) -> None:
        self._parts = iter(parts)
        self._held, self._at = b"", 0
        self.damage: Optional[DamagedError] = None  # follows the bytes held
        self.position = position  # of the next byte
        self.failed = False  # whether the parts themselves raised an error

    def peek(self, count: int) -> bytes:
        """The next `count` bytes (fewer only at the end) without consuming them."""
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
        """The next `count` bytes (fewer only at the end), consumed."""
        taken = self.peek(count)
        self._go(len(taken))
        return taken

    def exactly(self, count: int, kind: str) -> bytes:
        """The next `count` bytes, consumed; `DamagedError` if there are fewer."""
        taken = self.take(count)
        if len(taken) < count:
            raise self.damage or DamagedError(f"{kind} truncated at byte {self.position}")
        return taken

    def read(self, count: int) -> bytes:
        """The same as `take`, under the name that pyarrow uses."""
        return self.take(count)

    def step_back(self, count: int) -> None:
        """Put back the last `count` bytes taken."""
        self._go(-count)

    def skip(self, byte: bytes) -> None:
        """Skip all repetitions of this byte from here on."""
        while self.peek(1) == byte:
            held = self._held[self._at :]
            self._go(len(held) - len(held.lstrip(byte)))

    def rest(self) -> Iterator[bytes]:
        """All remaining bytes, in the parts in which they arrive."""
        while self.peek(1):
            yield self.take(len(self._held) - self._at)

    def part(self, count: int, kind: str) -> Iterator[bytes]:
        """The next `count` bytes, in pieces; `DamagedError` after the last of them if there are fewer."""
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
        """Required by pyarrow."""
        return True

    def writable(self) -> bool:
        """Required by pyarrow."""
        return False

    def seekable(self) -> bool:
        """Required by pyarrow."""
        return False

    def close(self) -> None:
        """Required by pyarrow; does nothing, because the caller owns the parts."""

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
    """The content of one of several consecutive streams or entries, and whether it could be read to its end."""

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
        """Skip what the reader has not consumed; whether the end was reached, so that the next one can be found."""
        try:
            for _ in self:
                pass
        except DamagedError:
            pass  # a reader that stopped early has reported its own reason
        return self.damage is None


def failing(error: DamagedError) -> Iterator[bytes]:
    """Content that cannot be read at all."""
    yield b""
    raise error


def with_last_flag(blocks: Iterator[bytes]) -> Iterator[tuple[bytes, bool, Optional[str]]]:
    """Each block with whether it is the last, and the damage that follows it, if any."""
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
