"""How an order changes: one conditional UPDATE, and a line on the timeline with the mail that follows from it."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from shop import emails, mails, timeline
from shop.models import Order, OrderEvent
from shop.timeline import Values

State = Order.State


class BrokenOrder(Exception):
    """An order's units or money are not what its state says. The audit names it."""


def record(
    *,
    order: Order,
    kind: str,
    message: str,
    actor: str = "",
    is_internal: bool = False,
    values: Values | None = None,
    context: Mapping[str, Any] | None = None,
) -> OrderEvent:
    """Add a line to the timeline, and write down the mail that follows from it, with `context`.

    `values` stand in `message` by their names, as `%(reason)s`; see `timeline`.
    """
    event = OrderEvent.objects.create(
        order=order,
        kind=kind,
        message=(timeline.english(message, values) if values else message)[:300],
        text=message if values else "",
        values=values or {},
        actor=actor,
        is_internal=is_internal,
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


def change(*, order: Order, states: list[State], to: State, **fields: Any) -> bool:
    """The only way an order changes state: from one of `states`, or not at all."""
    changed = Order.objects.filter(pk=order.pk, state__in=states).update(state=to, **fields)
    return bool(changed)
