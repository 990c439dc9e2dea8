"""The households behind the traffic."""

from __future__ import annotations

from collections import Counter

from local.sample_data.generate import generate
from local.sample_data.households import SHOPPERS, kind_of
from tests.local.sample_data.conftest import START, content, objects_in, rows_of


def test_customers_are_the_households_that_buy() -> None:
    """A segmentation can join them, and finds that kinds of households spend differently."""
    known = {row[0] for each in generate("customers", 1, 1_000, START) for row in rows_of(each)}
    spent: Counter[int] = Counter()
    buyers = set()
    for each in generate("transactions", 1, 10_000, START):
        for line in objects_in(content(each)):
            buyers.add(line["user_id"])
            spent[id(kind_of(int(line["user_id"].removeprefix("household-"))))] += line["amount"]
    assert len(buyers & known) > len(buyers) / 2 > SHOPPERS / 5
    assert len(spent) == 4
    assert max(spent.values()) > 5 * min(spent.values())
