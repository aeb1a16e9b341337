"""What an order comes to, and that an order keeps what its quote said."""

from decimal import Decimal
from uuid import uuid4

import pytest

from inventory import audit
from shop import checkout, quotes
from shop.checkout import NotDelivered, OrderLine, Placed, TotalChanged, Wishes
from shop.models import Order
from shop.quotes import Quote
from tests.factories import make_variant
from tests.shop.ordering import ADDRESS, line
from tests.shop.selling import give_tax_class, make_code, make_method, make_tax

pytestmark = pytest.mark.django_db


def quote(
    *lines: OrderLine, country: str = "DE", code: str = "", delivery: int | None = None
) -> Quote:
    return quotes.quote(lines=lines, country=country, code=code, delivery=delivery)


def place(*lines: OrderLine, wishes: Wishes) -> object:
    return checkout.place_order(
        key=uuid4(),
        user=None,
        email="ada@example.com",
        address=ADDRESS,
        lines=lines,
        wishes=wishes,
    )


def breaches() -> dict[str, list[str]]:
    return {result.check.name: result.breaches for result in audit.run(scope={}) if result.breaches}


def test_tax_is_worked_out_at_each_line_and_delivery_has_the_standard_rate() -> None:
    make_tax("DE", "19")
    make_tax("DE", "7", tax_class="reduced")
    lamp = make_variant(price=Decimal("9.99"))
    book = give_tax_class(make_variant(price=Decimal("10.70")), "reduced")
    gift = give_tax_class(make_variant(price=Decimal("3.00")), "zero")
    made = quote(line(lamp), line(book), line(gift))
    assert [(row.tax_percent, row.tax) for row in made.lines] == [
        (Decimal(19), Decimal("1.60")),
        (Decimal(7), Decimal("0.70")),
        (Decimal(0), Decimal("0.00")),
    ]
    assert made.delivery_tax == Decimal("0.78")  # 4.90 * 19 / 119
    assert (made.tax, made.tax_percent) == (Decimal("3.08"), None)
    assert made.total == made.subtotal + Decimal("4.90")  # the tax is in it


def test_tax_comes_on_top_where_prices_do_not_contain_it() -> None:
    make_tax("CA", "5", name="GST", is_included=False)
    made = quote(line(make_variant(price=Decimal("10.00")), 2), country="CA")
    assert (made.tax_name, made.tax_percent) == ("GST", Decimal(5))
    assert made.tax == Decimal("1.25")  # 1.00 of the goods, 0.245 of delivery rounded up
    assert made.total == Decimal("26.15")


def test_tax_is_taken_of_what_is_left_after_the_discount() -> None:
    make_tax("DE", "19")
    make_code(value="50")
    made = quote(line(make_variant(price=Decimal("238.00"))), code="hello")
    assert [made.discount, made.tax, made.total] == [Decimal(119), Decimal(19), Decimal(119)]


def test_an_order_keeps_what_its_quote_said_and_the_books_agree() -> None:
    make_tax("DE", "19", is_included=False)
    make_tax("DE", "7", tax_class="reduced", is_included=False)
    make_code(kind="amount", value="10")
    express = make_method("Express", ("12.00", "0", None))
    lines = [
        line(make_variant(units=9, price=Decimal("19.99")), 3),
        line(give_tax_class(make_variant(units=9, price=Decimal("5.05")), "reduced")),
    ]
    made = quote(*lines, code="HELLO", delivery=express.pk)
    placed = place(*lines, wishes=Wishes(express.pk, " hello ", "Ring twice", True, made.total))
    assert isinstance(placed, Placed)
    order = Order.objects.get()
    kept = {name: getattr(order, name) for name in checkout.QUOTED}
    assert kept == {name: getattr(made, name) for name in checkout.QUOTED}
    assert (order.discount_code, order.shipping_method) == ("HELLO", "Express")
    assert order.discount == Decimal(10)
    assert [(row.discount, row.tax_percent, row.tax) for row in order.line_items.all()] == [
        (row.discount, row.tax_percent, row.tax) for row in made.lines
    ]
    assert order.delivery_tax == made.delivery_tax == Decimal("2.28")
    assert (order.note, order.terms_accepted_at is not None) == ("Ring twice", True)
    assert breaches() == {}


@pytest.mark.parametrize(
    ("field", "change"), [("discount", 1), ("tax", 1), ("total", 1), ("shipping", 1)]
)
def test_control_the_audit_names_an_order_that_does_not_add_up(field: str, change: int) -> None:
    make_tax("DE", "19", is_included=False)
    place(line(make_variant(units=1, price=Decimal("90.00"))), wishes=Wishes())
    order = Order.objects.get()
    Order.objects.update(**{field: getattr(order, field) + change})
    assert order.reference in breaches()["order_totals_add_up"][0]


def test_where_nothing_goes_nothing_is_placed_and_what_there_is_is_told() -> None:
    variant = make_variant(units=1)
    method = make_method("Bicycle", ("3.00", "0", None), countries=["NL"])
    assert place(line(variant), wishes=Wishes()) == NotDelivered([])
    method.countries = ["NL", "DE"]
    method.save()
    refused = place(line(variant), wishes=Wishes(delivery=method.pk + 1))
    assert isinstance(refused, NotDelivered)
    assert [offer.id for offer in refused.offers] == [method.pk]
    assert Order.objects.count() == 0


def test_a_total_that_is_not_the_one_agreed_to_is_not_charged() -> None:
    variant = make_variant(units=1)
    agreed = Wishes(agreed_total=Decimal("99.99"))
    assert place(line(variant), wishes=agreed) == TotalChanged(Decimal("100.00"))
    assert Order.objects.count() == 0


def test_a_code_may_take_all_but_the_delivery() -> None:
    make_code(value="100")
    lines = [line(make_variant(units=1, price=Decimal("90.00")))]
    made = quote(*lines, code="HELLO")
    assert (made.discount, made.total) == (Decimal(90), Decimal(0))
    assert isinstance(place(*lines, wishes=Wishes(discount_code="HELLO")), Placed)
    # With delivery to pay for there is something left.
    assert quote(line(make_variant(price=Decimal("10.00"))), code="HELLO").total == Decimal("4.90")
