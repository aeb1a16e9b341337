from collections.abc import Callable
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db.models import F
from django.utils import timezone
from pytest_django import Settings

from flashsale import drain, gate, sales, settling
from flashsale.models import Purchase, Sale, SaleItem
from flashsale.sales import SaleInfo
from inventory import audit, reservations
from inventory.models import Holding, Reservation, Stock, StockMovement
from shop.models import LineItem, Order, User
from tests.factories import make_sale, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def only_the_front_door(settings: Settings) -> None:
    settings.AUDIT_CHECKS = ["flashsale.audit.checks"]


def breaches(sale: str | None = None) -> dict[str, list[str]]:
    results = audit.run(scope={"sale": sale} if sale else {})
    return {result.check.name: result.breaches for result in results if result.breaches}


def buy(sale: SaleInfo, shopper: User, *, quantity: int = 1) -> Purchase:
    now = timezone.now()
    assert gate.sync(sale, now=now)
    purchase = uuid4()
    gate.claim(
        sale_id=sale.id,
        shopper=shopper.shopper_id,
        item=sale.items[0].id,
        quantity=quantity,
        purchase=purchase,
        now=now,
    )
    drain.drain(sale, consumer="test")
    return Purchase.objects.get(pk=purchase)


def place_order(purchase: Purchase, *, user: User, unit_price: Decimal) -> None:
    assert purchase.reservation is not None
    order = Order.objects.create(
        user=user,
        email=user.email,
        key=purchase.pk,
        currency="EUR",
        subtotal=unit_price,
        total=unit_price,
        expires_at=timezone.now(),
        recipient="Ada Example",
        street="1 Sample Street",
        postcode="10115",
        city="Berlin",
        country="DE",
    )
    LineItem.objects.create(
        order=order,
        variant=purchase.item.variant,
        reservation=purchase.reservation,
        sku=purchase.item.variant.sku,
        name="Lamp",
        quantity=purchase.quantity,
        unit_price=unit_price,
    )
    Purchase.objects.filter(pk=purchase.pk).update(order=order)


def test_a_sale_with_holds_orders_and_refusals_has_no_breach() -> None:
    sale = make_sale(units=2, limit_per_shopper=1)
    first, second = make_user(), make_user()
    place_order(buy(sale, first), user=first, unit_price=Decimal("60.00"))
    buy(sale, second)
    refused = buy_too_late(sale, make_user())
    assert refused.refusal == "sold_out"
    assert breaches() == {}
    assert breaches(sale.slug) == {}


def test_units_of_a_sale_that_were_given_back_in_parts_are_no_breach() -> None:
    sale, shopper = make_sale(units=3, limit_per_shopper=2), make_user()
    purchase = buy(sale, shopper, quantity=2)
    place_order(purchase, user=shopper, unit_price=Decimal("60.00"))
    for released in (1, 2):
        assert reservations.release_units(units={purchase.pk: 1}, reason="test")
        assert set(breaches()) == {"purchases_have_their_reservation"}  # not written down yet
        LineItem.objects.update(released=released)
        assert breaches() == {}


def buy_too_late(sale: SaleInfo, shopper: User) -> Purchase:
    """A claim that Redis let through although nothing is free, as after a failover."""
    settling.settle(
        sale,
        [
            settling.Claim(
                purchase=uuid4(),
                shopper=shopper.shopper_id,
                item=sale.items[0].id,
                quantity=1,
                claimed_at=timezone.now(),
            )
        ],
    )
    return Purchase.objects.get(shopper=shopper)


def exceed_the_limit(purchase: Purchase) -> None:
    """The limit was never more than one, by the sale and by the shopper's count."""
    Sale.objects.filter(pk=purchase.sale_id).update(limit_per_shopper=1)
    Holding.objects.update(units=1, limit_units=1)


def lose_the_item(purchase: Purchase) -> None:
    """Units of a pool that no item of a sale has any more."""
    Stock.objects.create(sku=purchase.item.variant.sku, pool=f"sale:{purchase.sale_id + 1}")


def change_the_quantity(purchase: Purchase) -> None:
    Purchase.objects.filter(pk=purchase.pk).update(quantity=F("quantity") + 1)


def change_the_holder(purchase: Purchase) -> None:
    Reservation.objects.filter(purchase=purchase).update(holder=str(uuid4()))


def lose_the_reservation(purchase: Purchase) -> None:
    Purchase.objects.filter(pk=purchase.pk).update(reservation=None)


def refuse_afterwards(purchase: Purchase) -> None:
    Purchase.objects.filter(pk=purchase.pk).update(refusal="sold_out")


def lose_the_purchase(purchase: Purchase) -> None:
    Purchase.objects.filter(pk=purchase.pk).delete()


def slip_units_in(purchase: Purchase) -> None:
    Stock.objects.filter(reservations__purchase=purchase).update(on_hand=F("on_hand") + 1)


def forget_an_arrival(purchase: Purchase) -> None:
    assert purchase.item.stock is not None
    StockMovement.objects.create(
        stock=purchase.item.stock, kind=StockMovement.Kind.ADJUST, on_hand_change=-1
    )


def say_other_units(purchase: Purchase) -> None:
    SaleItem.objects.filter(pk=purchase.item_id).update(units=F("units") + 1)


def say_fewer_units_afterwards(purchase: Purchase) -> None:
    sales.end(purchase.sale)
    SaleItem.objects.filter(pk=purchase.item_id).update(units=purchase.quantity - 1)


def change_the_price(purchase: Purchase) -> None:
    SaleItem.objects.filter(pk=purchase.item_id).update(price=Decimal("1.00"))


def order_at_another_price(purchase: Purchase) -> None:
    place_order(
        purchase,
        user=User.objects.get(shopper_id=purchase.shopper_id),
        unit_price=Decimal("1.00"),
    )


def order_for_somebody_else(purchase: Purchase) -> None:
    place_order(purchase, user=make_user(), unit_price=Decimal("60.00"))


def pay_without_an_order(purchase: Purchase) -> None:
    Reservation.objects.filter(purchase=purchase).update(state=Reservation.State.CONFIRMED)


SPOILS: list[tuple[Callable[[Purchase], None], set[str]]] = [
    (pay_without_an_order, {"purchases_have_the_sale_price"}),
    (exceed_the_limit, {"limit_kept"}),
    (lose_the_item, {"sale_pools_have_their_item"}),
    (change_the_quantity, {"purchases_have_their_reservation"}),
    (change_the_holder, {"purchases_have_their_reservation"}),
    (
        lose_the_reservation,
        {"purchases_have_their_reservation", "sale_units_promised_to_purchases"},
    ),
    (refuse_afterwards, {"refused_purchases_took_nothing"}),
    (lose_the_purchase, {"sale_units_promised_to_purchases"}),
    (slip_units_in, {"sale_units_add_up"}),
    (forget_an_arrival, {"sale_units_add_up", "sale_items_say_their_units"}),
    (say_other_units, {"sale_items_say_their_units"}),
    (say_fewer_units_afterwards, {"sale_items_say_their_units"}),
    (change_the_price, {"purchases_have_the_sale_price"}),
    (order_at_another_price, {"purchases_have_the_sale_price"}),
    (order_for_somebody_else, {"purchases_have_the_sale_price"}),
]
NAMED = {name for _, names in SPOILS for name in names} | {"sale_exists"}


@pytest.mark.parametrize(("spoil", "names"), SPOILS)
def test_one_spoiled_row_is_found_and_named(
    spoil: Callable[[Purchase], None], names: set[str]
) -> None:
    sale = make_sale(units=3, limit_per_shopper=2)
    purchase = buy(sale, make_user(), quantity=2)
    assert breaches() == {}
    spoil(purchase)
    found = breaches()
    assert set(found) == names
    row_names = (str(purchase.pk), str(purchase.shopper_id), sale.items[0].sku)
    for lines in found.values():
        assert len(lines) == 1
        assert any(name in lines[0] for name in row_names)


def test_the_scope_leaves_other_sales_out() -> None:
    sound, spoiled = make_sale(), make_sale()
    buy(sound, make_user())
    change_the_quantity(buy(spoiled, make_user()))
    assert breaches(sound.slug) == {}
    assert set(breaches(spoiled.slug)) == {"purchases_have_their_reservation"}
    assert set(breaches()) == {"purchases_have_their_reservation"}


def test_a_sale_that_does_not_exist_is_a_breach() -> None:
    assert breaches("no-such-sale") == {"sale_exists": ["there is no sale no-such-sale"]}
