"""One payment, refund or order that is odd keeps no other waiting, and no run lasts for ever."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F

from shop import orders, payments, refund_settling, refunds
from shop.gateways import GatewayUnavailable, demo
from shop.models import Order, PaymentIntent, Refund
from tests.shop.ordering import end_the_hold, make_order, paid_order

pytestmark = pytest.mark.django_db(transaction=True)


def refund(order: Order) -> None:
    refunds.refund_in_full(order=order, actor="staff@example.com", reason="test")


def odd(*args: Any, **more: Any) -> None:
    raise KeyError("status")


def test_an_odd_payment_is_counted_and_refunds_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    refund(paid_order(units=1))
    order = make_order()
    intent = order.payment_intents.create(
        gateway="demo", amount=order.total, currency="EUR", reference="demo_x", state="cancelling"
    )
    monkeypatch.setattr(demo.DemoGateway, "cancel", odd)
    payments.settle_due()
    intent.refresh_from_db()
    assert (intent.tries, intent.last_error) == (1, "'status'")
    assert Refund.objects.get().state == Refund.State.DONE


def test_an_odd_refund_is_put_off_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = paid_order(units=1), paid_order(units=1)
    refund(first)
    refund(second)
    give_back = demo.DemoGateway.refund

    def sometimes_odd(self: Any, intent: PaymentIntent, amount: Any, key: Any) -> None:
        if intent.order_id == first.pk:
            odd()
        give_back(self, intent, amount, key)

    monkeypatch.setattr(demo.DemoGateway, "refund", sometimes_odd)
    payments.settle_due()
    waits, done = first.refunds.get(), second.refunds.get()
    assert (waits.state, waits.tries, waits.error) == (Refund.State.PENDING, 1, "'status'")
    assert done.state == Refund.State.DONE


def test_a_run_of_refunds_ends_though_the_provider_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(9):
        refund(paid_order(units=1))
    asked: list[object] = []

    def hang(self: Any, intent: PaymentIntent, amount: Any, key: Any) -> None:
        asked.append(key)
        raise GatewayUnavailable("no answer in nine seconds")

    monkeypatch.setattr(demo.DemoGateway, "refund", hang)
    monkeypatch.setattr(refund_settling, "monotonic", lambda: 9.0 * len(asked))
    payments.settle_due()
    assert len(asked) == 4
    Refund.objects.update(due_at=F("due_at") - timedelta(minutes=1))
    payments.settle_due()
    assert len(asked) == 8


def test_an_order_that_cannot_be_closed_keeps_no_other_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = make_order(), make_order()
    end_the_hold(first)
    end_the_hold(second)
    close = orders.close_unpaid

    def sometimes_odd(*, order: Order, **more: Any) -> bool:
        if order.pk == first.pk:
            odd()
        return close(order=order, **more)

    monkeypatch.setattr(orders, "close_unpaid", sometimes_odd)
    assert orders.expire_due() == 1
    states = Order.objects.in_bulk([first.pk, second.pk])
    assert (states[first.pk].state, states[second.pk].state) == ("pending", "expired")
