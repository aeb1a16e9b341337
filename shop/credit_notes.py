"""Credit notes: their numbers, and the tax in what was given back. `documents` writes them.

An order's notes are numbered one after another, in the order in which the money was back, and a number never
changes. A note corrects the invoice, so a payment that goes back because the order had another, or that came too
late, has none: invoice minus notes is what the shop has earned with the order.
"""

from collections import defaultdict
from decimal import Decimal

from django.db.models import Max

from shop import refund_sums
from shop.models import LineItem, Order, Refund, RefundLine
from shop.money import rounded

#: Tax by its rate in percent; that on delivery, which has none of its own, by None.
Taxes = dict[Decimal | None, Decimal]


def number_all(order: Order) -> None:
    """Number those refunds of what paid an order that are done, and have no number yet; the order's row is held."""
    last = order.refunds.aggregate(last=Max("credit_number"))["last"] or 0
    new = order.refunds.filter(state=Refund.State.DONE, is_for_goods=True, credit_number=None)
    pks = list(new.order_by("done_at").values_list("pk", flat=True))
    for number, pk in enumerate(pks, start=last + 1):
        Refund.objects.filter(pk=pk).update(credit_number=number)


def taxes_of(order: Order) -> Taxes:
    """An order's tax, rate by rate."""
    taxes: defaultdict[Decimal | None, Decimal] = defaultdict(Decimal)
    for item in order.line_items.all():
        taxes[item.tax_percent] += item.tax
    taxes[None] = order.tax - sum(taxes.values(), Decimal(0))
    return {rate: tax for rate, tax in taxes.items() if tax}


def taxes_in(refund: Refund) -> Taxes:
    """The tax in what a refund that has a note gave back, rate by rate.

    That of all notes up to this one, less that of those before, each rounded: so the notes of an order that is
    given back altogether have the tax of its invoice, to the cent.
    """
    number, order = refund.credit_number, refund.order
    if number is None:
        raise ValueError(f"Refund {refund.pk} is {refund.state}, and has no credit note.")
    before, now = (_taxes_up_to(last, order=order) for last in (number - 1, number))
    taxes = {
        rate: rounded(tax, order.currency) - rounded(before.get(rate, Decimal(0)), order.currency)
        for rate, tax in now.items()
    }
    return {rate: tax for rate, tax in taxes.items() if tax}


def _taxes_up_to(number: int, *, order: Order) -> Taxes:
    """What is for units and for delivery has their share of its tax; what is besides, of the whole order's."""
    refunds = order.refunds.filter(credit_number__lte=number)
    besides = sum((refund.amount for refund in refunds), Decimal(0))
    taxes: defaultdict[Decimal | None, Decimal] = defaultdict(Decimal)
    for line in RefundLine.objects.filter(refund__in=refunds).select_related("line_item"):
        besides -= line.amount
        taxes[line.line_item.tax_percent] += _share(line.line_item, line.amount, order=order)
    whole = taxes_of(order)
    for_delivery = sum((refund.shipping for refund in refunds), Decimal(0))
    besides -= for_delivery
    if for_delivery:
        taxes[None] += whole.get(None, Decimal(0)) * for_delivery / refund_sums.delivery_of(order)
    for rate, tax in whole.items():
        taxes[rate] += tax * besides / order.total
    return dict(taxes)


def _share(item: LineItem, amount: Decimal, *, order: Order) -> Decimal:
    paid = refund_sums.paid_for(item, order=order)
    return item.tax * amount / paid if paid else Decimal(0)
