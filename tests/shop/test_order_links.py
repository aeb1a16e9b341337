"""Find your order: whoever lost the mail gets the link again, and a stranger learns nothing."""

import re

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from time_machine import travel

from shop import mails, order_links
from shop.models import Order, OutgoingMail
from tests.shop.ordering import make_order

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = "/orders/find/"


@pytest.fixture
def order() -> Order:
    order = make_order()
    Order.objects.update(user=None, email="Guest@example.com")
    OutgoingMail.objects.all().delete()
    mail.outbox.clear()
    order.refresh_from_db()
    return order


@pytest.fixture(autouse=True)
def worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that does at once what it is asked for."""
    for task in (order_links.send_order_link, mails.send_mail):
        monkeypatch.setattr(task, "delay", task)


def ask(client: Client, reference: str, email: str = "guest@example.com") -> str:
    """Ask for the link; returns what the page says then."""
    answer = client.post(PAGE, {"reference": reference, "email": email})
    assert (answer.status_code, answer["Location"]) == (303, f"{PAGE}?sent=1")
    return client.get(answer["Location"]).content.decode()


def written() -> list[str]:
    return list(OutgoingMail.objects.values_list("to", flat=True))


def test_a_guest_who_lost_the_mail_gets_the_link_again(client: Client, order: Order) -> None:
    typed = order.reference.lower().replace("-", " ")
    assert "Look into your post" in ask(client, typed)
    (letter,) = mail.outbox
    assert letter.to == ["Guest@example.com"]
    assert isinstance(letter, mail.EmailMultiAlternatives)
    assert "access=" in str(letter.alternatives[0])
    link = re.search(rf"{order.get_absolute_url()}\?access=\S+", str(letter.body))
    assert link is not None
    assert order.get_absolute_url() not in client.get(PAGE).content.decode()
    assert client.get(order.get_absolute_url()).status_code == 404  # asking alone opens nothing
    assert client.get(link[0], follow=True).status_code == 200


def test_a_stranger_reads_the_same_and_nobody_gets_a_letter(client: Client, order: Order) -> None:
    known = ask(client, order.reference)
    assert written() == [order.email]  # the control
    OutgoingMail.objects.all().delete()
    for reference, email in (
        (order.reference, "stranger@example.com"),
        ("K7MX-4QPD-9TRW", "guest@example.com"),
        ("%_", "guest@example.com"),
    ):
        assert ask(Client(), reference, email) == known
    assert written() == []


@pytest.mark.parametrize("bad", [{"reference": ""}, {"email": "nobody"}, {"reference": "\x00"}])
def test_what_is_no_number_or_address_comes_back(client: Client, bad: dict[str, str]) -> None:
    answer = client.post(PAGE, {"reference": "K7MX", "email": "guest@example.com"} | bad)
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.content.decode()


def test_the_page_itself_does_not_look(
    client: Client, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that how long it takes says nothing either."""
    left: list[tuple[str, str]] = []
    monkeypatch.setattr(
        order_links.send_order_link, "delay", lambda *what: left.append((what[0], what[1]))
    )
    ask(client, order.reference)
    assert (left, written()) == ([(order.reference, "guest@example.com")], [])


def test_one_order_has_one_letter_in_ten_minutes(order: Order) -> None:
    now = timezone.now().replace(minute=0, second=0)
    with travel(now, tick=False) as clock:
        for _ in range(2):
            order_links.send_order_link(order.reference, order.email)
        assert len(written()) == 1
        clock.shift(order_links.PERIOD_SECONDS)
        order_links.send_order_link(order.reference, order.email)
        assert len(written()) == 2


def test_the_sixth_question_for_one_mailbox_is_refused(client: Client, settings: Settings) -> None:
    settings.RATELIMIT_ENABLE = True
    with travel(timezone.now(), tick=False):
        for _ in range(5):
            ask(client, "K7MX-4QPD-9TRW")
        late = client.post(PAGE, {"reference": "K7MX-4QPD-9TRW", "email": "GUEST@example.com"})
    assert late.status_code == 429


def test_who_guesses_numbers_is_refused_after_twenty(client: Client, settings: Settings) -> None:
    settings.RATELIMIT_ENABLE = True
    with travel(timezone.now(), tick=False):
        for guess in range(20):
            ask(client, "K7MX-4QPD-9TRW", f"guest{guess}@example.com")
        late = client.post(PAGE, {"reference": "K7MX-4QPD-9TRW", "email": "last@example.com"})
    assert late.status_code == 429


def test_an_account_s_order_is_led_to_without_a_signature(client: Client) -> None:
    """Its owner signs in: a mailbox is not the account."""
    order = make_order()
    mail.outbox.clear()
    ask(client, order.reference, order.email)
    (letter,) = mail.outbox
    assert order.get_absolute_url() in str(letter.body)
    assert "access=" not in str(letter.body)


@pytest.mark.parametrize("path", ["/", "/accounts/login/", "/contact/", "/nowhere/"])
def test_it_is_found_where_somebody_looks_for_it(client: Client, path: str) -> None:
    assert f'href="{PAGE}"' in client.get(path).content.decode()
