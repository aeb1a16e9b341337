"""Which mail follows from what on an order's timeline, what it says, and where it leads."""

from typing import Any

import pytest
from django.core import mail
from pytest_django import Settings

from shop import emails, mails, orders, payments
from shop.models import Order, OutgoingMail
from tests.shop.ordering import demo, make_order

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
CONTEXTS: dict[str, dict[str, Any]] = {}


@pytest.mark.parametrize("name", sorted(set(emails.MAILS.values())))
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


def test_a_guests_mail_has_a_link_that_opens_the_order() -> None:
    order = make_order()
    Order.objects.filter(pk=order.pk).update(user=None)
    assert mails.send(OutgoingMail.objects.get().pk)
    assert "?access=" in str(mail.outbox[0].body)


def test_links_begin_with_the_shops_own_address(settings: Settings) -> None:
    settings.SITE_URL = "https://shop.example.com"
    order = make_order()
    assert emails.order_url(order) == f"https://shop.example.com/orders/{order.reference}/"
