"""Quotes: what an order would come to, with its delivery, tax and discount. The one place where a total is made.

    goods - discount + delivery (+ tax, where it comes on top) = total

The page shows a quote, the order keeps one, and both are made by the same function from the same rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils import timezone

from shop import discounts, shipping, taxes
from shop.discounts import Applied, Buyer, CodeRefused
from shop.money import tax_on
from shop.order_lines import OrderLine
from shop.shipping import Offer
from shop.taxes import CountryTax

ZERO = Decimal("0.00")


@dataclass(frozen=True, slots=True)
class QuotedLine:
    """A line with its share of the discount, and the tax on what is left."""

    line: OrderLine
    discount: Decimal
    tax_percent: Decimal
    tax: Decimal


@dataclass(frozen=True, slots=True)
class Quote:
    """What it comes to. Its amounts have the names that they have on an order.

    `offer` is None when nothing is delivered to the country; `refusal` says why a code is not counted.
    """

    lines: Sequence[QuotedLine]
    offers: Sequence[Offer]
    offer: Offer | None
    country_tax: CountryTax
    applied: Applied | None = None
    refusal: CodeRefused | None = None

    @property
    def subtotal(self) -> Decimal:
        return sum((quoted.line.total for quoted in self.lines), ZERO)

    @property
    def discount(self) -> Decimal:
        return sum((quoted.discount for quoted in self.lines), ZERO)

    @property
    def discount_code(self) -> str:
        return self.applied.code.code if self.applied else ""

    @property
    def shipping(self) -> Decimal:
        if self.offer is None or (self.applied is not None and self.applied.frees_delivery):
            return ZERO
        return self.offer.price

    @property
    def shipping_method(self) -> str:
        return self.offer.name if self.offer else ""

    @property
    def delivery_tax(self) -> Decimal:
        percent = self.country_tax.on_delivery
        return tax_on(self.shipping, percent, is_included=self.country_tax.is_included)

    @property
    def tax(self) -> Decimal:
        return sum((quoted.tax for quoted in self.lines), self.delivery_tax)

    @property
    def tax_name(self) -> str:
        return self.country_tax.name

    @property
    def tax_is_included(self) -> bool:
        return self.country_tax.is_included

    @property
    def tax_percent(self) -> Decimal | None:
        """The rate, where one alone was applied."""
        percents = {quoted.tax_percent for quoted in self.lines}
        if self.shipping:
            percents.add(self.country_tax.on_delivery)
        return percents.pop() if len(percents) == 1 else None

    @property
    def total(self) -> Decimal:
        on_top = ZERO if self.tax_is_included else self.tax
        return self.subtotal - self.discount + self.shipping + on_top

    @property
    def free_delivery_left(self) -> Decimal:
        """What is missing until this way of delivery costs nothing; 0 when it does not, or never will."""
        if not self.shipping or self.offer is None or self.offer.free_from is None:
            return ZERO
        return max(self.offer.free_from - self.subtotal, ZERO)


def quote(
    *,
    lines: Sequence[OrderLine],
    country: str,
    delivery: int | None = None,
    code: str = "",
    buyer: Buyer | None = None,
    now: datetime | None = None,
) -> Quote:
    """What `lines` would come to.

    Args:
        country: where they go, as an ISO 3166 code of two letters.
        delivery: the id of the way that was chosen; the first that there is when it is None or not offered.
        code: a discount code as it was typed; empty for none.
    """
    offered = shipping.offers(
        country=country,
        weight_grams=sum(line.weight_grams for line in lines),
        subtotal=sum((line.total for line in lines), ZERO),
    )
    judged = (
        discounts.judge(code=code, lines=lines, buyer=buyer or Buyer(), now=now or timezone.now())
        if code
        else None
    )
    country_tax = taxes.of_country(country)

    def made(applied: Applied | None, refusal: CodeRefused | None) -> Quote:
        return Quote(
            lines=_with_discount_and_tax(lines, applied, country_tax),
            offers=offered,
            offer=shipping.pick(offered, delivery),
            country_tax=country_tax,
            applied=applied,
            refusal=refusal,
        )

    if isinstance(judged, Applied):
        return made(judged, None)
    return made(None, judged)


def _with_discount_and_tax(
    lines: Sequence[OrderLine], applied: Applied | None, country_tax: CountryTax
) -> list[QuotedLine]:
    shares = applied.shares if applied else [ZERO] * len(lines)
    quoted = []
    for line, share in zip(lines, shares, strict=True):
        percent = country_tax.percent(line.variant.product.tax_class)
        tax = tax_on(line.total - share, percent, is_included=country_tax.is_included)
        quoted.append(QuotedLine(line=line, discount=share, tax_percent=percent, tax=tax))
    return quoted
