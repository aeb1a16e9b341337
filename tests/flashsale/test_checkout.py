"""The checkout of what a sale holds: the shop's own, with the hold's countdown and more time."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from flashsale import purchases, shoppers
from flashsale.models import Purchase
from flashsale.purchases import State
from flashsale.sales import SaleInfo
from inventory import stock
from inventory.models import Reservation, Stock
from shop import checkout, payments
from shop.checkout import Short
from shop.extensions import Extended, NotExtended
from shop.models import CartLine, Order, PaymentIntent, User
from tests.factories import make_sale, make_user
from tests.flashsale.test_purchases import held
from tests.shop.ordering import ADDRESS
from tests.shop.selling import make_code
from tests.shop.test_checkout import FORM, hidden

pytestmark = pytest.mark.django_db

BODY = {
    "shipping_address": {
        "recipient": "Ada",
        "street": "1 Sample Street",
        "postcode": "10115",
        "city": "Berlin",
        "country": "DE",
    },
    "payment_method": {"method": "demo", "card": "approve"},
}


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def sale_and_purchase(*, extension: int = 300, units: int = 1) -> tuple[SaleInfo, User, Purchase]:
    sale, user = make_sale(units=units, hold_extension_seconds=extension), make_user()
    return sale, user, held(sale, user)


def again(purchase: Purchase) -> Purchase:
    found = purchases.find(purchase.pk, shopper=purchase.shopper_id)
    assert found is not None
    return found


def expires_at(purchase: Purchase) -> Any:
    return Reservation.objects.get(pk=purchase.pk).expires_at


def filled(client: Client, url: str, **changes: str) -> dict[str, str]:
    body = client.get(url).content.decode()
    form = {name: value for name, value in FORM.items() if name != "email"}
    return form | {name: hidden(body, name) for name in ("attempt", "seen_total")} | changes


def call(client: Client, purchase: Purchase, path: str, body: object = None) -> Any:
    url = f"/api/v1/purchases/{purchase.pk}/{path}"
    return client.post(url, body or {}, content_type="application/json")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("how", ["signed out", "new password", "closed"])
def test_the_cookie_that_names_a_shopper_orders_nothing(how: str) -> None:
    _, user, purchase = sale_and_purchase()
    cookie = shoppers.sign_cookie(user.shopper_id)
    if how == "new password":
        user.set_password("kelp and salt 10")
    user.is_active = how != "closed"
    user.save()
    client = Client()
    client.cookies[shoppers.COOKIE] = cookie
    assert call(client, purchase, "order/", BODY).status_code == 401
    assert not Order.objects.exists()


def test_a_hold_is_extended_once_by_as_much_as_the_merchant_allows() -> None:
    _, _, purchase = sale_and_purchase()
    until = expires_at(purchase) + timedelta(seconds=300)
    assert purchases.can_extend(purchase)
    assert purchases.extend(purchase) == Extended(until)
    assert not purchases.can_extend(again(purchase))
    assert purchases.extend(again(purchase)) is NotExtended.ALREADY
    assert expires_at(purchase) == until


def test_a_merchant_may_allow_none() -> None:
    _, _, purchase = sale_and_purchase(extension=0)
    assert not purchases.can_extend(purchase)
    assert purchases.extend(purchase) is NotExtended.NOT_OFFERED


@pytest.mark.django_db(transaction=True)
def test_a_hold_that_was_extended_is_not_extended_again_by_ordering_it() -> None:
    _, user, purchase = sale_and_purchase()
    purchases.extend(purchase)
    declined = BODY | {"payment_method": {"method": "demo", "card": "decline"}}
    answer = call(signed_in(user), purchase, "order/", declined)
    assert answer.status_code == 201
    order = Order.objects.get()
    assert (order.extension_seconds, order.expires_at) == (300, expires_at(purchase))
    assert purchases.extend(again(purchase)) is NotExtended.ALREADY


def test_the_api_extends_and_says_why_not() -> None:
    _, user, purchase = sale_and_purchase()
    client = signed_in(user)
    shown = client.get(f"/api/v1/purchases/{purchase.pk}/").json()
    assert shown["can_extend"] is True
    answer = call(client, purchase, "extension/")
    extended = answer.json()
    assert (answer.status_code, extended["can_extend"]) == (200, False)
    assert extended["hold_expires_at"] == expires_at(purchase).isoformat()
    assert extended["hold_expires_at"] > shown["hold_expires_at"]
    refused = call(client, purchase, "extension/")
    assert (refused.status_code, refused.json()["code"]) == (409, "already_extended")
    Reservation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    refused = call(client, purchase, "extension/")
    assert (refused.status_code, refused.json()["code"]) == (409, "hold_ended")
    assert call(signed_in(make_user()), purchase, "extension/").status_code == 404


def test_the_purchases_page_offers_more_time_without_a_script() -> None:
    _, user, purchase = sale_and_purchase()
    client, url = signed_in(user), f"/purchases/{purchase.pk}/"
    assert f'action="{url}extend/"' in client.get(url).content.decode()
    body = client.post(f"{url}extend/", follow=True).content.decode()
    until = timezone.localtime(expires_at(purchase))
    assert f"You have more time: it is held for you until {until:%H:%M:%S}." in body
    assert "I need more time" not in body
    assert signed_in(make_user()).post(f"{url}extend/").status_code == 404


def test_more_time_at_the_checkout_loses_nothing_that_was_typed() -> None:
    _, user, purchase = sale_and_purchase()
    client, url = signed_in(user), f"/purchases/{purchase.pk}/checkout/"
    assert 'value="extend"' in client.get(url).content.decode()
    before = expires_at(purchase)
    answer = client.post(url, {"action": "extend", "street": "9 Long Street", "country": "DE"})
    assert (answer.status_code, answer["Location"]) == (303, url)
    assert expires_at(purchase) - before == timedelta(seconds=300)
    body = client.get(url).content.decode()
    assert 'value="9 Long Street"' in body
    assert 'value="extend"' not in body
    client.post(url, {"action": "extend", "country": "DE"})
    assert expires_at(purchase) - before == timedelta(seconds=300)


def test_a_sales_price_has_no_discount_unless_the_code_says_so() -> None:
    _, user, purchase = sale_and_purchase()
    code = make_code(value="10")
    client, url = signed_in(user), f"/purchases/{purchase.pk}/checkout/"
    client.post(url, {"action": "update", "discount_code": "hello", "country": "DE"})
    body = client.get(url).content.decode()
    assert "This code does not count for sales and reduced goods." in body
    assert "Order and pay €64.90" in body
    code.includes_sale_items = True
    code.save()
    assert "Order and pay €58.90" in client.get(url).content.decode()


@pytest.mark.django_db(transaction=True)
def test_the_api_orders_with_a_code_a_note_and_says_what_it_cannot_do() -> None:
    _, user, purchase = sale_and_purchase()
    make_code(value="10", includes_sale_items=True)
    client = signed_in(user)
    refused = call(client, purchase, "order/", BODY | {"discount_code": "NOPE"})
    assert (refused.status_code, refused.json()["code"]) == (409, "discount_refused")
    refused = call(client, purchase, "order/", BODY | {"delivery": 99})
    assert (refused.status_code, refused.json()["code"]) == (409, "no_delivery")
    assert refused.json()["offers"] == [{"id": 0, "name": "Standard", "price": "4.90"}]
    assert Order.objects.count() == 0
    body = BODY | {"discount_code": "hello", "note": "Ring twice", "delivery": 0}
    answer = call(client, purchase, "order/", body).json()
    assert (answer["total"], answer["discount"], answer["note"]) == ("58.90", "6.00", "Ring twice")
    assert (answer["shipping_method"], answer["tax"]) == ("Standard", "0.00")


# A hold never blocks its own buyer (failure 25)


@pytest.mark.django_db(transaction=True)
def test_who_holds_the_last_unit_pays_for_it_though_nothing_is_free_and_the_cart_has_it_too() -> (
    None
):
    sale, user, purchase = sale_and_purchase(units=1)
    variant = purchase.item.variant
    assert stock.available(skus=[variant.sku]) == {variant.sku: 0}
    assert Stock.objects.get(pool=sale.scope).available == 0
    client, url = signed_in(user), f"/purchases/{purchase.pk}/checkout/"
    client.post("/cart/add/", {"sku": variant.sku, "quantity": "1"})
    assert (
        CartLine.objects.count() == 0
    )  # nothing is free for the cart, and the hold is not touched
    answer = client.post(url, filled(client, url))
    assert answer.status_code == 303
    assert Order.objects.get().state == Order.State.PAID
    assert purchases.state_of(again(purchase)) is State.PAID


@pytest.mark.django_db(transaction=True)
def test_who_has_the_last_unit_in_an_unpaid_order_pays_for_it() -> None:
    _, user, purchase = sale_and_purchase(units=1)
    client, url = signed_in(user), f"/purchases/{purchase.pk}/checkout/"
    answer = client.post(url, filled(client, url, card="decline"))
    order = Order.objects.get()
    assert (answer["Location"], order.state) == (order.get_absolute_url(), Order.State.PENDING)
    assert client.get(url)["Location"] == order.get_absolute_url()
    client.post(f"{order.get_absolute_url()}pay/", {"card": "approve"})
    order.refresh_from_db()
    assert order.state == Order.State.PAID


@pytest.mark.django_db(transaction=True)
def test_a_purchase_is_ordered_until_the_bank_has_said_that_it_paid(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    _, user, purchase = sale_and_purchase(units=1)
    client, url = signed_in(user), f"/purchases/{purchase.pk}/checkout/"
    client.post(url, filled(client, url, card="capture_silent"))
    waiting = again(purchase)
    with django_assert_num_queries(0):
        assert purchases.state_of(waiting) is State.ORDERED
        assert not purchases.can_extend(waiting)
    assert waiting.reservation is not None
    assert waiting.reservation.state == Reservation.State.CONFIRMED
    assert not purchases.release(waiting)
    PaymentIntent.objects.update(updated_at=timezone.now() - timedelta(minutes=5))
    payments.settle_due()
    assert purchases.state_of(again(purchase)) is State.PAID


def test_control_without_the_hold_the_last_unit_cannot_be_ordered() -> None:
    _, user, purchase = sale_and_purchase(units=1)
    without = replace(purchases.order_line(purchase), reservation=None)
    outcome = checkout.place_order(
        key=uuid4(), user=user, email=user.email, address=ADDRESS, lines=[without]
    )
    assert isinstance(outcome, Short)
