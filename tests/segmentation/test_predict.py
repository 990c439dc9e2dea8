"""From a request to predictions, without a function around it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.functions.conftest import small_model
from tests.functions.test_predict import ANN, BEN
from tidemark.segmentation.predict import CUSTOMERS_MAX, PROBLEMS_MAX, NoModel, Refused, TooLarge, describe, predict
from tidemark.segmentation.registry import Published


class Given:
    """Models of which one, or none, is published."""

    def __init__(self, published: Published | None) -> None:
        self.published = published

    def current(self) -> Published | None:
        return self.published


MODELS: Any = Given(Published("segment_customers.20261116T000000.0a1b2c3d", 2, small_model()))


def test_customers_are_predicted_in_their_order() -> None:
    """One alone needs no list; each answer has the id that its customer has."""
    nameless = {name: value for name, value in BEN.items() if name != "household_id"}
    answer = predict(MODELS, {"customers": [ANN, nameless]})
    assert [(one.get("household_id"), one["segment"]) for one in answer["predictions"]] == [("1001", 1), (None, 2)]
    assert "household_id" not in answer["predictions"][1]
    assert predict(MODELS, ANN)["predictions"] == answer["predictions"][:1]


def test_the_answer_says_which_model_made_it() -> None:
    """Batch, attempt, and how good the model is at its number of segments."""
    model = predict(MODELS, ANN)["model"]
    assert (model["batch_id"], model["attempt"], model["k"], model["silhouette"]) == (
        "segment_customers.20261116T000000.0a1b2c3d", 2, 2, 0.7,
    )  # fmt: skip
    assert {**describe(MODELS), **model} == describe(MODELS)


def test_shares_are_of_all_customers() -> None:
    """Thirty of forty, and ten."""
    assert [one["share"] for one in describe(MODELS)["segments"]] == [0.75, 0.25]


def test_with_one_problem_nothing_is_predicted() -> None:
    """The customer is named by its place."""
    with pytest.raises(Refused, match="nothing was predicted, problems found: 1") as raised:
        predict(MODELS, {"customers": [ANN, {**ANN, "age": "70-79"}]})
    assert [(one["customer"], one["field"]) for one in raised.value.problems] == [(1, "age")]


def test_the_first_hundred_problems_are_listed() -> None:
    """How many more there are is said."""
    with pytest.raises(Refused, match=r"101 \(the first 100 are listed, 1 more are not\)") as raised:
        predict(MODELS, {"customers": [{**ANN, "age": "70-79"}] * (PROBLEMS_MAX + 1)})
    assert len(raised.value.problems) == PROBLEMS_MAX


@pytest.mark.parametrize("request_", [{"customers": []}, {"customers": ANN}, {"customers": [ANN], "more": 1}])
def test_a_list_of_customers_stands_under_its_only_key(request_: Any) -> None:
    """Empty, no list, or with a neighbour: none of them is guessed at."""
    with pytest.raises(Refused, match="expected a list of at least one customer under the only key `customers`"):
        predict(MODELS, request_)


def test_a_request_holds_a_thousand_customers() -> None:
    """One more is too large, and none is predicted."""
    assert len(predict(MODELS, {"customers": [ANN] * CUSTOMERS_MAX})["predictions"]) == 1000
    with pytest.raises(TooLarge, match="expected at most 1000 customers, found 1001"):
        predict(MODELS, {"customers": [ANN] * (CUSTOMERS_MAX + 1)})


@pytest.mark.parametrize("ask", [lambda models: predict(models, ANN), describe])
def test_without_a_model_there_is_no_answer(ask: Any) -> None:
    """It comes with the first night."""
    with pytest.raises(NoModel, match="no model has been published yet"):
        ask(Given(None))
