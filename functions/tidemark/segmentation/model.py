"""The customer segment model: stored as one JSON document, with predictions in plain Python.

The nightly job trains with the same `numbers`, `category` and `Encoding.vector`, so the segment that it stores for a
customer equals the predicted one. The job imports this module, so it keeps to the syntax of Python 3.9.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Optional

FORMAT = 1
#: Ordered bands as numbers: the middle of a band, or an estimate for an open band. In years, 1,000 dollars, persons.
BANDS: Mapping[str, Mapping[str, float]] = {
    "age": {"19-24": 22.0, "25-34": 30.0, "35-44": 40.0, "45-54": 50.0, "55-64": 60.0, "65+": 70.0},
    "income": {
        "Under 15K": 7.5, "15-24K": 20.0, "25-34K": 30.0, "35-49K": 42.5, "50-74K": 62.5, "75-99K": 87.5,
        "100-124K": 112.5, "125-149K": 137.5, "150-174K": 162.5, "175-199K": 187.5, "200-249K": 225.0, "250K+": 300.0,
    },
    "household_size": {"1": 1.0, "2": 2.0, "3": 3.0, "4": 4.0, "5+": 5.0},
    "kids_count": {"0": 0.0, "1": 1.0, "2": 2.0, "3+": 3.0},
}  # fmt: skip
#: Figures for the window before the period's end: days since the last purchase, days with a purchase, net spend.
PURCHASES = ("recency", "frequency", "monetary")
NUMBERS = (*BANDS, *PURCHASES)
CATEGORIES = ("home_ownership", "marital_status", "household_comp")
PURCHASE_MAX = 10**12  # largest valid value of any of PURCHASES
KEY = "household_id"
KEY_CHARACTERS_MAX = 256  # a prediction returns the key; Lambda's answer has a limit, and escapes double or worse
UNKNOWN = "unknown"  # the category of a customer without one


def numbers(customer: Mapping[str, Any]) -> tuple[Optional[float], ...]:
    """A customer's values of `NUMBERS`: None for a missing or unknown band; frequency and money as log(1 + x)."""
    coded = [bands.get(customer.get(field) or "") for field, bands in BANDS.items()]
    recency, frequency, monetary = (float(customer[field]) for field in PURCHASES)
    return (*coded, recency, math.log1p(frequency), math.log1p(max(0.0, monetary)))


def category(customer: Mapping[str, Any], field: str) -> str:
    """A customer's category in a field of `CATEGORIES`, or `unknown` if there is none."""
    return customer.get(field) or UNKNOWN


@dataclass(frozen=True)
class Scale:
    """How a number is imputed and scaled."""

    median: float
    mean: float
    std: float  # of the population; 0 if all customers have the same value

    def apply(self, value: Optional[float]) -> float:
        """The standard score of the value, or of the median if there is no value; 0 if all customers are the same."""
        imputed = self.median if value is None else value
        return (imputed - self.mean) / self.std if self.std else 0.0


@dataclass(frozen=True)
class Encoding:
    """Encodes a customer as a vector: the scaled numbers, then the categories one-hot."""

    scales: tuple[Scale, ...]  # of NUMBERS
    categories: Mapping[str, tuple[str, ...]]  # field of CATEGORIES → categories in the training data, with `unknown`

    def vector(self, customer: Mapping[str, Any]) -> list[float]:
        """The customer's feature vector; the customer must have all of `PURCHASES`."""
        scaled = [scale.apply(value) for scale, value in zip(self.scales, numbers(customer))]
        ones = [
            1.0 if name == category(customer, field) else 0.0 for field in CATEGORIES for name in self.categories[field]
        ]
        return scaled + ones


@dataclass(frozen=True)
class Segment:
    segment: int  # from 1, in descending order of average spend
    name: str
    description: str
    customers: int
    centre: tuple[float, ...]
    cluster: int  # its number in Spark's model


@dataclass(frozen=True)
class Prediction:
    segment: int
    name: str
    distance: float  # Euclidean distance from the segment's centre, in feature space


@dataclass(frozen=True)
class Problem:
    """What is wrong with a customer."""

    field: str  # "" if the problem is the customer as a whole
    problem: str


@dataclass(frozen=True)
class Model:
    """A trained model, with the figures that describe it."""

    period: Mapping[str, str]  # every, start, end (exclusive)
    as_of: str  # the period's last day, YYYY-MM-DD
    window_days: int  # length of the window of purchases, which ends with as_of
    seed: int
    customers: int  # in the training data
    silhouettes: Mapping[str, float]  # k → silhouette, for each k that was tried
    encoding: Encoding
    segments: tuple[Segment, ...]

    @property
    def k(self) -> int:
        return len(self.segments)

    def predict(self, customer: Mapping[str, Any]) -> Prediction:
        """The nearest segment of a customer without `problems`; missing purchases count as no purchases."""
        vector = self.encoding.vector({**self.no_purchases, **customer})
        distances = ((math.dist(vector, segment.centre), segment.segment, segment) for segment in self.segments)
        distance, _, nearest = min(distances)
        return Prediction(nearest.segment, nearest.name, distance)

    @property
    def no_purchases(self) -> Mapping[str, int]:
        """The `PURCHASES` of a customer who bought nothing in the window; recency is then the window's length."""
        return {"recency": self.window_days, "frequency": 0, "monetary": 0}

    def problems(self, customer: object) -> list[Problem]:
        """Every reason why no prediction is possible for a customer, in the order of the fields."""
        if not isinstance(customer, Mapping):
            return [Problem("", f"expected an object, found {_show(customer)}")]
        known = {**{field: tuple(bands) for field, bands in BANDS.items()}, **self.encoding.categories}
        problems = [
            Problem(field, text) for field, names in known.items() if (text := _choice_problem(customer, field, names))
        ]
        problems += _purchase_problems(customer)
        if text := _key_problem(customer.get(KEY)):
            problems.append(Problem(KEY, text))
        allowed = (KEY, *NUMBERS, *CATEGORIES)
        extra = [str(field) for field in customer if field not in allowed]
        unknown_field = f"expected one of {', '.join(allowed)}, found another field"
        return problems + [Problem(_cut(field), unknown_field) for field in extra]

    def dumps(self) -> str:
        """The JSON document; equal models have equal texts."""
        scales = {name: asdict(scale) for name, scale in zip(NUMBERS, self.encoding.scales)}
        document = {
            "format": FORMAT,
            **{name: getattr(self, name) for name in _PLAIN_FIELDS},
            "k": self.k,
            "numbers": scales,
            "categories": self.encoding.categories,
            "bands": BANDS,
            "segments": [asdict(segment) for segment in self.segments],
        }
        return json.dumps(document, indent=1)

    @classmethod
    def loads(cls, text: str) -> Model:
        """The inverse of `dumps`. Raises `ValueError` for another format, or for bands other than `BANDS`."""
        document = json.loads(text)
        if document.get("format") != FORMAT or document["bands"] != BANDS:
            raise ValueError(f"expected a model of format {FORMAT} with this code's bands, found {text[:60]!r}")
        scales = tuple(Scale(**document["numbers"][name]) for name in NUMBERS)
        categories = {field: tuple(document["categories"][field]) for field in CATEGORIES}
        segments = (Segment(**{**segment, "centre": tuple(segment["centre"])}) for segment in document["segments"])
        plain = {name: document[name] for name in _PLAIN_FIELDS}
        return cls(encoding=Encoding(scales, categories), segments=tuple(segments), **plain)


#: Fields of `Model` that its document has unchanged.
_PLAIN_FIELDS = ("period", "as_of", "window_days", "seed", "customers", "silhouettes")


def _key_problem(key: object) -> str:
    if key is None:
        return ""
    if not isinstance(key, str):
        return f"expected text, found {_show(key)}"
    fits = len(key) <= KEY_CHARACTERS_MAX
    return "" if fits else f"expected at most {KEY_CHARACTERS_MAX} characters, found {len(key)}"


def _choice_problem(customer: Mapping[str, Any], field: str, names: Sequence[str]) -> str:
    if field not in customer:
        return "expected a value or null, found no such field"
    value = customer[field]
    if value in (None, "") or (isinstance(value, str) and value in names):
        return ""
    return f"expected one of {', '.join(names)} or null, found {_show(value)}"


def _purchase_problems(customer: Mapping[str, Any]) -> list[Problem]:
    given = [field for field in PURCHASES if field in customer]
    if not given:
        return []
    missing = [
        Problem(field, f"expected together with {given[0]}, found none") for field in PURCHASES if field not in given
    ]
    wrong = [Problem(field, text) for field in given if (text := _amount_problem(field, customer[field]))]
    return missing + wrong


def _amount_problem(field: str, value: object) -> str:
    is_money = field == "monetary"
    types, minimum = ((int, float), -PURCHASE_MAX) if is_money else ((int,), 0)
    if isinstance(value, types) and not isinstance(value, bool) and minimum <= value <= PURCHASE_MAX:
        return ""
    return f"expected a {'number' if is_money else 'whole number from 0'}, found {_show(value)}"


def _show(value: object) -> str:
    return _cut(json.dumps(value, ensure_ascii=False, default=str))


def _cut(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
