"""Money: amounts in whole units of a currency, and the one rule by which they are rounded.

Half up to the currency's smallest unit, at the line; sums are made of rounded lines and never rounded again.
"""

from collections.abc import Sequence
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

from babel.numbers import get_currency_precision
from django.conf import settings

#: Digits after the point that the tables keep: the few currencies with three are kept to two.
MAX_DIGITS = 2
#: Digits of a price, and of what is summed up from prices, those after the point included: below 10^10 and 10^16.
#: A cart of `carts.MAX_LINES` of the dearest things, `MAX_QUANTITY` of each, and 32,767 units of a sale (the most
#: that its limit can be), with delivery and tax on top, stay below the second: no total that is made of prices
#: which a form let through is too large for its column.
PRICE_DIGITS, SUM_DIGITS = 12, 18
HUNDRED = Decimal(100)


def smallest_unit(currency: str = "") -> Decimal:
    """`0.01` for EUR, `1` for JPY; of `settings.CURRENCY` when empty. Source: Unicode CLDR, through Babel."""
    digits = min(get_currency_precision(currency or settings.CURRENCY), MAX_DIGITS)
    return Decimal(1).scaleb(-digits)


def rounded(amount: Decimal, currency: str = "") -> Decimal:
    """Half up to the smallest unit: `1.005` is `1.01`."""
    unit = smallest_unit(currency)
    return (amount / unit).quantize(Decimal(1), ROUND_HALF_UP) * unit


def percent_of(amount: Decimal, percent: Decimal) -> Decimal:
    return rounded(amount * percent / HUNDRED)


def tax_on(amount: Decimal, percent: Decimal, *, is_included: bool) -> Decimal:
    """The tax in an amount that contains it, or what comes on top of one that does not."""
    return rounded(amount * percent / (HUNDRED + percent if is_included else HUNDRED))


def spread(amount: Decimal, over: Sequence[Decimal]) -> list[Decimal]:
    """Shares of `amount` in proportion to `over`, each at most its part; what does not divide is the last's.

    They add up to `amount`, or to the sum of the parts where that is less.
    """
    whole = sum(over, Decimal(0))
    left = min(amount, whole)
    if left <= 0:
        return [Decimal(0)] * len(over)
    unit = smallest_unit()
    shares = [(left * part / whole / unit).quantize(Decimal(1), ROUND_DOWN) * unit for part in over]
    left -= sum(shares)
    for position in reversed(range(len(over))):
        more = min(left, over[position] - shares[position])
        shares[position] += more
        left -= more
    return shares
