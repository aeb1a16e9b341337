"""One outcome, whichever way a click goes: through the gate, by lock, by version, or past a Redis that is away."""

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from flashsale import admissions, breaker, drain, gate, line, sales, settling, store
from flashsale.buying import Accepted, Refusal, Refused
from flashsale.keys import key
from flashsale.models import Purchase, Sale
from flashsale.purchases import State, state_of
from flashsale.sales import SaleInfo
from flashsale.tickets import Ticket
from inventory import allocation, audit, reservations
from inventory.models import Holding, Reservation, Stock, StockMovement
from shop.breakers import Breaker
from shop.models import User
from tests.away import redis_away
from tests.clicks import accepted, click
from tests.factories import make_sale, make_user

pytestmark = pytest.mark.django_db

WAYS = {
    "redis": {"strategy": "redis"},
    "lock": {"strategy": "lock"},
    "version": {"strategy": "version"},
    "redis away, lock": {"strategy": "redis", "fallback": "lock"},
    "redis away, version": {"strategy": "redis", "fallback": "version"},
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    with redis_away() if "away" in request.param else nullcontext():
        yield WAYS[request.param]


def buy(sale: SaleInfo, user: User, **how: Any) -> Accepted | Refused:
    """Click, and let whatever was queued be settled."""
    result = click(sale, user, **how)
    if isinstance(result, Accepted) and result.state is State.QUEUED:
        drain.drain(sale, consumer="worker")
    return result


def held(result: Accepted | Refused) -> Purchase:
    assert isinstance(result, Accepted)
    purchase = Purchase.objects.select_related("reservation").get(pk=result.purchase)
    assert state_of(purchase) is State.HELD
    return purchase


def proven(sale: SaleInfo) -> sales.Units:
    """Where the units are, after proof that everything agrees."""
    assert [result for result in audit.run(scope={}) if result.breaches] == []
    return sales.count_units(sale)


def nothing_was_taken(sale: SaleInfo) -> bool:
    stock = Stock.objects.get(pool=sale.scope)
    return stock.allocated == 0 and not any(
        rows.exists()
        for rows in (
            Purchase.objects.all(),
            Reservation.objects.all(),
            Holding.objects.all(),
            StockMovement.objects.filter(kind="allocate"),
        )
    )


def test_a_click_becomes_a_hold_at_the_sale_s_price(way: dict[str, Any]) -> None:
    sale, user = make_sale(**way), make_user()
    purchase = held(buy(sale, user))
    assert (str(purchase.unit_price), purchase.shopper, purchase.quantity) == ("60.00", user, 1)
    assert purchase.reservation is not None
    assert purchase.reservation.pk == purchase.pk
    assert Holding.objects.get().units == 1
    assert StockMovement.objects.get(kind="allocate").allocated_change == 1
    assert Stock.objects.get(pool=sale.scope).version == 2  # one for the ring-fenced units
    assert proven(sale).held == 1


def test_the_last_unit_is_the_last(way: dict[str, Any]) -> None:
    sale = make_sale(units=2, **way)
    held(buy(sale, make_user()))
    held(buy(sale, make_user()))
    assert buy(sale, make_user()) == Refused(Refusal.SOLD_OUT)
    assert (Purchase.objects.count(), Holding.objects.count()) == (2, 2)
    assert proven(sale).left == 0


def test_who_has_their_share_is_told_which_purchase_it_is(way: dict[str, Any]) -> None:
    sale, user = make_sale(**way), make_user()
    purchase = held(buy(sale, user))
    assert buy(sale, user) == Refused(Refusal.LIMIT_REACHED, purchase.pk)
    assert proven(sale).held == 1


def test_the_same_attempt_again_is_the_same_purchase(way: dict[str, Any]) -> None:
    sale, user = make_sale(limit_per_shopper=3, **way), make_user()
    purchase = held(buy(sale, user, attempt="one"))
    again = buy(sale, user, attempt="one")
    assert isinstance(again, Accepted)
    assert again.purchase == purchase.pk
    assert proven(sale).held == 1


def test_an_attempt_that_bought_something_buys_nothing_else(way: dict[str, Any]) -> None:
    sale, user = make_sale(limit_per_shopper=3, items=2, **way), make_user()
    purchase = held(buy(sale, user, attempt="one"))
    refused = Refused(Refusal.KEY_REUSED, purchase.pk)
    assert buy(sale, user, attempt="one", quantity=2) == refused
    assert buy(sale, user, attempt="one", item=sale.items[1].id) == refused
    assert proven(sale).held == 1


def test_several_units_are_taken_together_or_not_at_all(way: dict[str, Any]) -> None:
    sale = make_sale(units=3, limit_per_shopper=2, **way)
    held(buy(sale, make_user(), quantity=2))
    assert buy(sale, make_user(), quantity=2) == Refused(Refusal.SOLD_OUT)
    held(buy(sale, make_user(), quantity=1))
    assert proven(sale).held == 3


@pytest.mark.parametrize(
    ("choices", "reason"),
    [
        ({"quantity": 0}, Refusal.BAD_QUANTITY),
        ({"quantity": -1}, Refusal.BAD_QUANTITY),
        ({"quantity": 2**40}, Refusal.LIMIT_REACHED),
        ({"item": 2**40}, Refusal.UNKNOWN_ITEM),
        ({"now": timezone.now() - timedelta(days=1)}, Refusal.NOT_OPEN),
        ({"now": timezone.now() + timedelta(days=1)}, Refusal.NOT_OPEN),
    ],
)
def test_what_makes_no_sense_takes_nothing(
    way: dict[str, Any], choices: dict[str, Any], reason: Refusal
) -> None:
    sale = make_sale(**way)
    assert buy(sale, make_user(), **choices) == Refused(reason)
    assert nothing_was_taken(sale)


@pytest.mark.parametrize("status", ["paused", "ended", "cancelled"])
def test_a_sale_that_is_not_open_takes_nothing(way: dict[str, Any], status: str) -> None:
    sale = replace(make_sale(**way), status=status)
    assert buy(sale, make_user()) == Refused(Refusal.NOT_OPEN)
    assert nothing_was_taken(sale)


def test_a_dead_hold_that_nobody_tidied_is_sold_again(way: dict[str, Any]) -> None:
    sale, slow = make_sale(units=1, **way), make_user()
    dead = held(buy(sale, slow))
    Reservation.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    if sale.strategy == "redis" and not breaker.claims.is_open:
        gate.sync(sale, now=timezone.now())
    held(buy(sale, make_user()))
    dead.refresh_from_db()
    assert state_of(dead) is State.EXPIRED
    assert proven(sale).held == 1


def test_a_shopper_s_own_dead_hold_does_not_count_against_them(way: dict[str, Any]) -> None:
    sale, user = make_sale(**way), make_user()
    held(buy(sale, user))
    Reservation.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    held(buy(sale, user))
    assert proven(sale).held == 1


def test_two_items_share_the_limit(way: dict[str, Any]) -> None:
    sale, user = make_sale(items=2, **way), make_user()
    purchase = held(buy(sale, user, item=sale.items[0].id))
    assert buy(sale, user, item=sale.items[1].id) == Refused(Refusal.LIMIT_REACHED, purchase.pk)


def test_two_sales_of_one_sku_sell_from_pools_of_their_own(way: dict[str, Any]) -> None:
    one = make_sale(units=1, **way)
    variant = Sale.objects.get(pk=one.id).items.get().variant
    other = make_sale(units=1, **way)
    Stock.objects.filter(pool=other.scope).update(sku=variant.sku)
    held(buy(one, make_user()))
    assert buy(one, make_user()) == Refused(Refusal.SOLD_OUT)
    held(buy(other, make_user()))


def test_a_closed_account_gets_nothing_and_is_told(way: dict[str, Any]) -> None:
    sale, user = make_sale(**way), make_user(is_active=False)
    result = buy(sale, user)
    if way["strategy"] == "redis" and isinstance(result, Accepted):
        assert not Purchase.objects.exists()  # it is set aside: see test_drain
    else:
        assert result == Refused(Refusal.ACCOUNT_CLOSED)
    assert nothing_was_taken(sale)


# Changing over


def test_a_claim_in_the_queue_and_the_same_attempt_in_the_database_are_one_purchase() -> None:
    """By hand, or because Redis went away between the click and its repetition."""
    sale, user = make_sale(strategy="redis"), make_user()
    queued = accepted(click(sale, user, attempt="one")).purchase
    assert held(buy(replace(sale, strategy="lock"), user, attempt="one")).pk == queued
    assert drain.drain(sale, consumer="worker") == drain.Drained(held=0, refused=0, is_empty=True)
    assert proven(sale).held == 1


def test_a_claim_in_the_queue_counts_against_the_limit_once_it_is_settled() -> None:
    sale, user = make_sale(strategy="redis"), make_user()
    click(sale, user, attempt="one")
    held(buy(replace(sale, strategy="version"), user, attempt="two"))
    assert drain.drain(sale, consumer="worker").refused == 1
    assert proven(sale).held == 1


def test_after_a_change_back_to_redis_nobody_gets_more_than_their_share() -> None:
    sale, user = make_sale(strategy="redis"), make_user()
    purchase = held(buy(replace(sale, strategy="lock"), user))
    second = buy(sale, user)  # the gate has never seen this shopper
    assert isinstance(second, Accepted)
    assert Purchase.objects.get(pk=second.purchase).refusal == "limit_reached"
    assert Holding.objects.get().units == 1
    assert state_of(purchase) is State.HELD


def test_a_change_of_strategy_in_the_back_office_reaches_the_next_click() -> None:
    sale, user = make_sale(strategy="redis"), make_user()
    Sale.objects.filter(pk=sale.id).update(strategy="lock")
    sales.forget_copies()
    now = sales.find(sale.slug)
    assert now is not None
    assert buy(now, user) == Accepted(Purchase.objects.get().pk, state=State.HELD)


# Redis away, and back


def test_while_redis_is_away_only_the_first_click_tries_it_and_it_is_used_again_after_a_sync(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sale = make_sale(units=5, strategy="redis", fallback="version")
    tries: list[str] = []

    def counted(name: str) -> Callable[..., Any]:
        work = getattr(gate, name)

        def count_and_work(*args: Any, **options: Any) -> Any:
            tries.append(name)
            return work(*args, **options)

        return count_and_work

    for name in ("claim", "sync"):
        monkeypatch.setattr(gate, name, counted(name))
    monkeypatch.setattr(breaker, "claims", Breaker(first_rest=60.0, longest_rest=60.0))
    with redis_away():
        results = [buy(sale, make_user()) for _ in range(3)]
    assert [r.state for r in results if isinstance(r, Accepted)] == [State.HELD] * 3
    assert tries == ["claim"]
    # Back, but nobody looks before the rest is over; and then the gate is set before anybody claims.
    held(buy(sale, make_user()))
    breaker.claims._rests_until = 0
    tries.clear()
    fifth = buy(sale, make_user())
    assert isinstance(fifth, Accepted)
    assert (fifth.state, tries) == (State.QUEUED, ["sync", "claim"])
    assert buy(sale, make_user()) == Refused(Refusal.SOLD_OUT)
    assert proven(sale).held == 5


def test_control_a_gate_that_is_not_set_first_lets_through_what_postgresql_sold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sale = make_sale(units=1, strategy="redis")
    gate.sync(sale, now=timezone.now())
    with redis_away():
        held(buy(sale, make_user()))
    breaker.claims.worked()  # as if it needed no sync
    late = buy(sale, make_user())
    assert isinstance(late, Accepted)
    assert Purchase.objects.get(pk=late.purchase).refusal == "sold_out"


# In line


def inside(**way: Any) -> tuple[SaleInfo, User]:
    sale = make_sale(units=5, queue_mode=Sale.QueueMode.FIRST_COME, admission_cap=2, **way)
    user, now = make_user(), timezone.now()
    line.join(sale, shopper=user.shopper_id, now=now)
    line.renew(sale, now=now)
    entered = admissions.enter(
        sale, shopper=user.shopper_id, ticket=Ticket(1), now=now + timedelta(seconds=2)
    )
    assert isinstance(entered, admissions.Admitted)
    return sale, user


@pytest.mark.parametrize("strategy", ["redis", "lock", "version"])
def test_the_last_unit_of_the_limit_uses_the_admission_up(strategy: str) -> None:
    sale, user = inside(strategy=strategy)
    held(buy(sale, user))
    assert not admissions.is_inside(sale, shopper=user.shopper_id, now=timezone.now())


@pytest.mark.parametrize("strategy", ["redis", "lock", "version"])
def test_who_left_buys_nothing_though_the_signed_admission_is_good(strategy: str) -> None:
    sale, user = inside(strategy=strategy)
    admissions.leave(sale, shopper=user.shopper_id)
    assert buy(sale, user) == Refused(Refusal.NO_ADMISSION)
    assert nothing_was_taken(sale)


def test_with_redis_away_the_signed_admission_is_enough() -> None:
    sale, user = inside(strategy="redis")
    with redis_away():
        held(buy(sale, user))


# What a no costs


@pytest.mark.parametrize("strategy", ["redis", "lock", "version"])
def test_after_a_sell_out_a_click_costs_neither_a_query_nor_a_call(
    strategy: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    sale, winner = make_sale(units=1, strategy=strategy), make_user()
    won = held(buy(sale, winner, attempt="won"))
    assert buy(sale, make_user()) == Refused(Refusal.SOLD_OUT)
    late = [make_user() for _ in range(3)]
    with redis_away(), django_assert_num_queries(0):
        assert [buy(sale, user) for user in late] == [Refused(Refusal.SOLD_OUT)] * 3
    # Not for who won: their repeated click finds their purchase.
    again = buy(sale, winner, attempt="won")
    assert isinstance(again, Accepted)
    assert again.purchase == won.pk


def test_a_sell_out_is_forgotten_after_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    sale = make_sale(units=1, strategy="redis")
    purchase = held(buy(sale, make_user()))
    assert buy(sale, make_user()) == Refused(Refusal.SOLD_OUT)
    reservations.release(reservation_ids=[purchase.pk], reason="test")
    # Another process sets the gate; this one still says no, for half a second.
    monkeypatch.setattr("flashsale.soldout.forget", lambda sale_id: None)
    gate.sync(sale, now=timezone.now())
    assert buy(sale, make_user()) == Refused(Refusal.SOLD_OUT)
    moment = time.monotonic()
    monkeypatch.setattr("flashsale.soldout.time.monotonic", lambda: moment + 0.51)
    held(buy(sale, make_user()))


def test_fewer_units_than_were_refused_may_still_be_had() -> None:
    sale = make_sale(units=1, limit_per_shopper=2, strategy="redis")
    assert buy(sale, make_user(), quantity=2) == Refused(Refusal.SOLD_OUT)
    held(buy(sale, make_user(), quantity=1))


def test_a_sale_with_too_many_takers_to_remember_asks_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("flashsale.soldout.MOST_TAKERS", 0)
    sale, winner = make_sale(units=1, strategy="redis"), make_user()
    won = held(buy(sale, winner, attempt="won"))
    assert buy(sale, make_user()) == Refused(Refusal.SOLD_OUT)
    again = buy(sale, winner, attempt="won")
    assert isinstance(again, Accepted)
    assert again.purchase == won.pk


# Busy


def test_a_claim_that_loses_every_try_of_version_is_told_to_come_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sale = make_sale(strategy="version")
    pauses: list[int] = []
    monkeypatch.setattr(allocation, "pause", pauses.append)
    monkeypatch.setattr(allocation, "_add", lambda *args, **condition: False)
    assert buy(sale, make_user()) == Refused(Refusal.BUSY)
    assert pauses == list(range(allocation.VERSION_TRIES))
    assert nothing_was_taken(sale)


def test_what_is_nobody_s_fault_but_ours_crashes_and_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sale = make_sale(strategy="lock")

    def breaks(*args: Any, **options: Any) -> None:
        raise DatabaseError("no such table")

    monkeypatch.setattr(settling, "_decide", breaks)
    with pytest.raises(DatabaseError):
        buy(sale, make_user())
    assert store.client().xlen(key(sale.id, "claims")) == 0
