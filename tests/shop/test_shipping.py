"""Ways of delivery, by country, weight and price of the goods."""

from decimal import Decimal

import pytest

from shop import shipping
from shop.shipping import Offer, pick
from tests.shop.selling import make_method

pytestmark = pytest.mark.django_db


def offers(
    country: str = "DE", *, weight: int = 500, subtotal: str = "50.00"
) -> list[tuple[str, Decimal]]:
    found = shipping.offers(country=country, weight_grams=weight, subtotal=Decimal(subtotal))
    return [(offer.name, offer.price) for offer in found]


@pytest.mark.parametrize(("subtotal", "price"), [("79.99", "4.90"), ("80.00", "0.00")])
def test_without_any_method_the_flat_rate_counts(subtotal: str, price: str) -> None:
    assert offers(subtotal=subtotal) == [("Standard", Decimal(price))]


def test_one_method_and_the_flat_rate_counts_no_more() -> None:
    make_method("Bicycle", ("3.00", "0", None), countries=["NL"])
    assert offers("DE") == []
    assert offers("NL") == [("Bicycle", Decimal("3.00"))]


def test_the_cheapest_rate_that_fits_counts() -> None:
    make_method("Parcel", ("5.00", "0", 1_000), ("0.00", "80.00", 1_000), ("9.00", "0", 10_000))
    assert offers(weight=1_000) == [("Parcel", Decimal("5.00"))]
    assert offers(weight=1_001) == [("Parcel", Decimal("9.00"))]
    assert offers(subtotal="80.00") == [("Parcel", Decimal("0.00"))]
    assert offers(weight=1_001, subtotal="80.00") == [("Parcel", Decimal("9.00"))]
    assert offers(weight=10_001) == []


def test_methods_come_in_the_merchants_order_and_those_switched_off_do_not() -> None:
    make_method("Second", ("2.00", "0", None), position=2)
    make_method("First", ("9.00", "0", None), position=1)
    make_method("Off", ("0.00", "0", None), is_active=False)
    make_method("Without a rate")
    assert [name for name, _ in offers()] == ["First", "Second"]


def test_it_is_said_from_when_on_delivery_is_free() -> None:
    make_method("Parcel", ("5.00", "0", None), ("0.00", "80.00", None))
    [offer] = shipping.offers(country="DE", weight_grams=1, subtotal=Decimal("50.00"))
    assert offer.free_from == Decimal("80.00")


def test_what_is_not_offered_cannot_be_picked() -> None:
    first, second = Offer(1, "a", Decimal(1)), Offer(2, "b", Decimal(2))
    assert pick([first, second], 2) == second
    assert pick([first, second], 3) == first
    assert pick([first, second], None) == first
    assert pick([], 1) is None
