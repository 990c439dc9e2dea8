"""The pure predictor: features worked out by hand, the nearest centre, and every problem of a customer named."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.segmentation.model import (
    BANDS,
    CATEGORIES,
    NUMBERS,
    UNKNOWN,
    Encoding,
    Model,
    Problem,
    Scale,
    Segment,
    category,
    numbers,
)

#: median, mean and deviation of each number, in the order of NUMBERS
SCALES = (
    Scale(50.0, 40.0, 10.0),  # age
    Scale(62.5, 62.5, 50.0),  # income
    Scale(2.0, 2.0, 1.0),  # household_size
    Scale(0.0, 1.0, 1.0),  # kids_count
    Scale(16.0, 20.0, 20.0),  # recency
    Scale(1.0, 0.0, 1.0),  # frequency
    Scale(1.0, 0.0, 0.0),  # monetary: all alike in training
)
KNOWN = {
    "home_ownership": ("Homeowner", "Renter", UNKNOWN),
    "marital_status": ("Married", UNKNOWN),
    "household_comp": ("1 Adult No Kids", "2 Adults Kids", UNKNOWN),
}
WIDTH = len(NUMBERS) + 3 + 2 + 3
ANN = {
    "household_id": "1001",
    "age": "45-54",
    "income": "50-74K",
    "household_size": "1",
    "kids_count": "0",
    "home_ownership": "Homeowner",
    "marital_status": None,
    "household_comp": "1 Adult No Kids",
}
BOUGHT = {"recency": 20, "frequency": 0, "monetary": 0}


def segment(number: int, *centre: float) -> Segment:
    """A segment whose centre begins with these numbers and goes on with zeros."""
    return Segment(number, f"name {number}", f"text {number}", 5, (*centre, *[0.0] * (WIDTH - len(centre))), number - 1)


MODEL = Model(
    period={"every": "week", "start": "2026-11-16", "end": "2026-11-23"},
    as_of="2026-11-22",
    window_days=90,
    seed=17,
    customers=10,
    silhouettes={"2": 0.5},
    encoding=Encoding(SCALES, KNOWN),
    segments=(segment(1, 1.0), segment(2, -1.0)),
)


@pytest.mark.parametrize("field", BANDS)
def test_bands_are_in_order(field: str) -> None:
    """A higher band is a greater number."""
    values = list(BANDS[field].values())
    assert values == sorted(set(values))


@pytest.mark.parametrize(
    ("field", "band", "number"),
    [("age", "45-54", 50.0), ("income", "Under 15K", 7.5), ("household_size", "5+", 5.0), ("kids_count", "3+", 3.0)],
)
def test_a_band_is_coded_as_a_number(field: str, band: str, number: float) -> None:
    """The middle of the band, and an agreed number for an open one."""
    assert numbers({**ANN, **BOUGHT, field: band})[NUMBERS.index(field)] == number


@pytest.mark.parametrize("missing", [None, "", "70-79"])
def test_a_missing_or_strange_band_has_no_number(missing: str | None) -> None:
    """It is imputed later, by the median of training."""
    assert numbers({**ANN, **BOUGHT, "age": missing})[0] is None


def test_money_and_frequency_are_logarithms_and_recency_is_days() -> None:
    """log(1 + x) of 9 days and of 99.00; 3 days stay 3."""
    coded = numbers({**ANN, "recency": 3, "frequency": 9, "monetary": Decimal("99.00")})
    assert coded[-3:] == (3.0, math.log(10), math.log(100))


def test_more_refunds_than_purchases_count_as_nothing_spent() -> None:
    """There is no logarithm of a debt."""
    assert numbers({**ANN, "recency": 3, "frequency": 1, "monetary": -5})[-1] == 0.0


@pytest.mark.parametrize(("value", "expected"), [("Married", "Married"), (None, UNKNOWN), ("", UNKNOWN)])
def test_a_missing_category_is_one_of_its_own(value: str | None, expected: str) -> None:
    """Not to tell is a trait too."""
    assert category({"marital_status": value}, "marital_status") == expected


def test_a_vector_is_the_scaled_numbers_and_a_one_for_each_category() -> None:
    """Worked out by hand; what never differed in training is 0."""
    vector = MODEL.encoding.vector({**ANN, "recency": 60, "frequency": 0, "monetary": 12.5})
    assert vector == [1.0, 0.0, -1.0, -1.0, 2.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0]


def test_a_missing_number_takes_the_median() -> None:
    """The median age is 50, a deviation above the mean."""
    assert MODEL.encoding.vector({**ANN, **BOUGHT, "age": None})[0] == 1.0


def test_the_nearest_centre_wins_and_tells_its_distance() -> None:
    """The customer's vector lies at the first centre but for four ones of 0 in the centre, and the size."""
    found = MODEL.predict({**ANN, "kids_count": "1", **BOUGHT})
    assert (found.segment, found.name) == (1, "name 1")
    assert found.distance == pytest.approx(math.sqrt(1 + 3))


def test_of_two_equally_near_segments_the_lower_number_wins() -> None:
    """So that the same customer always gets the same answer."""
    same = replace(MODEL, segments=(segment(2, 1.0), segment(1, 1.0)))
    assert same.predict({**ANN, **BOUGHT}).segment == 1


def test_a_customer_without_purchases_is_one_whose_window_was_empty() -> None:
    """As in training: nothing bought, and a recency as long as the window."""
    silent = MODEL.predict(ANN)
    assert silent == MODEL.predict({**ANN, "recency": 90, "frequency": 0, "monetary": 0})


def test_a_whole_customer_has_no_problems() -> None:
    """With purchases and without, with nulls and empty texts."""
    assert MODEL.problems({**ANN, **BOUGHT}) == []
    assert MODEL.problems({**ANN, "age": "", "household_comp": None}) == []


@pytest.mark.parametrize(
    ("change", "field", "problem"),
    [
        ({"age": "70-79"}, "age", "expected one of 19-24, 25-34, 35-44, 45-54, 55-64, 65+ or null, found \"70-79\""),
        ({"household_size": 1}, "household_size", "expected one of 1, 2, 3, 4, 5+ or null, found 1"),
        ({"home_ownership": "Squatter"}, "home_ownership",
         "expected one of Homeowner, Renter, unknown or null, found \"Squatter\""),
        ({"marital_status": ["Married"]}, "marital_status",
         "expected one of Married, unknown or null, found [\"Married\"]"),
        ({"recency": -1}, "recency", "expected a whole number from 0, found -1"),
        ({"frequency": 1.5}, "frequency", "expected a whole number from 0, found 1.5"),
        ({"frequency": True}, "frequency", "expected a whole number from 0, found true"),
        ({"monetary": "9.50"}, "monetary", "expected a number, found \"9.50\""),
        ({"monetary": math.nan}, "monetary", "expected a number, found NaN"),
        ({"monetary": 10**400}, "monetary", "expected a number, found 1" + "0" * 56 + "..."),
        ({"household_id": 7}, "household_id", "expected text, found 7"),
        ({"household_id": "x" * 257}, "household_id", "expected at most 256 characters, found 257"),
    ],
)  # fmt: skip
def test_a_problem_names_field_expected_and_found(change: dict[str, Any], field: str, problem: str) -> None:
    """One wrong value, one problem."""
    assert MODEL.problems({**ANN, **BOUGHT, **change}) == [Problem(field, problem)]


def test_a_missing_and_an_unknown_field_are_problems() -> None:
    """A field that is not given may be a mistake; one that is not known surely is."""
    customer = {name: value for name, value in ANN.items() if name != "income"} | {"gender": "F"}
    assert [(one.field, one.problem.split(",")[0]) for one in MODEL.problems(customer)] == [
        ("income", "expected a value or null"),
        ("gender", "expected one of household_id"),
    ]


def test_purchases_come_together() -> None:
    """Half a history is no history."""
    assert MODEL.problems({**ANN, "monetary": 5}) == [
        Problem("recency", "expected together with monetary, found none"),
        Problem("frequency", "expected together with monetary, found none"),
    ]


@pytest.mark.parametrize("customer", [None, 7, "1001", [ANN]])
def test_what_is_no_object_is_no_customer(customer: object) -> None:
    """The one problem belongs to no field."""
    assert [one.field for one in MODEL.problems(customer)] == [""]


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=4)


@given(st.dictionaries(st.sampled_from([*NUMBERS, *CATEGORIES, "household_id", "other"]), JSON))
def test_whatever_has_no_problems_can_be_predicted(customer: dict[str, Any]) -> None:
    """Arbitrary JSON is refused with reasons or answered with a finite distance; nothing raises."""
    assert MODEL.problems(customer) or math.isfinite(MODEL.predict(customer).distance)


def test_a_model_survives_its_json() -> None:
    """What is loaded is what was dumped, and dumps to the same text."""
    again = Model.loads(MODEL.dumps())
    assert again == MODEL
    assert again.dumps() == MODEL.dumps()


@pytest.mark.parametrize("change", [{"format": 2}, {"bands": {}}])
def test_a_model_of_another_format_is_refused(change: dict[str, Any]) -> None:
    """Predicting with other bands than those of training would be wrong in silence."""
    with pytest.raises(ValueError, match="expected a model of format 1"):
        Model.loads(json.dumps({**json.loads(MODEL.dumps()), **change}))
