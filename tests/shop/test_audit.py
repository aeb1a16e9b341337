"""Every check finds the breach that it is for, and names the row."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db.models import F
from django.utils import timezone
from pytest_django import Settings

from inventory import audit, reservations
from inventory.models import Reservation, Stock
from shop import orders, payments, refunds
from shop.models import (
    DiscountCode,
    DiscountUse,
    Invoice,
    LineItem,
    Order,
    OutgoingMail,
    PaymentEvent,
    PaymentIntent,
    Refund,
    RefundLine,
)
from tests.shop.ordering import demo, make_order

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def only_the_shop(settings: Settings) -> None:
    settings.AUDIT_CHECKS = ["shop.audit.checks"]


def breaches() -> dict[str, list[str]]:
    return {r.check.name: r.breaches for r in audit.run(scope={}) if r.breaches}


def paid() -> Order:
    order = make_order()
    payments.start(order=order, method=demo())
    order.refresh_from_db()
    return order


def test_a_shop_with_orders_in_every_state_has_no_breach() -> None:
    make_order()
    paid()
    assert orders.fulfil(order=paid(), actor="")
    assert orders.cancel(order=paid(), actor="", reason="test")
    assert orders.refund(order=paid(), actor="", reason="test")
    payments.settle_due()
    waiting = make_order()
    payments.start(order=waiting, method=demo("late"))
    declined = make_order()
    payments.start(order=declined, method=demo("decline"))
    Reservation.objects.filter(line_item__order__in=[declined, waiting]).update(
        expires_at=timezone.now()
    )
    reservations.expire()
    assert orders.expire_due() == 2
    payments.settle_due()
    found = set(Order.objects.values_list("state", flat=True))
    assert found == {"pending", "paid", "fulfilled", "cancelled", "refunded", "expired"}
    assert breaches() == {}


def less_was_captured(order: Order) -> None:
    PaymentIntent.objects.filter(order=order).update(amount=Decimal("99.99"))


def nothing_was_captured(order: Order) -> None:
    PaymentIntent.objects.filter(order=order).update(state="cancelled")


def paid_and_expired(order: Order) -> None:
    Order.objects.filter(pk=order.pk).update(state="expired")


def refunded_without_money(order: Order) -> None:
    reservations.release(reservation_ids=orders.reservation_ids(order), reason="test")
    Order.objects.filter(pk=order.pk).update(state="refunded")
    PaymentIntent.objects.filter(order=order).update(state="cancelled")


def units_let_go(order: Order) -> None:
    reservations.release(reservation_ids=orders.reservation_ids(order), reason="test")


def other_units(order: Order) -> None:
    Stock.objects.update(sku="OTHER")


def fewer_units(order: Order) -> None:
    Reservation.objects.update(quantity=2)


def shipped_and_not_consumed(order: Order) -> None:
    Order.objects.filter(pk=order.pk).update(state="fulfilled")


def unpaid_and_confirmed(order: Order) -> None:
    Order.objects.filter(pk=order.pk).update(state="pending")
    PaymentIntent.objects.filter(order=order).update(state="declined")


def another_price(order: Order) -> None:
    LineItem.objects.update(unit_price=F("unit_price") - 1)


def another_total(order: Order) -> None:
    Order.objects.update(shipping=Decimal("4.90"))


def refund_stuck(order: Order) -> None:
    orders.cancel(order=order, actor="", reason="test")
    PaymentIntent.objects.update(updated_at=timezone.now() - timedelta(minutes=11))


def refund_part(order: Order, **more: Any) -> Refund:
    outcome = refunds.refund_part(
        order=order,
        units={},
        extra=Decimal("10.00"),
        actor="staff@example.com",
        reason="test",
        **more,
    )
    assert isinstance(outcome, refunds.Started)
    return outcome.refund


def part_refund_stuck(order: Order) -> None:
    refund_part(order)
    Refund.objects.update(created_at=timezone.now() - timedelta(minutes=11))


def refund_refused(order: Order) -> None:
    refund_part(order)
    Refund.objects.update(state="refused")


def given_back_past_our_books(order: Order) -> None:
    order.payment_intents.update(given_back=5)


def given_back_without_its_note(order: Order) -> None:
    refund_part(order)
    Refund.objects.update(state="done", done_at=timezone.now())


def all_given_back_and_still_paid(order: Order) -> None:
    refund_part(order)
    Refund.objects.update(amount=Decimal("100.00"))


def refund_lost(order: Order) -> None:
    orders.cancel(order=order, actor="", reason="test")
    RefundLine.objects.all().delete()
    Refund.objects.all().delete()


def refunded_units_counted_wrong(order: Order) -> None:
    LineItem.objects.update(released=1)


def no_invoice(order: Order) -> None:
    paid()
    Invoice.objects.filter(number=2).delete()
    Invoice.objects.update(order=Order.objects.exclude(pk=order.pk).get())
    Order.objects.filter(pk=order.pk).update(paid_at=timezone.now())


def no_mail(order: Order) -> None:
    OutgoingMail.objects.filter(template="order_paid").delete()


def event_stuck(order: Order) -> None:
    PaymentEvent.objects.create(gateway="demo", event_id=order.reference, kind="other", payload={})
    PaymentEvent.objects.update(received_at=timezone.now() - timedelta(minutes=11))


def unpaid_for_ever(order: Order) -> None:
    other = make_order()
    Order.objects.filter(pk=other.pk).update(expires_at=timezone.now() - timedelta(minutes=11))
    Order.objects.filter(pk=other.pk).update(reference=f"{order.reference[:-1]}z")
    Order.objects.filter(pk=order.pk).update(reference=order.reference.lower())
    Order.objects.filter(pk=other.pk).update(reference=order.reference)


def another_discount(order: Order) -> None:
    Order.objects.filter(pk=order.pk).update(discount=1)


def another_tax(order: Order) -> None:
    Order.objects.filter(pk=order.pk).update(tax=1)


def a_code_given_back_though_it_was_paid(order: Order) -> None:
    code = DiscountCode.objects.create(code="HELLO", value=10)
    DiscountUse.objects.create(code=code, order=order, email=order.email, is_given_back=True)


SPOILS: list[tuple[Callable[[Order], None], set[str]]] = [
    (
        less_was_captured,
        {"paid_orders_captured_once", "money_is_conserved", "papers_say_what_was_earned"},
    ),
    (
        nothing_was_captured,
        {"paid_orders_captured_once", "money_is_conserved", "papers_say_what_was_earned"},
    ),
    (given_back_without_its_note, {"papers_say_what_was_earned"}),
    (
        paid_and_expired,
        {
            "captured_payments_have_their_order",
            "closed_orders_keep_nothing",
            "money_is_conserved",
        },
    ),
    (refunded_without_money, {"refunded_orders_gave_back", "papers_say_what_was_earned"}),
    (units_let_go, {"paid_orders_have_their_units"}),
    (other_units, {"paid_orders_have_their_units"}),
    (fewer_units, {"paid_orders_have_their_units"}),
    (shipped_and_not_consumed, {"paid_orders_have_their_units"}),
    (unpaid_and_confirmed, {"confirmed_units_are_being_paid", "papers_say_what_was_earned"}),
    (another_price, {"order_totals_add_up"}),
    (another_total, {"order_totals_add_up"}),
    (another_discount, {"order_totals_add_up"}),
    (another_tax, {"order_totals_add_up"}),
    (a_code_given_back_though_it_was_paid, {"discount_codes_count_their_orders"}),
    (refund_stuck, {"payments_do_not_wait"}),
    (part_refund_stuck, {"refunds_do_not_wait"}),
    (refund_refused, {"refunds_do_not_wait"}),
    (given_back_past_our_books, {"refunds_agree_with_the_provider"}),
    (all_given_back_and_still_paid, {"payments_give_back_what_they_took"}),
    (refund_lost, {"payments_give_back_what_they_took", "money_is_conserved"}),
    (refunded_units_counted_wrong, {"paid_orders_have_their_units"}),
    (no_invoice, {"paid_orders_have_an_invoice"}),
    (no_mail, {"order_events_have_their_mail"}),
    (event_stuck, {"payment_events_do_not_wait"}),
    (unpaid_for_ever, {"unpaid_orders_end"}),
]
NAMED = {name for _, names in SPOILS for name in names}


@pytest.mark.parametrize(("spoil", "names"), SPOILS)
def test_a_spoilt_row_is_found_and_named(spoil: Callable[[Order], None], names: set[str]) -> None:
    order = paid()
    assert breaches() == {}
    spoil(order)
    found = breaches()
    assert set(found) == names
    found.pop("money_is_conserved", None)  # it names the currency alone
    for rows in found.values():
        assert all(order.reference in row for row in rows)


def test_an_event_that_is_new_is_not_stuck() -> None:
    PaymentEvent.objects.create(gateway="demo", event_id=str(uuid4()), kind="other", payload={})
    assert breaches() == {}
