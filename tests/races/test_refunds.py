"""Two of staff at one order at once: money and units go back once, whoever comes first."""

from decimal import Decimal
from functools import partial
from io import StringIO
from threading import Barrier
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError
from django.utils import timezone
from pytest_django import Settings

from inventory.models import Reservation, Stock
from shop import invoices, orders, payments, refund_settling, refunds, returns
from shop.models import DemoRefund, Invoice, Order, Refund
from tests.races.moment import at_once
from tests.shop.ordering import demo, make_order, paid_order

pytestmark = pytest.mark.django_db(transaction=True)

STAFF = "staff@example.com"
ROUNDS = 5


@pytest.fixture(autouse=True)
def all_rooms(settings: Settings) -> None:
    settings.AUDIT_CHECKS = ["inventory.audit.checks", "shop.audit.checks"]


def part(order: Order, units: int, extra: str = "0") -> bool:
    outcome = refunds.refund_part(
        order=order,
        units={order.line_items.get().pk: units},
        extra=Decimal(extra),
        restock=True,
        actor=STAFF,
        reason="it broke",
    )
    return isinstance(outcome, refunds.Started)


def full(order: Order) -> bool:
    return orders.refund(order=order, actor=STAFF, reason="it broke")


def given_back() -> Decimal:
    refund_settling.settle_due()
    return sum(DemoRefund.objects.values_list("amount", flat=True), Decimal(0))


def books_agree() -> None:
    call_command("audit", stdout=StringIO())


def test_two_full_refunds_at_once_are_one() -> None:
    for _ in range(ROUNDS):
        order = paid_order(units=3)
        assert sorted(at_once(*[partial(full, order)] * 2)) == [False, True]
        assert Refund.objects.filter(order=order).count() == 1
    assert given_back() == 100 * ROUNDS
    books_agree()


def test_two_parts_at_once_give_back_no_more_than_was_paid() -> None:
    for _ in range(ROUNDS):
        order = paid_order(units=3, quantity=3)
        done = at_once(*[partial(part, order, 2)] * 2)
        assert sorted(done) == [False, True]
        assert order.line_items.get().released == 2
    assert given_back() == 200 * ROUNDS
    books_agree()


def test_two_amounts_at_once_give_back_no_more_than_was_paid() -> None:
    order = paid_order(units=3)
    done = at_once(*[partial(part, order, 0, "40.00")] * 3)
    assert sorted(done) == [False, True, True]
    assert given_back() == 80
    books_agree()


def test_control_without_the_orders_row_two_amounts_give_back_too_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both look at what is left before either has written; the provider alone stops it then."""

    def look(order_id: Any) -> Order:
        return Order.objects.get(pk=order_id)

    monkeypatch.setattr(refunds, "hold_still", look)
    for _ in range(20):
        order = paid_order(units=1)
        at_once(*[partial(part, order, 0, "60.00")] * 3)
        if sum(refund.amount for refund in Refund.objects.filter(order=order)) > order.total:
            break
    else:
        pytest.fail("the race was never lost")
    monkeypatch.undo()
    refund_settling.settle_due()
    assert set(Refund.objects.filter(order=order).values_list("state", flat=True)) == {
        "done",
        "refused",
    }
    assert given_back() <= order.total * 20


def test_a_refund_and_a_shipping_at_once_lose_no_unit() -> None:
    for _ in range(ROUNDS):
        order = paid_order(units=3, quantity=3)
        shipped, refunded = at_once(
            partial(orders.fulfil, order=order, actor=STAFF), partial(part, order, 1)
        )
        assert shipped
        assert refunded
        item = order.line_items.get()
        row = Stock.objects.get(sku=item.sku, pool="main")
        # It stayed here, or it left and was received again: one unit is on the shelf in both cases.
        assert (item.released + item.returned, row.on_hand, row.allocated) == (1, 1, 0)
    books_agree()


def test_a_full_refund_and_a_shipping_at_once_end_in_one_of_two_ways() -> None:
    for _ in range(ROUNDS):
        order = paid_order(units=3, quantity=3)
        shipped, refunded = at_once(
            partial(orders.fulfil, order=order, actor=STAFF), partial(full, order)
        )
        assert refunded
        state = Reservation.objects.get(line_item__order=order).state
        assert state == ("consumed" if shipped else "released")
    books_agree()


def test_two_drivers_of_one_refund_give_back_once() -> None:
    order = paid_order(units=3)
    assert full(order)
    pk = Refund.objects.get().pk
    at_once(*[partial(refund_settling.settle, pk)] * 3)
    assert given_back() == 100
    assert order.events.filter(kind="refunded").count() == 1
    assert order.mails.filter(template="order_refunded").count() == 1
    books_agree()


def test_one_refund_tried_again_by_two_is_one() -> None:
    order = paid_order(units=3)
    assert part(order, 0, "40.00")
    refund = Refund.objects.get()
    Refund.objects.update(state="refused")
    done = at_once(*[partial(refunds.repeat, refund=refund, actor=STAFF)] * 2)
    assert sorted(isinstance(outcome, refunds.Started) for outcome in done) == [False, True]
    assert given_back() == 40
    books_agree()


def test_a_return_and_a_refund_of_the_same_unit_at_once_are_one() -> None:
    for _ in range(ROUNDS):
        order = paid_order(units=1)
        assert orders.fulfil(order=order, actor=STAFF)
        order.refresh_from_db()
        asked = returns.ask(
            order=order,
            units={order.line_items.get().pk: 1},
            reason="too bright",
            actor="",
            now=timezone.now(),
        )
        assert isinstance(asked, returns.Done)
        assert isinstance(returns.approve(parcel=asked.parcel, actor=STAFF), returns.Done)
        received, _ = at_once(
            partial(returns.receive, parcel=asked.parcel, actor=STAFF, restock=True),
            partial(part, order, 1),
        )
        assert isinstance(received, returns.Done)
        assert Refund.objects.filter(order=order).count() == 1
        item = order.line_items.get()
        assert (item.returned, Stock.objects.get(sku=item.sku).on_hand) == (1, 1)
    assert given_back() == 100 * ROUNDS
    books_agree()


def test_one_parcel_received_by_two_is_received_once() -> None:
    order = paid_order(units=2, quantity=2)
    assert orders.fulfil(order=order, actor=STAFF)
    order.refresh_from_db()
    units = {order.line_items.get().pk: 1}
    asked = returns.ask(order=order, units=units, reason="?", actor="", now=timezone.now())
    assert isinstance(asked, returns.Done)
    returns.approve(parcel=asked.parcel, actor=STAFF)
    done = at_once(*[partial(returns.receive, parcel=asked.parcel, actor=STAFF, restock=True)] * 2)
    assert sorted(isinstance(outcome, returns.Done) for outcome in done) == [False, True]
    assert given_back() == 100
    assert order.line_items.get().returned == 1
    books_agree()


def test_orders_that_are_paid_at_once_have_invoices_without_gaps() -> None:
    placed = [make_order() for _ in range(6)]
    at_once(*[partial(payments.start, order=order, method=demo()) for order in placed])
    numbers = Invoice.objects.order_by("number").values_list("number", flat=True)
    assert list(numbers) == [1, 2, 3, 4, 5, 6]


def test_control_without_waiting_two_invoices_want_the_same_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    met = Barrier(2)
    monkeypatch.setattr(invoices, "_wait_for_others", lambda: None)
    create = invoices.seller
    monkeypatch.setattr(invoices, "seller", lambda: (met.wait(timeout=30), create())[1])
    orders_placed = [make_order(), make_order()]
    with pytest.raises(IntegrityError):
        at_once(*[partial(invoices.issue, order=order) for order in orders_placed])
