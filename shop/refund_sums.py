"""What of an order can be given back, to the cent.

What a unit cost is its share of what its line was paid for: price, minus discount, plus the tax that came on
top. Units are rounded down, and the last one has the remainder; what is left of the total is delivery. So all
lines and delivery, refunded one by one, give back the total.
"""

from decimal import ROUND_DOWN, Decimal

from django.db.models import Sum

from shop.models import LineItem, Order, PaymentIntent, Refund, RefundLine
from shop.money import smallest_unit
from shop.templatetags.shop import money


def left_of(intent: PaymentIntent) -> Decimal:
    """What of a captured payment is neither back nor on its way."""
    given = intent.refunds.filter(state__in=Refund.GIVING).aggregate(sum=Sum("amount"))["sum"]
    return intent.amount - (given or Decimal(0))


def is_all_back(intent: PaymentIntent) -> bool:
    done = intent.refunds.filter(state=Refund.State.DONE).aggregate(sum=Sum("amount"))["sum"]
    return bool(done == intent.amount)


def refunded_units(item: LineItem) -> int:
    """Units of a line whose price is back, or on its way."""
    lines = RefundLine.objects.filter(line_item=item, refund__state__in=Refund.GIVING)
    return lines.aggregate(sum=Sum("quantity"))["sum"] or 0


def in_order(order: Order) -> list[LineItem]:
    """The order's lines as their stock is taken: by SKU, and sorted here, as `inventory.reservations` does.

    The database would sort by its own collation, and two who take the same rows the other way round deadlock.
    """
    return sorted(order.line_items.all(), key=lambda item: item.sku)


def unrefunded(order: Order) -> dict[LineItem, int]:
    """Units whose price was not given back, of each line that has any."""
    lines = RefundLine.objects.filter(line_item__order=order, refund__state__in=Refund.GIVING)
    given = dict(lines.values_list("line_item").annotate(sum=Sum("quantity")))
    left = {item: item.quantity - given.get(item.pk, 0) for item in in_order(order)}
    return {item: units for item, units in left.items() if units}


def paid_for(item: LineItem, *, order: Order) -> Decimal:
    """What the shopper paid for a line."""
    on_top = Decimal(0) if order.tax_is_included else item.tax
    return item.total - item.discount + on_top


def cost_of(item: LineItem, units: int, *, order: Order) -> Decimal:
    """What the next `units` of a line cost that were not refunded yet."""
    paid, before = paid_for(item, order=order), refunded_units(item)
    unit = smallest_unit(order.currency)
    each = (paid / item.quantity / unit).quantize(Decimal(1), rounding=ROUND_DOWN) * unit
    return paid - each * before if before + units == item.quantity else each * units


def delivery_of(order: Order) -> Decimal:
    """What the shopper paid for delivery, with its tax."""
    goods = sum((paid_for(item, order=order) for item in order.line_items.all()), Decimal(0))
    return order.total - goods


def delivery_left(order: Order) -> Decimal:
    """What of it is neither back nor on its way."""
    given = order.refunds.filter(state__in=Refund.GIVING).aggregate(sum=Sum("shipping"))["sum"]
    return delivery_of(order) - (given or Decimal(0))


def shown(refund: Refund) -> str:
    return money(refund.amount, refund.currency)
