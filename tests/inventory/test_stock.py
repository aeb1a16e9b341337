from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction

from inventory import stock
from inventory.models import Stock, StockMovement
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


def test_shrinkage_below_what_is_promised_is_refused_and_says_how_many_are_free() -> None:
    stock.receive(sku="MUG", quantity=5)
    reserve(key=UUID(int=1), wants=[Want("MUG", 4)], holder="a", seconds=60)
    with pytest.raises(stock.NotEnoughStock, match=r"MUG has 1 free unit in main; 2 would"):
        stock.adjust(sku="MUG", change=-2, reason="broken")
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


@pytest.mark.parametrize("sql", ["UPDATE {} SET reason = 'x'", "DELETE FROM {}"])
def test_a_movement_can_be_neither_changed_nor_deleted(sql: str) -> None:
    stock.receive(sku="MUG", quantity=5)
    statement = sql.format("inventory_stockmovement")
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert StockMovement.objects.count() == 1


def test_the_database_itself_refuses_more_allocated_than_on_hand() -> None:
    stock.receive(sku="MUG", quantity=1)
    with pytest.raises(DatabaseError, match="stock_allocated_within_on_hand"), transaction.atomic():
        Stock.objects.update(allocated=2)
