from datetime import date
from decimal import Decimal

from django.test import Client

from shop import delivery
from shop.delivery import after_working_days
from tests.factories import make_variant
from tests.shop.selling import make_method

FRIDAY = date(2026, 5, 29)


def estimate(**changes: object) -> delivery.Estimate | None:
    asked = {"today": FRIDAY, "country": "DE", "weight_grams": 500, "subtotal": Decimal(20)}
    return delivery.estimate(**asked | changes)  # type: ignore[arg-type]  # of their own types


def test_days_are_counted_without_weekends() -> None:
    assert after_working_days(FRIDAY, 0) == FRIDAY
    assert after_working_days(FRIDAY, 1) == date(2026, 6, 1)
    assert after_working_days(FRIDAY, 6) == date(2026, 6, 8)
    assert after_working_days(date(2026, 5, 30), 1) == date(2026, 6, 1)  # from a Saturday


def test_the_first_method_that_goes_there_is_promised(db: None) -> None:
    make_method("Far", ("9.00", "0", None), countries=["FR"], min_days=1, max_days=1, position=0)
    make_method("Near", ("4.90", "0", None), min_days=2, max_days=4, position=1)
    found = estimate()
    assert found is not None
    assert (found.name, found.price) == ("Near", Decimal("4.90"))
    assert (found.first, found.last) == (date(2026, 6, 2), date(2026, 6, 4))


def test_one_day_alone_is_both(db: None) -> None:
    make_method("Vague", ("4.90", "0", None), min_days=3, max_days=3)
    found = estimate()
    assert found is not None
    assert (found.first, found.last) == (date(2026, 6, 3), date(2026, 6, 3))


def test_where_nothing_goes_nothing_is_promised(db: None, client: Client) -> None:
    make_method("Far", ("9.00", "0", None), countries=["FR"])
    assert estimate() is None
    page = client.get(make_variant(units=1).product.get_absolute_url())
    assert page.context["delivery"] is None


def test_the_flat_rate_promises_no_day(db: None, client: Client) -> None:
    found = estimate()
    assert found is not None
    assert (found.first, found.last, found.price) == (None, None, Decimal("4.90"))
    page = client.get(make_variant(units=1, price=Decimal(20)).product.get_absolute_url())
    assert (
        "Sent within two days, Standard delivery €4.90 (free from €80.00)" in page.content.decode()
    )
