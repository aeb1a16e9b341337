"""The mail before the time to pay is over: once an order, in the last quarter of its time."""

from datetime import timedelta

import pytest
from django.utils import timezone

from shop import order_endings, orders
from shop.models import Order
from tests.shop.ordering import demo, make_order

pytestmark = pytest.mark.django_db


def placed(*, minutes_ago: float, minutes_left: float) -> Order:
    order, now = make_order(), timezone.now()
    Order.objects.filter(pk=order.pk).update(
        placed_at=now - timedelta(minutes=minutes_ago),
        expires_at=now + timedelta(minutes=minutes_left),
    )
    order.refresh_from_db()
    return order


def reminders(order: Order) -> int:
    return order.mails.filter(template="order_ending").count()


@pytest.mark.parametrize(
    ("minutes_ago", "minutes_left", "is_due"),
    [
        (20.5, 9.5, False),  # half an hour: its last quarter is 7.5 minutes
        (23, 7, True),
        (1, 1, False),  # two minutes
        (1.6, 0.4, True),
        (109, 11, False),  # two hours: ten minutes are enough
        (111, 9, True),
    ],
)
def test_it_is_the_last_quarter_and_ten_minutes_at_the_most(
    minutes_ago: float, minutes_left: float, is_due: bool
) -> None:
    order = placed(minutes_ago=minutes_ago, minutes_left=minutes_left)
    assert order_endings.remind() == int(is_due)
    assert reminders(order) == int(is_due)


def test_a_shopper_is_reminded_once() -> None:
    order = placed(minutes_ago=25, minutes_left=5)
    assert (order_endings.remind(), order_endings.remind()) == (1, 0)
    assert reminders(order) == 1


def test_nobody_is_reminded_of_what_is_over_or_is_being_paid() -> None:
    over = placed(minutes_ago=31, minutes_left=-1)
    cancelled = placed(minutes_ago=25, minutes_left=5)
    assert orders.cancel(order=cancelled, actor="", reason="test")
    paying = placed(minutes_ago=25, minutes_left=5)
    paying.payment_intents.create(
        gateway="demo", method=demo("late"), amount=paying.total, currency=paying.currency
    )
    assert order_endings.remind() == 0
    assert [reminders(order) for order in (over, cancelled, paying)] == [0, 0, 0]


def test_a_declined_card_does_not_keep_the_reminder_back() -> None:
    order = placed(minutes_ago=25, minutes_left=5)
    order.payment_intents.create(
        gateway="demo", amount=order.total, currency=order.currency, state="declined"
    )
    assert order_endings.remind() == 1
