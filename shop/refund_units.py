"""Where units go when their price goes back: on the shelf, or off the books. The order's row is held."""

from collections.abc import Mapping

from django.db.models import F

from inventory import reservations, stock
from shop.models import LineItem, Order
from shop.order_states import BrokenOrder


def restock(
    order: Order, units: Mapping[LineItem, int], *, actor: str, reason: str
) -> set[LineItem]:
    """Put units back on the shelf, those that did not come back before; return the lines they are of.

    Args:
        units: in the order in which their stock is taken. Those of an order that was not shipped go back to
            where they were reserved; others into the main pool.
    """
    back = {
        item: min(count, item.quantity - item.released - item.returned)
        for item, count in units.items()
    }
    back = {item: count for item, count in back.items() if count}
    if order.fulfilled_at is not None:
        for item, count in back.items():
            LineItem.objects.filter(pk=item.pk).update(returned=F("returned") + count)
            about = f"order {order.reference}: {reason}"
            stock.receive(sku=item.sku, quantity=count, reason=about, actor=actor)
        return set(back)
    wanted = {item.reservation_id: count for item, count in back.items()}
    if back and not reservations.release_units(units=wanted, reason=reason):
        raise BrokenOrder(f"Order {order.reference} does not have the units that come back.")
    for item, count in back.items():
        LineItem.objects.filter(pk=item.pk).update(released=F("released") + count)
    return set(back)


def let_go_of_the_rest(order: Order, *, restock: bool, reason: str) -> None:
    """No unit stays promised to an order that is refunded: it goes back, or it is written off."""
    ids = list(order.line_items.values_list("reservation_id", flat=True))
    if restock:
        reservations.release(reservation_ids=ids, reason=reason)
    else:
        reservations.consume(reservation_ids=ids)
