"""Purchases: what became of a click on Buy, letting it go, and turning it into an order."""

import hashlib
import logging
import secrets
import zlib
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import redis
from django.db import transaction
from django.utils import timezone

from flashsale import gate
from flashsale.models import Purchase, Sale, SetAsideClaim
from flashsale.sales import SaleInfo, describe
from inventory import reservations
from inventory.models import Reservation
from shop import extensions, orders
from shop.checkout import OrderLine
from shop.extensions import Extended, NotExtended
from shop.models import Order

log = logging.getLogger(__name__)

#: The bits of a purchase's id that say what is bought.
ANY_WANT = 0xFFFF


class State(StrEnum):
    QUEUED = "queued"
    HELD = "held"
    REFUSED = "refused"
    ORDERED = "ordered"
    PAID = "paid"
    EXPIRED = "expired"
    RELEASED = "released"


def name_purchase(*, sale_id: int, shopper: UUID, attempt: str, item: int, quantity: int) -> UUID:
    """The id of the purchase that an attempt makes: the same attempt, the same purchase.

    A UUID of version 8 (RFC 9562, 5.8): the sale's id in its first four bytes, so that a queued purchase
    is found without PostgreSQL; a SHA-256 of (sale, shopper, attempt), or chance without an attempt; and in
    its last two bytes a CRC of what is bought, by which an attempt that is used for something else is known.
    """
    rest = (
        hashlib.sha256(f"{sale_id}:{shopper}:{attempt}".encode()).digest()[:10]
        if attempt
        else secrets.token_bytes(10)
    )
    bought = zlib.crc32(b"%d:%d" % (item, quantity)) & ANY_WANT
    number = int.from_bytes(sale_id.to_bytes(4, "big") + rest + bought.to_bytes(2, "big"), "big")
    number = number & ~(0xF << 76) | 8 << 76  # version 8
    number = number & ~(0x3 << 62) | 2 << 62  # the variant of RFC 9562
    return UUID(int=number)


def other_of_attempt(purchase_id: UUID) -> UUID | None:
    """The purchase of something else that this purchase's attempt has made, if it has."""
    first = UUID(int=purchase_id.int & ~ANY_WANT)
    last = UUID(int=purchase_id.int | ANY_WANT)
    others = Purchase.objects.filter(pk__gte=first, pk__lte=last).exclude(pk=purchase_id)
    return others.values_list("pk", flat=True).first()


def sale_id_of(purchase_id: UUID) -> int:
    return purchase_id.int >> 96


def recount(sale: SaleInfo, shopper: UUID) -> bool:
    """Let the gate count what PostgreSQL counts for a shopper; True when that is less than it thought.

    The purchases stay known, so that repeating the click of one that is over takes nothing.

    Raises:
        redis.RedisError: Redis is away.
    """
    record = gate.record_of(sale_id=sale.id, shopper=shopper)
    if record is None:
        return False
    counted, *known = record.split()
    ids = [UUID(word) for word in known]
    reservations.expire(stock_ids=sale.stock_ids)
    settled = Purchase.objects.filter(pk__in=ids).select_related("reservation", "order")
    purchases = {purchase.pk: purchase for purchase in settled}
    aside = SetAsideClaim.objects.filter(sale_id=sale.id, name__in=known).count()
    if len(purchases) + aside < len(ids):
        return False  # one is still in the queue
    over = (State.REFUSED, State.EXPIRED, State.RELEASED)
    units = sum(p.quantity for p in purchases.values() if state_of(p) not in over)
    if units >= int(counted):
        return False
    return gate.recount(sale_id=sale.id, shopper=shopper, record=record, units=units)


def find(purchase_id: UUID, *, shopper: UUID) -> Purchase | None:
    """A shopper's own settled purchase; None while it waits in the queue, or when it is not theirs."""
    return (
        Purchase.objects.select_related("sale", "item__variant__product", "reservation", "order")
        .filter(pk=purchase_id, shopper__shopper_id=shopper)
        .first()
    )


def of_shopper(sale: Sale, *, shopper: UUID | None) -> list[Purchase]:
    """A shopper's latest purchases of a sale, the last click first."""
    if shopper is None:
        return []
    own = Purchase.objects.filter(sale=sale, shopper__shopper_id=shopper)
    return list(
        own.select_related("sale", "item__variant__product", "reservation", "order").order_by(
            "-claimed_at"
        )[:10]
    )


def was_set_aside(purchase_id: UUID, *, shopper: UUID) -> bool:
    """Whether the shopper's claim could not be decided, and somebody looks at it."""
    known = SetAsideClaim.objects.filter(
        sale_id=sale_id_of(purchase_id), name=str(purchase_id), shopper=str(shopper)
    )
    return known.exists()


def sale_of_queued(purchase_id: UUID, *, shopper: UUID) -> Sale | None:
    """The sale in whose queue this purchase of the shopper waits; None when it does not."""
    sale_id = sale_id_of(purchase_id)
    try:
        record = gate.record_of(sale_id=sale_id, shopper=shopper)
    except redis.RedisError:
        return None
    if record is None or str(purchase_id) not in record.split()[1:]:
        return None
    return Sale.objects.filter(pk=sale_id).first()


def state_of(purchase: Purchase, *, now: datetime | None = None) -> State:
    """The state of a settled purchase, from its reservation and its order: select both with it."""
    reservation = purchase.reservation
    if purchase.refusal or reservation is None:
        return State.REFUSED
    match reservation.state:
        case Reservation.State.CONFIRMED | Reservation.State.CONSUMED:
            order = purchase.order
            # The units are theirs, and the bank has not said yet that it has paid.
            is_paid = order is None or order.state != Order.State.PENDING
            return State.PAID if is_paid else State.ORDERED
        case Reservation.State.EXPIRED:
            return State.EXPIRED
        case Reservation.State.RELEASED:
            return State.RELEASED
    moment = now or timezone.now()
    if reservation.expires_at <= moment:
        return State.EXPIRED
    return State.ORDERED if purchase.order_id else State.HELD


def order_line(purchase: Purchase) -> OrderLine:
    """What the shop's checkout needs of a hold: the variant, at the sale's price, with its reservation."""
    return OrderLine(
        variant=purchase.item.variant,
        quantity=purchase.quantity,
        unit_price=purchase.unit_price,
        reservation=purchase.reservation,
        has_own_price=True,
    )


def attach_order(purchase: Purchase, order: Order) -> None:
    """Remember the purchase's order, in the transaction that places it."""
    Purchase.objects.filter(pk=purchase.pk).update(order=order)


def can_extend(purchase: Purchase) -> bool:
    """Whether the shopper may still ask for more time to pay: once, if the merchant allows it."""
    reservation = purchase.reservation
    if reservation is None or reservation.extended_at is not None:
        return False
    if reservation.state != Reservation.State.HELD:
        return False
    return bool(_extension_seconds(purchase)) and state_of(purchase) in (State.HELD, State.ORDERED)


def extend(purchase: Purchase) -> Extended | NotExtended:
    """Hold it longer, once, by as much as the merchant allows."""
    if purchase.order is not None:
        return extensions.extend(order=purchase.order)
    ids = [purchase.reservation_id] if purchase.reservation_id else []
    outcome = extensions.extend_hold(reservation_ids=ids, seconds=_extension_seconds(purchase))
    if isinstance(outcome, Extended):
        extensions.follow_reservations(reservation_ids=ids)
    return outcome


def _extension_seconds(purchase: Purchase) -> int:
    """What was promised: by the order where there is one, else by the sale."""
    if purchase.order is not None:
        return purchase.order.extension_seconds
    return purchase.sale.hold_extension_seconds


def release(purchase: Purchase) -> bool:
    """Let a hold go and give its unit to the next in line; False when it was paid or over already."""
    if state_of(purchase) not in (State.HELD, State.ORDERED):
        return False
    ids, reason = [purchase.pk], "let go by the shopper"
    with transaction.atomic():
        # Another tab may just be ordering it: whoever has the reservation's row comes first.
        reservations.hold_still(reservation_ids=ids)
        order = Order.objects.filter(line_items__reservation=purchase.pk).first()
        released = order is None and bool(reservations.let_go(reservation_ids=ids, reason=reason))
    if order is not None and order.state == Order.State.PENDING:
        released = orders.cancel(order=order, actor="", reason=reason)
    if released:
        _open_gate(describe(purchase.sale), shopper=purchase.shopper_id)
    return released


def _open_gate(sale: SaleInfo, *, shopper: UUID) -> None:
    """Let the next shopper claim now what came free; without Redis the next sync does it."""
    try:
        recount(sale, shopper)
        gate.sync(sale, now=timezone.now())
    except redis.RedisError:
        log.warning("Redis is away: the gate of %s opens with the next sync", sale.slug)
