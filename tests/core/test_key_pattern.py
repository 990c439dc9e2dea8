"""Values in an object's key."""

from __future__ import annotations

import pytest

from tidemark.core.key_pattern import check_pattern, value_in_key

HIVE = "dt={day}/hour={hour}"


@pytest.mark.parametrize(
    ("pattern", "key", "found"),
    [
        (HIVE, "logs/dt=2026-11-20/hour=07/a.gz", ("2026-11-20", "07")),
        (HIVE, "dt=2026-11-20/hour=07", ("2026-11-20", "07")),
        (HIVE, "logs/dt=1/hour=__HIVE_DEFAULT_PARTITION__/a", ("1", None)),
        (HIVE, "logs/dt=2026%2D11/hour=1/a", ("2026-11", "1")),
        (HIVE, "logs/adt=1/hour=2/a", (None, None)),
        (HIVE, "logs/dt=1/x/hour=2/a", (None, None)),
        (HIVE, "logs/dt=/hour=2/a", (None, None)),
        ("{day}_{hour}.csv", "in/2026-11-20_07.csv", ("2026-11-20", "07")),
        ("{day}_{hour}.csv", "in/2026-11-20_07.csv.gz", ("2026-11-20", "07")),
        ("{day}/{hour}", "a/b/c", ("a", "b")),
    ],
)
def test_a_name_is_what_stands_in_its_place(pattern: str, key: str, found: tuple[str | None, str | None]) -> None:
    """From any folder on, within one folder's name, decoded as Hive encodes it; else null."""
    assert (value_in_key(pattern, "day", key), value_in_key(pattern, "hour", key)) == found


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("dt={hour}", "each name once, and {day} among them"),
        ("{day}/{day}", "each name once"),
        ("dt={day", "names in braces"),
        ("dt={Day}/{day}", "names in braces"),
        ("{day}{hour}", "some text between two names"),
        ("2026", "each name once, and {day} among them"),
    ],
)
def test_a_pattern_that_finds_no_value_is_refused(pattern: str, expected: str) -> None:
    """With what was expected."""
    with pytest.raises(ValueError, match=expected.replace("{", r"\{")):
        check_pattern(pattern, "day")


def test_a_pattern_of_several_names_serves_each_of_them() -> None:
    """So that two fields may share one."""
    check_pattern(HIVE, "day")
    check_pattern(HIVE, "hour")
