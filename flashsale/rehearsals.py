"""Rehearsals: a shadow copy of a sale, with units that never existed, for a crowd to try.

The shadow has a pool of its own, so the rehearsed sale and the main pool are not touched, and is in no list.
Its records stay: the ledger of stock only ever grows, and whoever reads the audit of that day must find what
happened. Its orders are refunded, so that nobody ships them, and its units are written off.
"""

import secrets
import time
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection, transaction
from django.utils import timezone

from flashsale import purchases, sales, steering, store
from flashsale.crowd import Report
from flashsale.keys import key
from flashsale.models import Purchase, Sale, SaleItem
from inventory import audit, stock
from inventory.models import Reservation
from shop import orders
from shop.models import Order

#: Seconds between the start and the opening: the crowd meets in the lobby.
LOBBY_SECONDS = 10
#: The shadow's hold, in seconds, at the most: a rehearsal need not wait ten minutes for an expiry.
LONGEST_HOLD_SECONDS = 45
#: Seconds that the workers get to settle the last claims.
SETTLE_SECONDS = 15
LIVE = (Reservation.State.HELD, Reservation.State.CONFIRMED)
#: How the shadow's slug goes on after the sale's; a slug has 50 signs at the most.
SLUG_MARK = "-rehearsal-"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was judged, and what was wrong with it."""

    question: str
    breaches: list[str]


def open_shadow(sale: Sale, *, seconds: float) -> Sale:
    """Make the shadow of a sale in any status; its lobby is open and it opens in `LOBBY_SECONDS`."""
    now = timezone.now()
    opens_at = now + timedelta(seconds=LOBBY_SECONDS)
    seed, commitment = sales.new_seed()
    mark = f"{SLUG_MARK}{secrets.token_hex(3)}"
    with transaction.atomic():
        shadow = Sale.objects.create(
            name=f"Rehearsal of {sale.name}"[:120],
            slug=f"{sale.slug[: 50 - len(mark)]}{mark}",
            status=Sale.Status.SCHEDULED,
            lobby_opens_at=now,
            opens_at=opens_at,
            closes_at=opens_at + timedelta(seconds=seconds),
            queue_mode=sale.queue_mode,
            limit_per_shopper=sale.limit_per_shopper,
            hold_seconds=min(sale.hold_seconds, LONGEST_HOLD_SECONDS),
            admission_cap=sale.admission_cap,
            admissions_per_minute=sale.admissions_per_minute,
            admission_seconds=sale.admission_seconds,
            seed=seed,
            seed_commitment=commitment,
            is_rehearsal=True,
        )
        for item in sale.items.select_related("variant").order_by("variant__sku"):
            SaleItem.objects.create(
                sale=shadow,
                variant=item.variant,
                price=item.price,
                units=item.units,
                position=item.position,
                stock=stock.receive(
                    sku=item.variant.sku,
                    quantity=item.units,
                    pool=sales.pool_name(shadow.pk),
                    reason=f"units of {shadow.slug}",
                ),
            )
    steering.tell(shadow)
    return shadow


def wait_until_settled(sale: Sale, *, seconds: float = SETTLE_SECONDS) -> bool:
    """Wait until no claim of the sale is in the purchase queue; False when some still are.

    Raises:
        redis.RedisError: Redis is away.
    """
    deadline = time.monotonic() + seconds
    while store.client().xlen(key(sale.pk, "claims")):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def judge(shadow: Sale, *, report: Report) -> list[Finding]:
    """Compare what the crowd saw with PostgreSQL, and run the audit."""
    is_settled = wait_until_settled(shadow)
    units = sales.count_units(sales.describe(shadow))
    stocked = sum(shadow.items.values_list("units", flat=True))
    paid = sum(
        purchases.state_of(purchase) is purchases.State.PAID
        for purchase in Purchase.objects.filter(sale=shadow).select_related("reservation", "order")
    )
    findings = [
        Finding(
            "Was no unit promised twice?",
            []
            if units.sold + units.held <= stocked
            else [f"sold {units.sold} + held {units.held} of {stocked} units"],
        ),
        Finding(
            "Did every shopper who saw a paid purchase pay for one?",
            [] if report.paid <= paid else [f"{report.paid} saw it, {paid} are paid"],
        ),
        Finding(
            "Did every claim get its answer?",
            [] if is_settled else ["claims still wait in the purchase queue"],
        ),
    ]
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        results = list(audit.run(scope={"sale": shadow.slug}))
    return findings + [Finding(result.check.question, result.breaches) for result in results]


def clean_up(shadow: Sale) -> list[str]:
    """End the shadow, let its holds go, refund its orders and write its units off. Safe to repeat.

    Returns:
        References of orders whose payment would not come to an end: somebody has to look at them.
    """
    shadow.refresh_from_db()
    if shadow.status in (Sale.Status.SCHEDULED, Sale.Status.PAUSED):
        steering.end(shadow)
    deadline = time.monotonic() + SETTLE_SECONDS
    while (left := _undo(shadow)) and time.monotonic() < deadline:
        time.sleep(0.5)
    sales.return_units(shadow)
    return left


def _undo(shadow: Sale) -> list[str]:
    """Take back what was bought; return the orders that are just being paid."""
    left = []
    bought = Purchase.objects.filter(sale=shadow, refusal="")
    for purchase in bought.select_related("sale", "item", "reservation", "order"):
        order, reservation = purchase.order, purchase.reservation
        if order is not None and order.state == Order.State.PAID:
            orders.refund(order=order, actor="", reason="the rehearsal is over")
        elif reservation is None or reservation.state not in LIVE:
            continue
        elif not purchases.release(purchase) and order is not None:
            left.append(order.reference)
    return left
