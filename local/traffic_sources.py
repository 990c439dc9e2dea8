"""The records of the sample traffic: one function per dataset, each yields arrivals without end from a seed.

A new dataset needs such a function and one line in `SOURCES`. `local.traffic` adds the record's own time.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

Record = dict[str, Any]
Arrival = tuple[datetime, Record]
Arrivals = Callable[[random.Random, datetime, float], Iterator[Arrival]]  # (draw, start, records per second)

REQUESTS_PER_VISIT = 7.5
LINES_PER_BASKET = 4.5
PAGES = ("/", "/products", "/products/lamp", "/chair", "/cart", "/checkout", "/guide.pdf", "/søk?q=lampe")
ASSETS = ("/static/app.js", "/static/site.css", "/static/logo.svg", "/static/hero.jpg", "/favicon.ico")
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64) Example/1.0",
    "Mozilla/5.0 (Macintosh) Example/1.0",
    'Feed "daily" {reader} 2',  # quotes and braces in a value: readers that count them lose their way
)


@dataclass(frozen=True)
class Source:
    """How one dataset's records are invented, and where they can be spoilt."""

    arrivals: Arrivals
    required: str  # a field that dirt takes away
    number: str  # a field that dirt turns into text
    sums: tuple[str, ...]  # fields whose sums prove completeness


def zipf(draw: random.Random, among: int) -> int:
    """A number from 1 to `among`, n about 1/n times as often as 1: so are users and products spread."""
    return int((among + 1) ** draw.random())


def spaced(draw: random.Random, start: datetime, per_second: float) -> Iterator[datetime]:
    """Moments without end, as independent visitors come."""
    moment = start
    while True:
        moment += timedelta(seconds=draw.expovariate(per_second))
        yield moment


def in_order(groups: Iterable[tuple[datetime, list[Arrival]]]) -> Iterator[Arrival]:
    """Merge groups that begin in order but overlap; a group's arrivals are not before its beginning."""
    waiting: list[tuple[datetime, int, Record]] = []
    number = itertools.count()  # keeps the heap from comparing records
    for begins, arrivals in groups:
        while waiting and waiting[0][0] <= begins:
            arrived, _, record = heapq.heappop(waiting)
            yield arrived, record
        for arrived, record in arrivals:
            heapq.heappush(waiting, (arrived, next(number), record))


def web_logs(draw: random.Random, start: datetime, per_second: float) -> Iterator[Arrival]:
    """Requests of visits: pages with their assets, now and then a minute in which the server fails."""
    visits = ((begins, visit(draw, begins)) for begins in spaced(draw, start, per_second / REQUESTS_PER_VISIT))
    failing_until = start
    for arrived, record in in_order(visits):
        if draw.random() < 0.0002:
            failing_until = arrived + timedelta(seconds=draw.uniform(20, 90))
        is_failing = arrived < failing_until and draw.random() < 0.7
        yield (
            arrived,
            record | {"status_code": draw.choice((500, 502, 503)), "bytes": None} if is_failing else record,
        )


def visit(draw: random.Random, begins: datetime) -> list[Arrival]:
    user, agent = f"user-{zipf(draw, 50_000):05d}", draw.choice(AGENTS)
    referrer = draw.choice((None, None, "https://search.example/", "https://news.example/today"))
    at, requests = begins, []
    for _ in range(1 + int(draw.expovariate(0.5))):
        page = draw.choice(PAGES)
        for path in (page, *draw.sample(ASSETS, draw.randint(0, 4))):
            requests.append((at, request(draw, user, agent, path, referrer if path == page else page)))
            at += timedelta(milliseconds=draw.randint(5, 400))
        referrer = page
        at += timedelta(seconds=draw.uniform(2, 90))
    return requests


def request(draw: random.Random, user: str, agent: str, path: str, referrer: str | None) -> Record:
    status = draw.choices((200, 304, 404, 301), (90, 6, 3, 1))[0]
    kind = "asset" if path in ASSETS else "download" if path.endswith(".pdf") else "page_view"
    return {
        "user_id": user,
        "event_type": kind,
        "status_code": status,
        "method": "POST" if path == "/checkout" else "GET",
        "path": path,
        "bytes": None if status == 304 else int(draw.lognormvariate(9, 1.2)),
        "referrer": referrer,
        "user_agent": agent,
    }


def transactions(draw: random.Random, start: datetime, per_second: float) -> Iterator[Arrival]:
    """Line items of baskets: a till sends a basket's lines together; prices in cents, one per product."""
    prices = [Decimal(max(5, int(draw.lognormvariate(5.5, 0.8)))) / 100 for _ in range(2_000)]
    for paid in spaced(draw, start, per_second / LINES_PER_BASKET):
        basket, user, store = f"{draw.getrandbits(48):012x}", zipf(draw, 20_000), draw.randint(1, 40)
        for line in range(1 + int(draw.expovariate(0.25))):
            product = zipf(draw, len(prices))
            yield (
                paid,
                {
                    "transaction_id": f"{basket}-{line}",
                    "user_id": f"household-{user:05d}",
                    **money(draw, prices[product - 1]),
                    "store_id": f"store-{store:02d}",
                    "product_id": f"product-{product:04d}",
                },
            )


def money(draw: random.Random, price: Decimal) -> Record:
    """What a line costs after its discount, as JSON numbers with at most two decimals."""
    quantity = draw.choices((1, 2, 3, 6), (80, 13, 5, 2))[0]
    full = price * quantity
    discount = (full * draw.choice((0, 0, 0, 10, 25)) / 100).quantize(Decimal("0.01"))
    return {"amount": float(full - discount), "quantity": quantity, "discount": float(discount)}


SOURCES: dict[str, Source] = {
    "web_logs": Source(web_logs, required="timestamp", number="status_code", sums=("status_code", "bytes")),
    "transactions": Source(transactions, required="user_id", number="amount", sums=("amount", "quantity", "discount")),
}
