"""An object's bytes, taken in any amounts, with the place to which they are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


class DamagedError(Exception):
    """The rest of the content cannot be read; the text says what is wrong and where."""


class Source:
    """Bytes that arrive in parts, as a file that is read forwards."""

    closed = False  # what pyarrow asks of a file

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = iter(parts)
        self._held, self._at = b"", 0
        self.position = 0  # of the next byte
        self.failed = False  # the parts themselves could not be had

    def peek(self, count: int) -> bytes:
        """As many bytes as that from here on, fewer only at the end; they stay."""
        if len(self._held) - self._at < count:
            gathered = [self._held[self._at :]]
            size = len(gathered[0])
            while size < count and (part := self._next()) is not None:
                gathered.append(part)
                size += len(part)
            self._held, self._at = b"".join(gathered), 0
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
            raise DamagedError(f"{kind} truncated at byte {self.position}")
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
        except BaseException:
            self.failed = True
            raise
