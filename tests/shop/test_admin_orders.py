"""What staff do with one order on its page: with permissions, and recorded with who and why."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from inventory.models import Stock
from shop import orders, refund_settling, refunds, returns
from shop.models import Order, Refund, Return, User
from tests.shop.ordering import captured, captured_order, make_order, paid_order, staff

pytestmark = pytest.mark.django_db

ALL = ("view_order", "change_order", "refund_order", "view_refund", "view_return", "view_invoice")


@pytest.fixture(autouse=True)
def no_second_factor(settings: Any) -> None:
    settings.STAFF_SECOND_FACTOR = False


def url(order: Order, name: str) -> str:
    return f"/admin/shop/order/{order.pk}/{name}/step/"


def step(client: Client, order: Order, name: str, **data: Any) -> Any:
    return client.post(url(order, name), data)


def page(client: Client, order: Order) -> str:
    return client.get(f"/admin/shop/order/{order.pk}/change/").content.decode()


def last_event(order: Order) -> tuple[str, str, str]:
    event = order.events.last()
    assert event is not None
    return event.kind, event.message, event.actor


def state_of(order: Order) -> str:
    return Order.objects.get(pk=order.pk).state


def me() -> str:
    return User.objects.filter(is_staff=True).latest("id").email


def item_of(order: Order) -> str:
    return f"units-{order.line_items.get().pk}"


def test_an_order_offers_the_steps_that_its_state_and_ones_permissions_allow() -> None:
    order, client = captured_order(), staff(*ALL)
    body = page(client, order)
    for label in ("Mark as shipped", "Refund a part", "Refund in full", "Cancel the order"):
        assert label in body
    assert "Agree to the return" not in body
    assert "Refund a part" not in page(staff("view_order", "change_order"), order)
    assert "Refund a part" not in page(client, make_order())


@pytest.mark.parametrize("name", ["ship", "note", "approve-return", "refuse-return"])
def test_changing_an_order_needs_its_permission(name: str) -> None:
    order = captured_order()
    assert step(staff("view_order", "refund_order"), order, name).status_code == 403


@pytest.mark.parametrize("name", ["refund", "refund-part", "cancel", "receive-return"])
def test_moving_money_needs_its_permission(name: str) -> None:
    order = captured_order()
    assert step(staff("view_order", "change_order"), order, name).status_code == 403
    assert state_of(order) == "paid"


def test_an_order_or_a_step_that_is_not_there_is_not_found() -> None:
    order, client = captured_order(), staff(*ALL)
    assert step(client, order, "no-such-step").status_code == 404
    order.pk = uuid4()
    assert step(client, order, "ship").status_code == 404


def test_an_order_is_shipped_with_its_tracking() -> None:
    order, client = captured_order(), staff(*ALL)
    data = {
        "carrier": "Example Post",
        "tracking_number": "EX 1",
        "tracking_url": "https://post.example/EX1",
    }
    assert step(client, order, "ship", **data).status_code == 302
    order.refresh_from_db()
    assert order.state == "fulfilled"
    assert (order.carrier, order.tracking_number) == ("Example Post", "EX 1")
    assert order.tracking_url == "https://post.example/EX1"
    assert last_event(order) == ("fulfilled", "On its way to you, with Example Post EX 1.", me())


def test_a_tracking_link_that_is_none_is_refused() -> None:
    order, client = captured_order(), staff(*ALL)
    answer = step(client, order, "ship", tracking_url="javascript:alert(1)")
    assert "Enter a valid URL." in answer.content.decode()
    assert state_of(order) == "paid"


def test_a_part_is_refunded_with_its_unit_and_recorded_with_who_and_why() -> None:
    order, client = captured_order(units=5, quantity=3), staff(*ALL)
    asked = client.get(url(order, "refund-part")).content.decode()
    assert "Units of 3; one was €100.00." in asked
    data = {item_of(order): "2", "restock": "on", "reason": "a scratch", "attempt": str(uuid4())}
    assert step(client, order, "refund-part", **data).status_code == 302
    assert last_event(order) == (
        "refund_started",
        "A refund of €200.00 was started: a scratch.",
        me(),
    )
    assert Stock.objects.get().allocated == 1
    entry = LogEntry.objects.get()
    assert "a scratch" in entry.change_message


def test_a_form_that_is_sent_twice_is_one_refund() -> None:
    order, client = captured_order(units=5, quantity=3), staff(*ALL)
    Order.objects.filter(pk=order.pk).update(total=305, shipping=5)
    order.payment_intents.update(amount=305)
    data = {item_of(order): "2", "delivery": "on", "reason": "?", "attempt": str(uuid4())}
    for _ in range(2):
        assert step(client, order, "refund-part", **data).status_code == 302
    assert Refund.objects.get().amount == Decimal("205.00")
    another = {item_of(order): "1", "reason": "?", "attempt": str(uuid4())}
    step(client, order, "refund-part", **another)
    assert Refund.objects.count() == 2  # control: another attempt is another refund


@pytest.mark.parametrize(
    "changes", [{"amount": "50.00"}, {"amount": ""}, {"units": "1"}, {"delivery": "on"}]
)
def test_a_form_that_is_sent_again_with_other_values_is_not_said_to_be_done(
    changes: dict[str, str],
) -> None:
    order, client = captured_order(units=5, quantity=3), staff(*ALL)
    Order.objects.filter(pk=order.pk).update(total=305, shipping=5)
    order.payment_intents.update(amount=305)
    data = {"amount": "1.00", "reason": "?", "attempt": str(uuid4())}
    assert step(client, order, "refund-part", **data).status_code == 302
    data |= {item_of(order) if name == "units" else name: value for name, value in changes.items()}
    answer = step(client, order, "refund-part", **data)
    assert "started a refund of €1.00. Begin anew" in answer.content.decode()
    assert Refund.objects.get().amount == Decimal("1.00")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"amount": "300.01"}, "at most €300.00 can be given back"),
        ({"amount": "-1"}, "greater than or equal to 0"),
        ({"amount": "1e17"}, "no more than"),
        ({}, "Choose units, delivery or an amount to give back."),
        ({"amount": "5", "reason": ""}, "This field is required."),
    ],
)
def test_a_refund_that_cannot_be_is_explained(data: dict[str, str], said: str) -> None:
    order, client = captured_order(units=5, quantity=3), staff(*ALL)
    answer = step(
        client, order, "refund-part", **{"reason": "test", "attempt": str(uuid4())} | data
    )
    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert Refund.objects.count() == 0


def test_more_units_than_there_are_is_refused() -> None:
    order, client = captured_order(units=5, quantity=3), staff(*ALL)
    data = {item_of(order): "4", "reason": "test", "attempt": str(uuid4())}
    assert "less than or equal to 3" in step(client, order, "refund-part", **data).content.decode()


def test_a_full_refund_puts_units_back_or_writes_them_off() -> None:
    client = staff(*ALL)
    kept, lost = captured_order(units=3), captured_order(units=3)
    step(client, kept, "refund", reason="test", restock="on", seen_state="paid")
    step(client, lost, "refund", reason="it burnt", seen_state="paid")
    assert [state_of(order) for order in (kept, lost)] == ["refunded", "refunded"]
    left = {row.sku: row.on_hand for row in Stock.objects.all()}
    assert [left[order.line_items.get().sku] for order in (kept, lost)] == [3, 2]


def test_an_order_that_moved_on_meanwhile_is_not_changed() -> None:
    order, client = captured_order(), staff(*ALL)
    assert orders.fulfil(order=order, actor="")
    asked = client.get(url(order, "cancel"), follow=True)
    assert "not any more as you saw it" in asked.content.decode()
    answer = step(client, order, "cancel", reason="too late", seen_state="paid")
    assert "not any more as you saw it" in answer.content.decode()
    assert state_of(order) == "fulfilled"


def test_who_cancels_what_was_unpaid_does_not_cancel_what_is_paid_now() -> None:
    order, client = make_order(units=3), staff(*ALL)
    asked = client.get(url(order, "cancel")).content.decode()
    assert '<input type="hidden" name="seen_state" value="pending"' in asked
    captured(order)
    for seen in ("pending", ""):
        answer = step(client, order, "cancel", reason="never paid", seen_state=seen)
        assert "not any more as you saw it" in answer.content.decode()
    assert state_of(order) == "paid"
    step(client, order, "cancel", reason="all the same", seen_state="paid")
    assert state_of(order) == "cancelled"  # control: it was seen


def test_who_refunds_what_was_not_shipped_does_not_restock_what_is_on_its_way() -> None:
    order, client = captured_order(units=3), staff(*ALL)
    assert orders.fulfil(order=order, actor="")
    data = {"reason": "test", "restock": "on", "seen_state": "paid"}
    answer = step(client, order, "refund", **data)
    assert "not any more as you saw it" in answer.content.decode()
    assert (state_of(order), Stock.objects.get().on_hand) == ("fulfilled", 2)


def test_notes_are_for_staff_unless_they_say_otherwise() -> None:
    order, client = captured_order(), staff(*ALL)
    step(client, order, "note", text="Called twice, nobody there")
    step(client, order, "note", text="We pack it tomorrow", is_for_shopper="on")
    notes = list(order.events.filter(kind="note").values_list("message", "is_internal", "actor"))
    assert notes == [
        ("Called twice, nobody there", True, me()),
        ("We pack it tomorrow", False, me()),
    ]


def test_a_return_is_decided_on_the_orders_page() -> None:
    order, client = captured_order(units=5, quantity=3), staff(*ALL)
    orders.fulfil(order=order, actor="")
    returns.ask(
        order=order,
        units={order.line_items.get().pk: 2},
        reason="too bright",
        actor=order.email,
        now=timezone.now(),
    )
    assert "Agree to the return" in page(client, order)
    assert "too bright" in client.get(url(order, "approve-return")).content.decode()
    assert step(client, order, "approve-return").status_code == 302
    assert "Agree to the return" not in page(client, order)
    refunds.refund_part(order=order, units={}, extra=Decimal("110.00"), actor="", reason="sorry")
    told = client.post(url(order, "receive-return"), {"restock": "on"}, follow=True)
    said = "Received the return. €190.00 goes back to the shopper."
    assert f"{order.reference}: {said}" in told.content.decode()
    assert LogEntry.objects.latest("pk").get_change_message() == said
    assert Return.objects.get().state == "received"
    assert Return.objects.get().refund.amount == Decimal("190.00")  # type: ignore[union-attr]
    again = step(client, order, "receive-return").content.decode()
    assert "not any more as you saw it" in again


def test_a_return_is_refused_with_a_reason() -> None:
    order, client = captured_order(units=5), staff(*ALL)
    orders.fulfil(order=order, actor="")
    units = {order.line_items.get().pk: 1}
    returns.ask(order=order, units=units, reason="?", actor="", now=timezone.now())
    assert "This field is required." in step(client, order, "refuse-return").content.decode()
    step(client, order, "refuse-return", answer="it is worn")
    assert (Return.objects.get().state, Return.objects.get().answer) == ("refused", "it is worn")


def test_staff_have_the_papers_of_a_paid_order() -> None:
    order, client = captured_order(), staff(*ALL)
    assert "Packing slip" in page(client, order)
    for name in ("invoice", "packing-slip"):
        answer = client.get(f"/admin/shop/order/{order.pk}/{name}.pdf")
        assert answer["Content-Type"] == "application/pdf"
        assert answer.content.startswith(b"%PDF-")
    assert client.get(f"/admin/shop/order/{make_order().pk}/invoice.pdf").status_code == 404
    assert client.get(f"/admin/shop/order/{order.pk}/secrets.pdf").status_code == 404
    assert staff().get(f"/admin/shop/order/{order.pk}/invoice.pdf").status_code == 403


def test_what_waits_is_found() -> None:
    order, client = captured_order(units=5), staff(*ALL)
    pending = make_order()
    body = client.get("/admin/shop/order/?waits=ship").content.decode()
    assert order.reference in body
    assert pending.reference not in body
    for waits in ("return", "refund"):
        assert (
            order.reference not in client.get(f"/admin/shop/order/?waits={waits}").content.decode()
        )
    orders.fulfil(order=order, actor="", tracking_number="EX 77")
    assert order.reference in client.get("/admin/shop/order/?q=EX+77").content.decode()


@pytest.mark.parametrize("path", ["refund", "return", "invoice"])
def test_refunds_returns_and_invoices_are_listed_and_searched(path: str) -> None:
    order, client = captured_order(units=5), staff(*ALL)
    orders.fulfil(order=order, actor="")
    units = {order.line_items.get().pk: 1}
    returns.ask(order=order, units=units, reason="?", actor="", now=timezone.now())
    orders.refund(order=order, actor="", reason="test")
    body = client.get(f"/admin/shop/{path}/?q={order.reference}").content.decode()
    assert f"1 {path}" in body


@pytest.mark.django_db(transaction=True)
def test_a_refused_refund_is_tried_again_and_has_its_credit_note_afterwards() -> None:
    order, client = paid_order(), staff(*ALL)
    orders.refund(order=order, actor="", reason="test")
    refund = Refund.objects.get()
    Refund.objects.update(state="refused")
    assert client.get(f"/admin/shop/refund/{refund.pk}/credit-note.pdf").status_code == 404
    data = {"action": "try_again", "_selected_action": str(refund.pk)}
    client.post("/admin/shop/refund/", data)
    another = Refund.objects.get(state="done")
    assert "Tried again" in LogEntry.objects.get(object_id=refund.pk).change_message
    assert refund_settling.settle(another.pk).done_at is not None
    answer = client.get(f"/admin/shop/refund/{another.pk}/credit-note.pdf")
    assert answer.content.startswith(b"%PDF-")
    body = client.get(f"/admin/shop/refund/{another.pk}/change/").content.decode()
    assert "Credit note" in body
