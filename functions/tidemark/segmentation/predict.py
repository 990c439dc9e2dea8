"""predict: customers → their segments, by the model that was published last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidemark.core.errors import TidemarkError, Transient
from tidemark.segmentation.model import KEY
from tidemark.segmentation.registry import Models, Published

CUSTOMERS_MAX = 1_000  # in one request
BODY_BYTES_MAX = 1 << 20
DEPTH_MAX = 8  # levels of objects and lists; three are needed
PROBLEMS_MAX = 100  # in one answer


class Refused(TidemarkError):
    """A request that no model could answer; `problems` name each customer by its place, from 0."""

    def __init__(self, message: str, problems: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(message)
        self.problems = list(problems)


class TooLarge(TidemarkError):
    """More bytes or customers than one request may hold."""


class NoModel(Transient):
    """No model has been published yet."""


def predict(models: Models, request: object) -> dict[str, Any]:
    """`{"customers": [...]}` or one customer → predictions in the same order.

    Raises `Refused` with the problems of all customers, the first `PROBLEMS_MAX` of them, `TooLarge` or `NoModel`; all
    are predicted or none.
    """
    customers = _customers(request)
    published = _published(models)
    model = published.model
    problems = [
        {"customer": place, "field": one.field, "problem": one.problem}
        for place, customer in enumerate(customers)
        for one in model.problems(customer)
    ]
    if problems:
        raise Refused(f"nothing was predicted, problems found: {_counted(len(problems))}", problems[:PROBLEMS_MAX])
    return {"model": _identity(published), "predictions": [_prediction(published, one) for one in customers]}


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
                "segment": one.segment,
                "name": one.name,
                "customers": one.customers,
                "share": one.customers / model.customers,
                "description": one.description,
            }
            for one in model.segments
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


def _prediction(published: Published, customer: dict[str, Any]) -> dict[str, Any]:
    found = published.model.predict(customer)
    key = {KEY: customer[KEY]} if customer.get(KEY) else {}
    return {**key, "segment": found.segment, "name": found.name, "distance": found.distance}
