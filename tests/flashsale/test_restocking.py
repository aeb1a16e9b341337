from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
import redis
from django.utils import timezone

from flashsale import buying, gate, line_document, rehearsals, sales, steering, store
from flashsale.buying import Accepted, Refused
from flashsale.keys import key
from flashsale.models import Sale, SaleItem
from flashsale.restocking import UnitsChanged, UnitsPromised, change_units
from flashsale.sales import NotPossible, SaleInfo
from inventory import audit, reservations, stock
from inventory.models import Reservation, Stock, StockMovement
from inventory.stock import NotEnoughStock
from shop.models import User
from tests.factories import make_draft, make_sale, make_user
from tests.flashsale.test_audit import buy

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def books_agree() -> Iterator[None]:
    """Whatever a test did, nothing is left that the audit would find."""
    yield
    assert [result for result in audit.run(scope={}) if result.breaches] == []


def item_of(sale: SaleInfo) -> SaleItem:
    return SaleItem.objects.select_related("sale", "variant").get(pk=sale.items[0].id)


def pools(sku: str) -> dict[str, int]:
    rows = Stock.objects.filter(sku=sku).order_by("pool")
    return {row.pool.partition(":")[0]: row.on_hand for row in rows}


def stocked(*, units: int, spare: int, **fields: Any) -> SaleItem:
    """The item of an open sale, with `spare` units left in the main pool."""
    item = item_of(make_sale(units=units, **fields))
    stock.receive(sku=item.variant.sku, quantity=spare)
    return item


def click(item: SaleItem, shopper: User) -> Accepted | Refused:
    sale = sales.find(item.sale.slug)
    assert sale is not None
    return buying.buy(
        sale=sale,
        shopper=shopper.shopper_id,
        item=item.pk,
        quantity=1,
        attempt="click",
        now=timezone.now(),
    )


def test_more_units_come_from_the_main_pool_and_the_item_says_so() -> None:
    item = stocked(units=3, spare=5)
    changed = change_units(item=item, change=4, actor="ada@example.com")
    assert changed.units == 7
    assert pools(item.variant.sku) == {"main": 1, "sale": 7}
    rows = StockMovement.objects.order_by("-pk")[:2]
    assert {(row.stock.pool.partition(":")[0], row.on_hand_change) for row in rows} == {
        ("main", -4),
        ("sale", 4),
    }
    assert {(row.reason, row.actor) for row in rows} == {
        (f"more units for {item.sale.slug}", "ada@example.com")
    }


def test_fewer_units_go_back_to_the_main_pool() -> None:
    item = stocked(units=3, spare=0)
    assert change_units(item=item, change=-2, actor="").units == 1
    assert pools(item.variant.sku) == {"main": 2, "sale": 1}


def test_more_units_than_the_main_pool_has_free_are_refused() -> None:
    item = stocked(units=3, spare=5)
    sku = item.variant.sku
    held = reservations.reserve(
        key=make_user().shopper_id, wants=[reservations.Want(sku, 2)], holder="a", seconds=60
    )
    assert isinstance(held, reservations.Held)
    with pytest.raises(NotEnoughStock) as refused:
        change_units(item=item, change=4, actor="")
    assert str(refused.value) == (
        f"{sku} has 3 free units in main, because 2 of its 5 are promised; 4 would be needed."
    )
    item.refresh_from_db()
    assert item.units == 3
    assert pools(sku) == {"main": 5, "sale": 3}


@pytest.mark.parametrize("change", [-3, -100])
def test_fewer_units_than_are_promised_are_refused_with_the_number(change: int) -> None:
    sale = make_sale(units=3)
    buy(sale, make_user())
    item = item_of(sale)
    with pytest.raises(UnitsPromised) as refused:
        change_units(item=item, change=change, actor="")
    assert str(refused.value) == (
        f"1 unit is promised to shoppers, so at most 2 of {item.variant.sku} can be taken away, "
        f"not {-change}."
    )
    item.refresh_from_db()
    assert item.units == 3
    assert pools(item.variant.sku) == {"main": 0, "sale": 3}


def test_dead_holds_are_not_promises() -> None:
    sale = make_sale(units=3)
    buy(sale, make_user())
    Reservation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert change_units(item=item_of(sale), change=-3, actor="").units == 0


def test_a_form_that_is_sent_twice_changes_the_units_once() -> None:
    item = stocked(units=3, spare=5)
    change_units(item=item, change=2, actor="", seen=3)
    with pytest.raises(UnitsChanged, match="the sale has 5 now"):
        change_units(item=item, change=2, actor="", seen=3)
    assert pools(item.variant.sku) == {"main": 3, "sale": 5}


@pytest.mark.parametrize("status", ["ended", "cancelled"])
def test_a_sale_that_is_over_keeps_the_units_it_had(status: str) -> None:
    item = stocked(units=3, spare=5)
    (sales.end if status == "ended" else sales.cancel)(item.sale)
    with pytest.raises(NotPossible, match=f"is {status}, so its units cannot be changed"):
        change_units(item=item, change=1, actor="")
    assert pools(item.variant.sku) == {"main": 8, "sale": 0}


def test_a_sale_whose_time_is_over_or_a_draft_has_no_units_to_change() -> None:
    item = stocked(units=3, spare=5)
    Sale.objects.update(closes_at=timezone.now())
    with pytest.raises(NotPossible, match="is ended"):
        change_units(item=item, change=1, actor="")
    with pytest.raises(NotPossible, match="is draft"):
        change_units(item=make_draft().items.get(), change=1, actor="")


def test_a_rehearsal_takes_no_real_units() -> None:
    item = stocked(units=3, spare=5)
    shadow = rehearsals.open_shadow(item.sale, seconds=60)
    with pytest.raises(NotPossible, match="is a rehearsal"):
        change_units(item=shadow.items.get(), change=1, actor="")
    assert Stock.objects.get(pool="main").on_hand == 5


def test_a_failure_in_the_middle_changes_nothing() -> None:
    item = stocked(units=3, spare=5)
    with (
        mock.patch.object(stock, "transfer", side_effect=RuntimeError),
        pytest.raises(RuntimeError),
    ):
        change_units(item=item, change=1, actor="")
    item.refresh_from_db()
    assert item.units == 3


# Shoppers


def test_shoppers_claim_new_units_at_once_without_beat() -> None:
    item = stocked(units=1, spare=5)
    sale = sales.describe(item.sale)
    buy(sale, make_user())
    late = make_user()
    assert click(item, late) == Refused(buying.Refusal.SOLD_OUT)
    assert steering.change_units(item=item, change=2, actor="")
    assert store.client().hget(key(sale.id, "gate"), f"free:{item.pk}") == "2"
    assert isinstance(click(item, late), Accepted)
    assert line_document.read(sale, now=timezone.now())["units_left"] == 2


def test_control_without_telling_redis_they_stay_sold_out() -> None:
    item = stocked(units=1, spare=5)
    buy(sales.describe(item.sale), make_user())
    change_units(item=item, change=2, actor="")
    assert click(item, make_user()) == Refused(buying.Refusal.SOLD_OUT)


def test_units_that_were_taken_away_are_not_claimed() -> None:
    item = stocked(units=2, spare=0)
    gate.sync(sales.describe(item.sale), now=timezone.now())
    steering.change_units(item=item, change=-1, actor="")
    assert isinstance(click(item, make_user()), Accepted)
    assert click(item, make_user()) == Refused(buying.Refusal.SOLD_OUT)


def test_with_redis_away_the_units_change_and_the_gate_follows_later() -> None:
    item = stocked(units=1, spare=5)
    with mock.patch.object(gate, "sync", side_effect=redis.ConnectionError):
        assert steering.change_units(item=item, change=2, actor="") is False
    assert pools(item.variant.sku) == {"main": 3, "sale": 3}
