"""What stands on an order's papers: invoice, credit note and packing slip. `document_pdf` draws them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from shop import credit_notes, invoices
from shop.models import Invoice, Order, Refund
from shop.templatetags.shop import money


@dataclass(frozen=True, slots=True)
class Document:
    """A paper, in the order in which it is read. Texts are final: amounts and dates are written out."""

    title: str
    issued_at: datetime
    seller: Sequence[str]
    recipient: Sequence[str]
    facts: Sequence[tuple[str, str]]
    #: Headings of the table's columns; the second one is the wide one, and numbers are to the right of it.
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    #: What stands under the table, label and amount: what adds up to the total, the total, and what it includes.
    sums: Sequence[tuple[str, str]] = ()
    total: tuple[str, str] | None = None
    included: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()


def invoice_of(order: Order) -> Document | None:
    """The invoice of an order that was paid; None when it has none."""
    invoice = invoices.of(order)
    if invoice is None:
        return None
    taxes = _named(credit_notes.taxes_of(order), order)
    return Document(
        title=_("Invoice %(number)s") % {"number": invoice.number},
        issued_at=invoice.issued_at,
        seller=invoice.seller.splitlines(),
        recipient=_recipient(invoice, order),
        facts=[
            (_("Date"), _day(invoice.issued_at)),
            (_("Order"), order.reference),
            (_("Ordered"), _day(order.placed_at)),
        ],
        columns=[_("SKU"), _("What"), _("Units"), _("Each"), _("Amount")],
        rows=[
            [
                item.sku,
                item.name,
                str(item.quantity),
                money(item.unit_price, order.currency),
                money(item.total, order.currency),
            ]
            for item in order.line_items.all()
        ],
        sums=[*_sums(order), *([] if order.tax_is_included else taxes)],
        total=(_("Total"), money(order.total, order.currency)),
        included=_included(taxes) if order.tax_is_included else [],
        notes=[_("Paid. Thank you for your order.")],
    )


def credit_note_of(refund: Refund) -> Document | None:
    """What corrects the invoice when money was given back; None before it was, and for what was not on it."""
    order = refund.order
    invoice, number = invoices.of(order), refund.credit_number
    is_done = refund.state == Refund.State.DONE
    if invoice is None or number is None or not is_done or refund.done_at is None:
        return None
    rows = [
        [
            line.line_item.sku,
            line.line_item.name,
            str(line.quantity),
            money(line.amount, refund.currency),
        ]
        for line in refund.lines.select_related("line_item").order_by("line_item_id")
    ]
    for_goods = sum((line.amount for line in refund.lines.all()), Decimal(0))
    besides = refund.amount - refund.shipping - for_goods
    if refund.shipping:
        rows.append(["", _("Delivery"), "", money(refund.shipping, refund.currency)])
    if besides:
        rows.append(["", _(refund.reason), "", money(besides, refund.currency)])
    return Document(
        title=_("Credit note %(number)s") % {"number": f"{invoice.number}-{number}"},
        issued_at=refund.done_at,
        seller=invoice.seller.splitlines(),
        recipient=_recipient(invoice, order),
        facts=[
            (_("Date"), _day(refund.done_at)),
            (_("Order"), order.reference),
            (_("Corrects invoice"), str(invoice.number)),
        ],
        columns=[_("SKU"), _("What"), _("Units"), _("Amount")],
        rows=rows,
        total=(_("Given back"), money(refund.amount, refund.currency)),
        # Also where it came on top: what units and delivery cost is with their tax.
        included=_included(_named(credit_notes.taxes_in(refund), order)),
        notes=[_(refund.reason)] if refund.reason else [],
    )


def packing_slip_of(order: Order) -> Document:
    """What belongs into the parcel; no prices, for it may be a present."""
    return Document(
        title=_("Packing slip %(reference)s") % {"reference": order.reference},
        issued_at=order.fulfilled_at or timezone.now(),
        seller=invoices.seller().splitlines(),
        recipient=[*invoices.recipient(order).splitlines(), str(order.country.name)],
        facts=[
            (_("Order"), order.reference),
            (_("Ordered"), _day(order.placed_at)),
            *([(_("Delivery"), order.shipping_method)] if order.shipping_method else []),
        ],
        columns=[_("SKU"), _("What"), _("Units")],
        rows=[
            [item.sku, item.name, str(item.quantity - item.released)]
            for item in order.line_items.all()
            if item.quantity > item.released
        ],
        notes=[order.note] if order.note else [],
    )


def _sums(order: Order) -> list[tuple[str, str]]:
    sums = [(_("Goods"), money(order.subtotal, order.currency))]
    if order.discount:
        label = f"{_('Discount')} {order.discount_code}".strip()
        sums.append((label, money(-order.discount, order.currency)))
    return [*sums, (_("Delivery"), money(order.shipping, order.currency))]


def _named(taxes: credit_notes.Taxes, order: Order) -> list[tuple[str, str]]:
    """Taxes as they are written: the highest rate first, and that on delivery last."""
    name = order.tax_name or _("tax")
    rates = sorted((rate for rate in taxes if rate is not None), reverse=True)
    named = [
        (f"{rate.normalize():f} % {name}", money(taxes[rate], order.currency)) for rate in rates
    ]
    if None in taxes:
        label = _("%(name)s on delivery") % {"name": name}
        named.append((label, money(taxes[None], order.currency)))
    return named


def _included(taxes: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(_("Includes %(tax)s") % {"tax": label}, tax) for label, tax in taxes]


def _recipient(invoice: Invoice, order: Order) -> list[str]:
    """To whom it was issued; the country is in the reader's language, like the rest of the paper."""
    return [*invoice.recipient.splitlines(), str(order.country.name)]


def _day(moment: datetime) -> str:
    return date_format(timezone.localtime(moment), "DATE_FORMAT")
