"""The outbox in the admin: what waits and why, a preview, and another try."""

from typing import Any

import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.core import mail
from django.core.mail import EmailMessage

from inventory import stock
from shop import emails, mails, stock_alerts
from shop.models import Order, OutgoingMail, StockAlert
from tests.factories import make_variant
from tests.shop.ordering import make_order, staff

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_second_factor(settings: Any) -> None:
    settings.STAFF_SECOND_FACTOR = False


@pytest.fixture
def failed(monkeypatch: pytest.MonkeyPatch) -> OutgoingMail:
    """The mail of a new order, which the mail server did not take."""

    def refuse(self: EmailMessage) -> int:
        raise ConnectionError("the mail server is away")

    make_order()
    with monkeypatch.context() as patch:
        patch.setattr(EmailMessage, "send", refuse)
        assert mails.send_due() == 0
    return OutgoingMail.objects.get()


def test_a_mail_that_failed_is_found_with_its_error(failed: OutgoingMail) -> None:
    client = staff("view_outgoingmail")
    assert "the mail server is away" in client.get(url("?state=failing")).content.decode()
    for other in ("sent", "waiting"):
        assert failed.to not in client.get(url(f"?state={other}")).content.decode()


def test_a_mail_is_seen_in_a_frame_that_runs_nothing(failed: OutgoingMail) -> None:
    client = staff("view_outgoingmail")
    page = client.get(url(f"{failed.pk}/change/"))
    assert f"We have your order {failed.order}" in page.content.decode()
    assert "frame-src 'self'" in page["Content-Security-Policy"]
    frame = client.get(url(f"{failed.pk}/html/"))
    assert "Thank you for your order" in frame.content.decode()
    policy = frame["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'self'" in policy
    assert "script-src" not in policy
    assert frame["X-Frame-Options"] == "SAMEORIGIN"


def test_a_preview_does_not_open_a_guests_order(failed: OutgoingMail) -> None:
    """Who may only read mails must not act as the guest, whose link is signed."""
    order = failed.order
    assert order is not None
    Order.objects.filter(pk=order.pk).update(user=None)
    client = staff("view_outgoingmail")
    address = f"{settings.SITE_URL}{order.get_absolute_url()}"
    for path in ("change", "html"):
        body = client.get(url(f"{failed.pk}/{path}/")).content.decode()
        assert address in body
        assert "access=" not in body
    failed.refresh_from_db()
    assert f"{address}?access=" in str(mails.render(failed).body)  # control: the guest's own has it


def test_a_preview_does_not_open_what_is_held_for_somebody() -> None:
    variant = make_variant()
    stock_alerts.ask(variant=variant, email="guest@example.com", user=None)
    stock_alerts.confirm(StockAlert.objects.get())
    stock.receive(sku=variant.sku, quantity=1)
    assert stock_alerts.offer_what_came_in() == 1
    client = staff("view_outgoingmail")
    for written in OutgoingMail.objects.filter(order=None):
        signed = [written.context[name] for name in emails.SIGNED & written.context.keys()]
        assert signed
        for path in ("change", "html"):
            body = client.get(url(f"{written.pk}/{path}/")).content.decode()
            assert not [link for link in signed if link in body]
        sent = str(mails.render(written).body)
        assert [link for link in signed if link in sent]  # control: theirs has them


def test_a_mail_that_cannot_be_written_is_shown_all_the_same(failed: OutgoingMail) -> None:
    OutgoingMail.objects.update(template="no_such_mail")
    page = staff("view_outgoingmail").get(url(f"{failed.pk}/change/"))
    assert "It cannot be written" in page.content.decode()


def test_who_may_change_mails_sends_one_again(failed: OutgoingMail) -> None:
    reader = staff("view_outgoingmail")
    assert reader.post(url(f"{failed.pk}/send/")).status_code == 403
    assert "Send now" not in reader.get(url(f"{failed.pk}/change/")).content.decode()
    client = staff("view_outgoingmail", "change_outgoingmail")
    assert "Send now" in client.get(url(f"{failed.pk}/change/")).content.decode()
    answer = client.post(url(f"{failed.pk}/send/"), follow=True)
    assert f"Sent to {failed.to}." in answer.content.decode()
    assert len(mail.outbox) == 1
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.get_change_message()) == (str(failed.pk), "Sent.")
    again = client.post(url(f"{failed.pk}/send/"), follow=True)
    assert "it was sent, or is just being sent" in again.content.decode()
    assert len(mail.outbox) == 1


def test_many_mails_are_sent_again_at_once(failed: OutgoingMail) -> None:
    client = staff("view_outgoingmail", "change_outgoingmail")
    client.post(url(""), {"action": "send_now", "_selected_action": str(failed.pk)})
    assert len(mail.outbox) == 1


def url(path: str) -> str:
    return f"/admin/shop/outgoingmail/{path}"
