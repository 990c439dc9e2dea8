"""Headers of CSV and TSV: their column names, and detection of further headers in concatenated files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tidemark.core.dataset import Field

MARK = "\ufeff"  # byte order


def column_names(header: Sequence[str]) -> list[str]:
    """The column names, without surrounding blanks and without trailing empty fields."""
    names = [name.strip() for name in header]
    while names and not names[-1]:
        names.pop()
    return names


def unfit(names: Sequence[str], fields: Sequence[Field]) -> str:
    """The reason why a header with these names does not fit the fields; empty if it does."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        return f"expected each column once, found {twice[0]!r} again"
    missing = [field.raw for field in fields if field.required and field.raw not in names]
    if missing or not any(field.raw in names for field in fields):
        expected = missing[0] if missing else " or ".join(field.raw for field in fields)
        return f"expected a column {expected}, found {', '.join(names)}"
    return ""


class Headers:
    """Detects headers after a file's first header, whose fields are `written`."""

    def __init__(self, written: Sequence[str], fields: Sequence[Field], delimiter: str) -> None:
        self._names, self._delimiter = column_names(written), delimiter
        self._declared = frozenset(field.raw for field in fields)
        #: A record with none of these words is not a header; this quickly excludes nearly all records.
        self.words = self._declared.union(self._names, written)

    def same(self, record: Sequence[str]) -> bool:
        """Whether the record repeats the header."""
        return column_names(record) == self._names

    def other(self, record: Sequence[str]) -> bool:
        """Whether the record is a header with other columns, or with the same columns in another order.

        It is one if all its fields are known names. It also is one if it has at least two declared names and these
        include all declared names of the previous header or make up at least half of its fields.
        """
        names = column_names(record)
        if len(names) < 2 or len(set(names)) < len(names):
            return False
        declared = self._declared.intersection(names)
        enough = declared >= self._declared.intersection(self._names) or 2 * len(declared) >= len(names)
        return (len(declared) > 1 and enough) or (len(declared) > 0 and self.words.issuperset(names))

    def glued_at(self, line: str) -> int:
        """The position in the line where a header follows a record; 0 if none does.

        This happens when a file without a line break at its end is concatenated with another.
        """
        marked = line.find(MARK, 1)
        if marked > 0 and self._begins([part.strip(_AROUND) for part in line[marked + 1 :].split(self._delimiter)]):
            return marked
        parts = line.rstrip("\r\n").split(self._delimiter)
        names: list[str] = []
        while len(parts) > 1 and parts[-1].strip(_AROUND) in self.words.difference(names):
            names.insert(0, parts.pop().strip(_AROUND))
        record = self._delimiter.join(parts)
        first = self._first_name(parts[-1], names)
        if first and (len(parts) == len(self._names) or '"' in record):
            return len(record) - len(first)
        # The record's last field may be empty.
        whole = len(parts) + 1 == len(self._names) and sorted(names) == sorted(self._names)
        return len(record) + 1 if whole else 0

    def _first_name(self, text: str, names: Sequence[str]) -> str:
        """The name (perhaps in quotes) at the end of the text that, followed by `names`, is a header; else empty."""
        missing = sorted(filter(None, self.words.difference(names)), key=len, reverse=True)
        return next(
            (
                first
                for name in missing
                for first in (f'"{name}"', name)
                if text.endswith(first) and text != first and self._begins([name, *names])
            ),
            "",
        )

    def _begins(self, names: Sequence[str]) -> bool:
        return self.same(names) or self.other(names)


_AROUND = ' \t\r\n"'
