"""What has to be true after any fault, proved in SQL that shares nothing with the shop's own code."""

from dataclasses import dataclass
from io import StringIO
from typing import Any
from uuid import UUID, uuid4

from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from flashsale import gate, store
from flashsale.keys import key
from flashsale.sales import SaleInfo
from shop.models import User
from tests.factories import make_sale

UNITS_OF_A_SALE = """
    SELECT
        (SELECT coalesce(sum(units), 0) FROM flashsale_saleitem WHERE sale_id = %(sale)s),
        coalesce(sum(quantity) FILTER (WHERE state IN ('confirmed', 'consumed')), 0),
        coalesce(sum(quantity) FILTER (WHERE state = 'held'), 0),
        (SELECT sum(on_hand - allocated) FROM inventory_stock WHERE pool = %(pool)s)
    FROM inventory_reservation JOIN inventory_stock stock ON stock.id = stock_id
    WHERE stock.pool = %(pool)s
"""


@dataclass(frozen=True)
class Units:
    """Where a sale's units are, by PostgreSQL."""

    sold: int
    held: int
    free: int


def proven_units(sale: SaleInfo) -> Units:
    """Where the units are, after proof that none was lost or made up and that the audit finds no breach."""
    with connection.cursor() as cursor:
        cursor.execute(UNITS_OF_A_SALE, {"sale": sale.id, "pool": sale.scope})
        stocked, sold, held, free = cursor.fetchone()
    assert sold + held + free == stocked
    report = StringIO()
    try:
        call_command("audit", stdout=report)
    except SystemExit:
        raise AssertionError(report.getvalue()) from None
    return Units(sold=sold, held=held, free=free)


def open_sale(**fields: Any) -> SaleInfo:
    """A sale whose gate is set."""
    sale = make_sale(**fields)
    assert gate.sync(sale, now=timezone.now())
    return sale


def claim(sale: SaleInfo, user: User, *, purchase: UUID | None = None) -> UUID:
    """A claim that the gate lets through, and that nobody rings for."""
    purchase = purchase or uuid4()
    claimed = gate.claim(
        sale_id=sale.id,
        shopper=user.shopper_id,
        item=sale.items[0].id,
        quantity=1,
        purchase=purchase,
        now=timezone.now(),
    )
    assert claimed.answer is gate.Answer.QUEUED
    return purchase


def queued(sale: SaleInfo) -> int:
    return int(store.client().xlen(key(sale.id, "claims")))


def free_at_the_gate(sale: SaleInfo) -> int | None:
    """Units of the first item that may still be claimed; None when there is no gate."""
    free = store.client().hget(key(sale.id, "gate"), f"free:{sale.items[0].id}")
    return None if free is None else int(free)
