"""A hold ends at the moment in which its payment comes (failures 9, 10, 11): one of the two wins, wholly."""

from collections import Counter
from datetime import timedelta
from functools import partial
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone
from pytest_django import Settings

from inventory import audit, reservations
from inventory.models import Reservation, Stock
from shop import gateways, orders, payments
from shop.checkout import Placed, Short
from shop.gateways import Pending, View
from shop.models import Order, PaymentIntent, Variant
from shop.payments import Started
from tests.factories import make_user, make_variant
from tests.races.moment import at_once
from tests.races.test_carts import place
from tests.shop.ordering import FAKE, FakeGateway, books, line

pytestmark = pytest.mark.django_db(transaction=True)

PAID = {"order": "paid", "payments": ["captured"], "units": ["confirmed"]}
GIVEN_BACK = {"order": "expired", "payments": ["cancelled"], "units": ["expired"]}
#: Milliseconds from the start of the race to the end of the hold.
ENDS_IN = [-20, -5, 0, 3, 6, 10, 15, 25, 40]
ROUNDS = 3


@pytest.fixture
def bank(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> FakeGateway:
    """A bank that takes its time: its yes comes by an event."""
    gateway = FakeGateway(says={"authorise": Pending("")})
    monkeypatch.setitem(gateways.GATEWAYS, "fake", gateway)
    settings.PAYMENT_GATEWAYS = ["fake"]
    return gateway


def ordered_and_being_paid(lamp: Variant, bank: FakeGateway) -> tuple[Order, PaymentIntent]:
    placed = place(make_user(), line(lamp))
    assert isinstance(placed, Placed)
    started = payments.start(order=placed.order, method=FAKE)
    assert isinstance(started, Started)
    bank.views[str(started.intent.pk)] = View.AUTHORISED
    return placed.order, started.intent


def the_hold_ends(order: Order, *, milliseconds: int) -> None:
    end = timezone.now() + timedelta(milliseconds=milliseconds)
    Reservation.objects.filter(line_item__order=order).update(expires_at=end)
    Order.objects.filter(pk=order.pk).update(expires_at=end)


def the_bank_says_yes(intent: PaymentIntent) -> None:
    payments.record_authorised(intent.pk, reference=f"fake-{intent.pk}")
    payments.drive(intent.pk)


def tidy_up() -> None:
    reservations.expire()
    orders.expire_due()


def settle_everything() -> None:
    """What beat does in the end; a hold that still lives ends first."""
    Reservation.objects.filter(state="held").update(expires_at=timezone.now())
    tidy_up()
    payments.settle_due()


def units_kept(lamp: Variant) -> int:
    call_command("audit", stdout=StringIO())
    return Stock.objects.get(sku=lamp.sku).allocated


@pytest.mark.parametrize("milliseconds", ENDS_IN)
def test_a_payment_and_the_end_of_its_hold_leave_a_paid_order_or_no_charge(
    milliseconds: int, bank: FakeGateway
) -> None:
    for _ in range(ROUNDS):
        lamp, rival = make_variant(units=1), make_user()
        order, intent = ordered_and_being_paid(lamp, bank)
        the_hold_ends(order, milliseconds=milliseconds)
        bank.calls.clear()
        *_, taken = at_once(
            partial(the_bank_says_yes, intent),
            tidy_up,
            tidy_up,
            partial(place, rival, line(lamp)),
        )
        rival_has_it = isinstance(taken, Placed)
        assert isinstance(taken, Placed | Short)
        # A bank whose yes found its order closed is asked to let go by beat; nobody is charged meanwhile.
        payments.settle_due()
        what = books(order)
        assert {name: what[name] for name in PAID} == (GIVEN_BACK if rival_has_it else PAID)
        assert Counter(bank.calls)["capture"] == (0 if rival_has_it else 1)
        assert bank.views[str(intent.pk)] is (View.CANCELLED if rival_has_it else View.CAPTURED)
        assert units_kept(lamp) == 1
        settle_everything()
        assert books(order)["order"] == ("expired" if rival_has_it else "paid")
        assert units_kept(lamp) == (0 if rival_has_it else 1)


def test_an_order_that_is_paid_never_expires() -> None:
    """Failure 10: the job that ends orders comes late, and again and again."""
    lamp = make_variant(units=1)
    placed = place(make_user(), line(lamp))
    assert isinstance(placed, Placed)
    payments.start(order=placed.order, method={"method": "demo", "card": "approve"})
    the_hold_ends(placed.order, milliseconds=-1000)
    at_once(*[tidy_up] * 4)
    what = books(placed.order)
    assert (what["order"], what["units"], what["bank"]) == ("paid", ["confirmed"], ["captured"])
    assert units_kept(lamp) == 1


def test_control_confirming_what_was_read_before_the_hold_ended_sells_a_unit_twice(
    bank: FakeGateway,
) -> None:
    """What a shop without conditional updates does: read, wait for the bank, write."""
    lamp = make_variant(units=1)
    order, _ = ordered_and_being_paid(lamp, bank)
    known = Reservation.objects.get(line_item__order=order)
    assert known.state == "held"
    the_hold_ends(order, milliseconds=-1)
    tidy_up()
    assert isinstance(place(make_user(), line(lamp)), Placed)
    known.state = Reservation.State.CONFIRMED
    known.save()
    breaches = {result.check.name for result in audit.run(scope={}) if result.breaches}
    assert "allocated_equals_reservations" in breaches
