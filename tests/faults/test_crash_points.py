"""A real process is killed at every point of its work (failures 13, 14, 22); the next one that comes puts it right."""

import signal
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoDbBlocker, Settings

from flashsale import drain, gate, sales
from flashsale.buying import Accepted
from flashsale.drain import Drained
from flashsale.models import Purchase, Sale
from flashsale.sales import SaleInfo
from inventory import reservations
from inventory.models import Reservation, Stock, StockMovement
from tests.clicks import claim, free_at_the_gate, open_sale, queued
from tests.factories import make_user
from tests.faults.children import child
from tests.faults.proof import Units, proven_units
from tests.proof.crash_points import POINTS, Point
from tests.proof.work import click

pytestmark = pytest.mark.django_db(transaction=True)

CLAIMS, UNITS = 4, 6


Killed = Callable[..., None]


@pytest.fixture(scope="module")
def killed(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Killed]:
    """A function that has a process killed at a point of its work on a sale."""
    with child("tests.faults.dying", django_db_blocker) as (said, heard):

        def kill(sale: SaleInfo, *, point: str) -> None:
            said.write(f"{sale.slug}\t{point}\n")
            assert heard.readline() == f"{signal.SIGKILL:d}\n"

        yield kill


def of(*works: str) -> list[Point]:
    return [point for point in POINTS if point.work in works]


def gate_after_sync(sale: SaleInfo) -> int | None:
    assert gate.sync(sale, now=timezone.now())
    return free_at_the_gate(sale)


@pytest.mark.parametrize("point", of("batch"), ids=str)
def test_claims_of_a_killed_worker_are_settled_exactly_once(
    point: Point, settings: Settings, killed: Killed
) -> None:
    sale = open_sale(units=UNITS)
    bought = {claim(sale, make_user()) for _ in range(CLAIMS)}
    killed(sale, point=str(point))
    # What a transaction did not commit never happened.
    assert Purchase.objects.count() in (0, CLAIMS)
    # Nobody is given the claims before the lease is over, and then the first who asks.
    settings.CLAIM_LEASE_SECONDS = 60
    assert drain.drain(sale, consumer="other") == Drained(held=0, refused=0, is_empty=True)
    settings.CLAIM_LEASE_SECONDS = 0
    drain.drain(sale, consumer="other")
    assert queued(sale) == 0
    held = Purchase.objects.filter(refusal="", reservation__state="held")
    assert set(held.values_list("pk", flat=True)) == bought
    movement = StockMovement.objects.get(kind="allocate")
    assert (movement.allocated_change, movement.reservations) == (CLAIMS, CLAIMS)
    assert gate_after_sync(sale) == UNITS - CLAIMS
    assert proven_units(sale) == Units(sold=0, held=CLAIMS, free=UNITS - CLAIMS)


def test_control_acknowledging_before_settling_loses_the_claims(
    settings: Settings, killed: Killed
) -> None:
    settings.CLAIM_LEASE_SECONDS = 0
    sale = open_sale(units=UNITS)
    for _ in range(CLAIMS):
        claim(sale, make_user())
    killed(sale, point="acknowledged before it was settled")
    assert drain.drain(sale, consumer="other").held == 0
    assert (Purchase.objects.count(), queued(sale)) == (0, 0)
    # The shoppers lose, the merchant does not: the units are for sale again.
    assert gate_after_sync(sale) == UNITS
    assert proven_units(sale) == Units(sold=0, held=0, free=UNITS)


@pytest.mark.parametrize("point", of("claim", "at once"), ids=str)
def test_a_click_whose_process_was_killed_is_one_purchase_when_it_comes_again(
    point: Point, killed: Killed
) -> None:
    sale, _ = open_sale(units=UNITS), make_user()
    killed(sale, point=str(point))
    again = click(sale)
    assert isinstance(again, Accepted)
    drain.drain(sale, consumer="worker")
    assert Purchase.objects.get().pk == again.purchase
    assert gate_after_sync(sale) == UNITS - 1
    assert proven_units(sale) == Units(sold=0, held=1, free=UNITS - 1)


def held_by(sale: SaleInfo, number: int) -> None:
    for _ in range(number):
        claim(sale, make_user())
    assert drain.drain(sale, consumer="worker").held == number


@pytest.mark.parametrize("point", of("let go", "expire"), ids=str)
def test_units_that_were_being_given_back_come_back_once(point: Point, killed: Killed) -> None:
    sale = open_sale(units=UNITS)
    held_by(sale, 1)
    past = timezone.now() - timedelta(hours=1)
    if point.work == "expire":
        Reservation.objects.update(expires_at=past)
    killed(sale, point=str(point))
    assert Reservation.objects.get().state in ("held", "released", "expired")
    Reservation.objects.update(expires_at=past)
    reservations.expire()
    assert Stock.objects.get(pool=sale.scope).available == UNITS
    assert StockMovement.objects.filter(kind="cancel").count() == 1
    assert gate_after_sync(sale) == UNITS
    assert proven_units(sale) == Units(sold=0, held=0, free=UNITS)


@pytest.mark.parametrize("point", of("pay"), ids=str)
def test_a_payment_that_was_being_confirmed_is_confirmed_once(point: Point, killed: Killed) -> None:
    sale = open_sale(units=UNITS)
    held_by(sale, 1)
    killed(sale, point=str(point))
    assert Reservation.objects.get().state == "held"
    ids = list(Reservation.objects.values_list("pk", flat=True))
    assert reservations.confirm(reservation_ids=ids)
    assert reservations.confirm(reservation_ids=ids)
    assert Stock.objects.get(pool=sale.scope).allocated == 1


@pytest.mark.parametrize("point", of("sync"), ids=str)
def test_a_gate_that_was_being_set_is_set_by_the_next(point: Point, killed: Killed) -> None:
    sale = open_sale(units=UNITS)
    held_by(sale, 2)
    reservations.release(
        reservation_ids=[Reservation.objects.latest("created_at").pk], reason="let go"
    )
    killed(sale, point=str(point))
    assert free_at_the_gate(sale) in (UNITS - 2, UNITS - 1)
    assert gate_after_sync(sale) == UNITS - 1


@pytest.mark.parametrize("point", of("return"), ids=str)
def test_units_of_a_sale_that_was_being_ended_go_back_to_the_main_pool_once(
    point: Point, killed: Killed
) -> None:
    sale = open_sale(units=UNITS)
    held_by(sale, 1)
    killed(sale, point=str(point))
    Reservation.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    reservations.expire()
    for _ in range(2):
        sales.close_due(now=timezone.now())
    assert Sale.objects.get(pk=sale.id).status == "ended"
    pools = dict(Stock.objects.filter(sku=sale.items[0].sku).values_list("pool", "on_hand"))
    assert pools == {Stock.MAIN: UNITS, sale.scope: 0}
