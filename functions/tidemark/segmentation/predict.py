"""predict: customers → their segments, by the latest published model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidemark.core.errors import TidemarkError, Transient
from tidemark.segmentation.model import KEY, Model
from tidemark.segmentation.registry import Models, Published

CUSTOMERS_MAX = 1_000  # in one request
BODY_BYTES_MAX = 1 << 20
DEPTH_MAX = 8  # levels of nested objects and lists; a valid request has three
PROBLEMS_MAX = 100  # in one response


class Refused(TidemarkError):
    """The request is invalid; `problems` name each customer by its position, from 0."""

    def __init__(self, message: str, problems: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(message)
        self.problems = list(problems)


class TooLarge(TidemarkError):
    """The request has more bytes or customers than allowed."""


class NoModel(Transient):
    """No model has been published yet."""


def predict(models: Models, request: object) -> dict[str, Any]:
    """Predictions for a request, which is one customer or `{"customers": [...]}`, in the same order.

    Predicts all customers or none. Raises `Refused` with the first `PROBLEMS_MAX` problems of all customers, `TooLarge`
    or `NoModel`.
    """
    customers = _customers(request)
    published = _published(models)
    problems = [
        {"customer": position, "field": problem.field, "problem": problem.problem}
        for position, customer in enumerate(customers)
        for problem in published.model.problems(customer)
    ]
    if problems:
        raise Refused(f"nothing was predicted, problems found: {_counted(len(problems))}", problems[:PROBLEMS_MAX])
    predictions = [_prediction(published.model, customer) for customer in customers]
    return {"model": _identity(published), "predictions": predictions}


def describe(models: Models) -> dict[str, Any]:
    """The model and its segments. Raises `NoModel`."""
    published = _published(models)
    model = published.model
    return {
        **_identity(published),
        "window_days": model.window_days,
        "customers": model.customers,
        "silhouettes": model.silhouettes,
        "segments": [
            {
                "segment": segment.segment,
                "name": segment.name,
                "customers": segment.customers,
                "share": segment.customers / model.customers,
                "description": segment.description,
            }
            for segment in model.segments
        ],
    }


def _counted(problems: int) -> str:
    more = problems - PROBLEMS_MAX
    return f"{problems} (the first {PROBLEMS_MAX} are listed, {more} more are not)" if more > 0 else str(problems)


def _customers(request: object) -> list[Any]:
    if not isinstance(request, dict) or "customers" not in request:
        return [request]
    customers = request["customers"]
    if len(request) > 1 or not isinstance(customers, list) or not customers:
        raise Refused("expected a list of at least one customer under the only key `customers`")
    if len(customers) > CUSTOMERS_MAX:
        raise TooLarge(f"expected at most {CUSTOMERS_MAX} customers, found {len(customers)}")
    return customers


def _published(models: Models) -> Published:
    published = models.current()
    if published is None:
        raise NoModel("no model has been published yet: the nightly job segment_customers makes one")
    return published


def _identity(published: Published) -> dict[str, Any]:
    model = published.model
    return {
        "batch_id": published.batch_id,
        "attempt": published.attempt,
        "period": model.period,
        "as_of": model.as_of,
        "k": model.k,
        "silhouette": model.silhouettes[str(model.k)],
    }


def _prediction(model: Model, customer: dict[str, Any]) -> dict[str, Any]:
    prediction = model.predict(customer)
    key = {KEY: customer[KEY]} if customer.get(KEY) else {}
    return {**key, "segment": prediction.segment, "name": prediction.name, "distance": prediction.distance}
