"""A click on Buy against an empty Django view: same server, same workers, sides in turns.

A click is what a browser sends: signed cookie, CSRF token, signed admission, and a shopper of its own, so that
nothing a process remembers of somebody helps. Nobody drains meanwhile; the empty view does nothing either.
"""

import json
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from uuid import UUID, uuid4

from django.utils import timezone

from bench import calls, http, stage
from bench.figures import Figure, ratio, take_turns
from bench.size import Size
from flashsale import gate, store, tickets
from flashsale.keys import key
from flashsale.sales import SaleInfo


def measure(size: Size) -> dict[str, Figure]:
    """The honest ratio is the first, over a view without any middleware."""
    clicks = size.clicks
    with ExitStack() as stack:
        # Every shopper has an address of their own, as behind a proxy.
        express, django = (
            stack.enter_context(
                http.granian(environment={"TRUSTED_PROXIES": "1", "EXPRESS_ROUTE": switch})
            )
            for switch in ("true", "false")
        )
        sides: dict[str, Callable[[], float]] = {
            "buy_express": lambda: _buy(express, clicks),
            "empty_view_without_middleware": lambda: http.look(express, "/bench/bare/", clicks),
            "least_claim": lambda: _least(express, clicks),
            "buy_django": lambda: _buy(django, clicks // 2),
            "empty_view_with_middleware": lambda: http.look(express, "/bench/empty/", clicks),
        }
        for side in sides.values():
            side()  # warms the workers
        figures = take_turns(sides, rounds=size.rounds)
    bare = "empty_view_without_middleware"
    return {
        "buy_vs_bare_view": ratio(figures, "buy_express", bare, target=1.0),
        "least_claim_vs_bare_view": ratio(figures, "least_claim", bare),
        "buy_vs_least_claim": ratio(figures, "buy_express", "least_claim"),
        "buy_vs_view_with_middleware": ratio(figures, "buy_express", "empty_view_with_middleware"),
        "buy_django_vs_bare_view": ratio(figures, "buy_django", bare),
    }


def _buy(port: int, count: int) -> float:
    stage.end_sales()
    sale = stage.open_sale(units=count, has_line=True)
    buyers = [uuid4() for _ in range(count)]
    ends = timezone.now() + timedelta(minutes=5)
    active = {str(shopper): gate.milliseconds(ends) for shopper in buyers}
    store.client().zadd(key(sale.id, "active"), active)
    requests = [_click(port, sale, shopper, number) for number, shopper in enumerate(buyers)]
    driven = http.drive(port=port, requests=requests)
    assert driven.statuses == {202: count}, driven.statuses
    assert store.client().xlen(key(sale.id, "claims")) == count
    store.client().delete(key(sale.id, "claims"), key(sale.id, "takers"), key(sale.id, "active"))
    return driven.rate


def _least(port: int, count: int) -> float:
    stage.end_sales()
    sale = stage.open_sale(units=count)
    driven = http.drive(port=port, requests=calls.least(port, "claim", sale, count))
    assert store.client().xlen(key(sale.id, "claims")) == count
    store.client().delete(key(sale.id, "claims"), key(sale.id, "takers"))
    return driven.rate


def _click(port: int, sale: SaleInfo, shopper: UUID, number: int) -> bytes:
    ends = timezone.now() + timedelta(minutes=5)
    admission = tickets.sign_admission(sale_id=sale.id, shopper=shopper, expires_at=ends)
    body = json.dumps({"admission": admission, "item": sale.items[0].id, "quantity": 1})
    return calls.by_browser(
        port,
        path=f"/api/v1/sales/{sale.slug}/purchases/",
        shopper=shopper,
        number=number,
        body=body,
        more=[f"Idempotency-Key: {uuid4()}"],
    )
