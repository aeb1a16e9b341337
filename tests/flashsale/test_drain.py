from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone
from kombu.exceptions import OperationalError
from pytest_django import DjangoAssertNumQueries

from flashsale import drain, gate, settling, store, tasks
from flashsale.drain import Drained
from flashsale.keys import key
from flashsale.models import Purchase
from flashsale.sales import SaleInfo
from flashsale.settling import Claim
from inventory import reservations
from inventory.models import Holding, Reservation, Stock, StockMovement
from shop.models import User
from tests.clicks import claim, open_sale, queued
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def allocated(sale: SaleInfo) -> int:
    return Stock.objects.get(pool=sale.scope).allocated


def test_a_drained_claim_is_a_purchase_with_a_hold_at_the_sale_s_price() -> None:
    sale, user = open_sale(), make_user()
    known = claim(sale, user)
    assert drain.drain(sale, consumer="w1") == Drained(held=1, refused=0, is_empty=True)
    purchase = Purchase.objects.get()
    assert (purchase.pk, purchase.shopper, str(purchase.unit_price)) == (known, user, "60.00")
    assert purchase.reservation is not None
    assert (purchase.reservation.pk, purchase.reservation.state) == (known, "held")
    assert (queued(sale), allocated(sale)) == (0, 1)


def test_a_claim_that_is_delivered_twice_is_settled_once() -> None:
    sale, user = open_sale(), make_user()
    claim(sale, user)
    (taken,) = drain.take(sale_id=sale.id, consumer="w1")
    settling.settle(sale, [taken])
    assert settling.settle(sale, [taken]) == {}
    assert allocated(sale) == 1
    assert Holding.objects.get().units == 1
    assert StockMovement.objects.filter(kind="allocate").count() == 1


def test_claims_of_a_silent_worker_are_given_to_another_after_the_lease(
    settings: pytest.FixtureRequest,
) -> None:
    sale, user = open_sale(), make_user()
    known = claim(sale, user)
    drain.take(sale_id=sale.id, consumer="dies")
    assert drain.take(sale_id=sale.id, consumer="other") == []
    settings.CLAIM_LEASE_SECONDS = 0  # type: ignore[attr-defined]  # pytest-django's wrapper
    (again,) = drain.take(sale_id=sale.id, consumer="other")
    assert again.purchase == known


def test_more_claims_than_units_are_refused_as_sold_out_and_hold_nothing() -> None:
    """The gate lets too many through when Redis lost its last writes; PostgreSQL does not."""
    sale = open_sale(units=1)
    first, second = make_user(), make_user()
    claim(sale, first)
    store.client().hset(key(sale.id, "gate"), f"free:{sale.items[0].id}", 1)
    refused = claim(sale, second)
    assert drain.drain(sale, consumer="w1") == Drained(held=1, refused=1, is_empty=True)
    purchase = Purchase.objects.get(pk=refused)
    assert (purchase.refusal, purchase.reservation) == ("sold_out", None)
    assert allocated(sale) == 1


def test_the_limit_holds_when_redis_forgot_who_bought() -> None:
    sale, user = open_sale(), make_user()
    claim(sale, user)
    drain.drain(sale, consumer="w1")
    store.client().delete(key(sale.id, "takers"))
    refused = claim(sale, user)
    drain.drain(sale, consumer="w1")
    assert Purchase.objects.get(pk=refused).refusal == "limit_reached"
    assert allocated(sale) == 1


def test_one_bad_claim_spoils_only_itself() -> None:
    sale, user = open_sale(), make_user()
    store.client().xadd(key(sale.id, "claims"), {"purchase": "not one"})
    nobody = uuid4()
    gate.claim(
        sale_id=sale.id,
        shopper=nobody,
        item=sale.items[0].id,
        quantity=1,
        purchase=uuid4(),
        now=timezone.now(),
    )
    known = claim(sale, user)
    assert drain.drain(sale, consumer="w1").held == 1
    assert Purchase.objects.get().pk == known
    assert queued(sale) == 0


def test_an_account_that_was_closed_meanwhile_gets_nothing() -> None:
    sale, user = open_sale(), make_user()
    claim(sale, user)
    User.objects.update(is_active=False)
    assert drain.drain(sale, consumer="w1") == Drained(held=0, refused=0, is_empty=True)
    assert not Purchase.objects.exists()


def test_two_items_of_one_sale_share_its_limit() -> None:
    sale, user = open_sale(items=2), make_user()
    batch = [Claim(uuid4(), user.shopper_id, item.id, 1, timezone.now()) for item in sale.items]
    assert sorted(settling.settle(sale, batch).values()) == ["held", "limit_reached"]


def test_a_dead_hold_is_sold_again_though_nobody_tidied_it() -> None:
    sale = open_sale(units=1)
    first, second = make_user(), make_user()
    dead = claim(sale, first)
    drain.drain(sale, consumer="w1")
    Reservation.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    gate.sync(sale, now=timezone.now())
    known = claim(sale, second)
    assert drain.drain(sale, consumer="w1").held == 1
    assert Reservation.objects.get(pk=dead).state == "expired"
    assert Reservation.objects.get(pk=known).state == "held"


def test_control_without_a_look_at_dead_holds_the_unit_is_lost_until_somebody_tidies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sale = open_sale(units=1)
    claim(sale, make_user())
    drain.drain(sale, consumer="w1")
    Reservation.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    gate.sync(sale, now=timezone.now())
    claim(sale, make_user())
    monkeypatch.setattr(reservations, "expire", lambda **scope: 0)
    assert drain.drain(sale, consumer="w1") == Drained(held=0, refused=1, is_empty=True)


# Turns


def test_a_run_ends_after_its_slice_so_that_another_sale_has_its_turn(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.PURCHASE_BATCH_SIZE = 2
    monkeypatch.setattr(drain, "SLICE_SECONDS", 0.0)
    long, short = open_sale(units=9), open_sale(units=9)
    for _ in range(5):
        claim(long, make_user())
    claim(short, make_user())
    assert drain.drain(long, consumer="w1") == Drained(held=2, refused=0, is_empty=False)
    assert drain.drain(short, consumer="w1") == Drained(held=1, refused=0, is_empty=True)
    assert drain.drain(long, consumer="w1") == Drained(held=2, refused=0, is_empty=False)
    assert drain.drain(long, consumer="w1") == Drained(held=1, refused=0, is_empty=True)


def test_a_sale_that_is_not_done_is_called_again_behind_the_others(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.PURCHASE_BATCH_SIZE = 1
    monkeypatch.setattr(drain, "SLICE_SECONDS", 0.0)
    sale = open_sale(units=9)
    for _ in range(2):
        claim(sale, make_user())
    rung: list[int] = []
    monkeypatch.setattr(tasks, "ring", rung.append)
    tasks.drain_purchases(sale.id)
    assert (rung, queued(sale)) == ([sale.id], 1)
    tasks.drain_purchases(sale.id)
    assert (rung, queued(sale)) == ([sale.id, sale.id], 0)
    tasks.drain_purchases(sale.id)
    assert rung == [sale.id, sale.id]


def test_claims_are_settled_no_faster_than_the_configured_rate(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.PURCHASE_BATCH_SIZE, settings.PURCHASES_PER_SECOND = 2, 1
    sale = open_sale(units=9)
    for _ in range(5):
        claim(sale, make_user())
    naps: list[float] = []
    monkeypatch.setattr("flashsale.drain.time.sleep", naps.append)
    assert drain.drain(sale, consumer="w1").held == 5
    assert [round(nap) for nap in naps] == [2, 2]


def test_with_the_broker_away_nobody_waits_for_the_doorbell(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*args: object, **options: object) -> None:
        raise OperationalError("no broker")

    monkeypatch.setattr(tasks.drain_purchases, "apply_async", away)
    tasks.ring(7)
    assert "the queue of sale 7 is drained by the next beat" in caplog.text


@pytest.mark.parametrize("size", [1, 5])
def test_a_batch_costs_four_statements_however_large_it_is(
    size: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    sale = open_sale(units=9)
    batch = [
        Claim(uuid4(), make_user().shopper_id, sale.items[0].id, 1, timezone.now())
        for _ in range(size)
    ]
    with django_assert_num_queries(6):  # and the beginning and end of what is a savepoint in a test
        assert set(settling.settle(sale, batch).values()) == {"held"}


def test_a_batch_that_refuses_nobody_leaves_dead_holds_to_the_tidier() -> None:
    sale = open_sale(units=2)
    dead = claim(sale, make_user())
    drain.drain(sale, consumer="w1")
    Reservation.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    claim(sale, make_user())
    assert drain.drain(sale, consumer="w1").held == 1
    assert Reservation.objects.get(pk=dead).state == "held"


def test_a_dead_hold_of_a_shopper_at_the_limit_makes_room_for_the_same_shopper() -> None:
    sale, user = open_sale(units=2), make_user()
    dead = Claim(uuid4(), user.shopper_id, sale.items[0].id, 1, timezone.now())
    settling.settle(sale, [dead])
    Reservation.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    again = replace(dead, purchase=uuid4())
    assert settling.settle(sale, [again]) == {again.purchase: "held"}
    assert Holding.objects.get().units == 1


def test_the_moment_of_the_click_is_kept_to_the_microsecond() -> None:
    sale = open_sale(units=9)
    moments = [
        datetime(2026, 11, 27, 9, 59, 59, part, tzinfo=UTC) for part in (0, 1, 499_999, 999_999)
    ]
    batch = [
        Claim(uuid4(), make_user().shopper_id, sale.items[0].id, 1, moment) for moment in moments
    ]
    settling.settle(sale, batch)
    known = Purchase.objects.in_bulk([one.purchase for one in batch])
    assert [known[one.purchase].claimed_at for one in batch] == moments
