"""More time to pay, once, for a shopper who asks for it (WCAG 2.2.1).

How much was promised when the order was placed stands on the order; that it was used stands on its
reservations, so a hold that was extended before it was ordered is not extended again. The order's own end
follows its reservations; a payment that is under way is not touched.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from django.db import transaction
from django.db.models import Min
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from inventory import reservations
from inventory.models import Reservation
from shop import orders
from shop.models import Order


@dataclass(frozen=True, slots=True)
class Extended:
    """What is held is held until then."""

    until: datetime


class NotExtended(StrEnum):
    """Why there is no more time. Nothing changed."""

    ALREADY = "already_extended"
    ENDED = "hold_ended"
    NOT_OFFERED = "no_extension"
    PAID = "already_paid"


#: What a shopper is told.
REASONS = {
    NotExtended.ALREADY: _("You were given more time already; it can be done once."),
    NotExtended.ENDED: _("The time was over: there is nothing left to hold. Nothing is charged."),
    NotExtended.NOT_OFFERED: _("There is no more time to be had here."),
    NotExtended.PAID: _(
        "It is paid, or its payment is just being completed: it needs no more time."
    ),
}


def can_extend(order: Order) -> bool:
    """Whether an unpaid order's shopper may still ask for more time."""
    if not order.extension_seconds or not orders.is_alive(order):
        return False
    return not Reservation.objects.filter(
        line_item__order=order, extended_at__isnull=False
    ).exists()


def extend(*, order: Order) -> Extended | NotExtended:
    """Hold what an unpaid order holds for as much longer as it was promised, once."""
    with transaction.atomic():
        held = orders.hold_still(order.pk)
        outcome = extend_hold(
            reservation_ids=orders.reservation_ids(held), seconds=held.extension_seconds
        )
        if isinstance(outcome, Extended):
            Order.objects.filter(pk=held.pk).update(expires_at=outcome.until)
        return outcome


def extend_hold(*, reservation_ids: Sequence[UUID], seconds: int) -> Extended | NotExtended:
    """Hold these for `seconds` longer, once: all of them, or none."""
    if not seconds:
        return NotExtended.NOT_OFFERED
    rows = Reservation.objects.filter(pk__in=reservation_ids)
    if reservations.extend(reservation_ids=reservation_ids, seconds=seconds):
        return Extended(rows.aggregate(first=Min("expires_at"))["first"])
    if rows.filter(state__in=[Reservation.State.CONFIRMED, Reservation.State.CONSUMED]).exists():
        return NotExtended.PAID
    alive = rows.filter(state=Reservation.State.HELD, expires_at__gt=Now())
    if not reservation_ids or alive.count() < len(reservation_ids):
        return NotExtended.ENDED
    return NotExtended.ALREADY


def follow_reservations(*, reservation_ids: Sequence[UUID]) -> None:
    """Let an order that was placed while its hold was being extended end when the hold does."""
    for order in Order.objects.filter(line_items__reservation__in=reservation_ids):
        with transaction.atomic():
            held = orders.hold_still(order.pk)
            ends = Reservation.objects.filter(line_item__order=held)
            held.expires_at = ends.aggregate(first=Min("expires_at"))["first"]
            held.save(update_fields=["expires_at"])
