"""A part of what a reservation promises comes back: to its row, its holder and the ledger."""

from uuid import UUID, uuid4

import pytest
from pytest_django import Settings

from inventory import audit, batches, reservations, stock
from inventory.batches import BatchClaim
from inventory.models import Holding, Reservation, Stock, StockMovement
from inventory.reservations import Held, Want

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def only_the_stockroom(settings: Settings) -> None:
    settings.AUDIT_CHECKS = ["inventory.audit.checks"]


def hold(*wants: Want) -> list[Reservation]:
    for want in wants:
        stock.receive(sku=want.sku, quantity=5)
    outcome = reservations.reserve(key=uuid4(), wants=wants, holder="a", seconds=60)
    assert isinstance(outcome, Held)
    return outcome.reservations


def give_back(*units: tuple[UUID, int]) -> bool:
    return reservations.release_units(units=dict(units), reason="refunded")


def rows() -> list[tuple[str, int]]:
    return list(Reservation.objects.order_by("stock__sku").values_list("state", "quantity"))


def allocated() -> list[int]:
    return list(Stock.objects.order_by("sku").values_list("allocated", flat=True))


def books_agree() -> bool:
    return not any(result.breaches for result in audit.run(scope={}))


def test_some_units_come_back_and_the_rest_stays_promised() -> None:
    (mug,) = hold(Want("MUG", 3))
    assert give_back((mug.pk, 2))
    assert (rows(), allocated()) == ([("held", 1)], [1])
    movement = StockMovement.objects.order_by("id").last()
    assert movement is not None
    assert (movement.kind, movement.allocated_change, movement.reason) == ("cancel", -2, "refunded")
    assert books_agree()


def test_the_last_unit_releases_the_reservation() -> None:
    (mug,) = hold(Want("MUG", 3))
    assert reservations.confirm(reservation_ids=[mug.pk])
    assert give_back((mug.pk, 2))
    assert give_back((mug.pk, 1))
    assert (rows(), allocated()) == ([("released", 1)], [0])
    assert books_agree()


def test_all_or_nothing() -> None:
    mug, vase = hold(Want("MUG", 3), Want("VASE", 1))
    assert not give_back((mug.pk, 1), (vase.pk, 2))
    assert not give_back((mug.pk, 0))
    assert not give_back((mug.pk, 1), (uuid4(), 1))
    assert (rows(), allocated()) == ([("held", 3), ("held", 1)], [3, 1])
    assert give_back((mug.pk, 1), (vase.pk, 1))
    assert (rows(), allocated()) == ([("held", 2), ("released", 1)], [2, 0])
    assert books_agree()


def test_what_left_the_building_does_not_come_back_this_way() -> None:
    (mug,) = hold(Want("MUG", 3))
    reservations.confirm(reservation_ids=[mug.pk])
    reservations.consume(reservation_ids=[mug.pk])
    assert not give_back((mug.pk, 1))
    assert rows() == [("consumed", 3)]


def test_the_holders_limit_has_room_again() -> None:
    row = stock.receive(sku="MUG", quantity=5, pool="sale:7")
    claim = BatchClaim(key=uuid4(), holder="a", quantity=2)
    batches.reserve_batch(stock_id=row.pk, scope="sale:7", limit=2, claims=[claim], seconds=60)
    assert give_back((Reservation.objects.get().pk, 1))
    assert Holding.objects.get().units == 1
    assert books_agree()
