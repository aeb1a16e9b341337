"""When a thing would be with the shopper: the delivery methods' days, counted in working days from today."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from shop import shipping

#: `date.weekday()` from which on nothing is packed or brought.
SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Estimate:
    """How the first delivery method brings it; both days are None where the method does not say."""

    name: str
    price: Decimal
    free_from: Decimal | None
    first: date | None
    last: date | None


def estimate(*, today: date, country: str, weight_grams: int, subtotal: Decimal) -> Estimate | None:
    """What the first method that goes to `country` promises; None where nothing goes."""
    offered = shipping.offers(country=country, weight_grams=weight_grams, subtotal=subtotal)
    offer = shipping.pick(offered, None)
    if offer is None:
        return None
    first, last = offer.min_days, offer.max_days
    return Estimate(
        name=offer.name,
        price=offer.price,
        free_from=offer.free_from,
        first=None if first is None else after_working_days(today, first),
        last=None if last is None else after_working_days(today, last),
    )


def after_working_days(day: date, days: int) -> date:
    """The day that is so many working days later, Monday to Friday; holidays are not known here."""
    while days > 0:
        day += timedelta(days=1)
        days -= day.weekday() < SATURDAY
    return day
