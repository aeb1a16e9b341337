"""Two clicks on "I need more time" at once give one extension; the guard, and a control without it."""

from datetime import timedelta
from functools import partial
from threading import Barrier

import pytest

from inventory.models import Reservation
from shop import extensions
from shop.extensions import Extended, NotExtended
from shop.models import Order
from tests.races.moment import at_once
from tests.shop.ordering import make_order

pytestmark = pytest.mark.django_db(transaction=True)

SECONDS = 600


def test_two_clicks_give_one_extension() -> None:
    order = make_order()
    Order.objects.update(extension_seconds=SECONDS)
    outcomes = at_once(*[partial(extensions.extend, order=order)] * 4)
    until = order.expires_at + timedelta(seconds=SECONDS)
    assert outcomes.count(Extended(until)) == 1
    assert outcomes.count(NotExtended.ALREADY) == 3
    order.refresh_from_db()
    assert order.expires_at == Reservation.objects.get().expires_at == until


def test_control_without_the_guard_each_click_gives_more() -> None:
    order = make_order()
    meanwhile = Barrier(2)

    def read_and_then_write(number: int) -> bool:
        reservation = Reservation.objects.get()
        meanwhile.wait(timeout=30)
        if reservation.extended_at is not None:
            return False
        until = order.expires_at + number * timedelta(seconds=SECONDS)
        Reservation.objects.filter(pk=reservation.pk).update(
            expires_at=until, extended_at=order.placed_at
        )
        return True

    assert at_once(*(partial(read_and_then_write, number) for number in (1, 2))) == [True, True]
