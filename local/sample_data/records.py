"""The records of the sample traffic: one function per dataset yields an endless series of arrivals from a seed.

A new dataset needs such a function and one line in `SOURCES`. `local.sample_data.generate` adds the event time, except
in exports.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from local.sample_data.encodings import CsvLines, Form, JsonObjects, Record
from local.sample_data.households import household_of, kind_of, named, shopper

Arrival = tuple[datetime, Record]
Arrivals = Callable[[random.Random, datetime, float], Iterator[Arrival]]  # (draw, start, records per second)

CENT = Decimal("0.01")
REQUESTS_PER_VISIT = 7.5
LINES_PER_BASKET = 5.5
EVENTS_PER_VIEW = 1.05
PAGES = ("/", "/products", "/products/lamp", "/chair", "/cart", "/checkout", "/guide.pdf", "/søk?q=lampe")
ASSETS = ("/static/app.js", "/static/site.css", "/static/logo.svg", "/static/hero.jpg", "/favicon.ico")
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64) Example/1.0",
    "Mozilla/5.0 (Macintosh) Example/1.0",
    'Feed "daily" {reader} 2',  # quotes and braces in a value confuse readers that count them
)
SITES = ("affiliate-north", "affiliate-south", "affiliate-news")
#: Relative click rates of the positions on a page or screen, from the first.
CLICK_RATES = (1.0, 0.7, 0.5, 0.4, 0.35, 0.3)
CONTENTS = 300
EXPORT_WHOLE, EXPORT_CHANGED = 500, 50  # households in the first export of customers, and in each later one


@dataclass(frozen=True)
class Source:
    """How one dataset's records are generated and encoded."""

    arrivals: Arrivals
    form: Form
    sums: tuple[str, ...] = ()  # fields whose sums verify completeness
    exported: bool = False  # whether a file is an export: rows of one point in time, without event times


def zipf(draw: random.Random, among: int) -> int:
    """A number from 1 to `among`; n occurs about 1/n times as often as 1, like real users and products."""
    return int((among + 1) ** draw.random())


def spaced(draw: random.Random, start: datetime, per_second: float) -> Iterator[datetime]:
    """An endless series of arrival times, as of independent visitors (a Poisson process)."""
    at = start
    while True:
        at += timedelta(seconds=draw.expovariate(per_second))
        yield at


def in_order(groups: Iterable[tuple[datetime, list[Arrival]]]) -> Iterator[Arrival]:
    """Merges overlapping groups, which are ordered by their beginning; a group's arrivals are not before it."""
    waiting: list[tuple[datetime, int, Record]] = []
    number = itertools.count()  # keeps the heap from comparing records
    for begins, arrivals in groups:
        while waiting and waiting[0][0] <= begins:
            arrived, _, record = heapq.heappop(waiting)
            yield arrived, record
        for arrived, record in arrivals:
            heapq.heappush(waiting, (arrived, next(number), record))


def web_logs(draw: random.Random, start: datetime, per_second: float) -> Iterator[Arrival]:
    """Requests of visits: pages with their assets, and occasional periods in which the server fails."""
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
    """Line items of baskets; a till sends a basket's lines together. Shopping depends on the household's kind."""
    prices = [Decimal(max(5, int(draw.lognormvariate(5.5, 0.8)))) / 100 for _ in range(2_000)]
    for paid in spaced(draw, start, per_second / LINES_PER_BASKET):
        basket, household, store = f"{draw.getrandbits(48):012x}", shopper(draw), draw.randint(1, 40)
        kind = kind_of(household)
        for line in range(1 + int(draw.expovariate(1 / kind.lines))):
            product = zipf(draw, len(prices))
            yield (
                paid,
                {
                    "transaction_id": f"{basket}-{line}",
                    "user_id": named(household),
                    **money(draw, (prices[product - 1] * kind.price).quantize(CENT)),
                    "store_id": f"store-{store:02d}",
                    "product_id": f"product-{product:04d}",
                },
            )


def money(draw: random.Random, price: Decimal) -> Record:
    """A line's amount after discount, quantity and discount, as JSON numbers with at most two decimals."""
    quantity = draw.choices((1, 2, 3, 6), (80, 13, 5, 2))[0]
    full = price * quantity
    discount = (full * draw.choice((0, 0, 0, 10, 25)) / 100).quantize(CENT)
    return {"amount": float(full - discount), "quantity": quantity, "discount": float(discount)}


def content(draw: random.Random, start: datetime, per_second: float) -> Iterator[Arrival]:
    """Views on sites and in apps, some followed by a click; the click rate depends on content and position."""
    appeal = [draw.betavariate(2, 25) for _ in range(CONTENTS)]
    shown = spaced(draw, start, per_second / EVENTS_PER_VIEW)
    return in_order((at, impression(draw, at, appeal)) for at in shown)


def impression(draw: random.Random, at: datetime, appeal: list[float]) -> list[Arrival]:
    """A view and, perhaps, its click."""
    number, position, item = draw.getrandbits(48), draw.randrange(len(CLICK_RATES)), zipf(draw, CONTENTS)
    device = draw.choices(("web", "ios", "android", None), (60, 20, 18, 2))[0]  # old pages do not report it
    about = {
        "user_id": f"reader-{zipf(draw, 20_000):05d}" if draw.random() < 0.9 else None,
        "content_id": f"content-{item:03d}",
        "position": position + 1,
        "site": "app" if device in ("ios", "android") else draw.choices(SITES, (5, 3, 2))[0],
        "device": device,
    }
    events = [(at, {"event_id": f"{number:012x}-view", "event_type": "view", **about})]
    if draw.random() < appeal[item - 1] * CLICK_RATES[position]:
        followed = at + timedelta(seconds=5 + draw.expovariate(0.2))
        events.append((followed, {"event_id": f"{number:012x}-click", "event_type": "click", **about}))
    return events


def customers(draw: random.Random, start: datetime, per_second: float) -> Iterator[Arrival]:
    """Exports of households: first all of them, later only those that are new or have moved to another band."""
    at, first, known = start, 1, EXPORT_WHOLE
    numbers: Iterable[int] = range(first, known + 1)
    while True:
        exported = [(at, household_of(draw, number)) for number in numbers]
        yield from exported
        at += timedelta(seconds=len(exported) / per_second)
        changed = sorted(draw.sample(range(1, known + 1), EXPORT_CHANGED * 4 // 5))
        first, known = known + 1, known + EXPORT_CHANGED // 5
        numbers = [*changed, *range(first, known + 1)]


SOURCES: dict[str, Source] = {
    "web_logs": Source(web_logs, JsonObjects("timestamp", "status_code"), sums=("status_code", "bytes")),
    "transactions": Source(transactions, JsonObjects("user_id", "amount"), sums=("amount", "quantity", "discount")),
    "content": Source(content, JsonObjects("content_id", "position"), sums=("position",)),
    "customers": Source(customers, CsvLines("household_id"), exported=True),
}
