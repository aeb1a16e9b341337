"""A click on Buy against an empty Django view: same server, same workers, sides in turns.

A click is what a browser sends: signed cookie, CSRF token, signed admission, and a shopper of its own, so that
nothing a process remembers of somebody helps. Nobody drains meanwhile; the empty view does nothing either.
"""

import json
import statistics
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django.middleware.csrf import _get_new_csrf_string
from django.utils import timezone

from bench import http
from flashsale import gate, sales, shoppers, store, tickets
from flashsale.keys import key
from flashsale.models import Sale, SaleItem
from flashsale.sales import SaleInfo
from inventory import stock
from shop.models import Category, Product, Variant

#: Name of the ratio, the side it is over, target; the honest one is the first, over a view without middleware.
RATIOS = (
    ("buy_vs_bare_view", "buy_express", "empty_view_without_middleware", 1.0),
    ("buy_vs_view_with_middleware", "buy_express", "empty_view_with_middleware", None),
    ("buy_django_vs_bare_view", "buy_django", "empty_view_without_middleware", None),
)


def measure(*, clicks: int, count: int = 5) -> dict[str, dict[str, Any]]:
    """The rows of the summary.

    Args:
        clicks: requests a round of each side.
        count: rounds.
    """
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
            "empty_view_without_middleware": lambda: _look(express, "/bench/bare/", clicks),
            "buy_django": lambda: _buy(django, clicks // 2),
            "empty_view_with_middleware": lambda: _look(express, "/bench/empty/", clicks),
        }
        for side in sides.values():
            side()  # warms the workers
        figures: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(count):
            for name, side in sides.items():
                figures[name].append(round(side(), 1))
    return {
        name: {
            "value": round(statistics.median(figures[side]) / statistics.median(figures[over]), 2),
            "unit": "ratio",
            "target": target,
            "at_least": True,
            "sides": {side: figures[side], over: figures[over]},
        }
        for name, side, over, target in RATIOS
    }


def _look(port: int, path: str, count: int) -> float:
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: */*\r\n\r\n"
    driven = http.drive(port=port, requests=[request.encode()] * count)
    assert driven.statuses == {200: count}, driven.statuses
    return driven.rate


def _buy(port: int, count: int) -> float:
    sale = _open_sale(units=count)
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


def _click(port: int, sale: SaleInfo, shopper: UUID, number: int) -> bytes:
    ends = timezone.now() + timedelta(minutes=5)
    admission = tickets.sign_admission(sale_id=sale.id, shopper=shopper, expires_at=ends)
    body = json.dumps({"admission": admission, "item": sale.items[0].id, "quantity": 1})
    secret = _get_new_csrf_string()
    cookie = shoppers.sign_cookie(shopper)
    return "\r\n".join(
        [
            f"POST /api/v1/sales/{sale.slug}/purchases/ HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            f"Origin: http://127.0.0.1:{port}",
            "Accept: application/json",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            f"Cookie: shopper={cookie}; csrftoken={secret}; sessionid={uuid4().hex}",
            f"X-CSRFToken: {secret}",
            f"X-Forwarded-For: 10.{number >> 16}.{number >> 8 & 255}.{number & 255}",
            f"Idempotency-Key: {uuid4()}",
            "",
            body,
        ]
    ).encode()


def _open_sale(*, units: int) -> SaleInfo:
    """A sale of its own for every round, with a line whose shoppers are all inside."""
    name = f"bench-{uuid4().hex[:12]}"
    category, _ = Category.objects.get_or_create(slug="bench", defaults={"name": "Bench"})
    product = Product.objects.create(category=category, name=name, slug=name, summary=name)
    variant = Variant.objects.create(product=product, sku=name.upper(), price=Decimal("10.00"))
    stock.receive(sku=variant.sku, quantity=units)
    now = timezone.now()
    sale = Sale.objects.create(
        name=name,
        slug=name,
        lobby_opens_at=now,
        opens_at=now,
        closes_at=now + timedelta(hours=1),
        queue_mode=Sale.QueueMode.FIRST_COME,
        admission_cap=units,
    )
    SaleItem.objects.create(sale=sale, variant=variant, price=Decimal("9.00"), units=units)
    sales.schedule(sale)
    info = sales.describe(sale)
    gate.sync(info, now=timezone.now())
    return info
