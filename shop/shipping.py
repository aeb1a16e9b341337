"""Delivery: the ways in which an order can go to a country, and what each costs.

A merchant's methods count as soon as there is one; until then the flat rate of the settings does. Limits are
judged by the goods' price before any discount: a code never makes delivery dearer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import Any

from django.conf import settings
from django.db.models import F

from shop.models import ShippingMethod

#: The id of the offer that the settings make; no method in the database has it.
FLAT_ID = 0


@dataclass(frozen=True, slots=True)
class Offer:
    """A way to send one order. `free_from` is the price of goods from which it costs nothing, if there is one."""

    id: int
    name: str
    price: Decimal
    min_days: int | None = None
    max_days: int | None = None
    free_from: Decimal | None = None


def offers(*, country: str, weight_grams: int, subtotal: Decimal) -> list[Offer]:
    """What there is for a country, in the merchant's order; empty when nothing goes there.

    Args:
        country: an ISO 3166 code of two letters.
        subtotal: the price of the goods.
    """
    priced = ShippingMethod.objects.annotate(
        price=F("rates__price"),
        from_subtotal=F("rates__min_subtotal"),
        to_weight=F("rates__max_weight_grams"),
    )
    # A row for each rate, and one without a price for a method that has none.
    methods = [list(rows) for _, rows in groupby(priced, key=lambda row: row.pk)]
    if not methods:
        return [_flat(subtotal)]
    made = (_offer(rows, weight_grams, subtotal) for rows in methods if _goes_to(rows[0], country))
    return [offer for offer in made if offer is not None]


def pick(offered: Sequence[Offer], wanted: int | None) -> Offer | None:
    """The one that is wanted, else the first; None when nothing is offered."""
    chosen = (offer for offer in offered if offer.id == wanted)
    return next(chosen, offered[0] if offered else None)


def flat_rate(*, subtotal: Decimal) -> Decimal:
    """`SHIPPING_FLAT_RATE`, or nothing from `FREE_SHIPPING_FROM` on."""
    free = subtotal >= Decimal(settings.FREE_SHIPPING_FROM)
    return Decimal("0.00") if free else Decimal(settings.SHIPPING_FLAT_RATE)


def _flat(subtotal: Decimal) -> Offer:
    return Offer(
        id=FLAT_ID,
        name="Standard",
        price=flat_rate(subtotal=subtotal),
        free_from=Decimal(settings.FREE_SHIPPING_FROM),
    )


def _goes_to(method: ShippingMethod, country: str) -> bool:
    codes = {code.code for code in method.countries}
    return method.is_active and (not codes or country in codes)


def _offer(rows: Sequence[Any], weight_grams: int, subtotal: Decimal) -> Offer | None:
    """The cheapest of a method's rates that count for this weight and price of goods."""
    rates = [
        row
        for row in rows
        if row.price is not None and (row.to_weight is None or weight_grams <= row.to_weight)
    ]
    prices = [rate.price for rate in rates if rate.from_subtotal <= subtotal]
    if not prices:
        return None
    method = rows[0]
    return Offer(
        id=method.pk,
        name=method.name,
        price=min(prices),
        min_days=method.min_days,
        max_days=method.max_days,
        free_from=min((rate.from_subtotal for rate in rates if not rate.price), default=None),
    )
