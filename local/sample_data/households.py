"""The households of the sample traffic. Each is of one of a few kinds, which differ in demographics and shopping.

A household is a number, which determines its kind. So customers and transactions, although generated from separate
seeds, describe the same households, and a segmentation can recover the kinds.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from local.sample_data.encodings import Record

Band = TypeVar("Band")
SHOPPERS = 1_000  # number of households that buy something


@dataclass(frozen=True)
class Kind:
    """A kind of household: its demographic bands, the most likely first, and its shopping behaviour."""

    ages: tuple[str, ...]
    incomes: tuple[str, ...]
    homes: tuple[str | None, ...]
    marital: tuple[str | None, ...]
    together: tuple[tuple[str, str, str], ...]  # size, composition, children
    visits: float  # how often it shops, from 0 to 1
    lines: float  # average number of lines in a basket, after the first
    price: Decimal  # factor on the prices of the products that it buys


KINDS = (
    Kind(
        ages=("19-24", "25-34"),
        incomes=("Under 15K", "15-24K", "25-34K"),
        homes=("Renter", None, "Probable Renter"),
        marital=("Unmarried", None),
        together=(("1", "1 Adult No Kids", "0"),),
        visits=0.3,
        lines=1.5,
        price=Decimal("0.7"),
    ),
    Kind(
        ages=("35-44", "25-34", "45-54"),
        incomes=("50-74K", "75-99K", "35-49K"),
        homes=("Homeowner", "Homeowner", None),
        marital=("Married", "Married", None),
        together=(("4", "2 Adults Kids", "2"), ("3", "2 Adults Kids", "1"), ("5+", "2 Adults Kids", "3+")),
        visits=0.8,
        lines=9.0,
        price=Decimal("1.0"),
    ),
    Kind(
        ages=("65+", "55-64"),
        incomes=("25-34K", "35-49K"),
        homes=("Homeowner", "Homeowner", None),
        marital=("Unmarried", "Married", None),
        together=(("1", "1 Adult No Kids", "0"), ("2", "2 Adults No Kids", "0")),
        visits=1.0,
        lines=2.0,
        price=Decimal("0.9"),
    ),
    Kind(
        ages=("45-54", "55-64"),
        incomes=("150-174K", "125-149K", "250K+"),
        homes=("Homeowner",),
        marital=("Married", "Married", None),
        together=(("2", "2 Adults No Kids", "0"),),
        visits=0.4,
        lines=4.0,
        price=Decimal("3.0"),
    ),
)


def kind_of(household: int) -> Kind:
    return KINDS[household % len(KINDS)]


def named(household: int) -> str:
    return f"household-{household:05d}"


def shopper(draw: random.Random) -> int:
    """A household that makes a purchase; some shop far more often than others, and each kind by its `visits`."""
    while True:
        household = 1 + int(SHOPPERS * draw.random() ** 2)
        if draw.random() < kind_of(household).visits:
            return household


def household_of(draw: random.Random, household: int) -> Record:
    """A household's row in an export; a later export may have another of its kind's bands."""
    kind = kind_of(household)
    size, composition, children = likely(draw, kind.together)
    return {
        "household_id": named(household),
        "age": likely(draw, kind.ages),
        "income": likely(draw, kind.incomes),
        "home_ownership": likely(draw, kind.homes),
        "marital_status": likely(draw, kind.marital),
        "household_size": size,
        "household_comp": composition,
        "kids_count": children,
    }


def likely(draw: random.Random, bands: tuple[Band, ...]) -> Band:
    """A random band; earlier ones are more likely."""
    return bands[int(len(bands) * draw.random() ** 1.5)]
