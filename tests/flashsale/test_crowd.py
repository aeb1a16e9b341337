import asyncio
import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from typing import Any

import httpx
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.authtoken.models import Token

from flashsale import crowd, rehearsals, sales
from flashsale.crowd import Member, NotLoopbackError, Report
from flashsale.crowd.people import HABITS, Habit, Personality, imagine
from flashsale.crowd.report import quantile
from flashsale.crowd.shopper import Place, Shopper
from flashsale.models import Sale
from flashsale.sales import count_units, describe, pool_name
from inventory import reservations, stock
from inventory.models import Reservation, Stock, StockMovement
from shop.models import Order, PaymentIntent, User
from tests.factories import make_draft, make_sale, make_user
from tests.flashsale.test_audit import buy, place_order

# Who comes


@pytest.mark.django_db
def test_the_crowd_is_enlisted_once_with_keys_and_without_passwords(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_num_queries(4):
        members = crowd.enlist(30)
    assert [member.email for member in members[:2]] == [
        "crowd-0001@crowd.invalid",
        "crowd-0002@crowd.invalid",
    ]
    assert crowd.enlist(30) == members
    assert (User.objects.count(), Token.objects.count()) == (30, 30)
    assert not any(user.has_usable_password() for user in User.objects.all())
    token = Token.objects.select_related("user").get(key=members[4].key)
    assert token.user.email == members[4].email


def test_the_same_seed_brings_the_same_people() -> None:
    people = [imagine(seed=7, number=number) for number in range(50)]
    assert people == [imagine(seed=7, number=number) for number in range(50)]
    assert people != [imagine(seed=8, number=number) for number in range(50)]


def test_every_habit_occurs_about_as_often_as_it_should() -> None:
    people = [imagine(seed=1, number=number).habit for number in range(2000)]
    for habit, share in HABITS.items():
        assert abs(people.count(habit) / 20 - share) < 4
    assert sum(HABITS.values()) == 100


# Where it may go


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/", "http://localhost:8000", "http://[::1]:8000"]
)
def test_this_machine_is_allowed(url: str) -> None:
    assert crowd.check_address(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example.com",
        "https://127.0.0.1:8000",
        "http://10.0.0.1:8000",
        "http://127.0.0.1.example.com",
        "ftp://127.0.0.1",
        "127.0.0.1:8000",
        "",
    ],
)
def test_every_other_address_is_refused(url: str) -> None:
    with pytest.raises(NotLoopbackError, match="is not this machine"):
        crowd.check_address(url)


@pytest.mark.django_db
@pytest.mark.parametrize("command", ["crowd", "rehearse"])
def test_the_commands_refuse_other_machines_before_anything_is_made(command: str) -> None:
    sale = make_sale()
    with pytest.raises(CommandError, match="is not this machine"):
        call_command(command, sale.slug, "--shoppers", "5", "--url", "http://shop.example.com")
    assert (User.objects.count(), Sale.objects.count()) == (0, 1)


@pytest.mark.django_db
def test_a_rehearsal_without_a_shop_is_a_clear_error_and_makes_nothing() -> None:
    sale = make_sale()
    with pytest.raises(CommandError, match=r"No shop answers at http://127\.0\.0\.1:1 "):
        call_command("rehearse", sale.slug, "--shoppers", "5", "--url", "http://127.0.0.1:1")
    assert (User.objects.count(), Sale.objects.count()) == (0, 1)


@pytest.mark.django_db
def test_no_crowd_buys_in_production(settings: Settings) -> None:
    settings.PRODUCTION = True
    with pytest.raises(CommandError, match="must not buy in a real shop"):
        call_command("crowd", make_sale().slug)
    assert not User.objects.exists()


@pytest.mark.django_db
def test_an_unknown_sale_is_a_clear_error() -> None:
    for command in ("crowd", "rehearse"):
        with pytest.raises(CommandError, match="There is no sale 'no-such-sale'"):
            call_command(command, "no-such-sale", "--shoppers", "5")


# What it does: a server of a few lines that answers as the contract says


class Shop(BaseHTTPRequestHandler):
    """One open sale without a line; the class attributes are the script and the record."""

    answers: list[tuple[int, dict[str, Any], dict[str, str]]]
    purchase_states: list[str]
    keys: list[str]
    calls: list[str]

    protocol_version = "HTTP/1.1"

    def _respond(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        path = self.path.removeprefix("/api/v1/")
        self.calls.append(f"{self.command} {path}")
        if path == "sales/drop/":
            now = timezone.now().isoformat()
            body = {
                "slug": "drop",
                "queue_mode": "none",
                "lobby_opens_at": now,
                "opens_at": now,
                "items": [{"id": 1}],
            }
            self._send(200, body)
        elif path == "sales/drop/line/":
            self._send(200, {"phase": "sold_out"})
        elif path == "sales/drop/purchases/":
            self.keys.append(self.headers["Idempotency-Key"])
            self._send(*self.answers.pop(0))
        elif path.endswith("order/"):
            self._send(201, {"reference": "R"})
        elif self.command == "DELETE":
            self._send(200, {"state": "released"})
        else:
            states = self.purchase_states
            state = states.pop(0) if len(states) > 1 else states[0]
            self._send(200, {"state": state, "reason": None, "hold_expires_at": None})

    do_GET = do_POST = do_DELETE = _respond  # noqa: N815 -- as http.server names them

    def _send(self, status: int, body: dict[str, Any], headers: Any = None) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        pass


ACCEPTED: tuple[int, dict[str, Any], dict[str, str]] = (202, {"id": "p1"}, {})


@contextmanager
def serving(*answers: Any, states: list[str]) -> Iterator[tuple[str, type[Shop]]]:
    shop = type(
        "ScriptedShop",
        (Shop,),
        {"answers": list(answers), "purchase_states": states, "keys": [], "calls": []},
    )
    with ThreadingHTTPServer(("127.0.0.1", 0), shop) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", shop
        finally:
            server.shutdown()
            thread.join()


def play(url: str, habit: Habit, *, double_clicks: bool = False) -> Report:
    """Send one shopper in a hurry."""
    person = Personality(
        habit=habit,
        double_clicks=double_clicks,
        comes_early=True,
        arrival=0.0,
        patience=30.0,
        pause=0.0,
    )
    report = Report(shoppers=1)

    async def go() -> None:
        async with httpx.AsyncClient(base_url=f"{url}/api/v1/", trust_env=False) as client:
            sale = Place.parse((await client.get("sales/drop/")).json())
            await Shopper(
                client=client,
                sale=sale,
                key="key",
                person=person,
                chance=random.Random(1),
                report=report,
            ).shop()

    asyncio.run(go())
    return report


def test_a_shopper_buys_and_pays() -> None:
    with serving(ACCEPTED, states=["queued", "held", "ordered", "paid"]) as (url, shop):
        report = play(url, Habit.PAYS)
    assert (report.claimed, report.held, report.paid, report.finished) == (1, 1, 1, 1)
    assert not report.errors
    assert shop.calls.count("POST purchases/p1/order/") == 1
    assert len(report.buy_to_held) == 1


def test_a_double_click_sends_the_same_key_twice() -> None:
    with serving(ACCEPTED, ACCEPTED, states=["held", "paid"]) as (url, shop):
        report = play(url, Habit.PAYS, double_clicks=True)
    assert len(shop.keys) == 2
    assert len(set(shop.keys)) == 1
    assert (report.claimed, report.paid) == (1, 1)


def test_a_declined_shopper_tries_again() -> None:
    with serving(ACCEPTED, states=["held", "paid"]) as (url, shop):
        report = play(url, Habit.IS_DECLINED_ONCE)
    assert shop.calls.count("POST purchases/p1/order/") == 2
    assert (report.declined, report.paid) == (1, 1)


def test_a_shopper_lets_go() -> None:
    with serving(ACCEPTED, states=["held"]) as (url, shop):
        report = play(url, Habit.LETS_GO)
    assert "DELETE purchases/p1/" in shop.calls
    assert (report.released, report.paid) == (1, 0)


def test_somebody_who_walks_away_sees_the_hold_expire() -> None:
    with serving(ACCEPTED, states=["held", "held", "expired"]) as (url, shop):
        report = play(url, Habit.WALKS_AWAY)
    assert (report.walked_away, report.expired) == (1, 1)
    assert not any("order" in call for call in shop.calls)


def test_a_busy_shop_is_asked_again_with_the_same_key() -> None:
    busy = (503, {"code": "busy"}, {"Retry-After": "0"})
    with serving(busy, ACCEPTED, states=["held", "paid"]) as (url, shop):
        report = play(url, Habit.PAYS)
    assert len(shop.keys) == 2
    assert len(set(shop.keys)) == 1
    assert (report.paid, report.errors.total()) == (1, 0)


def test_a_sold_out_sale_is_left_at_once() -> None:
    with serving((409, {"code": "sold_out"}, {}), states=["held"]) as (url, _):
        report = play(url, Habit.PAYS)
    assert dict(report.refused) == {"sold_out": 1}
    assert (report.claimed, report.finished) == (0, 1)


def test_what_the_contract_does_not_know_is_reported() -> None:
    with serving((500, {"code": "error"}, {}), ACCEPTED, states=["held", "paid"]) as (url, _):
        report = play(url, Habit.PAYS)
    assert report.paid == 1
    assert any(kind.startswith("500 error") for kind in report.errors)


def test_the_crowd_ends_when_its_time_is_over() -> None:
    report = Report(shoppers=1)
    with serving(ACCEPTED, states=["queued"]) as (url, _):
        asyncio.run(
            crowd.send(
                url=url,
                slug="drop",
                members=[Member("crowd-0001@crowd.invalid", "key")],
                seed=1,
                seconds=0.3,
                report=report,
                tick=lambda report: None,
            )
        )
    assert (report.finished, dict(report.errors)) == (1, {"ran out of time": 1})


# What it tells


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 5.0), (0.95, 10.0), (0.99, 10.0), (0.1, 1.0)]
)
def test_quantiles_are_by_nearest_rank(share: float, expected: float) -> None:
    assert quantile([float(value) for value in range(10, 0, -1)], share) == expected


def test_there_is_no_quantile_of_nothing() -> None:
    assert quantile([], 0.5) is None


# The shadow


@pytest.mark.django_db
def test_a_shadow_has_units_of_its_own_and_leaves_the_sale_alone() -> None:
    draft = make_draft(units=5, hold_seconds=600)
    before = list(Stock.objects.values())
    shadow = rehearsals.open_shadow(draft, seconds=60)
    assert shadow.is_rehearsal
    assert shadow.slug.startswith(f"{draft.slug}-rehearsal-")
    assert (shadow.hold_seconds, shadow.limit_per_shopper) == (45, 1)
    assert count_units(describe(shadow)).left == 5
    draft.refresh_from_db()
    assert draft.status == Sale.Status.DRAFT
    own = Stock.objects.filter(pool=pool_name(shadow.pk))
    assert list(Stock.objects.exclude(pk__in=own).values()) == before


@pytest.mark.django_db
def test_a_shadow_that_is_over_gives_nothing_to_the_main_pool() -> None:
    draft = make_draft(units=5)
    sku = draft.items.get().variant.sku
    shadow = rehearsals.open_shadow(draft, seconds=60)
    rehearsals.clean_up(shadow)
    rehearsals.clean_up(shadow)
    assert Sale.objects.get(pk=shadow.pk).status == Sale.Status.ENDED
    assert stock.available(skus=[sku]) == {sku: 5}
    row = Stock.objects.get(pool=pool_name(shadow.pk))
    assert (row.on_hand, row.allocated) == (0, 0)
    changes = StockMovement.objects.filter(stock=row).order_by("pk")
    assert list(changes.values_list("kind", "on_hand_change")) == [("receive", 5), ("adjust", -5)]


@pytest.mark.django_db
def test_after_a_rehearsal_holds_are_let_go_and_paid_orders_refunded() -> None:
    shadow = rehearsals.open_shadow(make_draft(units=5), seconds=60)
    Sale.objects.filter(pk=shadow.pk).update(opens_at=timezone.now())
    shadow.refresh_from_db()
    ada, grace = make_user(), make_user()
    held, paid = (buy(describe(shadow), shopper) for shopper in (ada, grace))
    place_order(paid, user=grace, unit_price=paid.unit_price)
    reservations.confirm(reservation_ids=[paid.pk])
    Order.objects.update(state=Order.State.PAID, paid_at=timezone.now())
    PaymentIntent.objects.create(
        order=Order.objects.get(),
        gateway="demo",
        amount=paid.unit_price,
        currency="EUR",
        state=PaymentIntent.State.CAPTURED,
    )
    assert rehearsals.clean_up(shadow) == []
    assert Order.objects.get().state == Order.State.REFUNDED
    assert PaymentIntent.objects.get().state == PaymentIntent.State.REFUNDING
    states = Reservation.objects.in_bulk([held.pk, paid.pk])
    assert {row.state for row in states.values()} == {Reservation.State.RELEASED}
    row = Stock.objects.get(pool=pool_name(shadow.pk))
    assert (row.on_hand, row.allocated) == (0, 0)
    assert Stock.objects.get(pool="main").on_hand == 5


@pytest.mark.django_db
def test_the_beat_cleans_up_after_a_rehearsal_that_was_killed() -> None:
    shadow = rehearsals.open_shadow(make_draft(units=5), seconds=60)
    sales.close_due(now=shadow.closes_at)
    assert Stock.objects.get(pool=pool_name(shadow.pk)).on_hand == 0
    assert Stock.objects.get(pool="main").on_hand == 5


@pytest.mark.django_db
def test_prewarm_says_what_it_warmed() -> None:
    out = StringIO()
    call_command("prewarm", make_sale().slug, "--url", "http://127.0.0.1:1", stdout=out)
    said = out.getvalue()
    for part in (
        "scripts in Redis: ack, admit, atleast, away, claim",
        "gate: 1 item\n",
        "line document: open",
    ):
        assert part in said
    assert "pages: not warmed, no shop answers at http://127.0.0.1:1" in said
