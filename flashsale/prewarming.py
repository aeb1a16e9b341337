"""What a sale will need in its first second, brought into memory before."""

from collections.abc import Iterator

import httpx
from django.db import connection
from django.utils import timezone

from flashsale import gate, line, store
from flashsale.models import Sale
from flashsale.sales import describe

#: Seconds that one page may take: a cold one makes its caches.
PAGE_SECONDS = 20.0
#: Tables that the first claims, holds and payments write to.
TABLES = (
    "flashsale_purchase",
    "inventory_stock",
    "inventory_reservation",
    "inventory_holding",
    "inventory_stockmovement",
    "shop_order",
    "shop_lineitem",
    "shop_paymentintent",
)


def prewarm(sale: Sale, *, url: str) -> Iterator[str]:
    """Warm a sale step by step, and yield what was warmed, in words. Safe to repeat.

    Args:
        url: the shop's address, whose pages are asked for.

    Raises:
        redis.RedisError: Redis is away.
    """
    yield f"scripts in Redis: {', '.join(store.load_scripts())}"
    info = describe(sale)
    now = timezone.now()
    if gate.sync(info, now=now):
        yield f"gate: {len(info.items)} item{'' if len(info.items) == 1 else 's'}"
    else:
        yield "gate: not set, claims are being settled; the beat sets it"
    document = line.renew(info, now=now)
    yield f"line document: {document['phase']}, {document['units_left']} units left"
    with connection.cursor() as cursor:
        for table in TABLES:
            # Reading all of a table's newest pages brings them and the planner's notes into memory.
            cursor.execute(f"SELECT count(*) FROM {table}")  # noqa: S608 -- our own constants
    yield f"tables: {', '.join(TABLES)}"
    yield from _warm_pages(sale, url=url)


def _warm_pages(sale: Sale, *, url: str) -> Iterator[str]:
    paths = ["/", "/sales/", sale.get_absolute_url(), f"{sale.get_absolute_url()}line/"]
    paths.append(f"/api/v1/sales/{sale.slug}/line/")
    products = {
        item.variant.product.get_absolute_url()
        for item in sale.items.select_related("variant__product")
    }
    with httpx.Client(base_url=url, timeout=PAGE_SECONDS, trust_env=False) as client:
        for path in [*paths, *sorted(products)]:
            try:
                answer = client.get(path, follow_redirects=True)
            except httpx.TransportError as error:
                yield f"pages: not warmed, no shop answers at {url} ({error})"
                return
            yield f"page: {path} ({answer.status_code}, {answer.elapsed.total_seconds():.2f} s)"
