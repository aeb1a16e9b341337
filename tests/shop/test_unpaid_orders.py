"""Nobody holds the whole shelf by ordering it and not paying."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
import time_machine
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.db import SessionStore
from django.core.cache import caches
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.utils import timezone
from pytest_django import Settings

from inventory import reservations, stock
from inventory.models import Reservation
from inventory.reservations import Held, Want
from shop import checkout, orders
from shop.checkout import OrderLine, Placed, TooManyUnpaid, TotalChanged
from shop.models import Cart, CartLine, Order, User, Variant
from shop.ratelimits import TooManyRequestsError, enforce
from shop.views.checkout import GUEST_ORDER_LIMITS
from shop.views.orders import SESSION_KEY
from tests.factories import make_user, make_variant
from tests.races.moment import at_once
from tests.shop.ordering import ADDRESS, line, make_order, signed_in
from tests.shop.test_checkout import filled, guest_with_cart

pytestmark = pytest.mark.django_db

MOST = 5


def place(*lines: OrderLine, user: User | None, known: list[str] | None = None) -> object:
    return checkout.place_order(
        key=uuid4(),
        user=user,
        email="ada@example.com",
        address=ADDRESS,
        lines=lines,
        known=known or [],
    )


def unpaid_orders(lamp: Variant, user: User, count: int = MOST) -> list[Order]:
    return [make_order(lamp, user=user) for _ in range(count)]


def held(lamp: Variant) -> OrderLine:
    """A line with a reservation that a flash sale has made."""
    outcome = reservations.reserve(
        key=uuid4(), wants=[Want(sku=lamp.sku, quantity=1)], holder="purchase:1", seconds=60
    )
    assert isinstance(outcome, Held)
    reservation = Reservation.objects.select_related("stock").get(pk=outcome.reservations[0].pk)
    return replace(line(lamp), reservation=reservation)


def test_an_account_leaves_a_few_orders_unpaid_and_no_more() -> None:
    user, lamp = make_user(), make_variant(units=20)
    unpaid = unpaid_orders(lamp, user)
    refused = place(line(lamp), user=user)
    assert isinstance(refused, TooManyUnpaid)
    assert set(refused.orders) == set(unpaid)
    assert (Order.objects.count(), stock.available(skus=[lamp.sku])[lamp.sku]) == (MOST, 15)
    assert isinstance(place(line(lamp), user=make_user()), Placed)
    assert orders.cancel(order=unpaid[0], actor="", reason="test")
    assert isinstance(place(line(lamp), user=user), Placed)


def test_an_unpaid_order_whose_time_is_over_is_not_counted() -> None:
    user, lamp = make_user(), make_variant(units=20)
    unpaid_orders(lamp, user)
    Order.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert isinstance(place(line(lamp), user=user), Placed)


def test_a_guest_is_counted_by_what_their_browser_has_ordered() -> None:
    lamp = make_variant(units=20)
    known: list[str] = []
    for _ in range(MOST):
        placed = place(line(lamp), user=None, known=known)
        assert isinstance(placed, Placed)
        known.append(str(placed.order.pk))
    assert isinstance(place(line(lamp), user=None, known=known), TooManyUnpaid)
    assert isinstance(place(line(lamp), user=None), Placed)


def test_what_a_flash_sale_holds_is_neither_counted_nor_refused() -> None:
    user, lamp = make_user(), make_variant(units=20)
    for _ in range(MOST):
        assert isinstance(place(held(lamp), user=user), Placed)
    unpaid_orders(lamp, user)
    assert isinstance(place(held(lamp), user=user), Placed)
    assert isinstance(place(line(lamp), user=user), TooManyUnpaid)


@pytest.mark.django_db(transaction=True)
def test_orders_at_once_are_not_more_either() -> None:
    user, lamp = make_user(), make_variant(units=20)
    unpaid_orders(lamp, user, MOST - 1)
    outcomes = at_once(*[lambda: place(line(lamp), user=user)] * 4)
    assert sum(isinstance(outcome, Placed) for outcome in outcomes) == 1
    assert Order.objects.count() == MOST


def test_the_page_says_so_and_leads_to_what_can_be_paid() -> None:
    user, lamp = make_user(), make_variant(units=20)
    unpaid = unpaid_orders(lamp, user)
    CartLine.objects.create(cart=Cart.objects.create(user=user), variant=lamp)
    client = signed_in(user)
    answer = client.post("/checkout/", filled(client))
    body = answer.content.decode()
    assert (answer.status_code, Order.objects.count()) == (409, MOST)
    assert "You have 5 orders that wait for their payment" in body
    for order in unpaid:
        assert f'href="{order.get_absolute_url()}"' in body


def test_the_page_counts_what_a_guests_session_remembers() -> None:
    lamp = make_variant(units=20)
    client = guest_with_cart((lamp, 1))
    form = filled(client)
    unpaid = unpaid_orders(lamp, make_user())
    Order.objects.update(user=None)
    session = client.session
    session[SESSION_KEY] = [str(order.pk) for order in unpaid]
    session.save()
    assert client.post("/checkout/", form).status_code == 409


@pytest.fixture
def tries_are_counted(settings: Settings) -> Iterator[None]:
    settings.RATELIMIT_ENABLE = True
    caches["ratelimit"].clear()
    # Counts are kept per window of the clock: no test may cross its edge.
    with time_machine.travel("2026-11-24T10:00:00+00:00", tick=False):
        yield
    caches["ratelimit"].clear()


@pytest.mark.usefixtures("tries_are_counted")
def test_a_guests_browser_has_a_tight_limit_and_its_neighbours_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    placed: list[object] = []

    def refuse(**order: object) -> TotalChanged:
        placed.append(order)
        return TotalChanged(total=Decimal(1))

    monkeypatch.setattr("shop.views.checkout.checkout.place_order", refuse)
    lamp = make_variant(units=50)

    def order(client: Client) -> int:
        return client.post("/checkout/", filled(client)).status_code

    browser = guest_with_cart((lamp, 1))
    assert [order(browser) for _ in range(11)] == [422] * 10 + [429]
    assert len(placed) == 10
    assert order(guest_with_cart((lamp, 1))) == 422


def guest_order_of(browser: str, address: str = "192.0.2.1") -> HttpRequest:
    request = RequestFactory().post("/checkout/", REMOTE_ADDR=address)
    request.user = AnonymousUser()
    request.session = SessionStore(browser)
    return request


def counted(request: HttpRequest) -> bool:
    """Whether the limits of guests' orders let this one through."""
    try:
        enforce(request=request, name="guest-order", limits=GUEST_ORDER_LIMITS)
    except TooManyRequestsError:
        return False
    return True


@pytest.mark.usefixtures("tries_are_counted")
def test_a_campus_behind_one_address_orders_and_still_has_its_limit() -> None:
    """Whoever forgets their session after each order is still behind their address."""
    browsers = [f"browser{number}" for number in range(201)]
    answers = [counted(guest_order_of(browser)) for browser in browsers]
    assert answers == [True] * 200 + [False]
    assert counted(guest_order_of("browser200", address="192.0.2.2"))
    member = guest_order_of("browser200")
    member.user = make_user()
    assert counted(member)
