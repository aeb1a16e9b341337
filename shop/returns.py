"""Returns: what a shopper wants to send back after it was shipped.

    requested -> approved -> received (with a refund of its units, as far as they were not refunded)
    requested | approved -> refused

Each step is one conditional UPDATE under the order's row, with a line on the timeline and its mail. An order has
one open return at most.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from shop import refund_sums, refunds
from shop.models import LineItem, Order, Return, ReturnLine
from shop.order_states import hold_still, record
from shop.timeline import Values

State = Return.State
OPEN = (State.REQUESTED, State.APPROVED)


@dataclass(frozen=True, slots=True)
class Done:
    """The return is at its next step."""

    parcel: Return


@dataclass(frozen=True, slots=True)
class NotDone:
    """Nothing changed, because of this."""

    reason: str


def is_in_time(order: Order, *, now: datetime) -> bool:
    """Whether an order was shipped, and not too long ago to send things back."""
    if order.state != Order.State.FULFILLED or order.fulfilled_at is None:
        return False
    return now < order.fulfilled_at + timedelta(days=settings.RETURN_DAYS)


def returnable(order: Order) -> dict[LineItem, int]:
    """Units that may be sent back, of each line that has any: those whose price was not given back."""
    return refund_sums.unrefunded(order)


def open_return(order: Order) -> Return | None:
    return order.returns.filter(state__in=OPEN).first()


def may_ask(order: Order, *, now: datetime) -> bool:
    """Whether there is something that the shopper may ask to send back."""
    return is_in_time(order, now=now) and open_return(order) is None and bool(returnable(order))


def ask(
    *, order: Order, units: Mapping[int, int], reason: str, actor: str, now: datetime
) -> Done | NotDone:
    """The shopper's wish to send back `units` (by the primary key of their line item)."""
    wanted = {pk: count for pk, count in units.items() if count}
    with transaction.atomic():
        order = hold_still(order.pk)
        if not is_in_time(order, now=now):
            return NotDone(_("This order cannot be sent back, or not any more."))
        if open_return(order) is not None:
            return NotDone(_("A return of this order is under way already."))
        items = {item.pk: (item, left) for item, left in returnable(order).items()}
        if not wanted or not all(
            pk in items and 0 < count <= items[pk][1] for pk, count in wanted.items()
        ):
            return NotDone(_("Choose what you send back, at most what you have."))
        parcel = order.returns.create(reason=reason[:500])
        for pk, count in wanted.items():
            item = items[pk][0]
            before = refund_sums.refunded_units(item)
            parcel.lines.create(line_item=item, quantity=count, refunded_before=before)
        _record(
            parcel,
            kind="return_requested",
            message=gettext_noop("Return asked for: %(reason)s"),
            values={"reason": reason[:250]},
            actor=actor,
        )
        return Done(parcel)


def approve(*, parcel: Return, actor: str) -> Done | NotDone:
    """Agree to a return: the shopper may send it."""
    with transaction.atomic():
        hold_still(parcel.order_id)
        if not _move(parcel, Q(state=State.REQUESTED), state=State.APPROVED):
            return NotDone("Only a return that was asked for can be agreed to.")
        _record(
            parcel,
            kind="return_approved",
            message=gettext_noop("Return agreed to: please send it."),
            actor=actor,
            return_address=", ".join(settings.SHOP_ADDRESS.splitlines()),
        )
        return Done(parcel)


def refuse(*, parcel: Return, actor: str, answer: str) -> Done | NotDone:
    """Refuse a return, or one that was agreed to and did not come; `answer` is told to the shopper."""
    with transaction.atomic():
        hold_still(parcel.order_id)
        if not _move(
            parcel, Q(state__in=OPEN), state=State.REFUSED, answer=answer[:300], settled_at=Now()
        ):
            return NotDone("This return is settled already.")
        _record(
            parcel,
            kind="return_refused",
            message=gettext_noop("Return refused: %(reason)s"),
            values={"reason": answer},
            actor=actor,
            answer=answer,
        )
        return Done(parcel)


def receive(*, parcel: Return, actor: str, restock: bool) -> Done | NotDone:
    """It is here: give back what its units cost, and put them back on the shelf if they are as good as new.

    What was given back before is not given back again, so it may be less, or nothing: the units have come in
    any case, and the return is settled. Units of its lines that were refunded since it was asked for count as
    its own: staff can give back more with another refund, but cannot take money back.
    """
    with transaction.atomic():
        order = hold_still(parcel.order_id)
        if not _move(parcel, Q(state=State.APPROVED), state=State.RECEIVED, settled_at=Now()):
            return NotDone("Only a return that was agreed to can be received.")
        refund = refunds.refund_returned(
            order=order,
            units={line.line_item_id: line.quantity for line in parcel.lines.all()},
            owed=_owed(parcel),
            restock=restock,
            actor=actor,
            reason=gettext_noop("sent back"),
        )
        Return.objects.filter(pk=parcel.pk).update(refund=refund)
        parcel.refund = refund
        money: dict[str, Any] = (
            {"amount": str(refund.amount), "currency": refund.currency} if refund else {}
        )
        _record(
            parcel,
            kind="return_received",
            message=gettext_noop("Your return is here."),
            actor=actor,
            **money,
        )
        return Done(parcel)


def _owed(parcel: Return) -> dict[int, int]:
    """Units whose price was not given back while they were on their way, by the primary key of their line."""
    return {
        line.line_item_id: max(line.quantity - max(_refunded_since(line), 0), 0)
        for line in parcel.lines.select_related("line_item")
    }


def _refunded_since(line: ReturnLine) -> int:
    return refund_sums.refunded_units(line.line_item) - line.refunded_before


def _move(parcel: Return, when: Q, **fields: Any) -> bool:
    """The only way a return changes: from a state in which that makes sense, or not at all."""
    changed = Return.objects.filter(when, pk=parcel.pk).update(**fields)
    parcel.refresh_from_db()
    return bool(changed)


def _record(
    parcel: Return,
    *,
    kind: str,
    message: str,
    actor: str,
    values: Values | None = None,
    **context: str,
) -> None:
    lines = parcel.lines.select_related("line_item")
    record(
        order=parcel.order,
        kind=kind,
        message=message,
        values=values,
        actor=actor,
        context={
            "return_lines": [
                {"quantity": line.quantity, "name": line.line_item.name} for line in lines
            ],
            **context,
        },
    )
