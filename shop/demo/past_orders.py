"""The demo's past orders: placed, paid and shipped by the shop's own steps, then dated back.

No provider is asked: the money is in the shop's books and in the demo provider's, as after a real payment, so
that such an order can be returned and refunded. An order has a key of its own, so it is made once.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import NAMESPACE_URL, UUID, uuid5

from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from inventory import reservations, stock
from shop import checkout, orders
from shop.checkout import AddressData, OrderLine, Placed
from shop.demo.people import BUYERS, HOMES, ORDERS
from shop.models import (
    DemoAuthorisation,
    Invoice,
    Order,
    OrderEvent,
    OutgoingMail,
    PaymentIntent,
    User,
    Variant,
)

#: What is reduced now was dearer before; see `demo_data`.
REDUCED_DAYS = 10
SHIPPED_AFTER = timedelta(hours=26)


def seed() -> None:
    """Make the past orders that are missing."""
    # Who ordered, and when, is an order's name.
    keys = [uuid5(NAMESPACE_URL, f"holdfast:demo-order:{who}:{days}") for who, days, *_ in ORDERS]
    known = set(Order.objects.filter(key__in=keys).values_list("key", flat=True))
    missing = [(key, row) for key, row in zip(keys, ORDERS, strict=True) if key not in known]
    if not missing:
        return
    # What was sold had come in for it: what is on the shelf stays as the catalogue says.
    sold: Counter[str] = Counter()
    for _, (_, _, end, units) in missing:
        sold.update(units if end != "cancelled" else {})
    for sku in sorted(sold):
        stock.receive(sku=sku, quantity=sold[sku], reason="demo, sold since")
    people = User.objects.in_bulk(list(BUYERS), field_name="email")
    variants = Variant.objects.select_related("product").in_bulk(field_name="sku")
    for key, (who, days, end, units) in missing:
        order = _place(
            key=key,
            user=people[BUYERS[who]],
            home=HOMES[who],
            lines=[_line(variants[sku], count, days=days) for sku, count in units.items()],
        )
        if order is not None:
            _bring_to(end, order)
            _date_back(order, to=timezone.now() - timedelta(days=days, minutes=37 * who))


def _line(variant: Variant, quantity: int, *, days: int) -> OrderLine:
    was = variant.compare_at_price if days > REDUCED_DAYS else None
    return OrderLine(variant=variant, quantity=quantity, unit_price=was or variant.price)


def _place(
    *, key: UUID, user: User, home: tuple[str, str, str, str], lines: list[OrderLine]
) -> Order | None:
    """The pending order; None where a merchant's own rules refuse it."""
    street, postcode, city, country = home
    placed = checkout.place_order(
        key=key,
        user=user,
        email=user.email,
        address=AddressData(
            recipient=user.name, street=street, postcode=postcode, city=city, country=country
        ),
        lines=lines,
    )
    return placed.order if isinstance(placed, Placed) else None


def _bring_to(end: str, order: Order) -> None:
    if end == "cancelled":
        orders.cancel(order=order, actor=order.email, reason="changed my mind")
        return
    _take_money(order)
    order.refresh_from_db()
    if end == "fulfilled":
        orders.fulfil(
            order=order, actor="merchant@example.com", carrier="Sample Post", tracking_number="SP-0"
        )


def _take_money(order: Order) -> None:
    reservations.confirm(reservation_ids=orders.reservation_ids(order))
    intent = order.payment_intents.create(
        gateway="demo",
        method={"method": "demo", "card": "approve"},
        amount=order.total,
        currency=order.currency,
        state=PaymentIntent.State.CAPTURED,
    )
    intent.reference = f"demo_{intent.pk.hex}"
    intent.save(update_fields=["reference"])
    DemoAuthorisation.objects.create(
        reference=intent.reference,
        amount=order.total,
        currency=order.currency,
        state=DemoAuthorisation.State.CAPTURED,
    )
    orders.pay(order=order)


def _date_back(order: Order, *, to: datetime) -> None:
    """Set every date of an order, and of what belongs to it. Its mails count as sent."""
    shipped: Mapping[str, datetime] = {"fulfilled_at": min(to + SHIPPED_AFTER, timezone.now())}
    rows = Order.objects.filter(pk=order.pk)
    rows.update(placed_at=to, expires_at=to + timedelta(minutes=30))
    rows.filter(paid_at__isnull=False).update(paid_at=to + timedelta(minutes=2))
    rows.filter(fulfilled_at__isnull=False).update(**shipped)
    rows.filter(closed_at__isnull=False).update(closed_at=to + timedelta(minutes=9))
    Invoice.objects.filter(order=order).update(issued_at=to + timedelta(minutes=2))
    order.payment_intents.update(created_at=to, updated_at=to + timedelta(minutes=2))
    events = OrderEvent.objects.filter(order=order)
    events.update(created_at=to + timedelta(minutes=2))
    events.filter(kind="placed").update(created_at=to)
    events.filter(kind="fulfilled").update(created_at=shipped["fulfilled_at"])
    OutgoingMail.objects.filter(order=order).update(
        created_at=to, due_at=to, sent_at=Now(), tries=F("tries") + 1
    )
