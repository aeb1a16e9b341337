"""Returns: asked for in time and for what was bought, decided by staff, and refunded once."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from pytest_django import Settings

from inventory import audit
from inventory.models import Stock
from shop import orders, refund_settling, refunds, returns
from shop.models import Order, Refund, Return
from tests.shop.ordering import captured_order

pytestmark = pytest.mark.django_db
STAFF, SHOPPER = "staff@example.com", "ada@example.com"


@pytest.fixture(autouse=True)
def the_books_agree(settings: Settings) -> Iterator[None]:
    settings.AUDIT_CHECKS = ["inventory.audit.checks", "shop.audit.checks"]
    yield
    assert {r.check.name: r.breaches for r in audit.run(scope={}) if r.breaches} == {}


@pytest.fixture
def order() -> Order:
    """Three units, shipped just now; two are left on the shelf."""
    order = captured_order(units=5, quantity=3)
    assert orders.fulfil(order=order, actor=STAFF)
    order.refresh_from_db()
    return order


def ask(order: Order, units: int = 2, *, days_later: float = 0) -> returns.Done | returns.NotDone:
    return returns.ask(
        order=order,
        units={order.line_items.get().pk: units},
        reason="too bright",
        actor=SHOPPER,
        now=timezone.now() + timedelta(days=days_later),
    )


def asked(order: Order, units: int = 2) -> Return:
    outcome = ask(order, units)
    assert isinstance(outcome, returns.Done), outcome
    return outcome.parcel


def on_hand() -> int:
    return Stock.objects.get().on_hand


def mails(order: Order) -> list[str]:
    return list(
        order.mails.filter(template__startswith="return_")
        .order_by("pk")
        .values_list("template", flat=True)
    )


def test_what_was_asked_for_is_agreed_to_received_and_refunded(order: Order) -> None:
    parcel = asked(order)
    assert isinstance(returns.approve(parcel=parcel, actor=STAFF), returns.Done)
    assert isinstance(returns.receive(parcel=parcel, actor=STAFF, restock=True), returns.Done)
    refund = Refund.objects.get()
    assert (parcel.state, refund.amount) == ("received", Decimal("200.00"))
    assert Return.objects.get().refund == refund
    assert (on_hand(), order.line_items.get().returned) == (4, 2)
    assert mails(order) == ["return_requested", "return_approved", "return_received"]
    actors = dict(order.events.values_list("kind", "actor"))
    assert (actors["return_requested"], actors["return_received"]) == (SHOPPER, STAFF)


def test_what_came_back_broken_is_refunded_and_not_restocked(order: Order) -> None:
    parcel = asked(order)
    returns.approve(parcel=parcel, actor=STAFF)
    assert isinstance(returns.receive(parcel=parcel, actor=STAFF, restock=False), returns.Done)
    assert (on_hand(), Refund.objects.get().amount) == (2, Decimal("200.00"))


def test_a_parcel_is_received_once(order: Order) -> None:
    parcel = asked(order)
    returns.approve(parcel=parcel, actor=STAFF)
    returns.receive(parcel=parcel, actor=STAFF, restock=True)
    again = returns.receive(parcel=parcel, actor=STAFF, restock=True)
    assert again == returns.NotDone("Only a return that was agreed to can be received.")
    assert (on_hand(), Refund.objects.count()) == (4, 1)


def test_a_refusal_says_why(order: Order) -> None:
    parcel = asked(order)
    assert isinstance(returns.refuse(parcel=parcel, actor=STAFF, answer="it is worn"), returns.Done)
    assert (parcel.state, parcel.answer) == ("refused", "it is worn")
    mail = order.mails.get(template="return_refused")
    assert mail.context["answer"] == "it is worn"
    assert isinstance(returns.approve(parcel=parcel, actor=STAFF), returns.NotDone)
    assert isinstance(returns.refuse(parcel=parcel, actor=STAFF, answer="twice"), returns.NotDone)
    assert isinstance(ask(order), returns.Done)


def test_an_order_has_one_open_return(order: Order) -> None:
    asked(order, 1)
    assert ask(order, 1) == returns.NotDone("A return of this order is under way already.")


@pytest.mark.parametrize("units", [0, -1, 4])
def test_only_what_was_bought_is_sent_back(order: Order, units: int) -> None:
    assert isinstance(ask(order, units), returns.NotDone)
    assert Return.objects.count() == 0


def test_what_was_refunded_is_not_sent_back_again(order: Order) -> None:
    refunds.refund_part(
        order=order, units={order.line_items.get().pk: 2}, actor=STAFF, reason="lost"
    )
    assert isinstance(ask(order, 2), returns.NotDone)
    assert isinstance(ask(order, 1), returns.Done)


def approved(order: Order, units: int) -> Return:
    parcel = asked(order, units)
    assert isinstance(returns.approve(parcel=parcel, actor=STAFF), returns.Done)
    return parcel


def received(parcel: Return) -> Decimal:
    """What goes back with a parcel that is received."""
    assert isinstance(returns.receive(parcel=parcel, actor=STAFF, restock=True), returns.Done)
    assert Return.objects.get().state == "received"
    mail = parcel.order.mails.get(template="return_received")
    amount = parcel.refund.amount if parcel.refund else Decimal(0)
    assert mail.context.get("amount") == (str(amount) if amount else None)
    return amount


def refunds_of(order: Order) -> list[Decimal]:
    return list(order.refunds.values_list("amount", flat=True))


def give_back(order: Order, units: int = 0, extra: str = "0", *, restock: bool = False) -> None:
    outcome = refunds.refund_part(
        order=order,
        units={order.line_items.get().pk: units},
        extra=Decimal(extra),
        restock=restock,
        actor=STAFF,
        reason="sorry",
    )
    assert isinstance(outcome, refunds.Started)


def test_a_parcel_is_received_though_an_amount_was_given_back_before(order: Order) -> None:
    give_back(order, extra="10.00")
    assert received(approved(order, 3)) == Decimal("290.00")
    order.refresh_from_db()
    assert (order.state, on_hand(), returns.returnable(order)) == ("refunded", 5, {})


def test_a_parcel_is_received_though_a_unit_of_it_was_refunded(order: Order) -> None:
    parcel = approved(order, 3)
    give_back(order, 1)
    assert received(parcel) == Decimal("200.00")
    assert (on_hand(), order.line_items.get().returned) == (5, 3)


def test_a_unit_that_was_refunded_on_its_way_is_not_paid_for_twice(order: Order) -> None:
    parcel = approved(order, 2)
    give_back(order, 1)
    assert received(parcel) == Decimal("100.00")
    assert refunds_of(order) == [Decimal("100.00"), Decimal("100.00")]
    assert (on_hand(), order.line_items.get().returned) == (4, 2)


def test_a_parcel_whose_only_unit_was_refunded_on_its_way_brings_nothing(order: Order) -> None:
    parcel = approved(order, 1)
    give_back(order, 1)
    assert received(parcel) == 0
    assert refunds_of(order) == [Decimal("100.00")]
    # What was another unit's money after all is staff's to give back.
    give_back(order, 2)


def test_what_was_refunded_before_a_return_is_none_of_its_units(order: Order) -> None:
    """The control: only what was refunded since it was asked for can be the parcel's own."""
    give_back(order, 1)
    assert received(approved(order, 1)) == Decimal("100.00")


def test_a_refund_that_is_tried_again_meanwhile_is_still_that_of_before(order: Order) -> None:
    give_back(order, 1)
    parcel = approved(order, 1)
    assert refund_settling.record_failed(Refund.objects.get())
    assert isinstance(refunds.repeat(refund=Refund.objects.get(), actor=STAFF), refunds.Started)
    assert received(parcel) == Decimal("100.00")


def test_a_parcel_is_received_though_all_was_refunded(order: Order) -> None:
    parcel = approved(order, 2)
    refunds.refund_in_full(order=order, actor=STAFF, reason="lost", restock=False)
    assert received(parcel) == 0
    assert (on_hand(), order.line_items.get().returned) == (4, 2)


def test_units_that_are_on_the_shelf_again_are_not_put_there_twice(order: Order) -> None:
    parcel = approved(order, 2)
    refunds.refund_in_full(order=order, actor=STAFF, reason="it is here", restock=True)
    assert received(parcel) == 0
    assert (on_hand(), order.line_items.get().returned) == (5, 3)


def test_after_thirty_days_it_is_too_late(order: Order) -> None:
    assert isinstance(ask(order, days_later=30.1), returns.NotDone)
    assert isinstance(ask(order, days_later=29.9), returns.Done)


def test_what_was_not_shipped_is_not_sent_back() -> None:
    assert isinstance(ask(captured_order(units=5, quantity=3)), returns.NotDone)


def test_sending_everything_back_refunds_the_order_but_not_what_delivery_cost(order: Order) -> None:
    Order.objects.filter(pk=order.pk).update(total=305, shipping=5)
    order.payment_intents.update(amount=305)
    parcel = asked(order, 3)
    returns.approve(parcel=parcel, actor=STAFF)
    returns.receive(parcel=parcel, actor=STAFF, restock=True)
    order.refresh_from_db()
    assert (order.state, Refund.objects.get().amount) == ("fulfilled", Decimal("300.00"))
