"""Orders: a state machine whose every step is one conditional UPDATE and a line on the timeline.

    pending -> paid -> fulfilled          pending -> expired | cancelled
    paid -> cancelled (with refund)       paid | fulfilled -> refunded
    expired -> pending, when a late authorisation found its units free once more

Rows are taken in one order: the order, its payment intents, its reservations, the stock. Whoever holds the
order's row decides; so an order whose reservations a payment confirmed can not expire. Money is moved by
`payments`, later: here an intent is only told where it has to go (cancelling, refunding).
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from inventory import reservations
from inventory.models import Reservation
from shop import emails, mails
from shop.models import LineItem, Order, OrderEvent, PaymentIntent

State = Order.State
Intent = PaymentIntent.State

#: Orders that one run of the sweep looks at.
EXPIRE_BATCH = 200
#: Until the intent is decided in one of these, its order neither expires nor can be cancelled.
DECIDING = (Intent.AUTHORISED, Intent.CONFIRMED, Intent.CAPTURED)


class BrokenOrder(Exception):
    """An order's units or money are not what its state says. The audit names it."""


def record(
    *,
    order: Order,
    kind: str,
    message: str,
    actor: str = "",
    is_internal: bool = False,
    context: Mapping[str, Any] | None = None,
) -> OrderEvent:
    """Add a line to the timeline, and write down the mail that follows from it, with `context`."""
    event = OrderEvent.objects.create(
        order=order, kind=kind, message=message[:300], actor=actor, is_internal=is_internal
    )
    if kind in emails.MAILS:
        mails.write(
            key=f"order-event:{event.pk}",
            template=emails.MAILS[kind],
            to=order.email,
            order=order,
            context=context,
        )
    return event


def hold_still(order_id: UUID) -> Order:
    """The order's row, for the rest of the transaction: who changes an order waits for one another."""
    return Order.objects.select_for_update(no_key=True).get(pk=order_id)


def reservation_ids(order: Order) -> list[UUID]:
    return list(order.line_items.values_list("reservation_id", flat=True))


def change(*, order: Order, states: list[State], to: State, **stamps: Now | None) -> bool:
    """The only way an order changes state: from one of `states`, or not at all."""
    changed = Order.objects.filter(pk=order.pk, state__in=states).update(state=to, **stamps)
    return bool(changed)


def is_alive(order: Order) -> bool:
    """Whether an unpaid order still has all its units, on the database's clock."""
    return (
        order.state == State.PENDING
        and not Order.objects.filter(_has_dead_units(), pk=order.pk).exists()
    )


def pay(*, order: Order) -> bool:
    """Pending to paid, in the transaction that records the capture."""
    if not change(order=order, states=[State.PENDING], to=State.PAID, paid_at=Now()):
        return False
    record(order=order, kind="paid", message="Paid. Everything is kept for you.")
    return True


def revive(*, order: Order) -> None:
    """Expired to pending: a late authorisation took its units once more."""
    if change(order=order, states=[State.EXPIRED], to=State.PENDING, closed_at=None):
        record(
            order=order, kind="revived", message="Your payment came late, and it was still free."
        )


def fulfil(*, order: Order, actor: str) -> bool:
    """Paid to shipped: the units leave the stock. False when the order is not paid (any more).

    Raises:
        BrokenOrder: some of its units are not confirmed.
    """
    with transaction.atomic():
        if not change(order=order, states=[State.PAID], to=State.FULFILLED, fulfilled_at=Now()):
            return False
        ids = reservation_ids(order)
        if reservations.consume(reservation_ids=ids) != len(ids):
            raise BrokenOrder(f"Order {order.reference} has units that are not confirmed.")
        record(order=order, kind="fulfilled", message="On its way to you.", actor=actor)
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
        hold_still(order.pk)
        if seen == State.PENDING and order.payment_intents.filter(state__in=DECIDING).exists():
            return False
        if not change(order=order, states=[seen], to=State.CANCELLED, closed_at=Now()):
            return False
        if seen == State.PAID:
            _give_money_back(order)
        else:
            _stop_payments(order)
        reservations.release(reservation_ids=reservation_ids(order), reason=reason)
        record(order=order, kind="cancelled", message=f"Cancelled: {reason}.", actor=actor)
        return True


def refund(*, order: Order, actor: str, reason: str) -> bool:
    """Paid or shipped to refunded, in full. Units that were not shipped go back on the shelf, once."""
    with transaction.atomic():
        hold_still(order.pk)
        states = [State.PAID, State.FULFILLED]
        if not change(order=order, states=states, to=State.REFUNDED, closed_at=Now()):
            return False
        _give_money_back(order)
        reservations.release(reservation_ids=reservation_ids(order), reason=reason)
        message = f"A refund was started: {reason}."
        record(order=order, kind="refund_started", message=message, actor=actor)
        return True


def expire_due(*, limit: int = EXPIRE_BATCH) -> int:
    """Close pending orders whose units are gone, and have their payments cancelled; return how many.

    Orders that somebody else works on, and those whose payment is being decided, are left alone.
    """
    due = Order.objects.filter(_has_dead_units(), state=State.PENDING).order_by("expires_at")
    return sum(_expire(pk) for pk in due.values_list("pk", flat=True)[:limit])


def close_unpaid(*, order: Order, message: str, kind: str = "expired") -> bool:
    """Pending to expired; the row is held by the caller. What is still held is let go."""
    if not change(order=order, states=[State.PENDING], to=State.EXPIRED, closed_at=Now()):
        return False
    _stop_payments(order)
    live = Reservation.objects.filter(
        line_item__order=order, state=Reservation.State.HELD, expires_at__gt=Now()
    )
    reservations.release(reservation_ids=live.values_list("pk", flat=True), reason="order expired")
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
            order=order, message="No payment came in time. What was held went back on the shelf."
        )


def _has_dead_units() -> Exists:
    dead = Q(reservation__state__in=[Reservation.State.EXPIRED, Reservation.State.RELEASED]) | Q(
        reservation__state=Reservation.State.HELD, reservation__expires_at__lte=Now()
    )
    items: QuerySet[LineItem] = LineItem.objects.filter(dead, order=OuterRef("pk"))
    return Exists(items)


def _stop_payments(order: Order) -> None:
    order.payment_intents.filter(state=Intent.CREATED).update(
        state=Intent.CANCELLING, updated_at=Now()
    )


def _give_money_back(order: Order) -> None:
    captured = order.payment_intents.filter(state=Intent.CAPTURED)
    if captured.update(state=Intent.REFUNDING, updated_at=Now()) != 1:
        raise BrokenOrder(f"Order {order.reference} has no captured payment to give back.")
