"""The purchase queue against what it replaces, one lock a purchase, and against a bare INSERT of its rows."""

import time
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from bench import stage
from bench.crowd import Crowd
from bench.figures import Figure, Sides, ratio, take_turns
from bench.size import Size
from flashsale import drain
from flashsale.purchases import name_purchase
from flashsale.sales import SaleInfo
from inventory.arrays import array
from inventory.models import Stock

#: Clients who take a lock each; their demand lies in the queue when it is drained.
CLIENTS = 64

#: The rows that the drain writes for a batch, and nothing of what it decides: no limit, no stock, no look at accounts.
BARE = (
    """
    INSERT INTO flashsale_purchase
        (id, sale_id, item_id, shopper_id, quantity, unit_price, refusal, reservation_id,
         claimed_at, settled_at)
    SELECT id, %(sale)s, %(item)s, shopper, 1, %(price)s, '', id, %(moment)s, now()
    FROM unnest(%(ids)s::uuid[], %(shoppers)s::uuid[]) AS claim (id, shopper)
    """,
    """
    INSERT INTO inventory_holding (scope, holder, units, limit_units)
    SELECT %(scope)s, shopper, 1, 1 FROM unnest(%(shoppers)s::text[]) AS claim (shopper)
    """,
    """
    INSERT INTO inventory_reservation
        (id, key, stock_id, quantity, holder, scope, state, expires_at)
    SELECT id, id, %(stock)s, 1, shopper, %(scope)s, 'held', now() + interval '1 hour'
    FROM unnest(%(ids)s::uuid[], %(shoppers)s::text[]) AS claim (id, shopper)
    """,
    """
    INSERT INTO inventory_stockmovement
        (stock_id, kind, on_hand_change, allocated_change, reservations, reason, actor)
    VALUES (%(stock)s, 'allocate', 0, %(number)s, %(number)s, '', '')
    """,
)


def measure(size: Size, crowd: Crowd) -> dict[str, Figure]:
    sides = {
        "drain": partial(drained, claims=size.claims),
        "select_for_update_64_clients": partial(one_by_one, crowd, each=size.purchases_each),
        "bare_insert": partial(bare_insert, rows=size.claims),
    }
    figures = take_turns(sides, rounds=size.rounds)
    return {
        "drain_vs_select_for_update": ratio(
            figures, "drain", "select_for_update_64_clients", target=40
        ),
        "drain_vs_bare_insert": ratio(figures, "drain", "bare_insert", target=0.6),
    }


def sweep_batches(size: Size) -> Sides:
    """Holds and bare rows per second by batch size."""
    usual = settings.PURCHASE_BATCH_SIZE
    figures: Sides = {}
    try:
        for _ in range(size.sweeps):
            for batch in size.batch_sizes:
                settings.PURCHASE_BATCH_SIZE = batch
                rate = round(drained(claims=size.claims), 1)
                figures.setdefault(str(batch), []).append(rate)
    finally:
        settings.PURCHASE_BATCH_SIZE = usual
    return figures


def drained(*, claims: int) -> float:
    """Holds per second of one worker with all claims in the queue."""
    sale = stage.open_sale(units=claims)
    stage.claim_all(sale, number=claims)
    started = time.perf_counter()
    while not drain.drain(sale, consumer="bench").is_empty:
        pass
    seconds = time.perf_counter() - started
    assert Stock.objects.get(pool=sale.scope).allocated == claims
    return claims / seconds


def one_by_one(crowd: Crowd, *, each: int) -> float:
    """Holds per second of clients that each lock the stock row for one purchase."""
    number = CLIENTS * each
    sale = stage.open_sale(units=number)
    outcome = crowd.buy(
        way="select_for_update", sale=sale.slug, clients=CLIENTS, shoppers=number, seconds=60
    )
    assert Stock.objects.get(pool=sale.scope).allocated == outcome.held == number
    return outcome.rate


def bare_insert(*, rows: int) -> float:
    """Claims per second whose rows are inserted, in batches as large as the queue's, a transaction a batch."""
    sale = stage.open_sale(units=rows)
    shoppers = stage.shoppers()[:rows]
    ids = [
        name_purchase(
            sale_id=sale.id,
            shopper=known,
            attempt="bench",
            item=sale.items[0].id,
            quantity=1,
        )
        for known in shoppers
    ]
    batch = settings.PURCHASE_BATCH_SIZE
    started = time.perf_counter()
    for first in range(0, rows, batch):
        _insert(sale, ids[first : first + batch], shoppers[first : first + batch])
    return rows / (time.perf_counter() - started)


def _insert(sale: SaleInfo, ids: list[UUID], shoppers: list[UUID]) -> None:
    item = sale.items[0]
    values: dict[str, Any] = {
        "sale": sale.id,
        "item": item.id,
        "price": item.price,
        "stock": item.stock_id,
        "scope": sale.scope,
        "moment": timezone.now(),
        "number": len(ids),
        "ids": array(known.hex for known in ids),
        "shoppers": array(shoppers),
    }
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in BARE:
            cursor.execute(statement, values)
