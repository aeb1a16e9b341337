"""More time to pay for an order, once."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from inventory.models import Reservation
from shop import extensions, payments
from shop.extensions import Extended, NotExtended
from shop.models import Order, User
from tests.factories import make_user, make_variant
from tests.shop.ordering import demo, make_order

pytestmark = pytest.mark.django_db


def make_waiting_order(*, extension: int = 600, user: User | None = None) -> Order:
    order = make_order(make_variant(units=3), make_variant(units=3), user=user)
    Order.objects.filter(pk=order.pk).update(extension_seconds=extension)
    order.refresh_from_db()
    return order


def end_one_hold(order: Order) -> None:
    first = order.line_items.values("reservation_id")[:1]
    past = timezone.now() - timedelta(seconds=1)
    Reservation.objects.filter(pk__in=first).update(expires_at=past)


def ends(order: Order) -> set[object]:
    reservations = Reservation.objects.filter(line_item__order=order)
    return set(reservations.values_list("expires_at", flat=True))


def test_an_order_and_all_it_holds_end_later_once() -> None:
    order = make_waiting_order()
    until = order.expires_at + timedelta(seconds=600)
    assert extensions.can_extend(order)
    assert extensions.extend(order=order) == Extended(until)
    order.refresh_from_db()
    assert (order.expires_at, ends(order)) == (until, {until})
    assert not extensions.can_extend(order)
    assert extensions.extend(order=order) is NotExtended.ALREADY
    assert ends(order) == {until}


def test_where_the_merchant_allows_none_there_is_none() -> None:
    order = make_waiting_order(extension=0)
    assert not extensions.can_extend(order)
    assert extensions.extend(order=order) is NotExtended.NOT_OFFERED


def test_what_is_over_is_not_extended_and_neither_is_the_rest_of_its_order() -> None:
    order = make_waiting_order()
    end_one_hold(order)
    before = ends(order)
    assert not extensions.can_extend(order)
    assert extensions.extend(order=order) is NotExtended.ENDED
    assert ends(order) == before


@pytest.mark.django_db(transaction=True)
def test_what_is_paid_needs_no_more_time_and_a_payment_under_way_is_not_touched() -> None:
    paid, waiting = make_waiting_order(), make_waiting_order()
    payments.start(order=paid, method=demo())
    assert extensions.extend(order=paid) is NotExtended.PAID
    payments.start(order=waiting, method=demo("late"))
    before = waiting.payment_intents.values().get()
    assert isinstance(extensions.extend(order=waiting), Extended)
    assert waiting.payment_intents.values().get() == before


def test_an_order_that_was_placed_while_its_hold_was_extended_ends_when_the_hold_does() -> None:
    order = make_waiting_order()
    ids = list(order.line_items.values_list("reservation_id", flat=True))
    outcome = extensions.extend_hold(reservation_ids=ids, seconds=60)
    assert isinstance(outcome, Extended)
    extensions.follow_reservations(reservation_ids=ids)
    order.refresh_from_db()
    assert order.expires_at == outcome.until


def test_the_button_on_the_orders_page_says_until_when_and_goes_away() -> None:
    user = make_user()
    order = make_waiting_order(user=user)
    client = Client()
    client.force_login(user)
    assert "I need more time" in client.get(order.get_absolute_url()).content.decode()
    answer = client.post(f"{order.get_absolute_url()}extend/", follow=True)
    until = timezone.localtime(order.expires_at + timedelta(seconds=600))
    body = answer.content.decode()
    assert f"You have more time: it is held for you until {until:%H:%M:%S}." in body
    assert "I need more time" not in body
    again = client.post(f"{order.get_absolute_url()}extend/", follow=True).content.decode()
    assert "You were given more time already" in again


def test_nobody_extends_another_shoppers_order_or_by_a_link() -> None:
    order = make_waiting_order()
    client = Client()
    client.force_login(make_user())
    assert client.post(f"{order.get_absolute_url()}extend/").status_code == 404
    assert client.get(f"{order.get_absolute_url()}extend/").status_code == 405
    assert extensions.can_extend(order)
