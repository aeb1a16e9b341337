"""Which mail follows from what on an order's timeline, what it says, and where it leads."""

from typing import Any

import pytest
from django.core import mail
from pytest_django import Settings

from shop import emails, mails, orders, payments
from shop.models import Order, OutgoingMail
from tests.shop.ordering import captured_order, demo, make_order

pytestmark = pytest.mark.django_db(transaction=True)


def templates_of(order: Order) -> list[str]:
    return list(order.mails.order_by("pk").values_list("template", flat=True))


def test_every_step_that_a_shopper_should_know_has_its_mail() -> None:
    order = make_order()
    payments.start(order=order, method=demo())
    orders.fulfil(order=order, actor="staff@example.com")
    orders.refund(order=order, actor="staff@example.com", reason="it broke")
    payments.settle_due()
    assert templates_of(order) == [
        "order_received",
        "order_paid",
        "order_shipped",
        "order_refunded",
    ]
    other = make_order()
    orders.cancel(order=other, actor="", reason="test")
    assert templates_of(other) == ["order_received", "order_cancelled"]


#: What templates need that is written down with their mail.
LINES = [{"quantity": 2, "name": "Lamp"}]
CONTEXTS: dict[str, dict[str, Any]] = {
    "order_refunded": {"amount": "12.50", "currency": "EUR"},
    "return_requested": {"return_lines": LINES},
    "return_approved": {"return_lines": LINES, "return_address": "1 Sample Street, Berlin"},
    "return_refused": {"return_lines": LINES, "answer": "it is worn"},
    "return_received": {"return_lines": LINES, "amount": "12.50", "currency": "EUR"},
}


@pytest.mark.parametrize("name", sorted({*emails.MAILS.values(), "order_ending", "order_link"}))
def test_a_mail_is_written_in_text_and_html(name: str) -> None:
    order = make_order()
    written = mails.write(
        key="test:1", template=name, to=order.email, order=order, context=CONTEXTS.get(name)
    )
    assert mails.send(written.pk)
    (message,) = mail.outbox
    assert isinstance(message, mail.EmailMultiAlternatives)
    assert message.to == [order.email]
    assert order.reference in message.subject
    assert "\n" not in message.subject
    assert f"http://127.0.0.1:8000{order.get_absolute_url()}" in str(message.body)
    ((html, kind),) = message.alternatives
    assert kind == "text/html"
    assert order.get_absolute_url() in str(html)
    assert order.line_items.get().name in str(html)
    for said in (*CONTEXTS.get(name, {}).values(),):
        if isinstance(said, str) and said != "EUR":
            assert said in str(message.body)
            assert said in str(html)


def test_a_mail_about_a_parcel_says_how_to_follow_it() -> None:
    order = captured_order()
    assert orders.fulfil(
        order=order,
        actor="staff@example.com",
        carrier="Example Post",
        tracking_number="EX 123",
        tracking_url="https://post.example/EX123",
    )
    message = mails.render(OutgoingMail.objects.get(template="order_shipped"))
    ((html, _),) = message.alternatives
    for part in ("Example Post", "EX 123", "https://post.example/EX123"):
        assert part in str(message.body)
        assert part in str(html)


def test_what_a_shopper_typed_is_not_markup_in_a_mail() -> None:
    order = captured_order()
    Order.objects.filter(pk=order.pk).update(recipient="<b>Ada</b> & Co")
    message = mails.render(OutgoingMail.objects.get(template="order_paid"))
    ((html, _),) = message.alternatives
    assert "<b>Ada</b> & Co" in str(message.body)
    assert "&lt;b&gt;Ada&lt;/b&gt; &amp; Co" in str(html)


def test_a_guests_mail_has_a_link_that_opens_the_order() -> None:
    order = make_order()
    Order.objects.filter(pk=order.pk).update(user=None)
    assert mails.send(OutgoingMail.objects.get().pk)
    assert "?access=" in str(mail.outbox[0].body)


def test_links_begin_with_the_shops_own_address(settings: Settings) -> None:
    settings.SITE_URL = "https://shop.example.com"
    order = make_order()
    assert emails.order_url(order) == f"https://shop.example.com/orders/{order.reference}/"
