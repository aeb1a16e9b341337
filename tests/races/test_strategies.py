"""Two clicks on the last unit, at once, by each strategy; and what happens when its guard is off."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils import timezone

from flashsale import drain, settling
from flashsale.buying import Accepted, Refusal
from flashsale.models import Purchase
from flashsale.sales import SaleInfo
from flashsale.settling import Claim
from inventory import allocation, holdings
from inventory.models import Holding, Stock
from shop.models import User
from tests.clicks import click
from tests.factories import make_sale, make_user
from tests.faults.proof import proven_units
from tests.races.moment import at_once

pytestmark = pytest.mark.django_db(transaction=True)

STRATEGIES = ["redis", "lock", "version"]


def outcome(sale: SaleInfo, user: User, attempt: str = "one", quantity: int = 1) -> str:
    """Of one click, as a word; a guard that is off may show as an IntegrityError."""
    try:
        result = click(sale, user, attempt=attempt, quantity=quantity)
    except IntegrityError:
        return "IntegrityError"
    return "accepted" if isinstance(result, Accepted) else result.reason


def all_at_once(sale: SaleInfo, users: list[User], *, attempts: int = 1) -> Counter[str]:
    works: list[Callable[[], str]] = [
        partial(outcome, sale, user, f"attempt {number}")
        for user in users
        for number in range(attempts)
    ]
    outcomes = Counter(at_once(*works))
    drain.drain(sale, consumer="worker")
    return outcomes


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_twelve_clicks_on_three_units_sell_three(strategy: str) -> None:
    sale = make_sale(units=3, strategy=strategy)
    outcomes = all_at_once(sale, [make_user() for _ in range(12)])
    assert outcomes == {"accepted": 3, Refusal.SOLD_OUT: 9}
    assert proven_units(sale).held == 3


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_one_shopper_s_clicks_from_many_tabs_get_one_unit(strategy: str) -> None:
    sale, user = make_sale(units=9, strategy=strategy), make_user()
    outcomes = all_at_once(sale, [user], attempts=8)
    assert outcomes == {"accepted": 1, Refusal.LIMIT_REACHED: 7}
    assert Holding.objects.get().units == 1
    assert proven_units(sale).held == 1


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_double_click_is_one_purchase(strategy: str) -> None:
    """Failure 7."""
    sale, user = make_sale(units=9, limit_per_shopper=3, strategy=strategy), make_user()
    assert Counter(at_once(*[partial(outcome, sale, user)] * 6)) == {"accepted": 6}
    drain.drain(sale, consumer="worker")
    assert Purchase.objects.count() == 1
    assert proven_units(sale).held == 1


def purchases_of_one_attempt(strategy: str) -> int:
    """One key, sent at once with two quantities, six times over; the purchases that came of it."""
    for _ in range(6):
        sale, user = make_sale(units=9, limit_per_shopper=9, strategy=strategy), make_user()
        at_once(*(partial(outcome, sale, user, "one", quantity) for quantity in (1, 2) * 2))
        drain.drain(sale, consumer="worker")
    return Purchase.objects.count()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_one_attempt_at_two_things_at_once_buys_one(strategy: str) -> None:
    assert purchases_of_one_attempt(strategy) == 6


def test_control_without_a_look_at_the_attempt_s_other_purchases_it_buys_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settling, "other_of_attempt", lambda purchase: None)
    assert purchases_of_one_attempt("lock") == 12


def test_a_sale_that_changes_over_in_the_middle_sells_each_unit_once() -> None:
    """Clicks through the gate, by lock and by version at the same moment, while a worker settles."""
    sale = make_sale(units=6)
    ways = [make_sale_s_copy(sale, strategy) for strategy in STRATEGIES * 5]
    users = [make_user() for _ in ways]
    clicks = [partial(outcome, way, user) for way, user in zip(ways, users, strict=True)]
    at_once(*clicks, lambda: drain.drain(sale, consumer="early"))
    drain.drain(sale, consumer="late")
    assert Purchase.objects.filter(refusal="").count() == 6
    assert proven_units(sale).free == 0


def make_sale_s_copy(sale: SaleInfo, strategy: str) -> SaleInfo:
    return replace(sale, strategy=strategy)


def errors_of_many_double_clicks(sale: SaleInfo, user: User, *, most: int) -> Counter[str]:
    """Insert `most` purchases, each from six connections at the same moment; stop after the first error."""
    together, errors = Barrier(6), Counter[str]()
    purchases = [uuid4() for _ in range(most)]

    def insert(purchase: UUID) -> None:
        claim = Claim(
            purchase=purchase,
            shopper=user.shopper_id,
            item=sale.items[0].id,
            quantity=1,
            claimed_at=timezone.now(),
        )
        with transaction.atomic():
            settling._insert_purchases(sale, [claim])
            Purchase.objects.filter(pk=purchase).update(reservation=None)

    def insert_all() -> None:
        for purchase in purchases:
            try:
                insert(purchase)
            except (IntegrityError, OperationalError) as error:
                errors[type(error).__name__] += 1
            together.wait(timeout=30)
            if errors:
                return
            together.wait(timeout=30)

    at_once(*[insert_all] * together.parties)
    return errors


def test_a_double_click_meets_no_error_in_any_index() -> None:
    sale, user = make_sale(units=9, strategy="lock"), make_user()
    assert not errors_of_many_double_clicks(sale, user, most=200)
    assert Purchase.objects.count() == 200


def test_control_a_conflict_asked_for_in_the_primary_key_alone_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of_one = settling.INSERT_PURCHASES.replace("ON CONFLICT", "ON CONFLICT (id)")
    monkeypatch.setattr(settling, "INSERT_PURCHASES", of_one)
    sale, user = make_sale(units=9, strategy="lock"), make_user()
    assert errors_of_many_double_clicks(sale, user, most=2000)


# Controls: the same two clicks, with the guard off


def two_look_before_either_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have read the row before one of them writes, nobody locks it, and nobody compares the version."""
    meet, add = Barrier(2), allocation._add

    def meet_and_add(stock_id: int, units: int, **condition: Any) -> bool:
        meet.wait(timeout=10)
        return add(stock_id, units)

    monkeypatch.setattr(allocation, "_add", meet_and_add)
    monkeypatch.setattr(Stock.objects, "select_for_update", lambda **options: Stock.objects.all())


@pytest.mark.parametrize("strategy", ["lock", "version"])
def test_control_without_its_guard_a_strategy_promises_the_last_unit_twice(
    strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the row's CHECK still stands, and the shopper meets an error instead of an answer."""
    two_look_before_either_takes(monkeypatch)
    sale = make_sale(units=1, strategy=strategy)
    outcomes = all_at_once(sale, [make_user(), make_user()])
    assert outcomes == {"accepted": 1, "IntegrityError": 1}


@pytest.mark.parametrize("strategy", ["lock", "version"])
def test_control_without_the_constraint_either_would_oversell(
    strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_look_before_either_takes(monkeypatch)
    sale = make_sale(units=1, strategy=strategy)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE inventory_stock DROP CONSTRAINT stock_allocated_within_on_hand")
    try:
        outcomes = all_at_once(sale, [make_user(), make_user()])
        stock = Stock.objects.get(pool=sale.scope)
        assert outcomes == {"accepted": 2}
        assert (stock.on_hand, stock.allocated) == (1, 2)
    finally:
        Stock.objects.filter(pool=sale.scope).update(allocated=1)
        with connection.cursor() as cursor:
            cursor.execute(
                "ALTER TABLE inventory_stock ADD CONSTRAINT stock_allocated_within_on_hand"
                " CHECK (allocated >= 0 AND allocated <= on_hand)"
            )


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_control_without_the_limit_in_postgresql_one_shopper_gets_two(
    strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gate alone forgets; here it never knew, because one click went past it."""
    monkeypatch.setattr(holdings, "count", lambda *, scope, limit, wanted: [True] * len(wanted))
    sale, user = make_sale(units=9, strategy=strategy), make_user()
    outcome(make_sale_s_copy(sale, "lock"), user, "one")
    outcome(sale, user, "two")
    drain.drain(sale, consumer="worker")
    assert Purchase.objects.filter(refusal="").count() == 2


def test_control_without_the_purchase_s_key_a_redelivered_claim_is_held_twice() -> None:
    """The second of two deliveries finds the first one's row; a key that is new each time finds nothing."""
    sale = make_sale(units=9, limit_per_shopper=5)
    again = settling.Claim(uuid4(), make_user().shopper_id, sale.items[0].id, 1, timezone.now())
    settling.settle(sale, [again])
    assert settling.settle(sale, [again]) == {}
    renamed = settling.Claim(uuid4(), again.shopper, again.item, 1, again.claimed_at)
    settling.settle(sale, [renamed])
    assert proven_units(sale).held == 2
