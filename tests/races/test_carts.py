"""Carts that want the same units at once, at the ordinary checkout; each guard with a control without it."""

import time
from collections import Counter
from functools import partial
from io import StringIO
from threading import Barrier, Event
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection, transaction
from django.db.models import F
from pytest_django import Settings

from inventory import allocation, reservations
from inventory.models import Reservation, Stock
from shop import checkout, orders
from shop.checkout import OrderLine, Placed, Short, Shortage
from shop.models import Order, User, Variant
from tests.factories import make_user, make_variant
from tests.races.moment import at_once
from tests.shop.ordering import ADDRESS, line

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 50


@pytest.fixture(autouse=True)
def as_many_unpaid_orders_as_a_test_likes(settings: Settings) -> None:
    settings.MAX_UNPAID_ORDERS = 1000


def place(user: User, *lines: OrderLine) -> Placed | Short:
    outcome = checkout.place_order(
        key=uuid4(), user=user, email=user.email, address=ADDRESS, lines=lines
    )
    assert isinstance(outcome, Placed | Short)
    return outcome


def two_variants(*, units: int) -> tuple[Variant, Variant]:
    """B's stock row is older than A's: the order of the SKUs is not the order of the rows."""
    b = make_variant(sku="RACE-B", units=units)
    return make_variant(sku="RACE-A", units=units), b


def allocated(variant: Variant) -> int:
    """Units promised, after proof that nothing is promised that is not there and all books agree."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT stock.on_hand, stock.allocated, coalesce(sum(reservation.quantity), 0)
            FROM inventory_stock stock LEFT JOIN inventory_reservation reservation
                ON reservation.stock_id = stock.id AND reservation.state IN ('held', 'confirmed')
            WHERE stock.sku = %s GROUP BY stock.id
            """,
            [variant.sku],
        )
        on_hand, counted, promised = cursor.fetchone()
    assert counted == promised <= on_hand
    call_command("audit", stdout=StringIO())
    return int(promised)


def read_and_then_write(variant: Variant, quantity: int, *, meanwhile: Barrier) -> bool:
    """The control: what many shops do. Everybody reads before anybody writes."""
    stock = Stock.objects.get(sku=variant.sku)
    meanwhile.wait(timeout=30)
    if stock.available < quantity:
        return False
    stock.allocated += quantity
    stock.save()
    Reservation.objects.create(
        key=uuid4(), stock=stock, quantity=quantity, holder="naive", expires_at=stock.updated_at
    )
    return True


def test_ten_buyers_of_the_last_unit_make_one_order() -> None:
    """Failure 1."""
    lamp, users = make_variant(units=1), [make_user() for _ in range(10)]
    outcomes = at_once(*(partial(place, user, line(lamp)) for user in users))
    assert Counter(type(outcome).__name__ for outcome in outcomes) == {"Placed": 1, "Short": 9}
    assert Order.objects.count() == 1
    assert allocated(lamp) == 1


def test_control_ten_buyers_who_read_and_then_write_sell_the_last_unit_ten_times() -> None:
    lamp, meanwhile = make_variant(units=1), Barrier(10)
    outcomes = at_once(*[lambda: read_and_then_write(lamp, 1, meanwhile=meanwhile)] * 10)
    assert outcomes == [True] * 10


def test_of_two_carts_of_three_one_is_refused_with_the_two_that_are_left() -> None:
    """Failure 2."""
    users = [make_user(), make_user()]
    for _ in range(10):
        lamp = make_variant(units=5)
        outcomes = at_once(*(partial(place, user, line(lamp, 3)) for user in users))
        refused = [outcome for outcome in outcomes if isinstance(outcome, Short)]
        assert refused == [Short([Shortage(sku=lamp.sku, wanted=3, available=2)])]
        assert allocated(lamp) == 3


def test_control_two_carts_of_three_that_read_and_then_write_are_both_sold() -> None:
    lamp, meanwhile = make_variant(units=5), Barrier(2)
    outcomes = at_once(*[lambda: read_and_then_write(lamp, 3, meanwhile=meanwhile)] * 2)
    assert outcomes == [True, True]


def test_carts_with_the_same_goods_in_opposite_order_are_both_placed() -> None:
    """Failure 6."""
    a, b = two_variants(units=2 * ROUNDS)
    each_round = Barrier(2)

    def place_again_and_again(*variants: Variant) -> Counter[type]:
        user, outcomes = make_user(), Counter[type]()
        for _ in range(ROUNDS):
            each_round.wait(timeout=30)
            outcomes[type(place(user, *map(line, variants)))] += 1
        return outcomes

    outcomes = at_once(lambda: place_again_and_again(a, b), lambda: place_again_and_again(b, a))
    assert outcomes == [{Placed: ROUNDS}, {Placed: ROUNDS}]
    assert (allocated(a), allocated(b)) == (2 * ROUNDS, 2 * ROUNDS)


def test_control_rows_taken_in_the_order_of_the_cart_deadlock() -> None:
    a, b = two_variants(units=2)
    meanwhile = Barrier(2)

    def take(*variants: Variant) -> str:
        try:
            with transaction.atomic():
                for variant in variants:
                    Stock.objects.filter(sku=variant.sku).update(allocated=F("allocated") + 1)
                    if variant is variants[0]:
                        meanwhile.wait(timeout=30)
        except OperationalError as error:
            return str(error).partition("\n")[0]
        return "taken"

    outcomes = at_once(lambda: take(a, b), lambda: take(b, a))
    assert sorted(outcomes) == ["deadlock detected", "taken"]


@pytest.mark.parametrize("leaving", ["cancelled", "expired"])
def test_a_cart_is_placed_while_an_order_with_the_same_goods_gives_its_units_back(
    leaving: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One order of rows for all that take them: the two meet while one has the first row of its two."""
    a, b = two_variants(units=10)
    before = place(make_user(), line(a), line(b))
    assert isinstance(before, Placed)
    if leaving == "expired":
        ids = orders.reservation_ids(before.order)
        Reservation.objects.filter(pk__in=ids).update(expires_at=F("created_at"))
    has_one, allocate = Event(), allocation.allocate

    def allocate_one_and_wait(*, stock_id: int, units: int) -> bool:
        took = allocate(stock_id=stock_id, units=units)
        if not has_one.is_set():
            has_one.set()
            time.sleep(0.3)  # for the other to take what it can, and to wait for this row
        return took

    def give_back() -> int:
        assert has_one.wait(timeout=30)
        if leaving == "expired":
            return reservations.expire()
        return orders.cancel(order=before.order, actor="", reason="test")

    monkeypatch.setattr(reservations, "allocate", allocate_one_and_wait)
    user = make_user()
    outcome, changed = at_once(lambda: place(user, line(a), line(b)), give_back)
    assert (type(outcome), changed) == (Placed, 2 if leaving == "expired" else True)
    assert (allocated(a), allocated(b)) == (1, 1)


# A dead hold that has to be tidied away: out of the transaction, in which it would take stock out of its order


def carts_around_a_dead_hold(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two carts of A and Z; the first needs the dead hold of Z tidied away, while the second has A."""
    a, z = make_variant(sku="RACE-A", units=5), make_variant(sku="RACE-Z", units=2)
    place(make_user(), line(z))
    Reservation.objects.update(expires_at=F("created_at"))
    tidied, has_a = Event(), Event()
    expire, allocate = reservations.expire, allocation.allocate

    def expire_and_wait(**which: object) -> int:
        count = expire(**which)  # type: ignore[arg-type]  # as it was called
        if count:
            tidied.set()
            has_a.wait(3)
            time.sleep(0.2)
        return count

    def allocate_and_tell(*, stock_id: int, units: int) -> bool:
        taken = allocate(stock_id=stock_id, units=units)
        if tidied.is_set():
            has_a.set()
        return taken

    monkeypatch.setattr(reservations, "expire", expire_and_wait)
    monkeypatch.setattr(reservations, "allocate", allocate_and_tell)

    def second() -> str:
        tidied.wait(10)
        return outcome_of(make_user(), line(a), line(z))

    return list(at_once(lambda: outcome_of(make_user(), line(a), line(z, 2)), second))


def outcome_of(user: User, *lines: OrderLine) -> str:
    try:
        return type(place(user, *lines)).__name__
    except OperationalError as error:
        return "deadlock" if "deadlock" in str(error) else str(error)


def test_carts_around_a_dead_hold_do_not_wait_for_one_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "deadlock" not in carts_around_a_dead_hold(monkeypatch)


def test_control_tidying_up_within_the_order_s_transaction_deadlocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reserve = reservations.reserve

    def reserve_and_tidy(**wanted: object) -> object:
        return reserve(**wanted | {"tidies": True})  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(reservations, "reserve", reserve_and_tidy)
    assert "deadlock" in carts_around_a_dead_hold(monkeypatch)
