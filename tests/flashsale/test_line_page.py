"""The pages of the line as the server makes them: what they say, and what looking at them never does."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from flashsale import gate, line, steering, store, tickets
from flashsale.cookies import admission_cookie, ticket_cookie
from flashsale.keys import key
from flashsale.models import LineAlert, Purchase, Sale
from flashsale.sales import SaleInfo
from inventory import reservations
from shop.models import User
from tests.clicks import click
from tests.factories import make_sale, make_user
from tests.flashsale.test_audit import buy

pytestmark = pytest.mark.django_db


def open_line(**fields: Any) -> SaleInfo:
    """A sale that goes by who comes first, with room for one shopper inside."""
    defaults: dict[str, Any] = {"queue_mode": Sale.QueueMode.FIRST_COME, "admission_cap": 1}
    return make_sale(**defaults | fields)


def join(client: Client, sale: SaleInfo, user: User | None = None) -> None:
    client.cookies.clear()
    client.force_login(user or make_user())
    client.post(f"/sales/{sale.slug}/line/join/")


def joined_at(client: Client, sale: SaleInfo, place: int) -> None:
    """Let a shopper stand at a place, as if that many had come before."""
    store.client().set(key(sale.id, "last"), place - 1)
    join(client, sale)
    line.renew(sale, now=timezone.now())


def page_of(client: Client, sale: SaleInfo) -> Any:
    return client.get(f"/sales/{sale.slug}/line/")


def test_a_place_is_exact_up_to_a_hundred_and_rounded_above(client: Client) -> None:
    sale = open_line()
    joined_at(client, sale, 100)
    near = page_of(client, sale).content.decode()
    assert "<dd data-place-shown>100</dd>" in near
    assert "data-rounding hidden" in near

    other = open_line()
    joined_at(client, other, 12_340)
    far = page_of(client, other).content.decode()
    assert "<dd data-place-shown>about 12,300</dd>" in far
    assert "data-ahead>12,300</span>" in far
    assert "data-about>about</span>" in far
    assert "data-about hidden" in near
    assert "data-rounding>Numbers above 100 are rounded." in far
    assert 'data-place="12340"' in far


def test_all_held_is_told_apart_from_sold_out(client: Client) -> None:
    sale = open_line(units=1, hold_seconds=600)
    held = buy(sale, make_user())
    joined_at(client, sale, 3)
    waiting = page_of(client, sale).content.decode()
    assert "data-all-held>" in waiting
    assert "All held, not sold out." in waiting
    assert "<h1>Sold out</h1>" not in waiting.partition("<template")[0]

    reservation = Purchase.objects.get(pk=held.pk).reservation
    assert reservation is not None
    reservations.confirm(reservation_ids=[reservation.pk])
    line.renew(sale, now=timezone.now())
    over = page_of(client, sale).content.decode()
    assert "<h1>Sold out</h1>" in over.partition("<template")[0]
    assert "data-all-held" not in over
    assert "http-equiv" not in over


def test_units_that_are_left_hide_the_word_that_all_are_held(client: Client) -> None:
    sale = open_line(units=1)
    joined_at(client, sale, 3)
    assert "data-all-held hidden" in page_of(client, sale).content.decode()


@pytest.mark.parametrize(
    ("ahead", "wait_seconds", "refresh"),
    [(29, None, 6), (29, 1.0, 6), (29, 40.0, 10), (29, 3600.0, 30), (20, 3600.0, 6)],
)
def test_without_javascript_the_page_looks_again_the_later_the_longer_the_wait(
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    ahead: int,
    wait_seconds: float | None,
    refresh: int,
) -> None:
    sale = open_line()
    joined_at(client, sale, ahead + 1)
    where = line.Position(place=ahead + 1, ahead=ahead, is_served=False, wait_seconds=wait_seconds)
    monkeypatch.setattr(line, "position", lambda *_, **__: where)
    page = page_of(client, sale).content.decode()
    assert f'<noscript><meta http-equiv="refresh" content="{refresh}"></noscript>' in page
    assert f"looks again by itself every {refresh} seconds" in page


def test_the_page_of_the_lobby_looks_again_when_the_draw_is_made(client: Client) -> None:
    now = timezone.now()
    sale = open_line(queue_mode=Sale.QueueMode.DRAW, opens_at=now + timedelta(hours=1))
    join(client, sale)
    assert page_of(client, sale).context["refresh_seconds"] == 15
    with time_machine.travel(sale.opens_at - timedelta(seconds=5), tick=False):
        assert page_of(client, sale).context["refresh_seconds"] == 8


# Leaving


def test_leaving_asks_first_and_says_what_is_lost(client: Client) -> None:
    sale = open_line()
    joined_at(client, sale, 7)
    leave = f"/sales/{sale.slug}/line/leave/"
    assert f'<a href="{leave}">Leave the line</a>' in page_of(client, sale).content.decode()
    asked = client.get(leave).content.decode()
    assert "You give up your place, 7." in asked
    assert "join again with the same account" in asked
    assert ticket_cookie(sale) in client.cookies
    assert page_of(client, sale).context["place"] == 7

    answer = client.post(leave)
    assert (answer.status_code, answer["Location"]) == (303, f"/sales/{sale.slug}/")
    assert client.cookies[ticket_cookie(sale)].value == ""


def test_leaving_from_inside_says_that_the_time_inside_ends(client: Client) -> None:
    sale, user = open_line(), make_user()
    join(client, sale, user)
    ends = timezone.now() + timedelta(minutes=3)
    client.cookies[admission_cookie(sale)] = tickets.sign_admission(
        sale_id=sale.id, shopper=user.shopper_id, expires_at=ends
    )
    store.client().zadd(key(sale.id, "active"), {str(user.shopper_id): gate.milliseconds(ends)})
    asked = client.get(f"/sales/{sale.slug}/line/leave/").content.decode()
    assert "Your time inside ends at once" in asked


def test_leaving_a_draw_that_only_a_ticket_proves_says_so(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "SEEN_TRUSTED", 0)
    sale = open_line(queue_mode=Sale.QueueMode.DRAW, opens_at=timezone.now() + timedelta(minutes=5))
    join(client, sale)
    line.renew(sale, now=timezone.now())
    asked = client.get(f"/sales/{sale.slug}/line/leave/").content.decode()
    assert "nothing else proves your place" in asked


def test_who_has_no_place_is_not_asked_whether_to_leave(client: Client) -> None:
    sale = open_line()
    for user in (None, make_user()):
        if user is not None:
            client.force_login(user)
        answer = client.get(f"/sales/{sale.slug}/line/leave/")
        assert (answer.status_code, answer["Location"]) == (302, f"/sales/{sale.slug}/")


# Looking is not joining


def everything_that_joining_leaves(sale: SaleInfo) -> tuple[Any, ...]:
    client = store.client()
    return (
        client.get(key(sale.id, "last")),
        client.hgetall(key(sale.id, "numbers")),
        client.pfcount(key(sale.id, "entrants")),
        client.exists(key(sale.id, "seen")),
        client.zcard(key(sale.id, "active")),
        LineAlert.objects.count(),
    )


@pytest.mark.parametrize("mode", [Sale.QueueMode.DRAW, Sale.QueueMode.FIRST_COME])
@pytest.mark.parametrize("is_signed_in", [False, True])
def test_whoever_only_looks_never_joins_and_never_goes_in(
    client: Client, mode: str, is_signed_in: bool
) -> None:
    """Crawlers, link previews and browsers that fetch ahead, on every address of the line."""
    opens_at = timezone.now() + timedelta(minutes=5 if mode == Sale.QueueMode.DRAW else -5)
    sale = open_line(queue_mode=mode, opens_at=opens_at)
    if is_signed_in:
        client.force_login(make_user())
    before = everything_that_joining_leaves(sale)
    line_url, api = f"/sales/{sale.slug}/line/", f"/api/v1/sales/{sale.slug}/"
    addresses = [line_url] + [f"{line_url}{verb}/" for verb in ("join", "enter", "leave", "alert")]
    addresses += [f"{api}{name}/" for name in ("line", "ticket", "admission")]
    ahead = {"Sec-Purpose": "prefetch;prerender", "Purpose": "prefetch"}
    for address in addresses:
        for headers in ({}, ahead, {"User-Agent": "Googlebot/2.1"}):
            for ask in (client.get, client.head, client.options):
                answer = ask(address, headers=headers)
                assert answer.status_code < 500
                assert ticket_cookie(sale) not in answer.cookies
    assert everything_that_joining_leaves(sale) == before
    if is_signed_in:
        client.post(f"{line_url}join/")  # the control
        assert everything_that_joining_leaves(sale) != before


def test_pages_of_the_line_ask_not_to_be_indexed(client: Client) -> None:
    sale = open_line()
    joined_at(client, sale, 4)
    for address in ("line/", "line/leave/"):
        page = client.get(f"/sales/{sale.slug}/{address}").content.decode()
        assert '<meta name="robots" content="noindex, nofollow">' in page


def test_a_borrowed_ticket_shows_nobody_a_place(client: Client) -> None:
    sale = open_line()
    joined_at(client, sale, 9)
    client.cookies["shopper"] = ""
    client.force_login(make_user(shopper_id=uuid4()))
    assert page_of(client, sale).context["place"] is None


@pytest.mark.parametrize(
    ("seconds", "told"), [(30, "30 seconds"), (90, "90 seconds"), (150, "2 minutes")]
)
def test_the_time_inside_is_told_as_it_is(client: Client, seconds: int, told: str) -> None:
    sale = make_sale(queue_mode=Sale.QueueMode.FIRST_COME, admission_seconds=seconds)
    client.force_login(make_user())
    client.post(f"/sales/{sale.slug}/line/join/")
    assert f"have {told} to choose" in client.get(f"/sales/{sale.slug}/line/").content.decode()


def test_a_draw_that_is_paused_before_its_opening_is_a_lobby_as_before(client: Client) -> None:
    opens_at = timezone.now() + timedelta(minutes=40)
    sale = make_sale(queue_mode=Sale.QueueMode.DRAW, opens_at=opens_at)
    client.force_login(make_user())
    steering.pause(Sale.objects.get())
    url = f"/sales/{sale.slug}/line/"
    assert "Join the draw" in client.get(url).content.decode()
    client.post(f"{url}join/")
    page = client.get(url).content.decode()
    assert '<div class="stack" data-lobby>' in page
    assert '<div class="stack" data-running hidden>' in page


def test_who_has_their_share_is_not_called_again(client: Client) -> None:
    sale, user = make_sale(queue_mode=Sale.QueueMode.FIRST_COME, strategy="lock"), make_user()
    client.force_login(user)
    url = f"/sales/{sale.slug}/line/"
    client.post(f"{url}join/")
    line.renew(sale, now=timezone.now() - timedelta(seconds=1))
    line.renew(sale, now=timezone.now())
    assert "It is your turn" in client.get(url).content.decode()
    client.post(f"{url}enter/")
    click(sale, user)
    page = client.get(url).content.decode()
    assert "You have your share already" in page
    assert "It is your turn" not in page
    assert "data-line" not in page
    answer = client.post(f"{url}enter/", follow=True)
    assert answer.redirect_chain[-1][0] == f"/sales/{sale.slug}/"
    assert "all the units that one shopper may have" in answer.content.decode()


def test_a_cancelled_sale_does_not_tell_who_paid_that_nobody_was_charged(client: Client) -> None:
    sale = make_sale()
    steering.cancel(Sale.objects.get())
    page = client.get(f"/sales/{sale.slug}/").content.decode()
    assert "What you hold or have paid for stays yours." in page
