"""Segments in words that a marketer reads. The job imports this file: Python 3.9."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Optional

FREQUENCY_WORDS = ("Frequent", "Regular", "Occasional")
SPEND_WORDS = ("big spenders", "average spenders", "small spenders")
ABSENT = "Households without purchases"
MUCH, LITTLE = 1.25, 0.75  # times the average of all customers
#: What is told of a segment's typical household, and what tells segments of one name apart, in this order.
TOLD = ("age", "income", "marital_status", "home_ownership", "household_comp")
DISTINGUISHING = ("household_comp", "age", "income")


@dataclass(frozen=True)
class Profile:
    """A segment in figures; averages are per customer."""

    customers: int
    spend: Decimal  # of all its customers in the window
    recency: Optional[float]  # days since the last purchase, of those who made one
    frequency: float  # days with a purchase
    typical: Mapping[str, str]  # the most frequent value of each field of TOLD that any of its customers has

    @property
    def average_spend(self) -> float:
        return float(self.spend) / self.customers


def whole(profiles: Sequence[Profile]) -> Profile:
    """All customers together, in customers, spend and frequency."""
    customers = sum(one.customers for one in profiles)
    return Profile(
        customers,
        sum((one.spend for one in profiles), Decimal(0)),
        None,
        sum(one.frequency * one.customers for one in profiles) / customers,
        {},
    )


def names(profiles: Sequence[Profile]) -> list[str]:
    """A name for each segment, no two alike: by frequency and spend, then by the typical household, last by number."""
    everyone = whole(profiles)
    found = [_name(one, everyone) for one in profiles]
    for field in DISTINGUISHING:
        counted = Counter(found)
        found = [
            f"{name}, {one.typical[field]}" if counted[name] > 1 and field in one.typical else name
            for name, one in zip(found, profiles)
        ]
    counted = Counter(found)
    return [f"{name}, no. {number}" if counted[name] > 1 else name for number, name in enumerate(found, 1)]


def descriptions(profiles: Sequence[Profile]) -> list[str]:
    """One sentence for each segment: its name, its shares, its typical household, its last purchase."""
    everyone = whole(profiles)
    return [_describe(name, one, everyone) for name, one in zip(names(profiles), profiles)]


def _name(one: Profile, everyone: Profile) -> str:
    if not one.frequency:
        return ABSENT
    often = _word(one.frequency, everyone.frequency, FREQUENCY_WORDS)
    return f"{often} {_word(one.average_spend, everyone.average_spend, SPEND_WORDS)}"


def _word(value: float, average: float, words: tuple[str, str, str]) -> str:
    if value >= MUCH * average:
        return words[0]
    return words[2] if value <= LITTLE * average else words[1]


def _describe(name: str, one: Profile, everyone: Profile) -> str:
    sales = float(one.spend / everyone.spend) if everyone.spend else 0.0
    shares = f"{_percent(one.customers / everyone.customers)} of households, {_percent(sales)} of sales"
    typical = ", ".join(one.typical[field] for field in TOLD if field in one.typical)
    bought = "bought nothing of late" if one.recency is None else f"last bought {one.recency:.0f} days ago on average"
    return "; ".join(part for part in (f"{name}: {shares}", typical and f"typically {typical}", bought) if part)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
