"""What units cost when they are given back: the parts add up to the whole, to the cent."""

from decimal import Decimal
from random import Random

import pytest

from inventory.models import StockMovement
from shop import orders, refund_sums, refunds
from shop.models import LineItem, Order
from tests.factories import make_variant
from tests.shop.ordering import captured_order

pytestmark = pytest.mark.django_db


def priced(
    order: Order, lines: list[tuple[str, str, str]], *, delivery: str, on_top: bool
) -> Order:
    """Give a paid order's lines prices, discounts and taxes, and the order its total."""
    goods = Decimal(0)
    for item, (price, discount, tax) in zip(order.line_items.order_by("id"), lines, strict=True):
        item.unit_price, item.discount, item.tax = map(Decimal, (price, discount, tax))
        item.save()
        goods += item.total - item.discount + (item.tax if on_top else 0)
    order.tax_is_included = not on_top
    order.total = goods + Decimal(delivery)
    order.save()
    order.payment_intents.update(amount=order.total)
    return order


def refund(order: Order, units: dict[int, int], *, delivery: bool = False) -> Decimal:
    outcome = refunds.refund_part(
        order=order, units=units, delivery=delivery, actor="staff@example.com", reason="test"
    )
    assert isinstance(outcome, refunds.Started), outcome
    return outcome.refund.amount


def test_the_last_unit_has_the_remainder() -> None:
    lamp = make_variant(units=3)
    order = priced(
        captured_order(lamp, quantity=3), [("10.00", "1.00", "0")], delivery="4.90", on_top=False
    )
    item = order.line_items.get()
    assert [refund(order, {item.pk: 1}) for _ in range(3)] == [
        Decimal("9.66"),
        Decimal("9.66"),
        Decimal("9.68"),
    ]
    assert refund(order, {}, delivery=True) == Decimal("4.90")
    order.refresh_from_db()
    assert order.state == "refunded"


def test_tax_counts_when_it_came_on_top_and_not_when_it_is_included() -> None:
    order = captured_order(make_variant(units=2), quantity=2)
    priced(order, [("10.00", "0", "1.65")], delivery="0", on_top=True)
    item = order.line_items.get()
    assert refund_sums.cost_of(item, 1, order=order) == Decimal("10.82")
    assert refund_sums.cost_of(item, 2, order=order) == Decimal("21.65")
    order.tax_is_included = True
    assert refund_sums.cost_of(item, 2, order=order) == Decimal("20.00")


def test_a_currency_without_cents_has_none() -> None:
    order = captured_order(make_variant(units=3), quantity=3)
    Order.objects.update(currency="JPY")
    order.refresh_from_db()
    priced(order, [("1000", "100", "0")], delivery="0", on_top=False)
    item = order.line_items.get()
    assert refund_sums.cost_of(item, 1, order=order) == Decimal("966")


def test_a_currency_with_three_digits_is_given_back_by_the_two_that_are_kept() -> None:
    order = captured_order(make_variant(units=3), quantity=3)
    Order.objects.update(currency="KWD")
    order.refresh_from_db()
    priced(order, [("10.00", "20.00", "0")], delivery="0", on_top=False)
    item = order.line_items.get()
    given = [refund(order, {item.pk: 1}) for _ in range(3)]
    assert given == [Decimal("3.33"), Decimal("3.33"), Decimal("3.34")]
    assert Order.objects.get().state == "refunded"


def test_lines_are_taken_in_the_order_in_which_stock_is_taken_everywhere() -> None:
    """Databases sort `a-1` before `B-1`; Python, by which reservations are taken, does not."""
    order = captured_order(*(make_variant(sku=sku, units=1) for sku in ("a-1", "B-1", "A10")))
    assert [item.sku for item in refund_sums.in_order(order)] == ["A10", "B-1", "a-1"]
    units = {item.pk: 1 for item in order.line_items.all()}
    assert orders.fulfil(order=order, actor="")
    refunds.refund_part(order=order, units=units, restock=True, actor="", reason="test")
    received = StockMovement.objects.filter(reason__startswith="order ").order_by("id")
    assert [movement.stock.sku for movement in received] == ["A10", "B-1", "a-1"]


@pytest.mark.parametrize("seed", range(5))
def test_everything_refunded_in_any_order_gives_back_the_total(seed: int) -> None:
    random = Random(seed)
    variants = [make_variant(units=9) for _ in range(3)]
    quantity = random.randint(1, 7)
    order = captured_order(*variants, quantity=quantity)
    lines = [
        (
            f"{random.randint(100, 99_999) / 100:.2f}",
            f"{random.randint(0, 99) / 100:.2f}",
            f"{random.randint(0, 999) / 100:.2f}",
        )
        for _ in variants
    ]
    priced(order, lines, delivery="5.95", on_top=random.random() < 0.5)
    steps = [({item.pk: 1}, False) for item in LineItem.objects.all() for _ in range(quantity)]
    steps.append(({}, True))
    random.shuffle(steps)
    given = [refund(order, units, delivery=delivery) for units, delivery in steps]
    assert sum(given) == order.total
    order.refresh_from_db()
    assert order.state == "refunded"


def test_control_rounding_every_unit_alone_does_not_give_back_the_total() -> None:
    paid = Decimal("29.00")
    assert round(paid / 3, 2) * 3 != paid
