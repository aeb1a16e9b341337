"""The line's three calls against an empty Django view: same server, same workers, sides in turns; and what the parts
allow (`bench.least`).

Joiners and those who enter are shoppers of their own each, as in `bench.buy`. The controller does not run meanwhile:
its document stands, and says that everybody is served.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

from django.utils import timezone

from bench import calls, http, stage
from bench.figures import Figure, ratio, take_turns
from bench.size import Size
from flashsale import line, store, tickets
from flashsale.keys import Name, key
from flashsale.models import Sale
from flashsale.sales import SaleInfo, describe
from flashsale.tickets import Ticket


def measure(size: Size) -> dict[str, Figure]:
    count = size.clicks
    with http.granian(environment={"TRUSTED_PROXIES": "1"}) as port:
        polled = _written(stage.open_sale(units=100, has_line=True))
        sides: dict[str, Callable[[], float]] = {
            "line": lambda: http.look(port, f"/api/v1/sales/{polled.slug}/line/", 2 * count),
            "empty_view_without_middleware": lambda: http.look(port, "/bench/bare/", count),
            "join_the_lobby": lambda: _join(port, count, in_lobby=True),
            "join_the_line": lambda: _join(port, count, in_lobby=False),
            "least_join": lambda: _least(port, "join", count, leaves="entrants"),
            "enter": lambda: _enter(port, count),
            "least_enter": lambda: _least(port, "enter", count, leaves="active"),
        }
        for side in sides.values():
            side()  # warms the workers
        figures = take_turns(sides, rounds=size.rounds)
    bare = "empty_view_without_middleware"
    return {
        "line_vs_bare_view": ratio(figures, "line", bare, target=2.5),
        "ticket_vs_bare_view": ratio(figures, "join_the_lobby", bare, target=0.8),
        "late_ticket_vs_bare_view": ratio(figures, "join_the_line", bare),
        "admission_vs_bare_view": ratio(figures, "enter", bare, target=0.8),
        "least_join_vs_bare_view": ratio(figures, "least_join", bare),
        "ticket_vs_least_join": ratio(figures, "join_the_lobby", "least_join"),
        "least_enter_vs_bare_view": ratio(figures, "least_enter", bare),
        "admission_vs_least_enter": ratio(figures, "enter", "least_enter"),
    }


def _written(sale: SaleInfo, **serving: float) -> SaleInfo:
    """A sale whose document is there; `serving` is what it says is being served."""
    document = line.renew(sale, now=timezone.now())
    document["serving"] |= serving
    store.client().set(key(sale.id, "line"), json.dumps(document))
    return sale


def _join(port: int, count: int, *, in_lobby: bool) -> float:
    sale = stage.open_sale(units=100, has_line=True)
    if in_lobby:
        later = timezone.now() + timedelta(hours=1)
        Sale.objects.filter(pk=sale.id).update(opens_at=later, queue_mode=Sale.QueueMode.DRAW)
        sale = describe(Sale.objects.get(pk=sale.id))
    _written(sale)
    requests = [
        calls.by_browser(
            port,
            path=f"/api/v1/sales/{sale.slug}/ticket/",
            shopper=uuid4(),
            number=number,
            body="{}",
        )
        for number in range(count)
    ]
    driven = http.drive(port=port, requests=requests)
    _forget(sale)
    # A Bloom filter takes a newcomer for somebody who was there before once in a long while.
    assert set(driven.statuses) <= {200, 201}, driven.statuses
    assert driven.statuses[201] >= 0.99 * count
    return driven.rate


def _enter(port: int, count: int) -> float:
    sale = _written(stage.open_sale(units=count, has_line=True), base=float(count), rate=0.0)
    requests = []
    for number in range(count):
        shopper = uuid4()
        ticket = tickets.sign_ticket(Ticket(number=number + 1), sale_id=sale.id, shopper=shopper)
        requests.append(
            calls.by_browser(
                port,
                path=f"/api/v1/sales/{sale.slug}/admission/",
                shopper=shopper,
                number=number,
                body=json.dumps({"ticket": ticket}),
            )
        )
    driven = http.drive(port=port, requests=requests)
    assert driven.statuses == {201: count}, driven.statuses
    assert store.client().zcard(key(sale.id, "active")) == count
    _forget(sale)
    return driven.rate


def _least(port: int, call: str, count: int, *, leaves: Name) -> float:
    sale = stage.open_sale(units=count, has_line=True)
    driven = http.drive(port=port, requests=calls.least(port, call, sale, count))
    assert store.client().exists(key(sale.id, leaves))
    _forget(sale)
    return driven.rate


def _forget(sale: SaleInfo) -> None:
    names: tuple[Name, ...] = ("active", "numbers", "entrants", "seen", "last")
    store.client().delete(*(key(sale.id, name) for name in names))
