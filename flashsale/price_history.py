"""The lowest price before a sale, which stands beside the sale's own (Directive 98/6/EC, article 6a)."""

from decimal import Decimal

from flashsale.models import Sale, SaleItem
from shop import prices

RAN = (Sale.Status.SCHEDULED, Sale.Status.PAUSED, Sale.Status.ENDED)


def lowest_before(sale: Sale) -> dict[int, Decimal | None]:
    """By variant: the lowest price of the thirty days before the sale opens, in the shop or in another sale."""
    variants = list(sale.items.values_list("variant_id", flat=True))
    lowest = prices.lowest_before(dict.fromkeys(variants, sale.opens_at))
    others = SaleItem.objects.filter(
        variant__in=variants,
        sale__status__in=RAN,
        sale__is_rehearsal=False,
        sale__opens_at__lt=sale.opens_at,
        sale__closes_at__gt=sale.opens_at - prices.PERIOD,
    )
    for variant, price in others.exclude(sale=sale).values_list("variant_id", "price"):
        known = lowest[variant]
        lowest[variant] = price if known is None else min(price, known)
    return lowest
