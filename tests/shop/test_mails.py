"""The outbox: one mail for one event, after the commit, whatever fails on the way."""

import smtplib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.db import connection, transaction
from django.db.models import F
from django.utils import translation
from pytest_django import DjangoCaptureOnCommitCallbacks

from shop import mails
from shop.models import Order, OutgoingMail
from tests.shop.ordering import make_order

pytestmark = pytest.mark.django_db


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the worker was asked to send."""
    calls: list[int] = []
    monkeypatch.setattr(mails.send_mail, "delay", calls.append)
    return calls


@pytest.fixture
def order() -> Order:
    order = make_order()
    OutgoingMail.objects.all().delete()
    return order


def write(order: Order, *, key: str = "test:1") -> OutgoingMail:
    return mails.write(key=key, template="order_paid", to=order.email, order=order)


def let_time_pass(*, seconds: float) -> None:
    gone = timedelta(seconds=seconds)
    OutgoingMail.objects.update(due_at=F("due_at") - gone, created_at=F("created_at") - gone)


def fail_with(error: BaseException, patch: pytest.MonkeyPatch) -> list[EmailMessage]:
    """Let the mail server answer like this; returns what it was given."""
    tries: list[EmailMessage] = []

    def fail(self: EmailMessage) -> int:
        tries.append(self)
        raise error

    patch.setattr(EmailMessage, "send", fail)
    return tries


def test_a_mail_is_asked_for_after_the_commit_and_once_for_its_key(
    order: Order,
    asked: list[int],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        first = write(order)
        again = write(order)
        other = write(order, key="test:2")
        assert asked == []
    assert first == again
    assert asked == [first.pk, other.pk]


def test_a_mail_about_an_order_is_in_the_language_it_was_placed_in(asked: list[int]) -> None:
    with translation.override("de"):
        german = make_order()
    written = write(german)
    assert mails.render(written).subject == f"Bezahlt: deine Bestellung {german.reference}"
    Order.objects.filter(pk=german.pk).update(language="")
    written = OutgoingMail.objects.get(pk=written.pk)
    with translation.override("de"):  # who happens to send it does not matter
        assert mails.render(written).subject == f"Paid: your order {german.reference}"


def test_what_is_rolled_back_sends_nothing(order: Order, asked: list[int]) -> None:
    with transaction.atomic():
        write(order)
        transaction.set_rollback(True)
    assert (asked, OutgoingMail.objects.count(), mails.send_due()) == ([], 0, 0)


def test_control_without_waiting_for_the_commit_a_task_is_asked_for_what_never_was(
    order: Order, asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction, "on_commit", lambda do, **options: do())
    with transaction.atomic():
        written = write(order)
        transaction.set_rollback(True)
    assert (asked, OutgoingMail.objects.count()) == ([written.pk], 0)


def test_a_mail_needs_no_order(order: Order) -> None:
    written = mails.write(
        key="hold-ending:7",
        template="line_turn",
        to="ada@example.com",
        context={
            "sale_name": "First Light",
            "line_url": "http://shop.example/line/",
            "admission_minutes": 5,
        },
    )
    assert mails.send(written.pk)
    (message,) = mail.outbox
    assert (message.to, message.subject) == (["ada@example.com"], "Your turn: First Light")
    assert "http://shop.example/line/" in str(message.body)


def test_a_task_that_runs_twice_sends_once(order: Order) -> None:
    written = write(order)
    mails.send_mail(written.pk)
    mails.send_mail(written.pk)
    assert len(mail.outbox) == 1
    written.refresh_from_db()
    assert written.sent_at is not None
    assert (written.tries, written.error) == (1, "")


@pytest.mark.django_db(transaction=True)
def test_two_workers_with_one_mail_send_once(order: Order) -> None:
    written, barrier = write(order), Barrier(4)

    def work(_: int) -> bool:
        barrier.wait()
        try:
            return mails.send(written.pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        sent = sorted(pool.map(work, range(4)))
    assert sent == [False, False, False, True]
    assert len(mail.outbox) == 1


def test_control_who_sends_without_a_claim_sends_twice(order: Order) -> None:
    written = write(order)
    for _ in range(2):  # two workers that both looked before either had sent
        mails.render(written).send()
    assert len(mail.outbox) == 2


@pytest.mark.parametrize("error", [smtplib.SMTPServerDisconnected("away"), ConnectionError("away")])
def test_a_mail_server_that_is_away_is_seen_and_tried_again_after_pauses_that_grow(
    order: Order, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = write(order), write(order, key="test:2")
    with monkeypatch.context() as patch:
        tries = fail_with(error, patch)
        mails.send_mail(first.pk)
        assert mails.send_due() == 0
        assert mails.send_due() == 0
        assert len(tries) == 2  # one for each: then both pause
        let_time_pass(seconds=mails.FIRST_PAUSE_SECONDS)
        mails.send_mail(first.pk)
        let_time_pass(seconds=mails.FIRST_PAUSE_SECONDS)
        mails.send_mail(first.pk)
        assert len(tries) == 3  # the second pause is longer
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.tries, first.error, first.sent_at) == (2, "away", None)
    assert (second.tries, second.error, second.sent_at) == (1, "away", None)
    let_time_pass(seconds=mails.FIRST_PAUSE_SECONDS)
    assert (mails.send_due(), mails.send_due()) == (2, 0)
    assert len(mail.outbox) == 2


def test_mails_that_are_refused_do_not_keep_the_others_waiting(
    order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = [
        mails.write(key=f"bad:{number}", template="order_paid", to="no@example.com", order=order)
        for number in range(3)
    ]
    write(order)
    taken = EmailMessage.send

    def take(self: EmailMessage) -> int:
        if self.to == ["no@example.com"]:
            raise smtplib.SMTPRecipientsRefused({"no@example.com": (550, b"no such mailbox")})
        return taken(self)

    monkeypatch.setattr(EmailMessage, "send", take)
    OutgoingMail.objects.filter(to="no@example.com").update(
        due_at=F("due_at") - timedelta(seconds=1)
    )
    assert mails.send_due() == 1
    bad[0].refresh_from_db()
    assert "no such mailbox" in bad[0].error


def test_who_fails_when_the_claim_is_over_leaves_the_next_senders_claim_alone(
    order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow sender is given up, another one claims the mail, and then the first one fails."""
    written = write(order)
    seen: list[OutgoingMail] = []

    def fail_late(self: EmailMessage) -> int:
        let_time_pass(seconds=mails.CLAIM_SECONDS + 1)
        next_one = mails._claim(written.pk)
        assert next_one is not None
        seen.append(next_one)
        raise OSError("away")

    monkeypatch.setattr(EmailMessage, "send", fail_late)
    with pytest.raises(OSError, match="away"):
        mails.send(written.pk)
    written.refresh_from_db()
    assert (written.tries, written.error) == (2, "")
    assert written.due_at == seen[0].due_at


def test_a_mail_that_cannot_be_written_says_so_and_crashes(order: Order) -> None:
    written = mails.write(key="test:1", template="no_such_mail", to=order.email)
    with pytest.raises(Exception, match="no_such_mail"):
        mails.send_mail(written.pk)
    written.refresh_from_db()
    assert "no_such_mail" in written.error


def test_a_mail_that_cannot_be_written_does_not_keep_the_others_waiting(order: Order) -> None:
    bad = mails.write(key="test:1", template="no_such_mail", to=order.email)
    write(order, key="test:2")
    OutgoingMail.objects.filter(pk=bad.pk).update(due_at=F("due_at") - timedelta(seconds=1))
    assert mails.send_due() == 1
    bad.refresh_from_db()
    assert (bad.sent_at, bad.tries) == (None, 1)


def test_a_mail_that_nobody_was_asked_to_send_is_found(order: Order) -> None:
    write(order)
    assert (mails.send_due(), mails.send_due()) == (1, 0)


def test_mails_of_long_ago_wait_for_a_person(order: Order) -> None:
    written = write(order)
    let_time_pass(seconds=mails.TRY_DAYS * 86_400 + 1)
    assert mails.send_due() == 0
    assert mails.retry(written)
    assert not mails.retry(written)
    assert len(mail.outbox) == 1


def test_a_person_need_not_wait_for_the_pause_to_end(
    order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = write(order)
    with monkeypatch.context() as patch:
        fail_with(ConnectionError("away"), patch)
        assert mails.send_due() == 0
    assert not mails.send(written.pk)
    assert mails.retry(written)


def test_a_sender_that_died_is_followed_by_another(
    order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    written = write(order)
    with monkeypatch.context() as patch:
        fail_with(Killed(), patch)
        with pytest.raises(Killed):
            mails.send(written.pk)
    assert mails.send_due() == 0
    # It may be just at it, so a person does not overtake it either.
    assert not mails.retry(written)
    let_time_pass(seconds=mails.CLAIM_SECONDS)
    assert mails.send_due() == 1
    assert len(mail.outbox) == 1


def test_a_late_failure_does_not_undo_what_another_sender_did(
    order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = write(order)

    def slow(self: EmailMessage) -> int:
        let_time_pass(seconds=mails.CLAIM_SECONDS)
        monkeypatch.undo()
        assert mails.send(written.pk)
        raise ConnectionError("too late")

    monkeypatch.setattr(EmailMessage, "send", slow)
    with pytest.raises(ConnectionError):
        mails.send(written.pk)
    written.refresh_from_db()
    assert written.sent_at is not None
    assert written.error == ""
    assert mails.send_due() == 0
