"""A ticket through pages and API: one place for each account, on all its devices."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.authtoken.models import Token

from flashsale import line, store, tickets
from flashsale.keys import key
from flashsale.models import Sale
from flashsale.sales import SaleInfo
from flashsale.signatures import QuickSigner
from flashsale.tickets import Ticket
from shop.models import User
from tests.factories import make_sale, make_user

pytestmark = pytest.mark.django_db


def open_sale(**fields: Any) -> SaleInfo:
    chosen: dict[str, Any] = {"queue_mode": Sale.QueueMode.FIRST_COME, "units": 9} | fields
    return make_sale(**chosen)


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    client.get("/account/")
    return client


def join_by_page(sale: SaleInfo, user: User) -> Ticket:
    client = browser(user)
    client.post(f"/sales/{sale.slug}/line/join/")
    return ticket_in(client, sale, user)


def ticket_in(client: Client, sale: SaleInfo, user: User) -> Ticket:
    value = client.cookies[f"ticket-{sale.id}"].value
    return tickets.read_ticket(value, sale_id=sale.id, shopper=user.shopper_id)


def join_by_api(sale: SaleInfo, user: User, **body: str) -> Ticket:
    token, _ = Token.objects.get_or_create(user=user)
    answer = Client().post(
        f"/api/v1/sales/{sale.slug}/ticket/",
        body,
        content_type="application/json",
        headers={"Authorization": f"Token {token.key}"},
    )
    value = answer.json()["ticket"]
    return tickets.read_ticket(value, sale_id=sale.id, shopper=user.shopper_id)


Join = Callable[[SaleInfo, User], Ticket]


@pytest.mark.parametrize("ways", [(join_by_page, join_by_api), (join_by_api, join_by_page)])
def test_pages_and_api_give_an_account_the_same_place(ways: tuple[Join, Join]) -> None:
    sale, user, other = open_sale(), make_user(), make_user()
    assert [join(sale, user) for join in ways] == [Ticket(1)] * 2
    assert [join(sale, other) for join in ways] == [Ticket(2)] * 2
    assert [join(sale, user) for join in ways] == [Ticket(1)] * 2
    assert store.client().get(key(sale.id, "last")) == "2"


def test_a_draw_counts_an_account_once_whatever_it_joins_with() -> None:
    now = timezone.now()
    sale = open_sale(queue_mode=Sale.QueueMode.DRAW, opens_at=now + timedelta(minutes=1))
    user = make_user()
    for join in (join_by_page, join_by_api, join_by_page):
        assert join(sale, user) == Ticket(None)
    assert store.client().pfcount(key(sale.id, "entrants")) == 1


def test_the_place_is_there_after_sign_out_and_sign_in_and_a_restart_of_the_browser() -> None:
    sale, user = open_sale(), make_user()
    join_by_page(sale, make_user())
    client = browser(user)
    client.post(f"/sales/{sale.slug}/line/join/")
    cookie = client.cookies[f"ticket-{sale.id}"]
    assert cookie["max-age"] == 365 * 24 * 3600  # a cookie without an age ends with the browser
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    client.post("/accounts/logout/")
    assert "data-line" not in client.get(f"/sales/{sale.slug}/line/").content.decode()
    client.force_login(user)
    client.get("/account/")
    assert 'data-place="2"' in client.get(f"/sales/{sale.slug}/line/").content.decode()
    assert ticket_in(client, sale, user) == Ticket(2)


def test_looking_again_and_again_changes_no_place() -> None:
    sale, user = open_sale(), make_user()
    client = browser(user)
    client.post(f"/sales/{sale.slug}/line/join/")
    for _ in range(3):
        assert 'data-place="1"' in client.get(f"/sales/{sale.slug}/line/").content.decode()
    assert store.client().get(key(sale.id, "last")) == "1"


def test_who_signs_in_at_somebody_else_s_browser_has_no_place_by_their_cookie() -> None:
    sale, user, guest = open_sale(), make_user(), make_user()
    client = browser(user)
    client.post(f"/sales/{sale.slug}/line/join/")
    client.force_login(guest)
    client.get("/account/")
    assert "data-line" not in client.get(f"/sales/{sale.slug}/line/").content.decode()
    client.post(f"/sales/{sale.slug}/line/join/")
    assert ticket_in(client, sale, guest) == Ticket(2)


def test_a_number_that_redis_lost_before_it_was_written_down_is_kept_by_its_ticket() -> None:
    """The counters go between two beats: the ticket is all that knows of the number."""
    sale, user = open_sale(), make_user()
    now = timezone.now()
    for _ in range(4):
        line.join(sale, shopper=uuid4(), now=now)
    assert join_by_page(sale, user) == Ticket(5)
    value = tickets.sign_ticket(Ticket(5), sale_id=sale.id, shopper=user.shopper_id)
    store.client().flushdb()
    assert join_by_api(sale, user, ticket=value) == Ticket(5)
    assert line.join(sale, shopper=uuid4(), now=now).ticket == Ticket(6)


def test_a_number_that_was_written_down_is_not_given_out_again_before_the_next_beat() -> None:
    sale, now = open_sale(), timezone.now()
    for _ in range(3):
        line.join(sale, shopper=uuid4(), now=now)
    line.renew(sale, now=now)
    store.client().flushdb()
    assert line.join(sale, shopper=uuid4(), now=now).ticket == Ticket(4)


def test_a_ticket_wins_over_the_later_number_that_a_loss_gave_its_shopper() -> None:
    """They came without the ticket, on another device, before the one that keeps it was back."""
    sale, user, now = open_sale(), make_user(), timezone.now()
    for _ in range(3):
        line.join(sale, shopper=uuid4(), now=now)
    second = line.join(sale, shopper=user.shopper_id, now=now).ticket
    line.renew(sale, now=now)
    store.client().flushdb()
    assert join_by_page(sale, user) == Ticket(5)
    proven = line.join(sale, shopper=user.shopper_id, now=now, proven=second)
    assert proven == line.Joined(Ticket(4), is_new=False)
    assert join_by_page(sale, user) == Ticket(4)
    assert line.join(sale, shopper=uuid4(), now=now).ticket == Ticket(6)


def test_a_ticket_whose_time_of_joining_was_changed_is_not_valid() -> None:
    shopper = uuid4()
    value = tickets.sign_ticket(Ticket(7, 1000), sale_id=1, shopper=shopper)
    assert tickets.read_ticket(value, sale_id=1, shopper=shopper).joined_at == 1000
    with pytest.raises(tickets.NotValid):
        tickets.read_ticket(value.replace(":1000:", ":1:"), sale_id=1, shopper=shopper)


def test_a_ticket_of_before_there_was_a_time_in_it_still_proves_its_place() -> None:
    shopper = uuid4()
    value = QuickSigner(salt="holdfast.ticket").sign(f"1:{shopper}:7")
    ticket = tickets.read_ticket(value, sale_id=1, shopper=shopper)
    assert (ticket, ticket.joined_at) == (Ticket(7), 0)
