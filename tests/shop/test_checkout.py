"""Placing orders: through the domain's one door, and through the page."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from inventory import reservations, stock
from inventory.models import Reservation, Stock
from inventory.reservations import Held, Shortage, Want
from shop import carts, checkout, mails
from shop.checkout import CartChanged, HoldEnded, OrderLine, Placed, Short
from shop.models import Address, Cart, CartLine, LineItem, Order, Variant
from tests.factories import make_user, make_variant
from tests.shop.ordering import ADDRESS, line

FORM = {
    "email": "ada@example.com",
    "recipient": "Ada Example",
    "street": "1 Sample Street",
    "street2": "",
    "postcode": "10115",
    "city": "Berlin",
    "country": "DE",
    "card": "approve",
    "terms": "on",
}


def place(*lines: OrderLine, key: UUID | None = None, **more: Any) -> Any:
    more = {"user": None, "email": "ada@example.com", "address": ADDRESS} | more
    return checkout.place_order(key=key or uuid4(), lines=list(lines), **more)


def hold(variant: Variant, *, quantity: int = 1, seconds: int = 60) -> Reservation:
    outcome = reservations.reserve(
        key=uuid4(), wants=[Want(variant.sku, quantity)], holder="somebody", seconds=seconds
    )
    assert isinstance(outcome, Held)
    return Reservation.objects.select_related("stock").get(pk=outcome.reservations[0].pk)


def make_cart(*lines: tuple[Variant, int]) -> Cart:
    cart = Cart.objects.create()
    for variant, quantity in lines:
        CartLine.objects.create(cart=cart, variant=variant, quantity=quantity)
    return cart


def end(reservation: Reservation) -> None:
    past = timezone.now() - timedelta(seconds=1)
    Reservation.objects.filter(pk=reservation.pk).update(expires_at=past)


def test_an_order_holds_its_units_at_the_prices_of_the_moment(db: None) -> None:
    lamp, chair = make_variant(units=5), make_variant(units=5, price=Decimal("19.90"))
    user = make_user()
    placed = place(line(lamp, 2), line(chair, 1), user=user, email=user.email)
    assert isinstance(placed, Placed)
    order = placed.order
    assert placed.is_new
    assert (order.state, order.user, order.email) == ("pending", user, user.email)
    assert (order.subtotal, order.shipping, order.total) == (
        Decimal("219.90"),
        Decimal("0.00"),
        Decimal("219.90"),
    )
    assert (order.recipient, order.city, order.country.code) == ("Ada Example", "Berlin", "DE")
    items = {item.sku: (item.quantity, item.unit_price) for item in order.line_items.all()}
    assert items == {lamp.sku: (2, Decimal("100.00")), chair.sku: (1, Decimal("19.90"))}
    assert stock.available(skus=[lamp.sku, chair.sku]) == {lamp.sku: 3, chair.sku: 4}
    seconds = (order.expires_at - timezone.now()).total_seconds()
    assert abs(seconds - django_settings.ORDER_HOLD_SECONDS) < 5
    Variant.objects.update(price=Decimal("999.00"))
    assert LineItem.objects.get(sku=lamp.sku).unit_price == Decimal("100.00")
    assert list(order.events.values_list("kind", flat=True)) == ["placed"]


@pytest.mark.parametrize(
    ("price", "shipping"), [("79.99", "4.90"), ("80.00", "0.00"), ("80.01", "0.00")]
)
def test_delivery_is_free_from_eighty_on(db: None, price: str, shipping: str) -> None:
    placed = place(line(make_variant(units=1, price=Decimal(price))))
    assert placed.order.shipping == Decimal(shipping)
    assert placed.order.total == Decimal(price) + Decimal(shipping)


def test_two_that_want_three_of_five_are_not_both_sold(db: None) -> None:
    lamp = make_variant(units=5)
    assert isinstance(place(line(lamp, 3)), Placed)
    assert place(line(lamp, 3)) == Short([Shortage(sku=lamp.sku, wanted=3, available=2)])
    assert (Order.objects.count(), stock.available(skus=[lamp.sku])[lamp.sku]) == (1, 2)


def test_what_is_short_places_and_takes_nothing(db: None) -> None:
    lamp, chair = make_variant(units=5), make_variant(units=0)
    cart = make_cart((lamp, 1), (chair, 1))
    assert isinstance(place(line(lamp), line(chair), cart=cart), Short)
    assert (Order.objects.count(), Reservation.objects.count(), cart.lines.count()) == (0, 0, 2)
    assert stock.available(skus=[lamp.sku])[lamp.sku] == 5


def test_the_same_attempt_again_is_the_same_order(db: None) -> None:
    lamp, key = make_variant(units=5), uuid4()
    first, again = place(line(lamp), key=key), place(line(lamp, 4), key=key)
    assert again == Placed(order=first.order, is_new=False)
    assert (Order.objects.count(), stock.available(skus=[lamp.sku])[lamp.sku]) == (1, 4)


def both_at_once(*calls: Any) -> list[Any]:
    barrier = Barrier(len(calls))

    def run(call: Any) -> Any:
        barrier.wait()
        try:
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_a_double_click_at_once_is_one_order_even_for_the_last_unit(
    transactional_db: None,
) -> None:
    lamp, key = make_variant(units=1), uuid4()
    outcomes = both_at_once(*[lambda: place(line(lamp), key=key)] * 4)
    assert {outcome.order.pk for outcome in outcomes} == {Order.objects.get().pk}
    assert sorted(outcome.is_new for outcome in outcomes) == [False, False, False, True]
    assert Stock.objects.get().allocated == 1


def test_two_tabs_with_one_cart_make_one_order(transactional_db: None) -> None:
    lamp = make_variant(units=9)
    cart = make_cart((lamp, 2))
    outcomes = both_at_once(*[lambda: place(line(lamp, 2), cart=cart)] * 2)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["CartChanged", "Placed"]
    assert (Order.objects.count(), cart.lines.count(), Stock.objects.get().allocated) == (1, 0, 2)


def test_control_without_the_cart_two_tabs_would_order_twice(transactional_db: None) -> None:
    lamp = make_variant(units=9)
    both_at_once(*[lambda: place(line(lamp, 2))] * 2)
    assert (Order.objects.count(), Stock.objects.get().allocated) == (2, 4)


def test_a_cart_that_another_tab_changed_is_not_ordered_unseen(db: None) -> None:
    lamp = make_variant(units=9)
    cart = make_cart((lamp, 3))
    assert place(line(lamp, 2), cart=cart) == CartChanged()
    assert (Order.objects.count(), cart.lines.count()) == (0, 1)


def test_carts_in_opposite_order_do_not_deadlock(transactional_db: None) -> None:
    lamp, chair = make_variant(units=40), make_variant(units=40)
    lines = [line(lamp), line(chair)]
    calls = [lambda: place(*lines), lambda: place(*reversed(lines))] * 4
    assert all(isinstance(outcome, Placed) for outcome in both_at_once(*calls))
    assert sorted(Stock.objects.values_list("allocated", flat=True)) == [8, 8]


def test_a_line_that_brings_its_reservation_uses_it_its_price_and_its_time(db: None) -> None:
    lamp = make_variant(units=1)
    reservation = hold(lamp)
    placed = place(replace(line(lamp), unit_price=Decimal("60.00"), reservation=reservation))
    assert isinstance(placed, Placed)
    assert placed.order.expires_at == reservation.expires_at
    assert placed.order.subtotal == Decimal("60.00")
    assert placed.order.line_items.get().reservation == reservation
    assert Stock.objects.get().allocated == 1


def test_a_reservation_that_is_over_places_nothing(db: None) -> None:
    lamp, other = make_variant(units=1), make_variant(units=1)
    reservation = hold(lamp)
    end(reservation)
    ended = replace(line(lamp), reservation=reservation)
    assert place(ended, line(other)) == HoldEnded([ended])
    assert (Order.objects.count(), stock.available(skus=[other.sku])[other.sku]) == (0, 1)


def test_a_reservation_of_other_units_is_a_mistake_of_the_caller(db: None) -> None:
    lamp = make_variant(units=5)
    with pytest.raises(ValueError, match="does not hold 2"):
        place(replace(line(lamp, 2), reservation=hold(lamp, quantity=1)))
    assert Order.objects.count() == 0


def test_no_lines_and_one_variant_twice_are_mistakes_of_the_caller(db: None) -> None:
    lamp = make_variant(units=5)
    for lines in ([], [line(lamp), line(lamp)]):
        with pytest.raises(ValueError, match="one for each variant"):
            place(*lines)


def test_what_on_placed_raises_places_nothing(db: None) -> None:
    lamp = make_variant(units=5)

    def refuse(order: Order) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        place(line(lamp), on_placed=refuse)
    assert (Order.objects.count(), stock.available(skus=[lamp.sku])[lamp.sku]) == (0, 5)


# The page


def guest_with_cart(*lines: tuple[Variant, int]) -> Client:
    client = Client()
    session = client.session
    session[carts.SESSION_KEY] = str(make_cart(*lines).pk)
    session.save()
    return client


def hidden(body: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', body)
    assert found, f"no hidden {name}"
    return found[1]


def filled(client: Client, **changes: str) -> dict[str, str]:
    body = client.get("/checkout/").content.decode()
    return FORM | {name: hidden(body, name) for name in ("attempt", "seen_total")} | changes


def test_a_guest_orders_pays_and_sees_the_order(transactional_db: None) -> None:
    lamp = make_variant(units=3)
    client = guest_with_cart((lamp, 2))
    answer = client.post("/checkout/", filled(client))
    order = Order.objects.get()
    assert (answer.status_code, answer["Location"]) == (303, f"/orders/{order.reference}/")
    assert (order.state, order.total, order.user) == ("paid", Decimal("200.00"), None)
    page = client.get(answer["Location"])
    assert page.status_code == 200
    assert "It is yours" in page.content.decode()
    assert Client().get(answer["Location"]).status_code == 404
    assert CartLine.objects.count() == 0


def test_a_second_click_and_the_back_button_show_the_first_order(transactional_db: None) -> None:
    client = guest_with_cart((make_variant(units=3), 1))
    form = filled(client)
    first, again = client.post("/checkout/", form), client.post("/checkout/", form)
    assert first["Location"] == again["Location"]
    order = Order.objects.get()
    assert order.payment_intents.count() == 1


def test_what_was_typed_stays_when_an_entry_is_wrong(db: None) -> None:
    client = guest_with_cart((make_variant(units=3), 1))
    changes = {"email": "nonsense", "country": "XX", "card": "gold", "postcode": ""}
    answer = client.post("/checkout/", filled(client, **changes))
    body = answer.content.decode()
    assert answer.status_code == 422
    assert 'value="1 Sample Street"' in body
    assert 'value="nonsense"' in body
    assert "4 entries need another look." in body
    assert Order.objects.count() == 0


def test_a_price_that_changed_is_shown_before_it_is_charged(transactional_db: None) -> None:
    lamp = make_variant(units=3)
    client = guest_with_cart((lamp, 1))
    form = filled(client)
    Variant.objects.filter(pk=lamp.pk).update(price=Decimal("120.00"))
    answer = client.post("/checkout/", form)
    body = answer.content.decode()
    assert (answer.status_code, Order.objects.count()) == (422, 0)
    assert "The price has changed: it is €120.00 now." in body
    agreed = form | {"seen_total": hidden(body, "seen_total")}
    assert client.post("/checkout/", agreed).status_code == 303
    assert Order.objects.get().total == Decimal("120.00")


def test_a_total_that_was_tampered_with_is_not_what_is_paid(db: None) -> None:
    client = guest_with_cart((make_variant(units=3), 1))
    answer = client.post("/checkout/", filled(client, seen_total="1.00"))
    assert (answer.status_code, Order.objects.count()) == (422, 0)


def test_a_shop_without_a_gateway_says_so_and_places_nothing(db: None, settings: Settings) -> None:
    client = guest_with_cart((make_variant(units=3), 1))
    form = filled(client)
    settings.PAYMENT_GATEWAYS = []
    answer = client.post("/checkout/", form)
    assert answer.status_code == 422
    assert "This shop cannot take payments at the moment." in answer.content.decode()
    assert Order.objects.count() == 0


def test_what_is_short_is_told_with_what_is_left(db: None) -> None:
    lamp = make_variant(units=1)
    client = guest_with_cart((lamp, 2))
    answer = client.post("/checkout/", filled(client))
    assert answer.status_code == 409
    assert f"Of {lamp.sku} you want 2, and 1 can be had." in answer.content.decode()
    assert Order.objects.count() == 0


@pytest.mark.parametrize("method", ["get", "post"])
def test_an_empty_cart_goes_back_to_the_cart(db: None, method: str) -> None:
    answer = getattr(Client(), method)("/checkout/")
    assert (answer.status_code, answer["Location"]) == (302, "/cart/")


def test_a_shopper_finds_the_saved_address_and_may_choose_another(db: None) -> None:
    user, lamp = make_user(), make_variant(units=1)
    CartLine.objects.create(cart=Cart.objects.create(user=user), variant=lamp)
    fields = {"recipient": "Ada", "postcode": "1", "city": "Berlin", "country": "DE"}
    Address.objects.create(user=user, street="First Street 1", is_default=True, **fields)
    second = Address.objects.create(user=user, street="Second Street 2", **fields)
    client = Client()
    client.force_login(user)
    body = client.get("/checkout/").content.decode()
    assert 'value="First Street 1"' in body
    assert 'name="email"' not in body
    body = client.get(f"/checkout/?address={second.pk}").content.decode()
    assert 'value="Second Street 2"' in body
    stranger = Address.objects.create(user=make_user(), street="Third Street 3", **fields)
    body = client.get(f"/checkout/?address={stranger.pk}").content.decode()
    assert "Third Street 3" not in body


def test_the_first_order_fills_an_empty_address_book(transactional_db: None) -> None:
    user, lamp = make_user(), make_variant(units=1)
    CartLine.objects.create(cart=Cart.objects.create(user=user), variant=lamp)
    client = Client()
    client.force_login(user)
    form = {name: value for name, value in filled(client).items() if name != "email"}
    assert client.post("/checkout/", form).status_code == 303
    assert Order.objects.get().user == user
    assert user.addresses.get().street == "1 Sample Street"


def test_nobody_reaches_another_shoppers_order_by_its_attempt(transactional_db: None) -> None:
    first = guest_with_cart((make_variant(units=3), 1))
    form = filled(first)
    first.post("/checkout/", form)
    second = guest_with_cart((make_variant(units=3), 1))
    answer = second.post("/checkout/", filled(second, attempt=form["attempt"]))
    assert answer.status_code == 303
    assert Order.objects.count() == 2


def test_with_the_broker_away_the_order_stands(
    transactional_db: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: object, **kwargs: object) -> None:
        raise ConnectionError("the broker is away")

    monkeypatch.setattr(mails.send_mail, "delay", away)
    placed = place(line(make_variant(units=1)))
    assert Order.objects.get() == placed.order
