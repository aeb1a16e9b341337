from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from flashsale import admissions, drain, gate, line, purchases, store
from flashsale.buying import Accepted, Refusal, Refused
from flashsale.keys import key
from flashsale.models import Purchase, Sale
from flashsale.purchases import State
from flashsale.sales import SaleInfo
from flashsale.tickets import Ticket
from inventory.models import Reservation
from shop import checkout
from shop.checkout import AddressData
from shop.models import Order, User
from tests.clicks import click
from tests.factories import make_sale, make_user

pytestmark = pytest.mark.django_db


def held(sale: SaleInfo, user: User, *, attempt: str = "") -> Purchase:
    accepted = click(sale, user, attempt=attempt)
    assert isinstance(accepted, Accepted)
    drain.drain(sale, consumer="worker")
    found = purchases.find(accepted.purchase, shopper=user.shopper_id)
    assert found is not None
    return found


def order_of(purchase: Purchase) -> None:
    """The same purchase, ordered from another tab."""
    other = Purchase.objects.select_related("item__variant", "reservation").get(pk=purchase.pk)
    checkout.place_order(
        key=other.pk,
        user=other.shopper,
        email=other.shopper.email,
        address=AddressData("Ada Example", "Harbour Road 1", "24103", "Kiel", "DE"),
        lines=[purchases.order_line(other)],
        on_placed=lambda order: purchases.attach_order(other, order),
    )


def free(sale: SaleInfo) -> int:
    return int(store.client().hget(key(sale.id, "gate"), f"free:{sale.items[0].id}"))


def test_a_sale_can_be_bought_from_before_anybody_has_set_its_gate() -> None:
    sale = make_sale(units=3)
    assert isinstance(click(sale, make_user()), Accepted)
    assert free(sale) == 2


def test_letting_go_in_one_tab_takes_nothing_of_what_another_has_ordered() -> None:
    sale, user = make_sale(units=1), make_user()
    seen = held(sale, user)
    order_of(seen)
    Reservation.objects.update(state=Reservation.State.CONFIRMED)
    Order.objects.update(state=Order.State.PAID)
    assert not purchases.release(seen)
    assert Reservation.objects.get().state == Reservation.State.CONFIRMED


def test_letting_go_in_one_tab_cancels_what_another_has_ordered_and_not_paid() -> None:
    sale, user = make_sale(units=1), make_user()
    seen = held(sale, user)
    order_of(seen)
    assert purchases.release(seen)
    assert Order.objects.get().state == Order.State.CANCELLED
    assert Reservation.objects.get().state == Reservation.State.RELEASED


def test_repeating_the_click_of_a_purchase_that_was_let_go_takes_nothing() -> None:
    sale, user = make_sale(units=3), make_user()
    purchase = held(sale, user, attempt="one")
    assert purchases.release(purchase)
    again = click(sale, user, attempt="one")
    assert again == Accepted(purchase=purchase.pk)
    assert free(sale) == 3
    found = purchases.find(purchase.pk, shopper=user.shopper_id)
    assert found is not None
    assert purchases.state_of(found) is State.RELEASED


def test_who_lets_one_of_two_units_go_can_buy_one_again() -> None:
    sale, user = make_sale(units=5, limit_per_shopper=2), make_user()
    first, _second = held(sale, user), held(sale, user)
    assert click(sale, user) == Refused(Refusal.LIMIT_REACHED, _second.pk)
    assert purchases.release(first)
    assert isinstance(click(sale, user), Accepted)
    assert isinstance(click(sale, user), Refused)


def test_letting_go_twice_gives_one_unit_back() -> None:
    sale, user = make_sale(units=1), make_user()
    purchase = held(sale, user)
    assert purchases.release(purchase)
    purchase.refresh_from_db()
    assert not purchases.release(purchase)
    assert free(sale) == 1


@pytest.mark.parametrize("quantity", [0, -1])
def test_a_wrong_quantity_takes_nothing(quantity: int) -> None:
    sale = make_sale(units=3)
    gate.sync(sale, now=timezone.now())
    assert click(sale, make_user(), quantity=quantity) == Refused(Refusal.BAD_QUANTITY)
    assert free(sale) == 3


def test_the_same_attempt_names_the_same_purchase_and_its_sale() -> None:
    somebody = uuid4()

    def name(
        attempt: str = "x", *, shopper: UUID = somebody, item: int = 3, quantity: int = 1
    ) -> UUID:
        return purchases.name_purchase(
            sale_id=7, shopper=shopper, attempt=attempt, item=item, quantity=quantity
        )

    one = name()
    assert one == name()
    assert one != name(shopper=uuid4())
    assert one != name("")
    assert one != name(item=4) != name(quantity=2)
    assert one.int >> 16 == name(item=4).int >> 16 == name(quantity=2).int >> 16
    assert purchases.sale_id_of(one) == 7
    assert (one.version, one.variant) == (8, UUID(int=0x8 << 60 | 2 << 62).variant)


# Admissions, where there is a line


def admitted(limit: int = 1) -> tuple[SaleInfo, User]:
    sale = make_sale(
        units=5, queue_mode=Sale.QueueMode.FIRST_COME, limit_per_shopper=limit, admission_cap=2
    )
    user, now = make_user(), timezone.now()
    line.join(sale, shopper=user.shopper_id, now=now)
    line.renew(sale, now=now)
    let_in(sale, user)
    return sale, user


def let_in(sale: SaleInfo, user: User) -> None:
    now = timezone.now() + timedelta(seconds=2)
    result = admissions.enter(sale, shopper=user.shopper_id, ticket=Ticket(1), now=now)
    assert isinstance(result, admissions.Admitted)


def test_who_was_let_in_can_buy() -> None:
    sale, user = admitted()
    assert isinstance(click(sale, user), Accepted)


def test_who_left_must_be_let_in_again_though_their_signed_admission_is_good() -> None:
    sale, user = admitted()
    admissions.leave(sale, shopper=user.shopper_id)
    assert click(sale, user) == Refused(Refusal.NO_ADMISSION)
    assert free(sale) == 5
    let_in(sale, user)
    assert isinstance(click(sale, user), Accepted)


def test_an_admission_is_used_up_by_the_last_unit_of_the_limit_and_not_before() -> None:
    sale, user = admitted(limit=2)
    first = held(sale, user)
    held(sale, user)
    assert purchases.release(first)
    assert click(sale, user) == Refused(Refusal.NO_ADMISSION)


def test_an_admission_that_ran_out_buys_nothing() -> None:
    sale, user = admitted()
    store.client().zadd(key(sale.id, "active"), {str(user.shopper_id): 1})
    assert click(sale, user) == Refused(Refusal.NO_ADMISSION)
