"""How paying looks to a shopper: ways to choose from, a second step at the bank, and coming back from it."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db.models import F
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from inventory.models import Reservation
from shop import orders, payment_events, payments
from shop.api.orders import OrderSerializer
from shop.gateways.demo import CARDS
from shop.gateways.stripe import NEEDS_SCRIPT
from shop.models import Order, PaymentEvent, PaymentIntent
from shop.payment_pauses import STUCK_TRIES
from tests.factories import make_user
from tests.shop.ordering import books, demo, make_order
from tests.shop.stripe_fixture import SETTINGS, StripeServer

pytestmark = pytest.mark.django_db(transaction=True)


def shopper_with(order: Order) -> Client:
    client = Client()
    assert order.user is not None
    client.force_login(order.user)
    return client


def asked_at_the_bank() -> tuple[Order, Client, str]:
    """An order whose shopper chose the second step, and the address that the order's page leads to."""
    order = make_order()
    client = shopper_with(order)
    page = client.post(f"{order.get_absolute_url()}pay/", {"card": "second_step"}, follow=True)
    body = page.content.decode()
    assert "Your bank wants to hear from you" in body
    link = re.search(r'<a class="button" href="([^"]+)">Confirm at your bank', body)
    assert link is not None
    return order, client, link[1]


def test_every_behaviour_of_the_demonstration_bank_is_offered_in_plain_words() -> None:
    order = make_order()
    body = shopper_with(order).get(order.get_absolute_url()).content.decode()
    for card, words in CARDS.items():
        assert f'value="{card}"' in body
        assert words.replace("'", "&#x27;") in body


def test_a_second_step_is_taken_at_the_bank_and_ends_on_the_paid_order() -> None:
    order, client, bank = asked_at_the_bank()
    page = client.get(bank).content.decode()
    assert "€100.00" in page
    paid = client.post(bank, {"answer": "approve"}, follow=True)
    assert [code for _, code in paid.redirect_chain] == [303, 303]
    assert "It is yours" in paid.content.decode()
    assert books(order)["bank"] == ["captured"]


def test_a_no_at_the_bank_leaves_the_order_to_be_paid_in_another_way() -> None:
    order, client, bank = asked_at_the_bank()
    page = client.post(bank, {"answer": "decline"}, follow=True).content.decode()
    assert "The payment did not work out" in page
    assert books(order)["units"] == ["held"]
    assert "Pay €100.00" in page


def test_a_page_that_has_something_to_do_does_not_load_itself_again() -> None:
    order, client, _ = asked_at_the_bank()
    body = client.get(order.get_absolute_url()).content.decode()
    assert "data-refresh-seconds" not in body
    assert "data-refresh-seconds" in late_page()


def late_page() -> str:
    order = make_order()
    payments.start(order=order, method=demo("late"))
    return shopper_with(order).get(order.get_absolute_url()).content.decode()


def test_who_does_not_want_to_go_to_the_bank_pays_in_another_way() -> None:
    order, client, bank = asked_at_the_bank()
    url = f"{order.get_absolute_url()}pay/otherwise/"
    assert "Pay €100.00" in client.post(url, follow=True).content.decode()
    assert books(order)["bank"] == ["cancelled"]
    # The bank's page, still open in another tab, has nothing to ask any more.
    assert client.get(bank).status_code == 303
    client.post(bank, {"answer": "approve"})
    client.post(f"{order.get_absolute_url()}pay/", {"card": "approve"})
    assert books(order)["payments"] == ["cancelled", "captured"]
    assert books(order)["bank"] == ["cancelled", "captured"]


def test_a_hold_that_ends_while_the_shopper_is_at_the_bank_cancels_the_payment() -> None:
    order, client, bank = asked_at_the_bank()
    past = timezone.now() - timedelta(seconds=1)
    Reservation.objects.update(expires_at=past)
    body = client.get(order.get_absolute_url()).content.decode()
    assert "Confirm at your bank" not in body
    assert orders.expire_due() == 1
    payments.settle_due()
    assert books(order)["bank"] == ["cancelled"]
    page = client.post(bank, {"answer": "approve"}, follow=True).content.decode()
    assert "The time was over" in page
    assert books(order)["bank"] == ["cancelled"]


def test_coming_back_again_and_again_asks_the_provider_no_more(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RATELIMIT_ENABLE = True
    _, client, _ = asked_at_the_bank()
    url = f"/payments/{PaymentIntent.objects.get().pk}/return/"
    asked: list[object] = []
    monkeypatch.setattr(payments, "come_back", asked.append)
    statuses = [client.get(url).status_code for _ in range(70)]
    assert statuses[-1] == 429
    assert len(asked) == statuses.count(303) <= 60


def test_coming_back_shows_nobody_the_order_of_another() -> None:
    order, _, bank = asked_at_the_bank()
    back = bank.replace("/bank/", "/return/")
    stranger = Client()
    stranger.force_login(make_user())
    assert stranger.get(back, follow=True).status_code == 404
    assert stranger.post(f"{order.get_absolute_url()}pay/otherwise/").status_code == 404
    assert stranger.get(f"/payments/{uuid4()}/return/").status_code == 404
    assert stranger.get(f"/payments/{uuid4()}/bank/").status_code == 404
    assert books(order)["payments"] == ["created"]


def test_the_demonstration_bank_is_where_its_gateway_is(settings: Settings) -> None:
    _, client, bank = asked_at_the_bank()
    settings.PAYMENT_GATEWAYS = []
    assert client.get(bank).status_code == 404


def test_a_bank_that_does_not_answer_on_the_way_back_is_asked_again_by_beat(
    with_stripe: StripeServer, settings: Settings
) -> None:
    order = make_order()
    method = {"method": "stripe", "payment_method": with_stripe.card("second_step")}
    payments.start(order=order, method=method)
    intent = PaymentIntent.objects.get()
    with_stripe.authenticate(intent, success=True)
    settings.STRIPE_API_BASE = "http://127.0.0.1:1"
    client = shopper_with(order)
    page = client.get(f"/payments/{intent.pk}/return/", follow=True).content.decode()
    assert "Your bank wants to hear from you" in page
    settings.STRIPE_API_BASE = with_stripe.url
    PaymentIntent.objects.update(updated_at=F("updated_at") - timedelta(minutes=2))
    payments.settle_due()
    assert "It is yours" in client.get(order.get_absolute_url()).content.decode()


# Several gateways


def test_with_several_gateways_the_shopper_chooses_and_the_first_is_preselected(
    with_stripe: StripeServer, settings: Settings
) -> None:
    settings.PAYMENT_GATEWAYS = ["stripe", "demo"]
    order = make_order()
    client = shopper_with(order)
    body = client.get(order.get_absolute_url()).content.decode()
    chosen = re.findall(r'<input type="radio" name="method" value="(\w+)"[^>]*checked', body)
    assert chosen == ["stripe"]
    assert "Paying by card needs JavaScript here" in body
    assert body.count('name="payment_method"') == 1
    url = f"{order.get_absolute_url()}pay/"
    without_script = client.post(url, {"method": "stripe", "card": "approve"})
    assert without_script.status_code == 422
    assert NEEDS_SCRIPT in without_script.content.decode()
    assert PaymentIntent.objects.count() == 0
    card = with_stripe.card("decline")
    client.post(url, {"method": "stripe", "card": "approve", "payment_method": card})
    client.post(url, {"method": "demo", "card": "approve", "payment_method": card})
    paid = PaymentIntent.objects.order_by("created_at").values_list("gateway", "state")
    assert list(paid) == [("stripe", "declined"), ("demo", "captured")]


def test_one_gateway_leaves_nothing_to_choose() -> None:
    order = make_order()
    body = shopper_with(order).get(order.get_absolute_url()).content.decode()
    assert 'name="method"' not in body


def test_a_gateway_that_does_not_exist_is_no_choice(settings: Settings) -> None:
    settings.PAYMENT_GATEWAYS = ["demo", "stripe"]
    order = make_order()
    answer = shopper_with(order).post(
        f"{order.get_absolute_url()}pay/", {"method": "gold", "card": "approve"}
    )
    assert answer.status_code == 422
    assert PaymentIntent.objects.count() == 0


def test_a_question_that_stripes_script_shows_is_on_the_page(with_stripe: StripeServer) -> None:
    order = make_order()
    method = {"method": "stripe", "payment_method": with_stripe.card("second_step")}
    payments.start(order=order, method=method)
    body = shopper_with(order).get(order.get_absolute_url()).content.decode()
    intent = PaymentIntent.objects.get()
    assert intent.action is not None
    assert f'data-stripe-secret="{intent.action["client_secret"]}"' in body
    assert f'data-stripe-key="{SETTINGS["STRIPE_PUBLISHABLE_KEY"]}"' in body
    assert f'data-stripe-return="/payments/{intent.pk}/return/"' in body


# The API


def test_the_api_says_where_the_second_step_is_and_no_longer_when_it_is_done(
    settings: Settings,
) -> None:
    settings.SITE_URL = "https://shop.example.com"
    order = make_order()
    payments.start(order=order, method=demo("second_step"))
    intent = PaymentIntent.objects.get()
    payment = OrderSerializer(order).data["payment"]
    assert payment["state"] == "created"
    assert payment["action"] == {
        "type": "redirect",
        "url": f"https://shop.example.com/payments/{intent.pk}/bank/",
    }
    assert orders.cancel(order=order, actor="", reason="test")
    assert OrderSerializer(Order.objects.get()).data["payment"]["action"] is None


# The admin


def staff(*permissions: str) -> Client:
    user = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def without_second_factor(settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR = False


@pytest.mark.usefixtures("without_second_factor")
def test_payments_in_trouble_are_found_in_the_admin() -> None:
    order, other = make_order(), make_order()
    payments.start(order=order, method=demo("silent"))
    payments.start(order=other, method=demo())
    client = staff("view_paymentintent")
    tried = client.get("/admin/shop/paymentintent/?trouble=tried").content.decode()
    assert order.reference in tried
    assert other.reference not in tried
    assert "The bank&#x27;s answer got lost on its way to us." in tried
    stuck = "/admin/shop/paymentintent/?trouble=stuck"
    assert order.reference not in client.get(stuck).content.decode()
    PaymentIntent.objects.filter(order=order).update(tries=STUCK_TRIES)
    assert order.reference in client.get(stuck).content.decode()


@pytest.mark.usefixtures("without_second_factor")
def test_events_are_found_by_their_state_and_tried_again_by_who_may() -> None:
    events = {
        state: PaymentEvent.objects.create(
            gateway="demo",
            event_id=f"evt_{state}",
            kind="authorised",
            reference=f"demo_{state}",
            payload={"intent": "", "event": {}},
            **more,
        )
        for state, more in {
            "waiting": {},
            "failed": {"tries": payment_events.UNKNOWN_TRIES, "last_error": "it broke"},
            "done": {"processed_at": timezone.now(), "outcome": "ignored"},
        }.items()
    }
    url, client = "/admin/shop/paymentevent/", staff("view_paymentevent", "refund_order")
    for state in events:
        found = re.findall(r"demo_\w+", client.get(f"{url}?state={state}").content.decode())
        assert set(found) == {f"demo_{state}"}
    assert "it broke" in client.get(f"{url}?state=failed").content.decode()
    again = {"action": "process_again", "_selected_action": str(events["failed"].pk)}
    staff("view_paymentevent").post(url, again)
    assert PaymentEvent.objects.get(pk=events["failed"].pk).processed_at is None
    answer = client.post(url, again, follow=True).content.decode()
    assert "Event evt_failed: unknown payment" in answer
    entry = LogEntry.objects.get()
    assert entry.get_change_message() == "Processed again: unknown payment"
    assert PaymentEvent.objects.get(pk=events["failed"].pk).processed_at is not None
