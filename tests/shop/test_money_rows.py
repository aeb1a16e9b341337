"""The money rows of failures.md by number, each with its control, against every gateway."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from pytest_django import Settings

from inventory import audit, reservations
from inventory.models import Reservation
from shop import orders, payments, refund_settling
from shop.gateways import ActionRequired, Declined, GatewayUnavailable, View
from shop.models import Order, PaymentIntent
from tests.factories import make_variant
from tests.races.moment import at_once
from tests.shop.ordering import books, make_order
from tests.shop.providers import Provider, prepared

pytestmark = pytest.mark.django_db(transaction=True)

PAID = ("paid", ["captured"], ["confirmed"])


@pytest.fixture(autouse=True)
def the_shop_and_the_stockroom_agree(settings: Settings) -> Iterator[None]:
    settings.AUDIT_CHECKS = ["inventory.audit.checks", "shop.audit.checks"]
    yield
    assert {r.check.name: r.breaches for r in audit.run(scope={}) if r.breaches} == {}


def let_time_pass() -> None:
    ago = timedelta(minutes=2)
    PaymentIntent.objects.update(updated_at=F("updated_at") - ago, created_at=F("created_at") - ago)


def settle() -> None:
    let_time_pass()
    payments.settle_due()


def pay(order: Order, method: dict[str, str]) -> PaymentIntent:
    outcome = payments.start(order=order, method=method)
    assert isinstance(outcome, payments.Started)
    return outcome.intent


def end_the_hold(order: Order) -> None:
    past = timezone.now() - timedelta(seconds=1)
    Reservation.objects.filter(line_item__order=order).update(expires_at=past)
    reservations.expire()


def shop_books(order: Order) -> tuple[str, list[str], list[str]]:
    found = books(order)
    return found["order"], found["payments"], found["units"]


def test_7_a_double_click_is_one_charge(bank: Provider) -> None:
    order, method = make_order(), bank.method("approve")
    outcomes = at_once(*[partial(payments.start, order=order, method=method)] * 3)
    assert len({outcome.intent.pk for outcome in outcomes}) == 1
    settle()
    assert (shop_books(order), bank.kept(order)) == (PAID, int(order.total * 100))


def test_7_control_two_orders_are_two_charges(bank: Provider) -> None:
    lamp = make_variant(units=2)
    two = [make_order(lamp), make_order(lamp)]
    for order in two:
        pay(order, bank.method("approve"))
    assert [bank.kept(order) for order in two] == [int(order.total * 100) for order in two]


def test_8_the_browser_and_the_event_at_once_are_one_payment(bank: Provider) -> None:
    order = make_order()
    intent = pay(order, bank.method("second_step"))
    bank.answer(intent, True)

    def event() -> None:
        payments.record_authorised(intent.pk, reference=intent.reference)
        payments.drive(intent.pk)

    at_once(event, partial(payments.come_back, intent), event)
    assert (shop_books(order), bank.kept(order)) == (PAID, int(order.total * 100))
    assert list(order.events.values_list("kind", flat=True)).count("paid") == 1


def test_8_control_whoever_does_not_look_at_the_state_pays_an_order_twice(
    bank: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = make_order()
    pay(order, bank.method("approve"))
    assert not orders.pay(order=order)

    def change(*, order: Order, states: object, to: str, **stamps: object) -> bool:
        return bool(Order.objects.filter(pk=order.pk).update(state=to, **stamps))

    monkeypatch.setattr(orders, "change", change)
    # The last thing in the way is that an order has one invoice.
    with pytest.raises(IntegrityError, match="invoice"), transaction.atomic():
        orders.pay(order=order)


@pytest.mark.parametrize("is_free", [True, False])
def test_9_a_yes_after_the_hold_takes_a_free_unit_or_the_money_goes_back(
    bank: Provider, is_free: bool
) -> None:
    lamp = make_variant(units=1)
    order = make_order(lamp)
    intent = pay(order, bank.method("second_step"))
    bank.answer(intent, True)
    end_the_hold(order)
    if not is_free:
        make_order(lamp)
    payments.come_back(intent)
    if is_free:
        assert (shop_books(order), bank.kept(order)) == (PAID, int(order.total * 100))
    else:
        assert shop_books(order) == ("expired", ["cancelled"], ["expired"])
        assert (bank.gateway.status(intent).view, bank.kept(order)) == (View.CANCELLED, 0)
        assert order.events.filter(kind="payment_returned").count() == 1


def test_9_control_capturing_first_would_charge_for_what_is_gone(bank: Provider) -> None:
    lamp = make_variant(units=1)
    order = make_order(lamp)
    intent = pay(order, bank.method("second_step"))
    bank.answer(intent, True)
    end_the_hold(order)
    make_order(lamp)
    bank.gateway.capture(intent)
    assert bank.kept(order) == int(order.total * 100)
    payments.come_back(intent)
    refund_settling.settle_due()
    assert (shop_books(order)[0], bank.kept(order)) == ("expired", 0)


def test_10_an_order_that_is_paid_does_not_expire(bank: Provider) -> None:
    order = make_order()
    pay(order, bank.method("approve"))
    end_the_hold(order)
    assert orders.expire_due() == 0
    assert (shop_books(order), bank.kept(order)) == (PAID, int(order.total * 100))


def test_10_control_the_same_order_unpaid_expires_and_its_payment_with_it(bank: Provider) -> None:
    order = make_order()
    intent = pay(order, bank.method("second_step"))
    end_the_hold(order)
    assert orders.expire_due() == 1
    payments.settle_due()
    assert shop_books(order) == ("expired", ["cancelled"], ["expired"])
    assert bank.gateway.status(intent).view is View.CANCELLED


def test_11_nobody_is_charged_at_stock_0(bank: Provider) -> None:
    lamp = make_variant(units=1)
    order = make_order(lamp)
    end_the_hold(order)
    make_order(lamp)
    outcome = payments.start(order=order, method=bank.method("approve"))
    assert isinstance(outcome, payments.NotPayable)
    assert (order.payment_intents.count(), bank.kept(order)) == (0, 0)


def test_11_control_without_a_look_at_the_units_the_bank_is_asked(
    bank: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is authorised is still not captured: the units are looked at again before."""
    lamp = make_variant(units=1)
    order = make_order(lamp)
    end_the_hold(order)
    make_order(lamp)
    monkeypatch.setattr(orders, "is_alive", lambda order: True)
    pay(order, bank.method("approve"))
    assert (order.payment_intents.count(), bank.kept(order)) == (1, 0)


def test_12_a_capture_whose_record_fails_is_completed(
    bank: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = make_order()

    def fail(**_: object) -> bool:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(orders, "pay", fail)
        with pytest.raises(RuntimeError, match="disk"):
            pay(order, bank.method("approve"))
    assert (shop_books(order)[:2], bank.kept(order)) == (
        ("pending", ["confirmed"]),
        int(order.total * 100),
    )
    # The control: left alone, money was taken for an order that nobody has paid.
    let_time_pass()
    assert (shop_books(order)[0], bank.kept(order)) == ("pending", int(order.total * 100))
    settle()
    assert (shop_books(order), bank.kept(order)) == (PAID, int(order.total * 100))


@pytest.mark.parametrize("kind", ["before", "after"])
def test_12_a_capture_whose_answer_is_lost_is_completed_once(bank: Provider, kind: str) -> None:
    order = make_order()
    intent = pay(order, bank.method("second_step"))
    bank.answer(intent, True)
    bank.fault(kind)
    payments.come_back(intent)
    intent.refresh_from_db()
    assert (intent.state, intent.tries, bool(intent.last_error)) == ("confirmed", 1, True)
    settle()
    intent.refresh_from_db()
    assert (shop_books(order), bank.kept(order)) == (PAID, int(order.total * 100))
    assert (intent.tries, intent.last_error) == (0, "")


def test_18_a_failed_payment_keeps_the_hold_and_another_card_pays(bank: Provider) -> None:
    order = make_order()
    declined = pay(order, bank.method("decline"))
    assert shop_books(order) == ("pending", ["declined"], ["held"])
    assert declined.decline_reason
    pay(order, bank.method("approve"))
    assert shop_books(order) == ("paid", ["declined", "captured"], ["confirmed"])
    assert bank.kept(order) == int(order.total * 100)


def test_18_control_a_decline_that_gave_the_unit_back_would_lose_it_to_another(
    bank: Provider,
) -> None:
    lamp = make_variant(units=1)
    order = make_order(lamp)
    pay(order, bank.method("decline"))
    reservations.release(reservation_ids=orders.reservation_ids(order), reason="test")
    make_order(lamp)
    outcome = payments.start(order=order, method=bank.method("approve"))
    assert isinstance(outcome, payments.NotPayable)


def test_25_a_hold_of_the_last_unit_does_not_block_its_own_buyer(bank: Provider) -> None:
    lamp = make_variant(units=1)
    order = make_order(lamp)
    pay(order, bank.method("approve"))
    assert shop_books(order) == PAID
    # The control: anybody else is told that nothing is left.
    with pytest.raises(AssertionError):
        make_order(lamp)


# Unknown outcomes


def test_a_question_that_got_lost_is_given_up_and_one_whose_answer_did_is_found(
    bank: Provider,
) -> None:
    lost, found = make_order(), make_order()
    with_fault = {"before": lost, "after": found}
    for kind, order in with_fault.items():
        intent = prepared(bank, order=order)
        bank.fault(kind)
        with pytest.raises(GatewayUnavailable):
            bank.gateway.authorise(intent)
    settle()
    assert shop_books(lost) == ("pending", ["declined"], ["held"])
    assert (shop_books(found), bank.kept(found)) == (PAID, int(found.total * 100))


def test_a_question_that_comes_through_after_all_finds_that_it_was_given_up(bank: Provider) -> None:
    """A process stood still between two lines. A second step would wait at the bank, and no event tell of it."""
    order = make_order()
    intent = prepared(bank, "second_step", order)
    settle()
    assert shop_books(order) == ("pending", ["declined"], ["held"])
    assert isinstance(bank.gateway.authorise(intent), Declined)
    assert bank.gateway.status(intent).view is View.CANCELLED


def test_control_one_that_is_still_wanted_is_asked(bank: Provider) -> None:
    intent = prepared(bank, "second_step")
    assert isinstance(bank.gateway.authorise(intent), ActionRequired)


def test_a_payment_that_was_given_up_for_another_takes_nothing(bank: Provider) -> None:
    order = make_order()
    intent = pay(order, bank.method("second_step"))
    assert payments.give_up(order=order)
    assert not payments.give_up(order=order)
    assert bank.gateway.status(intent).view is View.CANCELLED
    pay(order, bank.method("approve"))
    assert shop_books(order) == ("paid", ["cancelled", "captured"], ["confirmed"])
    assert bank.kept(order) == int(order.total * 100)


def test_a_payment_that_was_given_up_is_not_taken_when_the_order_has_expired_either(
    bank: Provider,
) -> None:
    order = make_order()
    intent = pay(order, bank.method("second_step"))
    bank.answer(intent, True)
    bank.fault("before")
    assert payments.give_up(order=order)
    assert shop_books(order)[1] == ["cancelling"]
    end_the_hold(order)
    assert orders.expire_due() == 1
    payments.record_authorised(intent.pk, reference=intent.reference)
    settle()
    assert (shop_books(order)[:2], bank.kept(order)) == (("expired", ["cancelled"]), 0)
