"""One mail for each event that deserves one, after the commit, whatever fails on the way."""

import smtplib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.db import connection, transaction
from django.db.models import F
from pytest_django import Settings

from shop import emails, orders, payments
from shop.models import Order, OrderEvent
from tests.shop.ordering import demo, make_order

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What the worker was asked to send."""
    calls: list[tuple[str, str]] = []
    monkeypatch.setattr(emails.send_mail, "delay", lambda *args: calls.append(args))
    return calls


def let_time_pass(*, seconds: float) -> None:
    OrderEvent.objects.update(created_at=F("created_at") - timedelta(seconds=seconds))


def test_every_step_that_a_shopper_should_know_asks_for_its_mail(
    asked: list[tuple[str, str]],
) -> None:
    order = make_order()
    payments.start(order=order, method=demo())
    orders.fulfil(order=order, actor="staff@example.com")
    orders.refund(order=order, actor="staff@example.com", reason="it broke")
    payments.settle_due()
    other = make_order()
    orders.cancel(order=other, actor="", reason="test")
    assert [name for _, name in asked] == [
        "order_received",
        "order_paid",
        "order_shipped",
        "order_refunded",
        "order_received",
        "order_cancelled",
    ]
    assert {order_id for order_id, _ in asked[:4]} == {str(order.pk)}


def test_a_step_that_is_rolled_back_sends_nothing(asked: list[tuple[str, str]]) -> None:
    order = make_order()
    asked.clear()
    with transaction.atomic():
        orders.record(order=order, kind="paid", message="Paid.")
        transaction.set_rollback(True)
    assert asked == []


@pytest.mark.parametrize("name", sorted(emails.MAILS.values()))
def test_a_mail_is_written_in_text_and_html(name: str) -> None:
    order = make_order()
    assert emails.send(order_id=order.pk, name=name)
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
    emails.send(order_id=order.pk, name="order_received")
    assert "?access=" in str(mail.outbox[0].body)


def test_a_task_that_runs_twice_sends_once() -> None:
    order = make_order()
    emails.send_mail(str(order.pk), "order_paid")
    emails.send_mail(str(order.pk), "order_paid")
    assert len(mail.outbox) == 1
    kept = order.events.filter(kind__startswith="email")
    assert [(event.kind, event.message) for event in kept] == [
        ("email:order_paid", "Mail sent: order paid.")
    ]


def test_two_workers_with_one_mail_send_once() -> None:
    order, barrier = make_order(), Barrier(4)

    def work(_: int) -> bool:
        barrier.wait()
        try:
            return emails.send(order_id=order.pk, name="order_paid")
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        sent = sorted(pool.map(work, range(4)))
    assert sent == [False, False, False, True]
    assert len(mail.outbox) == 1


@pytest.mark.parametrize("error", [smtplib.SMTPServerDisconnected("away"), ConnectionError("away")])
def test_a_mail_server_that_is_away_is_seen_and_tried_again(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, other = make_order(), make_order()
    tries: list[EmailMessage] = []

    def fail(self: EmailMessage) -> int:
        tries.append(self)
        raise error

    let_time_pass(seconds=emails.MISSING_AFTER_SECONDS + 1)
    with monkeypatch.context() as patch:
        patch.setattr(EmailMessage, "send", fail)
        with pytest.raises(type(error)):
            emails.send(order_id=order.pk, name="order_received")
        assert emails.send_missing() == 0
        assert emails.send_missing() == 0
    assert [message.to for message in tries] == [[order.email], [other.email]]
    last = order.events.last()
    assert last is not None
    assert last.message == "Mail not sent yet: order received: away"
    let_time_pass(seconds=emails.CLAIM_SECONDS)
    assert (emails.send_missing(), emails.send_missing()) == (2, 0)
    assert sorted(message.to[0] for message in mail.outbox) == sorted([order.email, other.email])


def test_a_mail_that_nobody_was_asked_for_is_found() -> None:
    order = make_order()
    emails.send(order_id=order.pk, name="order_received")
    payments.start(order=order, method=demo())
    assert emails.send_missing() == 0
    let_time_pass(seconds=emails.MISSING_AFTER_SECONDS + 1)
    assert (emails.send_missing(), emails.send_missing()) == (1, 0)
    assert [message.subject for message in mail.outbox] == [
        f"We have your order {order.reference}",
        f"Paid: your order {order.reference}",
    ]


def test_mails_of_long_ago_are_left_alone() -> None:
    make_order()
    let_time_pass(seconds=emails.MISSING_DAYS * 86_400 + 1)
    assert emails.send_missing() == 0


def test_a_sender_that_died_is_followed_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    order = make_order()

    class Killed(BaseException):
        pass

    def die(self: EmailMessage) -> int:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(EmailMessage, "send", die)
        with pytest.raises(Killed):
            emails.send(order_id=order.pk, name="order_received")
    let_time_pass(seconds=emails.MISSING_AFTER_SECONDS + 1)
    assert emails.send_missing() == 0
    assert not emails.send(order_id=order.pk, name="order_received")
    let_time_pass(seconds=emails.CLAIM_SECONDS)
    assert emails.send_missing() == 1
    assert len(mail.outbox) == 1


def test_links_begin_with_the_shops_own_address(settings: Settings) -> None:
    settings.SITE_URL = "https://shop.example.com"
    order = make_order()
    assert emails.order_url(order) == f"https://shop.example.com/orders/{order.reference}/"
