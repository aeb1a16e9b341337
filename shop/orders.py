"""Orders: a state machine whose every step is one conditional UPDATE and a line on the timeline.

    pending -> paid -> fulfilled          pending -> expired | cancelled
    paid -> cancelled (with refund)       paid | fulfilled -> refunded
    expired -> pending, when a late authorisation found its units free once more

Rows are taken in one order: the order, its payment intents, its reservations, the stock, its discount code.
Whoever holds the order's row decides; so an order whose reservations a payment confirmed can not expire. Money
is moved by `payments` and `refund_settling`, later: here an intent is only told where it has to go (cancelling,
refunding).
"""

import logging
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext_noop

from inventory import reservations
from inventory.models import Reservation
from shop import discounts, invoices, refunds
from shop.models import LineItem, Order, PaymentIntent
from shop.order_states import BrokenOrder, change, hold_still, record

__all__ = [
    "BrokenOrder",
    "cancel",
    "change",
    "close_unpaid",
    "expire_due",
    "fulfil",
    "hold_still",
    "is_alive",
    "note",
    "pay",
    "record",
    "refund",
    "reservation_ids",
    "revive",
]

log = logging.getLogger(__name__)

State = Order.State
Intent = PaymentIntent.State

#: Orders that one run of the sweep looks at.
EXPIRE_BATCH = 200
#: Until the intent is decided in one of these, its order neither expires nor can be cancelled.
DECIDING = (Intent.AUTHORISED, Intent.CONFIRMED, Intent.CAPTURED)


def reservation_ids(order: Order) -> list[UUID]:
    return list(order.line_items.values_list("reservation_id", flat=True))


def is_alive(order: Order) -> bool:
    """Whether an unpaid order still has all its units, on the database's clock."""
    return (
        order.state == State.PENDING
        and not Order.objects.filter(_has_dead_units(), pk=order.pk).exists()
    )


def pay(*, order: Order) -> bool:
    """Pending to paid, in the transaction that records the capture, and with its invoice."""
    if not change(order=order, states=[State.PENDING], to=State.PAID, paid_at=Now()):
        return False
    record(order=order, kind="paid", message=gettext_noop("Paid. Everything is kept for you."))
    invoices.issue(order=order)  # last: see there
    return True


def revive(*, order: Order) -> None:
    """Expired to pending: a late authorisation took its units once more."""
    if change(order=order, states=[State.EXPIRED], to=State.PENDING, closed_at=None):
        record(
            order=order,
            kind="revived",
            message=gettext_noop("Your payment came late, and it was still free."),
        )


def fulfil(
    *,
    order: Order,
    actor: str,
    carrier: str = "",
    tracking_number: str = "",
    tracking_url: str = "",
) -> bool:
    """Paid to shipped: the units leave the stock. False when the order is not paid (any more), or has none.

    Raises:
        BrokenOrder: some of its units are not confirmed.
    """
    with transaction.atomic():
        hold_still(order.pk)
        lines = order.line_items.filter(released__lt=F("quantity"))
        ids = list(lines.values_list("reservation_id", flat=True))
        if not ids or not change(
            order=order,
            states=[State.PAID],
            to=State.FULFILLED,
            fulfilled_at=Now(),
            carrier=carrier,
            tracking_number=tracking_number,
            tracking_url=tracking_url,
        ):
            return False
        if reservations.consume(reservation_ids=ids) != len(ids):
            raise BrokenOrder(f"Order {order.reference} has units that are not confirmed.")
        how = " ".join(part for part in (carrier, tracking_number) if part)
        with_it = gettext_noop("On its way to you, with %(how)s.")
        record(
            order=order,
            kind="fulfilled",
            message=with_it if how else gettext_noop("On its way to you."),
            values={"how": how} if how else {},
            actor=actor,
        )
        return True


def cancel(*, order: Order, actor: str, reason: str) -> bool:
    """Cancel a pending or paid order and give its units back; paid money goes back, too.

    Only from the state in which the caller saw it: who cancels an unpaid order does not mean one that was
    paid a moment ago. False when it is in another state, or its payment is just being decided.
    """
    if order.state not in (State.PENDING, State.PAID):
        return False
    with transaction.atomic():
        seen = State(order.state)
        held = hold_still(order.pk)
        if seen == State.PENDING and order.payment_intents.filter(state__in=DECIDING).exists():
            return False
        if not change(order=order, states=[seen], to=State.CANCELLED, closed_at=Now()):
            return False
        if seen == State.PAID:
            captured = refunds.captured_of(held)
            if captured is not None:
                refunds.give_back_rest(
                    captured, order=held, reason=reason, actor=actor, is_for_goods=True
                )
        else:
            _stop_payments(order)
        reservations.release(reservation_ids=reservation_ids(order), reason=reason)
        if seen == State.PENDING:
            discounts.give_back(order=order)
        record(
            order=order,
            kind="cancelled",
            message=gettext_noop("Cancelled: %(reason)s."),
            values={"reason": reason},
            actor=actor,
        )
        return True


def refund(*, order: Order, actor: str, reason: str, restock: bool | None = None) -> bool:
    """Paid or shipped to refunded, in full; see `refunds.refund_in_full`."""
    outcome = refunds.refund_in_full(order=order, actor=actor, reason=reason, restock=restock)
    return isinstance(outcome, refunds.Started)


def note(*, order: Order, text: str, actor: str, is_internal: bool) -> None:
    """Add a person's note to the timeline: for staff alone, or for the shopper to read, too."""
    record(order=order, kind="note", message=text, actor=actor, is_internal=is_internal)


def expire_due(*, limit: int = EXPIRE_BATCH) -> int:
    """Close pending orders whose units are gone, and have their payments cancelled; return how many.

    Orders that somebody else works on, and those whose payment is being decided, are left alone. What goes
    wrong with one keeps no other waiting.
    """
    due = Order.objects.filter(_has_dead_units(), state=State.PENDING).order_by("expires_at")
    expired = 0
    for pk in due.values_list("pk", flat=True)[:limit]:
        try:
            expired += _expire(pk)
        except Exception:
            log.exception("Order %s cannot be closed", pk)
    return expired


def close_unpaid(*, order: Order, message: str, kind: str = "expired") -> bool:
    """Pending to expired; the row is held by the caller. What is still held is let go."""
    if not change(order=order, states=[State.PENDING], to=State.EXPIRED, closed_at=Now()):
        return False
    _stop_payments(order)
    live = Reservation.objects.filter(
        line_item__order=order, state=Reservation.State.HELD, expires_at__gt=Now()
    )
    reservations.release(reservation_ids=live.values_list("pk", flat=True), reason="order expired")
    discounts.give_back(order=order)
    record(order=order, kind=kind, message=message)
    return True


def _expire(order_id: UUID) -> bool:
    with transaction.atomic():
        order = (
            Order.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
            .filter(_has_dead_units(), pk=order_id, state=State.PENDING)
            .first()
        )
        if order is None or order.payment_intents.filter(state__in=DECIDING).exists():
            return False
        return close_unpaid(
            order=order,
            message=gettext_noop("No payment came in time. What was held went back on the shelf."),
        )


def _has_dead_units() -> Exists:
    dead = Q(reservation__state__in=[Reservation.State.EXPIRED, Reservation.State.RELEASED]) | Q(
        reservation__state=Reservation.State.HELD, reservation__expires_at__lte=Now()
    )
    items: QuerySet[LineItem] = LineItem.objects.filter(dead, order=OuterRef("pk"))
    return Exists(items)


def _stop_payments(order: Order) -> None:
    order.payment_intents.filter(state=Intent.CREATED).update(
        state=Intent.CANCELLING, tries=0, last_error="", updated_at=Now()
    )
