"""Mail to those in line who asked for it: in time, once, and to nobody else."""

import json
import smtplib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
import redis
from django.core import mail
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.db import connection
from django.test import Client
from django.utils import timezone, translation

from flashsale import line, line_alerts, store
from flashsale.keys import key
from flashsale.models import LineAlert, Sale
from flashsale.sales import SaleInfo
from flashsale.tasks import send_line_alerts
from flashsale.tickets import Ticket
from shop.models import User
from tests.factories import make_sale, make_user
from tests.flashsale.test_line_page import join, page_of

pytestmark = pytest.mark.django_db


def open_sale(**fields: Any) -> SaleInfo:
    return make_sale(**{"queue_mode": Sale.QueueMode.FIRST_COME} | fields)


def line_of(
    sale: SaleInfo,
    *,
    serving: float,
    draw_size: int | None = 0,
    phase: str = "open",
    **how: Any,
) -> None:
    """Let the line stand where the test wants it."""
    now = timezone.now()
    document = {
        "phase": phase,
        "draw_size": draw_size,
        "serving": {
            "base": serving,
            "rate": 0.0,
            "pace": how.get("rate", 0.0),
            "at": now.isoformat(),
            "until": (now + timedelta(seconds=5)).isoformat(),
        }
        | how,
    }
    store.client().set(key(sale.id, "line"), json.dumps(document))


def asks(sale: SaleInfo, *, number: int | None) -> User:
    user = make_user()
    line_alerts.ask(sale, shopper=user.shopper_id, ticket=Ticket(number), now=timezone.now())
    return user


def written_to() -> list[str]:
    return [message.to[0] for message in mail.outbox]


def test_who_is_served_or_will_be_within_a_minute_is_written_to_once_and_nobody_else() -> None:
    sale = open_sale(admission_seconds=180)
    served, soon, later = (asks(sale, number=number) for number in (5, 64, 80))
    line_of(sale, serving=10, rate=1.0)
    now = timezone.now()
    assert line_alerts.send_due(now=now) == 2
    assert written_to() == [served.email, soon.email]
    assert line_alerts.send_due(now=now) == 0
    assert LineAlert.objects.get(shopper=later).sent_at is None
    message = mail.outbox[0]
    assert isinstance(message, EmailMultiAlternatives)
    assert message.subject == f"Your turn: {sale.name}"
    assert f"/sales/{sale.slug}/line/\n" in message.body
    assert "from then on you have 3 minutes to choose" in message.body
    assert f"/sales/{sale.slug}/line/" in str(message.alternatives[0][0])


def test_it_speaks_the_language_in_which_they_read_the_shop() -> None:
    sale = open_sale()
    german, english = asks(sale, number=5), asks(sale, number=6)
    User.objects.filter(pk=german.pk).update(language="de")
    line_of(sale, serving=10)
    assert line_alerts.send_due(now=timezone.now()) == 2
    subjects = {message.to[0]: message.subject for message in mail.outbox}
    assert subjects == {
        german.email: f"Du bist dran: {sale.name}",
        english.email: f"Your turn: {sale.name}",
    }
    assert translation.get_language() == "en"  # nobody else is spoken to in it


def test_the_pace_of_the_longer_run_decides_where_it_is_told() -> None:
    sale = open_sale()
    asks(sale, number=100)
    line_of(sale, serving=10, rate=50.0, pace=1.0)
    assert line_alerts.send_due(now=timezone.now()) == 0
    line_of(sale, serving=10, rate=50.0, pace=None)
    assert line_alerts.send_due(now=timezone.now()) == 0
    line_of(sale, serving=10, rate=0.0, pace=1.5)
    assert line_alerts.send_due(now=timezone.now()) == 1


def test_places_of_the_draw_are_found_when_it_is_made_and_latecomers_come_behind() -> None:
    sale = open_sale(queue_mode=Sale.QueueMode.DRAW)
    drawn, late = asks(sale, number=None), asks(sale, number=3)
    line_of(sale, serving=1000, draw_size=None)
    assert line_alerts.send_due(now=timezone.now()) == 0
    line_of(sale, serving=0, draw_size=40)
    line_alerts.send_due(now=timezone.now())
    place = line.drawn_place(seed=sale.seed, shopper=drawn.shopper_id, draw_size=40)
    places = dict(LineAlert.objects.values_list("shopper", "place"))
    assert places == {drawn.shopper_id: place, late.shopper_id: 43}
    line_of(sale, serving=place, draw_size=40)
    assert line_alerts.send_due(now=timezone.now()) == 1
    assert written_to() == [drawn.email]


@pytest.mark.parametrize(
    "change",
    [
        {"status": Sale.Status.ENDED},
        {"status": Sale.Status.CANCELLED},
        {"status": Sale.Status.PAUSED},
        {"closes_at": timezone.now() - timedelta(seconds=1)},
    ],
)
def test_nothing_is_sent_while_nobody_could_go_in(change: dict[str, Any]) -> None:
    sale = open_sale()
    asks(sale, number=1)
    line_of(sale, serving=10)
    if "closes_at" in change:
        change |= {"opens_at": timezone.now() - timedelta(hours=1)}
    Sale.objects.filter(pk=sale.id).update(**change)
    assert line_alerts.send_due(now=timezone.now()) == 0


def test_nothing_is_sent_when_it_is_sold_out() -> None:
    sale = open_sale()
    asks(sale, number=1)
    line_of(sale, serving=10, phase="sold_out")
    assert line_alerts.send_due(now=timezone.now()) == 0


def test_a_sale_that_ends_during_a_run_stops_its_mails(monkeypatch: pytest.MonkeyPatch) -> None:
    sale = open_sale()
    first, second = (asks(sale, number=number) for number in (1, 2))
    line_of(sale, serving=10)
    send = EmailMessage.send

    def send_and_end(message: EmailMessage, fail_silently: bool = False) -> int:
        Sale.objects.filter(pk=sale.id).update(status=Sale.Status.ENDED)
        return send(message, fail_silently)

    monkeypatch.setattr(EmailMessage, "send", send_and_end)
    assert line_alerts.send_due(now=timezone.now()) == 1
    assert written_to() == [first.email]
    assert LineAlert.objects.get(shopper=second).sent_at is None


def test_while_redis_is_away_nobody_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    sale = open_sale()
    asks(sale, number=1)
    line_of(sale, serving=10)

    def away() -> Any:
        raise redis.ConnectionError("away")

    with monkeypatch.context() as patch:
        patch.setattr(store, "client", away)
        assert line_alerts.send_due(now=timezone.now()) == 0
    assert line_alerts.send_due(now=timezone.now()) == 1


def test_a_mail_that_the_server_did_not_take_is_sent_by_a_later_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sale = open_sale()
    users = [asks(sale, number=number) for number in (1, 2)]
    line_of(sale, serving=10)

    def refuse(message: EmailMessage, fail_silently: bool = False) -> int:
        raise smtplib.SMTPServerDisconnected("gone")

    with monkeypatch.context() as patch:
        patch.setattr(EmailMessage, "send", refuse)
        assert line_alerts.send_due(now=timezone.now()) == 0
    assert LineAlert.objects.filter(sent_at=None).count() == 2
    assert line_alerts.send_due(now=timezone.now()) == 2
    assert written_to() == [user.email for user in users]


def test_an_address_that_nothing_can_be_delivered_to_keeps_nobody_else_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sale = open_sale()
    first, second = (asks(sale, number=number) for number in (1, 2))
    line_of(sale, serving=10)
    send = EmailMessage.send

    def refuse(message: EmailMessage, fail_silently: bool = False) -> int:
        if message.to == [first.email]:
            raise smtplib.SMTPRecipientsRefused({first.email: (550, b"no such mailbox")})
        return send(message, fail_silently)

    monkeypatch.setattr(EmailMessage, "send", refuse)
    assert line_alerts.send_due(now=timezone.now()) == 1
    assert written_to() == [second.email]
    assert line_alerts.send_due(now=timezone.now()) == 0


def test_a_run_is_bounded_and_the_next_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_alerts, "BATCH", 2)
    monkeypatch.setattr(line_alerts, "PLACES", 3)
    sale = open_sale(queue_mode=Sale.QueueMode.DRAW)
    for _ in range(5):
        asks(sale, number=None)
    line_of(sale, serving=1, draw_size=1)
    sent = []
    for _ in range(4):
        sent.append(line_alerts.send_due(now=timezone.now()))
    assert sent == [2, 2, 1, 0]


def run_at_once(run: Callable[[], int], *, times: int) -> list[int]:
    barrier = Barrier(times)

    def one(_: int) -> int:
        try:
            barrier.wait(10)
            return run()
        finally:
            connection.close()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(one, range(times)))


@pytest.mark.django_db(transaction=True)
def test_runs_at_the_same_time_send_each_mail_once() -> None:
    sale = open_sale()
    users = [asks(sale, number=number) for number in range(1, 13)]
    line_of(sale, serving=100)
    moments: list[datetime] = [timezone.now() for _ in range(4)]
    sent = run_at_once(lambda: line_alerts.send_due(now=moments.pop()), times=4)
    assert sum(sent) == 12
    assert sorted(written_to()) == sorted(user.email for user in users)


@pytest.mark.django_db(transaction=True)
def test_without_the_claim_runs_at_the_same_time_would_send_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control: every run finds the same rows, and only the claim keeps the second mail back."""
    sale = open_sale()
    for number in range(1, 5):
        asks(sale, number=number)
    line_of(sale, serving=100)
    met = Barrier(2)

    def unclaimed(alert: LineAlert, info: SaleInfo, *, now: datetime) -> bool:
        met.wait(10)
        line_alerts._message(alert, info).send()
        return True

    monkeypatch.setattr(line_alerts, "_send", unclaimed)
    now = timezone.now()
    assert sum(run_at_once(lambda: line_alerts.send_due(now=now), times=2)) == 8


# The page


def test_a_shopper_asks_by_a_form_and_takes_it_back(client: Client) -> None:
    sale, user = open_sale(admission_cap=1), make_user(email="ada@example.com")
    store.client().set(key(sale.id, "last"), 30)
    join(client, sale, user)
    line.renew(sale, now=timezone.now())
    alert_url = f"/sales/{sale.slug}/line/alert/"
    for _ in range(2):  # a double click
        answer = client.post(alert_url, {"want": "yes"})
        assert (answer.status_code, answer["Location"]) == (303, f"/sales/{sale.slug}/line/")
    row = LineAlert.objects.get()
    assert (row.sale_id, row.shopper_id, row.number) == (sale.id, user.shopper_id, 31)
    assert "We write to ada@example.com" in page_of(client, sale).content.decode()
    client.post(alert_url, {"want": "no"})
    assert not LineAlert.objects.exists()
    assert 'value="yes">By email</button>' in page_of(client, sale).content.decode()


def test_who_leaves_is_not_written_to(client: Client) -> None:
    sale, user = open_sale(), make_user()
    join(client, sale, user)
    client.post(f"/sales/{sale.slug}/line/alert/", {"want": "yes"})
    assert LineAlert.objects.count() == 1
    client.post(f"/sales/{sale.slug}/line/leave/")
    line_of(sale, serving=10)
    assert line_alerts.send_due(now=timezone.now()) == 0
    assert not LineAlert.objects.exists()


def test_a_mail_that_was_sent_is_not_asked_for_again(client: Client) -> None:
    sale, user = open_sale(), make_user()
    join(client, sale, user)
    client.post(f"/sales/{sale.slug}/line/alert/", {"want": "yes"})
    line_of(sale, serving=10)
    assert send_line_alerts() == 1
    for want in ("no", "yes"):
        client.post(f"/sales/{sale.slug}/line/alert/", {"want": want})
    assert send_line_alerts() == 0
    assert written_to() == [user.email]


def test_only_who_has_a_place_may_ask_and_only_by_post(client: Client) -> None:
    sale = open_sale()
    alert_url = f"/sales/{sale.slug}/line/alert/"
    assert client.post(alert_url).status_code == 302  # to sign in
    client.force_login(make_user(shopper_id=uuid4()))
    assert client.post(alert_url, {"want": "yes"}).status_code == 303
    assert client.get(alert_url).status_code == 405
    assert not LineAlert.objects.exists()
