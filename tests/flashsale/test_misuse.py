"""What staff and scripts should not do to a sale that shoppers rely on."""

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError
from django.utils import timezone

from flashsale import buying, gate, line, sales, settling, store
from flashsale.buying import Accepted, Refused
from flashsale.keys import key
from flashsale.models import Purchase, Sale, SaleItem
from flashsale.sales import SaleInfo
from flashsale.settling import Claim
from flashsale.tasks import drain_purchases
from inventory import audit, reservations
from inventory.batches import BatchOutcome
from inventory.models import Holding, Reservation, Stock
from inventory.stock import NotEnoughStock
from shop.models import User
from tests.factories import make_draft, make_sale, make_user
from tests.flashsale.test_audit import buy

pytestmark = pytest.mark.django_db


def breaches() -> set[str]:
    return {result.check.name for result in audit.run(scope={}) if result.breaches}


# Two sales of one SKU


def drafts_of_one_sku(*units: int) -> list[Sale]:
    """Drafts that share a SKU, of which the main pool has as many units as the first one wants."""
    first = make_draft(units=units[0])
    variant = first.items.get().variant
    others = [make_draft(items=0) for _ in units[1:]]
    for sale, wanted in zip(others, units[1:], strict=True):
        SaleItem.objects.create(sale=sale, variant=variant, price="50.00", units=wanted)
    return [first, *others]


def test_two_sales_of_one_sku_have_pools_of_their_own() -> None:
    first, second = drafts_of_one_sku(5, 2)
    first.items.update(units=3)
    sales.schedule(first)
    sales.schedule(second)
    pools = dict(Stock.objects.values_list("pool", "on_hand"))
    assert pools == {"main": 0, f"sale:{first.pk}": 3, f"sale:{second.pk}": 2}
    shopper = make_user()
    for sale in (first, second):
        assert buy(sales.describe(sale), shopper).refusal == ""
    left = [sales.count_units(sales.describe(sale)).left for sale in (first, second)]
    assert left == [2, 1]
    assert breaches() == set()


def test_the_second_sale_of_a_sku_gets_only_what_the_first_one_left() -> None:
    first, second = drafts_of_one_sku(5, 2)
    first.items.update(units=4)
    sales.schedule(first)
    with pytest.raises(NotEnoughStock, match="has 1 free unit in main; 2 would be needed"):
        sales.schedule(second)
    second.refresh_from_db()
    assert second.status == Sale.Status.DRAFT
    assert dict(Stock.objects.values_list("pool", "on_hand")) == {
        "main": 1,
        f"sale:{first.pk}": 4,
    }


# A sale that is deleted

WAYS: dict[str, Callable[[Sale], object]] = {
    "the sale": lambda sale: sale.delete(),
    "a query of sales": lambda sale: Sale.objects.filter(pk=sale.pk).delete(),
    "its items": lambda sale: sale.items.all().delete(),
    "its items, raw": lambda sale: sale.items.all()._raw_delete("default"),
    "SQL": lambda sale: delete_by_sql(),
}


def delete_by_sql() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM flashsale_saleitem; SET CONSTRAINTS ALL IMMEDIATE")


@pytest.mark.parametrize("way", WAYS)
def test_a_sale_with_live_holds_is_not_deleted(way: str) -> None:
    sale = make_sale()
    purchase = buy(sale, make_user())
    with pytest.raises((ProtectedError, IntegrityError)), transaction.atomic():
        WAYS[way](Sale.objects.get())
    assert SaleItem.objects.count() == 1
    assert Reservation.objects.get(purchase=purchase).state == "held"


@pytest.mark.parametrize("way", WAYS)
def test_a_sale_with_ring_fenced_units_that_nobody_claimed_is_not_deleted_either(way: str) -> None:
    make_sale()
    with pytest.raises(IntegrityError, match="end or cancel the sale"), transaction.atomic():
        WAYS[way](Sale.objects.get())
    assert SaleItem.objects.count() == 1
    assert breaches() == set()


@pytest.mark.parametrize("way", WAYS)
def test_control_without_the_trigger_its_units_belong_to_nobody(way: str) -> None:
    make_sale()
    with connection.cursor() as cursor:
        cursor.execute(
            "SET CONSTRAINTS ALL IMMEDIATE; ALTER TABLE flashsale_saleitem"
            " DISABLE TRIGGER flashsale_ring_fenced_items_stay"
        )
    WAYS[way](Sale.objects.get())
    assert not SaleItem.objects.exists()
    assert breaches() == {"sale_pools_have_their_item"}


def test_a_draft_is_deleted_with_its_items() -> None:
    make_draft().delete()
    assert not SaleItem.objects.exists()


# A limit that is lowered in the middle, past the form that refuses it


def click(sale: SaleInfo, shopper: User) -> Accepted | Refused:
    return buying.buy(
        sale=sale,
        shopper=shopper.shopper_id,
        item=sale.items[0].id,
        quantity=1,
        attempt=str(uuid4()),
        now=timezone.now(),
    )


def lower_the_limit(sale: SaleInfo) -> SaleInfo:
    """By force, in the database; beat's next run then tells Redis."""
    Sale.objects.filter(pk=sale.id).update(limit_per_shopper=1)
    sales.forget_copies()
    sale = sales.describe(Sale.objects.get(pk=sale.id))
    line.renew(sale, now=timezone.now())
    return sale


def units_of(shopper: User) -> int:
    rows = Purchase.objects.filter(shopper=shopper, refusal="").exclude(reservation=None)
    return rows.filter(reservation__state__in=["held", "confirmed"]).count()


@pytest.mark.parametrize("strategy", Sale.Strategy.values)
@pytest.mark.parametrize("redis", ["remembers", "forgot"])
def test_after_a_limit_was_lowered_nobody_gets_more_and_nobody_loses_any(
    strategy: str, redis: str
) -> None:
    sale = make_sale(units=10, limit_per_shopper=2, strategy=strategy)
    gate.sync(sale, now=timezone.now())
    above, at, new = make_user(), make_user(), make_user()
    for shopper in (above, above, at):
        assert isinstance(click(sale, shopper), Accepted)
    drain_purchases(sale.id)
    sale = lower_the_limit(sale)
    if redis == "forgot":
        store.client().delete(key(sale.id, "takers"))
    for shopper in (above, at):
        click(sale, shopper)
    assert isinstance(click(sale, new), Accepted)
    click(sale, new)
    drain_purchases(sale.id)
    assert [units_of(shopper) for shopper in (above, at, new)] == [2, 1, 1]
    assert breaches() == set()
    paid = Reservation.objects.filter(purchase__shopper=above).values_list("pk", flat=True)
    assert reservations.confirm(reservation_ids=list(paid))


def test_control_units_above_both_limits_are_a_breach() -> None:
    """The purchase of another shopper is put down to one who has all that they may have."""
    sale = make_sale(units=10, limit_per_shopper=2)
    shopper, other = make_user(), make_user()
    for _ in range(2):
        buy(sale, shopper)
    purchase = buy(sale, other)
    lower_the_limit(sale)
    assert breaches() == set()
    purchase.shopper = shopper
    purchase.save()
    Reservation.objects.filter(purchase=purchase).update(holder=str(shopper.shopper_id))
    assert breaches() == {"limit_kept", "holdings_equal_reservations"}


def test_a_hold_that_ended_is_taken_again_under_the_limit_of_its_time() -> None:
    """A late payment of somebody above the new limit: both units were promised to them."""
    sale = make_sale(units=10, limit_per_shopper=2)
    shopper = make_user()
    kept = [buy(sale, shopper).pk for _ in range(2)]  # a reservation has its purchase's id
    lower_the_limit(sale)
    Reservation.objects.filter(pk=kept[0]).update(expires_at=timezone.now() - timedelta(hours=1))
    reservations.expire()
    assert reservations.retake(reservation_ids=[kept[0]])
    assert Holding.objects.get().units == 2
    assert breaches() == {"purchases_have_the_sale_price"}  # nobody placed an order in this test
    claim = Claim(uuid4(), shopper.shopper_id, sale.items[0].id, 1, timezone.now())
    now = sales.describe(Sale.objects.get())
    assert settling.settle(now, [claim]) == {claim.purchase: BatchOutcome.LIMIT_REACHED}
