"""An order that comes to nothing is paid without a payment, whatever made it free, and no provider hears of it."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from inventory import audit, stock
from shop import orders, payments, refunds, returns
from shop.models import Cart, CartLine, Order, PaymentIntent, Variant
from tests.factories import make_user, make_variant
from tests.shop.ordering import end_the_hold, make_order, signed_in
from tests.shop.selling import make_code, make_method
from tests.shop.stripe_fixture import SETTINGS
from tests.shop.test_checkout import FORM, filled, guest_with_cart

pytestmark = pytest.mark.django_db

STAFF = "staff@example.com"


@pytest.fixture(autouse=True)
def stripe_is_away(settings: Settings) -> Iterator[None]:
    """Who asks it gets no answer, and the books agree all the same."""
    for name, value in (SETTINGS | {"STRIPE_API_BASE": "http://127.0.0.1:1"}).items():
        setattr(settings, name, value)
    settings.AUDIT_CHECKS = ["inventory.audit.checks", "shop.audit.checks"]
    make_method("Post", ("0", "0", None))
    yield
    assert {r.check.name: r.breaches for r in audit.run(scope={}) if r.breaches} == {}


def free(units: int = 3) -> Variant:
    return make_variant(units=units, price=Decimal(0))


def free_order(quantity: int = 1) -> Order:
    """A free order that was just completed."""
    order = make_order(free(), quantity=quantity)
    assert isinstance(payments.start(order=order, method={}), payments.NothingToPay)
    order.refresh_from_db()
    return order


def test_it_is_paid_by_its_one_click_has_an_invoice_and_no_payment() -> None:
    client = guest_with_cart((free(), 1))
    answer = client.post("/checkout/", filled(client))
    order = Order.objects.get()
    assert (answer.status_code, answer["Location"]) == (303, order.get_absolute_url())
    assert (order.state, str(order.total), order.invoice.number) == ("paid", "0.00", 1)
    assert [item.reservation.state for item in order.line_items.all()] == ["confirmed"]
    assert list(order.events.values_list("kind", flat=True)) == ["placed", "paid"]
    assert PaymentIntent.objects.count() == 0


def test_a_code_that_takes_all_does_the_same(settings: Settings) -> None:
    make_code(value="100")
    client = guest_with_cart((make_variant(units=3), 1))
    client.post("/checkout/", FORM | {"action": "update", "discount_code": "HELLO"})
    body = client.get("/checkout/").text
    assert "data-payment hidden" in body
    assert "Complete the order" in body
    settings.PAYMENT_GATEWAYS = []  # Not even a way to pay is needed.
    client.post("/checkout/", filled(client))
    order = Order.objects.get()
    assert (order.state, str(order.discount), str(order.total)) == ("paid", "100.00", "0.00")


def test_control_a_cent_needs_a_payment() -> None:
    client = guest_with_cart((make_variant(units=3, price=Decimal("0.01")), 1))
    body = client.get("/checkout/").text
    assert "data-payment>" in body
    answer = client.post("/checkout/", filled(client))
    assert (answer.status_code, Order.objects.count()) == (422, 0)


def test_a_total_that_was_not_seen_to_be_nothing_is_not_free() -> None:
    client = guest_with_cart((make_variant(units=3), 1))
    answer = client.post("/checkout/", filled(client) | {"seen_total": "0.00"})
    assert (answer.status_code, Order.objects.count()) == (422, 0)
    assert "The price has changed" in answer.text


def test_a_double_click_completes_it_once() -> None:
    order = free_order()
    again = payments.start(order=order, method={"method": "demo"})
    assert isinstance(again, payments.NothingToPay)
    assert list(order.events.values_list("kind", flat=True)) == ["placed", "paid"]


def test_after_its_time_it_is_not_completed() -> None:
    order = make_order(free())
    end_the_hold(order)
    assert isinstance(payments.start(order=order, method={}), payments.NotPayable)
    orders.expire_due()
    assert isinstance(payments.start(order=order, method={}), payments.NotPayable)
    assert Order.objects.get().state == "expired"


def test_one_that_was_left_open_is_completed_on_its_page() -> None:
    order = make_order(free())
    assert order.user is not None
    client = signed_in(order.user)
    body = client.get(order.get_absolute_url()).text
    assert "Complete the order" in body
    assert "data-stripe" not in body
    assert client.post(f"{order.get_absolute_url()}pay/").status_code == 303
    assert "It is yours" in client.get(order.get_absolute_url()).text


def test_its_units_come_back_when_it_is_cancelled_and_no_money_goes_out() -> None:
    order = free_order()
    sku = order.line_items.get().sku
    item = order.line_items.get().pk
    for outcome in (
        refunds.refund_in_full(order=order, actor=STAFF, reason="sorry"),
        refunds.refund_part(
            order=order, units={item: 1}, extra=Decimal(1), actor=STAFF, reason="sorry"
        ),
    ):
        assert outcome == refunds.NotRefunded("Nothing was paid for it: cancel it instead.")
    assert orders.cancel(order=order, actor=STAFF, reason="sold out after all")
    assert (stock.available(skus=[sku])[sku], order.refunds.count()) == (3, 0)


def test_what_was_free_can_be_sent_back() -> None:
    order = free_order(quantity=2)
    assert orders.fulfil(order=order, actor=STAFF)
    order.refresh_from_db()
    item = order.line_items.get()
    asked = returns.ask(
        order=order, units={item.pk: 2}, reason="no room", actor="", now=timezone.now()
    )
    assert isinstance(asked, returns.Done)
    returns.approve(parcel=asked.parcel, actor=STAFF)
    done = returns.receive(parcel=asked.parcel, actor=STAFF, restock=True)
    assert isinstance(done, returns.Done)
    assert done.parcel.refund is None
    assert stock.available(skus=[item.sku])[item.sku] == 3


def ordered(client: Client, **more: Any) -> Any:
    body = {"shipping_address": {name: FORM[name] for name in FORM if name not in UNASKED}}
    return client.post("/api/v1/orders/", body | more, content_type="application/json")


UNASKED = {"email", "card", "terms"}


def client_with(variant: Variant) -> Client:
    user = make_user()
    CartLine.objects.create(cart=Cart.objects.create(user=user), variant=variant)
    return signed_in(user)


def test_the_api_asks_for_no_way_to_pay() -> None:
    answer = ordered(client_with(free()))
    assert (answer.status_code, answer.json()["state"]) == (201, "paid")
    assert answer.json()["payment"] is None


def test_control_the_api_asks_for_one_where_there_is_something_to_pay() -> None:
    client = client_with(make_variant(units=3))
    answer = ordered(client)
    assert (answer.status_code, Order.objects.count()) == (400, 0)
    assert "payment_method" in str(answer.json())
    assert ordered(client, agreed_total="100.00").status_code == 400
