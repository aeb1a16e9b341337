"""What every gateway keeps to, asked of each of them.

Stripe is `localstripe` with what it lacks (`tests.shop.stripe_server`); the shapes that it cannot make are in
`test_gateways_stripe`.
"""

from collections.abc import Callable
from decimal import Decimal
from uuid import uuid4

import pytest

from shop.gateways import (
    ActionRequired,
    AlreadyCaptured,
    Authorised,
    BadMethod,
    BadSignature,
    Declined,
    GatewayRefused,
    GatewayUnavailable,
    Money,
    Prepared,
    View,
)
from tests.shop.providers import Provider, prepared

pytestmark = pytest.mark.django_db


def test_a_way_to_pay_that_makes_no_sense_is_refused_and_no_number_is_kept(bank: Provider) -> None:
    number = "4242424242424242"
    for name in bank.gateway.form_fields():
        with pytest.raises(BadMethod):
            bank.gateway.read_method({"method": bank.name, name: number})
    with pytest.raises(BadMethod):
        bank.gateway.read_method({"method": bank.name})


def test_before_the_bank_is_asked_nothing_is_authorised(bank: Provider) -> None:
    intent = prepared(bank)
    assert bank.gateway.prepare(intent) == Prepared(intent.reference)
    assert bank.gateway.status(intent).view is View.UNKNOWN
    with pytest.raises(GatewayRefused):
        bank.gateway.capture(intent)


def test_money_is_kept_for_us_taken_once_and_given_back_in_parts(bank: Provider) -> None:
    intent = prepared(bank)
    ours = Money(intent.amount, intent.currency)
    for _ in range(2):
        assert bank.gateway.authorise(intent) == Authorised(intent.reference, ours)
    status = bank.gateway.status(intent)
    assert (status.view, status.money) == (View.AUTHORISED, ours)
    assert bank.kept(intent.order) == 0
    with pytest.raises(GatewayRefused):
        bank.gateway.refund(intent, Decimal(1), key=uuid4())
    for _ in range(2):
        assert bank.gateway.capture(intent) == ours
    status = bank.gateway.status(intent)
    assert (status.view, status.money) == (View.CAPTURED, ours)
    assert bank.kept(intent.order) == int(intent.amount * 100)
    with pytest.raises(AlreadyCaptured):
        bank.gateway.cancel(intent)
    part = uuid4()
    for _ in range(2):
        bank.gateway.refund(intent, Decimal("1.50"), key=part)
    assert bank.kept(intent.order) == int(intent.amount * 100) - 150
    with pytest.raises(GatewayRefused):
        bank.gateway.refund(intent, intent.amount, key=uuid4())
    bank.gateway.refund(intent, intent.amount - Decimal("1.50"), key=uuid4())
    assert bank.gateway.status(intent).view is View.REFUNDED
    assert bank.kept(intent.order) == 0


def test_a_cancelled_payment_takes_nothing_whichever_call_came_first(bank: Provider) -> None:
    before, after = prepared(bank), prepared(bank)
    bank.gateway.authorise(after)
    for intent in (before, after):
        bank.gateway.cancel(intent)
        bank.gateway.cancel(intent)
        assert isinstance(bank.gateway.authorise(intent), Declined | Authorised)
        assert bank.gateway.status(intent).view is View.CANCELLED
        with pytest.raises(GatewayRefused):
            bank.gateway.capture(intent)
    assert isinstance(bank.gateway.authorise(before), Declined)


def test_a_decline_says_why_and_stays_one(bank: Provider) -> None:
    intent = prepared(bank, "decline")
    for _ in range(2):
        answer = bank.gateway.authorise(intent)
        assert isinstance(answer, Declined)
        assert "declined" in answer.reason
    assert bank.gateway.status(intent).view is View.DECLINED


@pytest.mark.parametrize(("approves", "view"), [(True, View.AUTHORISED), (False, View.DECLINED)])
def test_a_second_step_waits_for_the_shopper(bank: Provider, approves: bool, view: View) -> None:
    intent = prepared(bank, "second_step")
    answer = bank.gateway.authorise(intent)
    assert isinstance(answer, ActionRequired)
    status = bank.gateway.status(intent)
    assert (status.view, status.action) == (View.PENDING, answer.action)
    bank.answer(intent, approves)
    status = bank.gateway.status(intent)
    assert (status.view, status.action) == (view, None)


def test_a_second_step_that_is_cancelled_is_over(bank: Provider) -> None:
    intent = prepared(bank, "second_step")
    bank.gateway.authorise(intent)
    bank.gateway.cancel(intent)
    status = bank.gateway.status(intent)
    assert (status.view, status.action) == (View.CANCELLED, None)


@pytest.mark.parametrize("kind", ["before", "after"])
def test_a_call_without_an_answer_may_be_made_again(bank: Provider, kind: str) -> None:
    intent = prepared(bank)
    key = uuid4()
    calls: list[Callable[[], object]] = [
        lambda: bank.gateway.authorise(intent),
        lambda: bank.gateway.capture(intent),
        lambda: bank.gateway.refund(intent, Decimal(2), key=key),
    ]
    for call in calls:
        bank.fault(kind)
        with pytest.raises(GatewayUnavailable):
            call()
        call()
    assert bank.kept(intent.order) == int(intent.amount * 100) - 200


def test_an_unsigned_event_is_refused(bank: Provider) -> None:
    for headers in ({}, {"Stripe-Signature": "t=1,v1=00"}, {"Demo-Signature": "00"}):
        with pytest.raises(BadSignature):
            bank.gateway.parse_event(b"{}", headers)
