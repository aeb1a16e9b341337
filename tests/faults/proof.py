"""What has to be true after any fault, proved in SQL that shares nothing with the shop's own code."""

from dataclasses import dataclass
from io import StringIO

from django.core.management import call_command
from django.db import connection

from flashsale.sales import SaleInfo

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
