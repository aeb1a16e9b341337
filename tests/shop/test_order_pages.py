"""What an order's page shows after the payment: parcel, papers, money back, and things sent back."""

import html
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from shop import orders, refund_settling, refunds, returns
from shop.models import Order, Return
from tests.factories import make_user, make_variant
from tests.shop.ordering import captured_order, make_order, signed_in

pytestmark = pytest.mark.django_db
STAFF = "staff@example.com"


def owner_of(order: Order) -> Client:
    assert order.user is not None
    return signed_in(order.user)


def page(client: Client, order: Order, *, language: str = "en") -> str:
    answer = client.get(order.get_absolute_url(), headers={"Accept-Language": language})
    assert answer.status_code == 200
    return answer.content.decode()


def shipped_order() -> Order:
    order = captured_order(units=5, quantity=3)
    assert orders.fulfil(
        order=order,
        actor=STAFF,
        carrier="Example Post",
        tracking_number="EX 1",
        tracking_url="https://post.example/EX1",
    )
    order.refresh_from_db()
    return order


def test_a_parcel_can_be_followed() -> None:
    order = shipped_order()
    body = page(owner_of(order), order)
    assert "Example Post" in body
    assert 'href="https://post.example/EX1"' in body


def test_notes_for_staff_are_not_shown() -> None:
    order = captured_order()
    orders.note(order=order, text="A difficult person", actor=STAFF, is_internal=True)
    orders.note(order=order, text="We pack it tomorrow", actor=STAFF, is_internal=False)
    body = page(owner_of(order), order)
    assert "A difficult person" not in body
    assert "We pack it tomorrow" in body


def test_the_invoice_is_downloaded_by_its_owner_alone() -> None:
    order = captured_order()
    address = f"{order.get_absolute_url()}invoice.pdf"
    client = owner_of(order)
    assert address in page(client, order)
    answer = client.get(address)
    assert answer.content.startswith(b"%PDF-")
    assert answer["Content-Disposition"] == f'inline; filename="invoice-{order.invoice.number}.pdf"'
    for stranger in (Client(), signed_in(make_user())):
        assert stranger.get(address).status_code == 404


def test_an_unpaid_order_has_no_invoice_to_download() -> None:
    order = make_order()
    client = owner_of(order)
    assert "invoice.pdf" not in page(client, order)
    assert client.get(f"{order.get_absolute_url()}invoice.pdf").status_code == 404


def test_money_back_is_shown_with_its_credit_note() -> None:
    order = captured_order(units=5, quantity=3)
    outcome = refunds.refund_part(
        order=order, units={}, extra=Decimal("12.50"), actor=STAFF, reason="a scratch"
    )
    assert isinstance(outcome, refunds.Started)
    client, pk = owner_of(order), outcome.refund.pk
    address = f"{order.get_absolute_url()}credit-note/{pk}.pdf"
    body = page(client, order)
    assert "€12.50" in body
    assert "It is on its way back to you." in body
    assert address not in body
    assert client.get(address).status_code == 404
    refund_settling._record_done(outcome.refund)
    assert address in page(client, order)
    assert client.get(address).content.startswith(b"%PDF-")
    other = captured_order()
    elsewhere = f"{other.get_absolute_url()}credit-note/{pk}.pdf"
    assert owner_of(other).get(elsewhere).status_code == 404


def test_the_timeline_is_in_the_readers_language_and_staff_read_it_in_english() -> None:
    order = captured_order(units=5, quantity=3)
    with translation.override("de"):
        outcome = refunds.refund_part(
            order=order, units={}, extra=Decimal("12.50"), actor=STAFF, reason="ein Kratzer"
        )
        assert isinstance(outcome, refunds.Started)
        refund_settling._record_done(outcome.refund)
        assert orders.cancel(order=order, actor=STAFF, reason="as you wished")
    said = list(order.events.filter(kind__in=KINDS).values_list("message", flat=True))
    assert said == [
        "A refund of €12.50 was started: ein Kratzer.",
        "€12.50 is on its way back to you.",
        "Cancelled: as you wished.",
    ]
    client = owner_of(order)
    assert all(text in page(client, order) for text in said)
    german = html.unescape(page(client, order, language="de")).replace("\xa0", " ")
    assert "Eine Erstattung von 12,50 € wurde veranlasst: ein Kratzer." in german
    assert "12,50 € sind auf dem Weg zurück zu dir." in german
    assert "Storniert: auf deinen Wunsch." in german
    assert "Cancelled" not in german


KINDS = ["refund_started", "refunded", "cancelled"]


def test_a_shopper_asks_to_send_things_back() -> None:
    order = shipped_order()
    client, item = owner_of(order), order.line_items.get()
    address = f"{order.get_absolute_url()}return/"
    assert address in page(client, order)
    assert "Units to send back, of 3" in client.get(address).content.decode()
    answer = client.post(address, {f"units-{item.pk}": "2", "reason": "too bright"})
    assert (answer.status_code, answer["Location"]) == (303, order.get_absolute_url())
    parcel = Return.objects.get()
    assert (parcel.state, parcel.lines.get().quantity) == ("requested", 2)
    body = page(client, order)
    assert "Asked for" in body
    assert address not in body
    again = client.post(address, {f"units-{item.pk}": "1", "reason": "more"})
    assert again.status_code == 303
    assert Return.objects.count() == 1


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"units": "0", "reason": "test"}, "Choose at least one unit to send back."),
        ({"units": "4", "reason": "test"}, "less than or equal to 3"),
        ({"units": "-1", "reason": "test"}, "greater than or equal to 0"),
        ({"units": "1", "reason": ""}, "This field is required."),
        ({"units": "all", "reason": "test"}, "Enter a whole number."),
    ],
)
def test_a_wish_that_makes_no_sense_is_explained(data: dict[str, str], said: str) -> None:
    order = shipped_order()
    name = f"units-{order.line_items.get().pk}"
    answer = owner_of(order).post(
        f"{order.get_absolute_url()}return/", {name: data["units"], "reason": data["reason"]}
    )
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert Return.objects.count() == 0


def test_what_was_not_shipped_is_not_sent_back() -> None:
    order = captured_order()
    client = owner_of(order)
    address = f"{order.get_absolute_url()}return/"
    assert address not in page(client, order)
    assert client.get(address).status_code == 303


def test_nobody_sends_anothers_order_back() -> None:
    order = shipped_order()
    address = f"{order.get_absolute_url()}return/"
    for stranger in (Client(), signed_in(make_user())):
        assert stranger.get(address).status_code == 404
        assert stranger.post(address, {"reason": "test"}).status_code == 404


def test_a_refused_return_says_why() -> None:
    order = shipped_order()
    asked = owner_of(order)
    name = f"units-{order.line_items.get().pk}"
    asked.post(f"{order.get_absolute_url()}return/", {name: "1", "reason": "test"})
    returns.refuse(parcel=Return.objects.get(), actor=STAFF, answer="It is worn")
    assert "It is worn" in page(asked, order)


def queries_of_the_page(*, lines: int) -> int:
    order = captured_order(*[make_variant(units=1) for _ in range(lines)])
    orders.fulfil(order=order, actor="staff@example.com")
    client = owner_of(order)
    client.get("/cart/")  # warms the banner
    with CaptureQueriesContext(connection) as asked:
        assert client.get(order.get_absolute_url()).status_code == 200
    return len(asked)


def test_a_shipped_order_s_page_takes_as_many_queries_for_many_lines_as_for_few() -> None:
    assert queries_of_the_page(lines=1) == queries_of_the_page(lines=5)
