"""Names and describes segments for marketers. The job imports this module, so it keeps to Python 3.9."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Optional

FREQUENCY_WORDS = ("Frequent", "Regular", "Occasional")
SPEND_WORDS = ("big spenders", "average spenders", "small spenders")
WITHOUT_PURCHASES = "Households without purchases"
HIGH, LOW = 1.25, 0.75  # as multiples of the average over all customers
#: The fields that describe a segment's typical household, in this order.
TYPICAL_FIELDS = ("age", "income", "marital_status", "home_ownership", "household_comp")
#: The fields that are added to equal names until these differ, in this order.
DISTINGUISHING_FIELDS = ("household_comp", "age", "income")


@dataclass(frozen=True)
class Profile:
    """A segment in figures; averages are per customer."""

    customers: int
    spend: Decimal  # total of its customers in the window
    recency: Optional[float]  # days since the last purchase, over customers with purchases; None if there are none
    frequency: float  # days with a purchase
    typical: Mapping[str, str]  # field of TYPICAL_FIELDS → most frequent value, if any of its customers has a value

    @property
    def average_spend(self) -> float:
        return float(self.spend) / self.customers


def all_customers(profiles: Sequence[Profile]) -> Profile:
    """The profile of all customers together, with customers, spend and frequency only."""
    customers = sum(profile.customers for profile in profiles)
    return Profile(
        customers,
        sum((profile.spend for profile in profiles), Decimal(0)),
        None,
        sum(profile.frequency * profile.customers for profile in profiles) / customers,
        {},
    )


def names(profiles: Sequence[Profile]) -> list[str]:
    """A unique name for each segment: by frequency and spend, then by its typical household, finally by number."""
    everyone = all_customers(profiles)
    unique = [_name(profile, everyone) for profile in profiles]
    for field in DISTINGUISHING_FIELDS:
        counted = Counter(unique)
        unique = [
            f"{name}, {profile.typical[field]}" if counted[name] > 1 and field in profile.typical else name
            for name, profile in zip(unique, profiles)
        ]
    counted = Counter(unique)
    return [f"{name}, no. {number}" if counted[name] > 1 else name for number, name in enumerate(unique, 1)]


def descriptions(profiles: Sequence[Profile]) -> list[str]:
    """One sentence for each segment: its name, shares, typical household and last purchase."""
    everyone = all_customers(profiles)
    return [_describe(name, profile, everyone) for name, profile in zip(names(profiles), profiles)]


def _name(profile: Profile, everyone: Profile) -> str:
    if not profile.frequency:
        return WITHOUT_PURCHASES
    frequency = _word(profile.frequency, everyone.frequency, FREQUENCY_WORDS)
    return f"{frequency} {_word(profile.average_spend, everyone.average_spend, SPEND_WORDS)}"


def _word(value: float, average: float, words: tuple[str, str, str]) -> str:
    if value >= HIGH * average:
        return words[0]
    return words[2] if value <= LOW * average else words[1]


def _describe(name: str, profile: Profile, everyone: Profile) -> str:
    sales = float(profile.spend / everyone.spend) if everyone.spend else 0.0
    shares = f"{_percent(profile.customers / everyone.customers)} of households, {_percent(sales)} of sales"
    typical = ", ".join(profile.typical[field] for field in TYPICAL_FIELDS if field in profile.typical)
    recency = profile.recency
    bought = "bought nothing of late" if recency is None else f"last bought {recency:.0f} days ago on average"
    return "; ".join(part for part in (f"{name}: {shares}", typical and f"typically {typical}", bought) if part)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
