"""Segments in words: what a name says is true, and no two are alike."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tidemark.segmentation.profiles import Profile, descriptions, names

FAMILY = {"age": "45-54", "marital_status": "Married", "home_ownership": "Homeowner", "household_comp": "2 Adults Kids"}


def profile(
    customers: int, spend: str, recency: float | None, frequency: float, typical: dict[str, str] | None = None
) -> Profile:
    """A segment in figures."""
    return Profile(customers, Decimal(spend), recency, frequency, typical or {})


def test_names_tell_frequency_and_spend_against_the_average() -> None:
    """Of 100 customers who buy on 3 days and spend 15.90 on average."""
    found = names([profile(18, "970.00", 3, 10), profile(62, "600.00", 20, 1.9), profile(20, "20.00", None, 0)])
    assert found == ["Frequent big spenders", "Occasional small spenders", "Households without purchases"]


def test_a_description_is_a_sentence_for_a_marketer() -> None:
    """Name, shares of households and sales, the typical household, the last purchase."""
    found = descriptions([profile(18, "610.00", 3, 9, FAMILY), profile(82, "390.00", 40, 1)])
    assert found == [
        (
            "Frequent big spenders: 18 % of households, 61 % of sales; "
            "typically 45-54, Married, Homeowner, 2 Adults Kids; last bought 3 days ago on average"
        ),
        "Occasional small spenders: 82 % of households, 39 % of sales; last bought 40 days ago on average",
    ]


def test_segments_of_one_name_are_told_apart_by_their_households() -> None:
    """Then by number, when even those are alike."""
    kids, couple = {"household_comp": "2 Adults Kids"}, {"household_comp": "2 Adults No Kids"}
    alike = [profile(10, "100", 5, 5, kids), profile(10, "100", 5, 5, couple), profile(10, "100", 5, 5, couple)]
    assert names(alike) == [
        "Regular average spenders, 2 Adults Kids",
        "Regular average spenders, 2 Adults No Kids, no. 2",
        "Regular average spenders, 2 Adults No Kids, no. 3",
    ]


def test_without_any_sales_there_is_no_share_of_them() -> None:
    """A window without purchases, or with more refunds than purchases, divides by nothing."""
    assert descriptions([profile(3, "0", None, 0), profile(7, "0", None, 0)])[0] == (
        "Households without purchases, no. 1: 30 % of households, 0 % of sales; bought nothing of late"
    )


@given(
    st.lists(
        st.builds(
            profile,
            st.integers(1, 10**6),
            st.integers(-(10**6), 10**9).map(str),
            st.none() | st.floats(0, 90),
            st.floats(0, 90),
            st.dictionaries(st.sampled_from(["age", "income", "household_comp"]), st.sampled_from("ab")),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_no_two_segments_share_a_name(profiles: list[Profile]) -> None:
    """Whatever the figures."""
    assert len(set(names(profiles))) == len(profiles) == len(descriptions(profiles))
