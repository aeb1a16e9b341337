from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import F, ProtectedError

from inventory import stock
from inventory.models import Reservation, Stock, StockMovement
from inventory.reservations import Want, reserve

pytestmark = pytest.mark.django_db


def test_received_units_are_on_hand_and_written_down() -> None:
    stock.receive(sku="MUG", quantity=5, reason="delivery 12")
    row = stock.receive(sku="MUG", quantity=2)
    assert (row.on_hand, row.allocated, row.available) == (7, 0, 7)
    assert list(StockMovement.objects.order_by("id").values_list("on_hand_change", "reason")) == [
        (5, "delivery 12"),
        (2, ""),
    ]


def test_available_is_0_for_a_sku_without_stock() -> None:
    stock.receive(sku="MUG", quantity=5)
    assert stock.available(skus=["MUG", "VASE"]) == {"MUG": 5, "VASE": 0}


def test_shrinkage_below_what_is_promised_is_refused_and_says_how_many_are() -> None:
    stock.receive(sku="MUG", quantity=5)
    reserve(key=UUID(int=1), wants=[Want("MUG", 4)], holder="a", seconds=60)
    with pytest.raises(stock.NotEnoughStock, match="because 4 of its 5 are promised") as refused:
        stock.adjust(sku="MUG", change=-2, reason="broken")
    error = refused.value
    assert (error.on_hand, error.promised, error.available, error.wanted) == (5, 4, 1, 2)
    assert Stock.objects.get().on_hand == 5
    stock.adjust(sku="MUG", change=-1, reason="broken")
    assert Stock.objects.get().on_hand == 4


def test_a_transfer_moves_free_units_only_and_keeps_the_sum() -> None:
    stock.receive(sku="MUG", quantity=5)
    reserve(key=UUID(int=1), wants=[Want("MUG", 2)], holder="a", seconds=60)
    with pytest.raises(stock.NotEnoughStock):
        stock.transfer(sku="MUG", quantity=4, source="main", target="sale:1", reason="sale")
    assert not Stock.objects.filter(pool="sale:1").exists()
    stock.transfer(sku="MUG", quantity=3, source="main", target="sale:1", reason="sale")
    assert dict(Stock.objects.values_list("pool", "on_hand")) == {"main": 2, "sale:1": 3}


def test_free_units_are_returned_once() -> None:
    stock.receive(sku="MUG", quantity=5)
    stock.transfer(sku="MUG", quantity=5, source="main", target="sale:1", reason="sale")
    reserve(key=UUID(int=1), wants=[Want("MUG", 2, "sale:1")], holder="a", seconds=60)
    assert stock.return_free_units(sku="MUG", source="sale:1", reason="over") == 3
    assert stock.return_free_units(sku="MUG", source="sale:1", reason="over") == 0
    assert dict(Stock.objects.values_list("pool", "on_hand")) == {"main": 3, "sale:1": 2}


def test_the_database_itself_refuses_more_allocated_than_on_hand() -> None:
    stock.receive(sku="MUG", quantity=1)
    with pytest.raises(DatabaseError, match="stock_allocated_within_on_hand"), transaction.atomic():
        Stock.objects.update(allocated=2)


def let_time_pass() -> None:
    Reservation.objects.update(expires_at=F("expires_at") - timedelta(hours=2))


def test_dead_holds_do_not_stand_in_the_way_of_a_correction_or_a_transfer() -> None:
    stock.receive(sku="MUG", quantity=5)
    reserve(key=UUID(int=1), wants=[Want("MUG", 4)], holder="a", seconds=60)
    let_time_pass()
    stock.adjust(sku="MUG", change=-2, reason="broken")
    reserve(key=UUID(int=2), wants=[Want("MUG", 3)], holder="a", seconds=60)
    let_time_pass()
    stock.transfer(sku="MUG", quantity=3, source="main", target="sale:1", reason="sale")
    assert dict(Stock.objects.values_list("pool", "on_hand")) == {"main": 0, "sale:1": 3}
    assert set(Reservation.objects.values_list("state", flat=True)) == {"expired"}


# The ledger

CHANGES: dict[str, Callable[[StockMovement], object]] = {
    "SQL: UPDATE": lambda row: run("UPDATE inventory_stockmovement SET on_hand_change = 0"),
    "SQL: DELETE": lambda row: run("DELETE FROM inventory_stockmovement"),
    "ORM: save": lambda row: save(row, on_hand_change=0),
    "ORM: update": lambda row: StockMovement.objects.update(on_hand_change=0),
    "ORM: bulk_update": lambda row: StockMovement.objects.bulk_update(
        [save_nothing(row, on_hand_change=0)], ["on_hand_change"]
    ),
    "ORM: delete": lambda row: row.delete(),
    "ORM: delete of a query": lambda row: StockMovement.objects.all().delete(),
    "ORM: raw delete": lambda row: StockMovement.objects.all()._raw_delete("default"),
}


def run(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def save_nothing(row: StockMovement, **fields: object) -> StockMovement:
    for name, value in fields.items():
        setattr(row, name, value)
    return row


def save(row: StockMovement, **fields: object) -> None:
    save_nothing(row, **fields).save()


@pytest.mark.parametrize("way", CHANGES)
def test_a_movement_can_be_neither_changed_nor_deleted(way: str) -> None:
    stock.receive(sku="MUG", quantity=5)
    row = StockMovement.objects.get()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        CHANGES[way](row)
    assert list(StockMovement.objects.values_list("on_hand_change", flat=True)) == [5]


@pytest.mark.parametrize("way", CHANGES)
def test_without_the_trigger_the_ledger_changes(way: str) -> None:
    """The control: the trigger is what refuses. It is off for this transaction alone."""
    stock.receive(sku="MUG", quantity=5)
    run("SET CONSTRAINTS ALL IMMEDIATE")
    run("ALTER TABLE inventory_stockmovement DISABLE TRIGGER inventory_movements_are_append_only")
    CHANGES[way](StockMovement.objects.get())
    assert list(StockMovement.objects.values_list("on_hand_change", flat=True)) in ([], [0])


def test_stock_with_a_ledger_cannot_be_deleted() -> None:
    stock.receive(sku="MUG", quantity=5)
    with pytest.raises(ProtectedError):
        Stock.objects.all().delete()
    with pytest.raises(DatabaseError), transaction.atomic():
        run("DELETE FROM inventory_stock; SET CONSTRAINTS ALL IMMEDIATE")
    assert Stock.objects.count() == 1
