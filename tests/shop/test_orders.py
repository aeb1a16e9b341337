"""The state machine, the order's page, the API's orders, and what staff do in the admin."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.backends.db import SessionStore
from django.core.cache import caches
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.utils import timezone
from pytest_django import Settings

from inventory import reservations, stock
from inventory.models import Stock
from shop import emails, orders, payments
from shop.api.orders import place_and_pay
from shop.models import Order, PaymentIntent, User
from shop.problems import Problem
from shop.ratelimits import TooManyRequestsError
from tests.factories import make_user, make_variant
from tests.shop.ordering import (
    books,
    demo,
    end_the_hold,
    line,
    make_order,
    paid_order,
    signed_in,
    staff,
)
from tests.shop.selling import make_code

pytestmark = pytest.mark.django_db(transaction=True)


def timeline(order: Order) -> list[tuple[str, str]]:
    return list(order.events.values_list("kind", "actor"))


# The state machine


def test_a_paid_order_is_shipped_once_and_its_units_leave() -> None:
    order = paid_order(units=3, quantity=2)
    assert orders.fulfil(order=order, actor="staff@example.com")
    assert not orders.fulfil(order=order, actor="staff@example.com")
    assert books(order)["units"] == ["consumed"]
    row = Stock.objects.get()
    assert (row.on_hand, row.allocated) == (1, 0)
    assert timeline(order)[-1] == ("fulfilled", "staff@example.com")
    assert len(timeline(order)) == 3


def test_an_unpaid_order_is_not_shipped() -> None:
    order = make_order()
    assert not orders.fulfil(order=order, actor="staff@example.com")
    assert (books(order)["order"], Stock.objects.get().on_hand) == ("pending", 3)


def test_shipping_what_has_no_units_is_refused_and_changes_nothing() -> None:
    order = paid_order()
    reservations.release(reservation_ids=orders.reservation_ids(order), reason="by hand")
    with pytest.raises(orders.BrokenOrder):
        orders.fulfil(order=order, actor="staff@example.com")
    assert books(order)["order"] == "paid"


def test_cancelling_an_unpaid_order_gives_its_units_back_once() -> None:
    order = make_order(units=3, quantity=2)
    assert orders.cancel(order=order, actor="ada@example.com", reason="changed my mind")
    assert not orders.cancel(order=order, actor="ada@example.com", reason="changed my mind")
    assert Stock.objects.get().available == 3
    assert timeline(order) == [("placed", ""), ("cancelled", "ada@example.com")]


def test_cancelling_a_paid_order_gives_units_and_money_back_once() -> None:
    order = paid_order(units=3)
    assert orders.cancel(order=order, actor="staff@example.com", reason="it broke")
    payments.settle_due()
    assert books(order) == {
        "order": "cancelled",
        "payments": ["refunded"],
        "units": ["released"],
        "bank": ["refunded"],
    }
    assert Stock.objects.get().available == 3


def test_who_cancels_an_unpaid_order_does_not_cancel_one_that_was_just_paid() -> None:
    order = make_order()
    payments.start(order=order, method=demo())
    assert order.state == "pending"  # as the caller saw it
    assert not orders.cancel(order=order, actor="ada@example.com", reason="changed my mind")
    assert books(order)["order"] == "paid"


@pytest.mark.parametrize("state", ["authorised", "confirmed"])
def test_an_order_whose_payment_is_being_decided_is_not_cancelled(state: str) -> None:
    order = make_order()
    payments.start(order=order, method=demo("late"))
    PaymentIntent.objects.update(state=state)
    assert not orders.cancel(order=order, actor="ada@example.com", reason="changed my mind")
    assert books(order)["order"] == "pending"


def test_cancelling_cancels_the_payment_that_waits_for_its_bank() -> None:
    order = make_order()
    payments.start(order=order, method=demo("late"))
    assert orders.cancel(order=order, actor="ada@example.com", reason="changed my mind")
    payments.settle_due()
    found = books(order)
    assert (found["order"], found["payments"], found["bank"]) == (
        "cancelled",
        ["cancelled"],
        ["cancelled"],
    )


@pytest.mark.parametrize("shipped", [False, True])
def test_a_refund_gives_all_the_money_back_and_units_only_when_they_are_here(shipped: bool) -> None:
    order = paid_order(units=3)
    if shipped:
        orders.fulfil(order=order, actor="staff@example.com")
    assert orders.refund(order=order, actor="staff@example.com", reason="it broke")
    assert not orders.refund(order=order, actor="staff@example.com", reason="it broke")
    payments.settle_due()
    found = books(order)
    assert (found["order"], found["payments"], found["bank"]) == (
        "refunded",
        ["refunded"],
        ["refunded"],
    )
    assert found["units"] == ["consumed" if shipped else "released"]
    assert Stock.objects.get().available == (2 if shipped else 3)


def test_an_unpaid_order_has_nothing_to_refund() -> None:
    order = make_order()
    assert not orders.refund(order=order, actor="staff@example.com", reason="it broke")
    assert books(order)["order"] == "pending"


def test_an_order_expires_when_its_units_are_gone_and_not_before() -> None:
    order = make_order()
    assert orders.expire_due() == 0
    end_the_hold(order)
    assert (orders.expire_due(), orders.expire_due()) == (1, 0)
    assert timeline(order) == [("placed", ""), ("expired", "")]


def test_a_hold_that_was_let_go_elsewhere_closes_its_order_and_frees_the_rest() -> None:
    lamp, chair = make_variant(units=1), make_variant(units=1)
    order = make_order(lamp, chair)
    first = order.line_items.get(sku=lamp.sku)
    reservations.release(reservation_ids=[first.reservation_id], reason="let go")
    assert orders.expire_due() == 1
    assert stock.available(skus=[lamp.sku, chair.sku]) == {lamp.sku: 1, chair.sku: 1}


def test_a_paid_order_never_expires() -> None:
    order = paid_order()
    end_the_hold(order)
    reservations.expire()
    assert orders.expire_due() == 0
    assert books(order)["order"] == "paid"


def test_an_order_between_confirmed_and_captured_never_expires() -> None:
    order = make_order()
    payments.start(order=order, method=demo("late"))
    PaymentIntent.objects.update(state="confirmed")
    reservations.confirm(reservation_ids=orders.reservation_ids(order))
    end_the_hold(order)
    reservations.expire()
    assert orders.expire_due() == 0
    assert books(order)["units"] == ["confirmed"]


def test_control_a_sweep_that_looked_at_the_time_alone_would_close_a_paid_order() -> None:
    order = paid_order()
    Order.objects.filter(pk=order.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    by_time = Order.objects.exclude(state="expired").filter(expires_at__lte=timezone.now())
    assert list(by_time) == [order]
    assert orders.expire_due() == 0


# The page


def owner_of(order: Order) -> Client:
    assert order.user is not None
    return signed_in(order.user)


def page(client: Client, order: Order) -> str:
    answer = client.get(order.get_absolute_url())
    assert answer.status_code == 200
    return answer.content.decode()


def test_others_do_not_see_an_order_exists() -> None:
    order = make_order()
    stranger = signed_in(make_user())
    for client in (stranger, Client()):
        assert client.get(order.get_absolute_url()).status_code == 404
        assert client.post(f"{order.get_absolute_url()}pay/", demo()).status_code == 404
        assert client.get(f"{order.get_absolute_url()}cancel/").status_code == 404
        assert client.post(f"{order.get_absolute_url()}cancel/").status_code == 404
    assert books(order)["order"] == "pending"


def test_an_unpaid_order_is_paid_on_its_page() -> None:
    order = make_order()
    client = owner_of(order)
    body = page(client, order)
    assert "Waiting for your payment" in body
    assert "Pay €100.00" in body
    answer = client.post(f"{order.get_absolute_url()}pay/", demo())
    assert (answer.status_code, answer["Location"]) == (303, order.get_absolute_url())
    assert "It is yours" in page(client, order)


def test_a_decline_is_told_with_what_happens_to_the_units() -> None:
    order = make_order()
    client = owner_of(order)
    client.post(f"{order.get_absolute_url()}pay/", demo("decline"))
    body = page(client, order)
    assert "The payment did not work out" in body
    assert "stays held for you until the time is over" in body
    assert "Pay €100.00" in body


def test_a_page_that_waits_for_the_bank_looks_again_by_itself() -> None:
    order = make_order()
    client = owner_of(order)
    client.post(f"{order.get_absolute_url()}pay/", demo("late"))
    body = page(client, order)
    assert "We are waiting for your bank." in body
    assert 'data-refresh-seconds="3"' in body
    assert "Pay €100.00" not in body


def test_a_card_that_is_none_is_an_error_and_charges_nothing() -> None:
    order = make_order()
    answer = owner_of(order).post(f"{order.get_absolute_url()}pay/", demo("gold"))
    assert answer.status_code == 422
    assert "Choose one of the cards." in answer.content.decode()
    assert PaymentIntent.objects.count() == 0


def test_an_order_is_cancelled_after_a_question() -> None:
    order = make_order()
    client = owner_of(order)
    url = f"{order.get_absolute_url()}cancel/"
    assert "Cancel order" in client.get(url).content.decode()
    assert books(order)["order"] == "pending"
    assert client.post(url).status_code == 303
    assert "The order is cancelled" in page(client, order)


def test_a_paid_order_is_not_cancelled_by_the_page() -> None:
    order = paid_order()
    assert owner_of(order).post(f"{order.get_absolute_url()}cancel/").status_code == 303
    assert books(order)["order"] == "paid"


@pytest.mark.parametrize(
    ("state", "title"),
    [
        ("fulfilled", "It is on its way"),
        ("cancelled", "The order is cancelled"),
        ("refunded", "The order is refunded"),
        ("expired", "The time was over"),
    ],
)
def test_the_page_says_where_an_order_stands(state: str, title: str) -> None:
    order = make_order()
    Order.objects.filter(pk=order.pk).update(state=state)
    assert title in page(owner_of(order), order)


def test_an_order_whose_time_is_over_offers_no_payment_before_the_sweep_came() -> None:
    order = make_order()
    end_the_hold(order)
    body = page(owner_of(order), order)
    assert "The time was over" in body
    assert "Pay €100.00" not in body


def test_the_link_of_a_guests_mail_opens_the_order_in_any_browser() -> None:
    order = make_order()
    Order.objects.filter(pk=order.pk).update(user=None)
    order.refresh_from_db()
    client = Client()
    path = emails.order_url(order).removeprefix("http://127.0.0.1:8000")
    answer = client.get(path)
    assert (answer.status_code, answer["Location"]) == (303, order.get_absolute_url())
    assert "Waiting for your payment" in page(client, order)
    forged = f"{order.get_absolute_url()}?access=forged"
    assert Client().get(forged).status_code == 404


def test_the_link_of_one_guests_mail_opens_no_other_guests_order() -> None:
    mine, theirs = make_order(), make_order()
    Order.objects.update(user=None)
    mine.refresh_from_db()
    theirs.refresh_from_db()
    _, access = emails.order_url(mine).split("?access=")
    assert emails.opens(order=mine, access=access)
    assert not emails.opens(order=theirs, access=access)
    client = Client()
    answer = client.get(theirs.get_absolute_url(), {"access": access})
    assert answer.status_code == 404
    assert client.get(theirs.get_absolute_url()).status_code == 404


# The API


def test_the_api_shows_own_orders_only() -> None:
    user = make_user()
    order = make_order(user=user)
    stranger = make_order()
    client = signed_in(user)
    listed = client.get("/api/v1/orders/").json()
    assert [row["reference"] for row in listed["results"]] == [order.reference]
    shown = client.get(f"/api/v1/orders/{order.reference}/").json()
    assert shown["items"] == [
        {
            "sku": order.line_items.get().sku,
            "name": order.line_items.get().name,
            "quantity": 1,
            "unit_price": "100.00",
            "total": "100.00",
        }
    ]
    assert (shown["total"], shown["currency"], shown["payment"]) == ("100.00", "EUR", None)
    assert shown["shipping_address"]["country"] == "DE"
    hidden = client.get(f"/api/v1/orders/{stranger.reference}/")
    assert (hidden.status_code, hidden.json()["code"]) == (404, "not_found")


def test_the_api_asks_who_is_there() -> None:
    assert Client().get("/api/v1/orders/").status_code == 401


def body(**changes: Any) -> dict[str, Any]:
    address = {
        "recipient": "Ada Example",
        "street": "1 Sample Street",
        "postcode": "10115",
        "city": "Berlin",
        "country": "DE",
    }
    return {"shipping_address": address, "payment_method": demo()} | changes


def asking(user: User) -> HttpRequest:
    request = RequestFactory().post("/")
    request.user = user
    request.session = SessionStore()
    return request


def test_codes_cannot_be_guessed_by_the_hundred_over_the_api_either(settings: Settings) -> None:
    settings.RATELIMIT_ENABLE = True
    caches["ratelimit"].clear()
    user, lamp = make_user(), make_variant(units=2)
    make_code()
    placed = uuid4()

    def place(key: UUID, code: str) -> str:
        sent = body(discount_code=code)
        request = asking(user)
        try:
            place_and_pay(request=request, key=key, user=user, lines=[line(lamp)], data=sent)
        except Problem as problem:
            return str(problem.code)
        except TooManyRequestsError:
            return "too many"
        return "placed"

    assert place(placed, "HELLO") == "placed"
    guesses = [place(uuid4(), f"GUESS{number}") for number in range(15)]
    assert guesses == ["discount_refused"] * 14 + ["too many"]
    # Control: the order that stands is paid again with its code, and orders without one go on.
    assert [place(placed, "HELLO"), place(uuid4(), "")] == ["placed", "placed"]


def test_an_order_of_the_api_is_placed_and_paid_once() -> None:
    user, lamp = make_user(), make_variant(units=2)
    key = user.shopper_id
    first = place_and_pay(request=asking(user), key=key, user=user, lines=[line(lamp)], data=body())
    again = place_and_pay(request=asking(user), key=key, user=user, lines=[line(lamp)], data=body())
    assert first == again
    assert (first["state"], first["payment"]["state"]) == ("paid", "captured")
    assert json.loads(json.dumps(first, default=str))["reference"] == Order.objects.get().reference
    assert PaymentIntent.objects.count() == 1


def test_a_declined_card_of_the_api_is_tried_again_with_another() -> None:
    user, lamp = make_user(), make_variant(units=2)
    declined = place_and_pay(
        request=asking(user),
        key=user.shopper_id,
        user=user,
        lines=[line(lamp)],
        data=body(payment_method=demo("decline")),
    )
    assert declined["payment"]["state"] == "declined"
    paid = place_and_pay(
        request=asking(user), key=user.shopper_id, user=user, lines=[line(lamp)], data=body()
    )
    assert (paid["reference"], paid["state"]) == (declined["reference"], "paid")


def test_the_api_says_why_an_order_cannot_be_placed() -> None:
    user, lamp = make_user(), make_variant(units=0)
    with pytest.raises(Problem) as sold_out:
        place_and_pay(
            request=asking(user), key=user.shopper_id, user=user, lines=[line(lamp)], data=body()
        )
    assert (sold_out.value.status_code, sold_out.value.code) == (409, "sold_out")
    order = make_order(user=user)
    orders.cancel(order=order, actor="", reason="test")
    with pytest.raises(Problem) as closed:
        place_and_pay(
            request=asking(user), key=order.key, user=user, lines=[line(lamp)], data=body()
        )
    assert (closed.value.status_code, closed.value.code) == (409, "not_payable")


# The admin


@pytest.fixture(autouse=True)
def no_second_factor(settings: Any) -> None:
    settings.STAFF_SECOND_FACTOR = False


def said_in_history() -> list[str]:
    return [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]


def act(client: Client, order: Order, action: str, **more: str) -> Any:
    seen = f"{order.pk} {order.state}"
    data = {"action": action, "_selected_action": str(order.pk), "seen": seen} | more
    return client.post("/admin/shop/order/", data, follow="confirmed" in more)


def test_staff_ship_an_order_after_a_question_and_by_name() -> None:
    order = paid_order()
    client = staff("view_order", "change_order")
    asked = act(client, order, "fulfil")
    assert "Mark these orders as shipped?" in asked.content.decode()
    assert books(order)["order"] == "paid"
    assert f'name="seen" value="{order.pk} paid"' in asked.content.decode()
    act(client, order, "fulfil", confirmed="yes")
    assert books(order)["order"] == "fulfilled"
    name = User.objects.get(is_staff=True).email
    assert timeline(order)[-1] == ("fulfilled", name)
    assert (LogEntry.objects.get().user.email, said_in_history()) == (name, ["Shipped."])


@pytest.mark.parametrize(("action", "state"), [("refund", "refunded"), ("cancel", "cancelled")])
def test_giving_money_back_needs_its_permission_and_a_reason(action: str, state: str) -> None:
    order = paid_order()
    act(staff("view_order", "change_order"), order, action, confirmed="yes", reason="it broke")
    assert books(order)["order"] == "paid"
    merchant = staff("view_order", "refund_order")
    asked = act(merchant, order, action, confirmed="yes", reason="")
    assert "This field is required." in asked.content.decode()
    assert books(order)["order"] == "paid"
    act(merchant, order, action, confirmed="yes", reason="it broke")
    assert books(order)["order"] == state
    last = order.events.last()
    assert last is not None
    assert "it broke" in last.message
    assert said_in_history() == [f"{state.capitalize()}. it broke"]
    assert last.actor.endswith("@example.com")


def test_the_admin_names_orders_that_it_could_not_change() -> None:
    order = make_order()
    client = staff("view_order", "change_order")
    answer = act(client, order, "fulfil", confirmed="yes")
    assert f"Could not be shipped: {order.reference}." in answer.content.decode()
    assert said_in_history() == []


def test_the_admin_leaves_alone_orders_that_were_seen_in_another_state() -> None:
    order = make_order()
    payments.start(order=order, method=demo())  # after it was seen unpaid
    merchant = staff("view_order", "refund_order")
    answer = act(merchant, order, "cancel", confirmed="yes", reason="never paid")
    said = f"Not any more as you saw it, and left alone: {order.reference}."
    assert said in answer.content.decode()
    assert (books(order)["order"], said_in_history()) == ("paid", [])


def test_an_order_in_the_admin_is_read_and_not_typed_over() -> None:
    order = paid_order()
    client = staff("view_order", "change_order", "view_lineitem", "view_orderevent")
    url = f"/admin/shop/order/{order.pk}/change/"
    body = client.get(url).content.decode()
    assert order.reference in body
    assert "Paid. Everything is kept for you." in body
    assert 'name="total"' not in body
    assert client.post(url, {"total": "1.00"}).status_code == 403


def test_payments_and_events_are_read_in_the_admin_and_tried_again() -> None:
    order = make_order()
    payments.start(order=order, method=demo("late"))
    intent = PaymentIntent.objects.get()
    client = staff("view_paymentintent", "view_paymentevent", "refund_order")
    for path in ("paymentintent/", "paymentevent/", f"paymentintent/{intent.pk}/change/"):
        assert client.get(f"/admin/shop/{path}").status_code == 200
    answer = client.post(
        "/admin/shop/paymentintent/",
        {"action": "try_again", "_selected_action": str(intent.pk)},
        follow=True,
    )
    assert f"Payment {intent.pk}: Created" in answer.content.decode()
    assert said_in_history() == ["Tried again: Created"]
