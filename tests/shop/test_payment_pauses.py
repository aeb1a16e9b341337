"""An unfinished payment is tried again after growing pauses, and what was tried in vain can be seen."""

from datetime import timedelta

import pytest
from django.db.models import F
from pytest_django import Settings

from inventory import audit
from shop import gateways, orders, payments
from shop.gateways import ActionRequired, GatewayRefused, Pending, Status, View
from shop.models import Order, PaymentIntent
from shop.payment_pauses import PAUSES, STUCK_TRIES
from tests.shop.ordering import AWAY, FAKE, FakeGateway, books, make_order

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def fake(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> FakeGateway:
    gateway = FakeGateway()
    monkeypatch.setitem(gateways.GATEWAYS, "fake", gateway)
    settings.PAYMENT_GATEWAYS = ["fake"]
    return gateway


def let_pass(seconds: float) -> None:
    PaymentIntent.objects.update(updated_at=F("updated_at") - timedelta(seconds=seconds))


def start(fake: FakeGateway, **says: object) -> tuple[Order, PaymentIntent]:
    fake.says.update(says)
    order = make_order()
    payments.start(order=order, method=FAKE)
    return order, order.payment_intents.get()


def test_the_pauses_grow_and_end_with_the_providers_return(fake: FakeGateway) -> None:
    order, intent = start(fake, capture=AWAY)
    assert (intent.state, intent.tries, intent.last_error) == ("confirmed", 1, "no answer")
    for tries, pause in enumerate([*PAUSES, PAUSES[-1]][1:], start=1):
        let_pass(pause - 1)
        assert payments.settle_due() == 0
        assert PaymentIntent.objects.get().tries == tries
        let_pass(2)
        payments.settle_due()
        assert PaymentIntent.objects.get().tries == tries + 1
    fake.says.clear()
    let_pass(PAUSES[-1] + 1)
    assert payments.settle_due() == 1
    intent.refresh_from_db()
    assert (intent.state, intent.tries, intent.last_error) == ("captured", 0, "")
    assert books(order)["order"] == "paid"


def test_money_that_has_to_go_back_is_due_at_once_and_never_pauses_for_five_minutes(
    fake: FakeGateway,
) -> None:
    order, _ = start(fake, authorise=Pending("fake-slow"))
    let_pass(PAUSES[0] + 1)
    fake.views.update(dict.fromkeys(fake.views, View.PENDING))
    payments.settle_due()
    assert PaymentIntent.objects.get().tries == 1
    assert orders.cancel(order=order, actor="", reason="test")
    assert payments.settle_due() == 1
    assert books(order)["payments"] == ["cancelled"]
    assert max(PAUSES) < 300


def test_a_shopper_at_the_bank_is_asked_about_ever_more_seldom(fake: FakeGateway) -> None:
    action = {"type": "redirect", "url": "https://bank.example.com/"}
    _, intent = start(fake, authorise=ActionRequired("fake-step", action))
    assert intent.action == action
    fake.says["status"] = None
    fake.status = lambda intent: Status(View.PENDING, "fake-step", action)  # type: ignore[method-assign]
    for tries in range(3):
        let_pass(PAUSES[tries] + 1)
        payments.settle_due()
    intent.refresh_from_db()
    assert (intent.tries, intent.last_error, intent.action) == (3, "", action)
    # The bank has what it wanted, and thinks: there is nothing left to do for the shopper.
    fake.status = lambda intent: Status(View.PENDING, "fake-step")  # type: ignore[method-assign]
    let_pass(PAUSES[3] + 1)
    payments.settle_due()
    intent.refresh_from_db()
    assert (intent.state, intent.action) == ("created", None)


def test_a_refusal_and_a_gateway_that_is_switched_off_are_seen_too(
    fake: FakeGateway, settings: Settings
) -> None:
    order, intent = start(fake, authorise=Pending("fake-slow"), cancel=GatewayRefused("never"))
    assert orders.cancel(order=order, actor="", reason="test")
    payments.settle_due()
    intent.refresh_from_db()
    assert (intent.tries, intent.last_error) == (1, "never")
    settings.PAYMENT_GATEWAYS = []
    let_pass(PAUSES[1] + 1)
    payments.settle_due()
    intent.refresh_from_db()
    assert (intent.tries, intent.last_error) == (2, "No payment gateway is called 'fake' here.")


def test_a_payment_that_was_tried_for_ten_minutes_is_named_by_the_audit(
    fake: FakeGateway, settings: Settings
) -> None:
    settings.AUDIT_CHECKS = ["shop.audit.checks"]
    _, intent = start(fake, capture=AWAY)
    PaymentIntent.objects.update(tries=STUCK_TRIES - 1)
    assert not any(result.breaches for result in audit.run(scope={}))
    let_pass(PAUSES[-1] + 1)
    payments.settle_due()
    (found,) = [result for result in audit.run(scope={}) if result.breaches]
    assert found.check.name == "payments_do_not_wait"
    assert f"payment {intent.pk}" in found.breaches[0]
    assert "no answer" in found.breaches[0]
    assert sum(PAUSES) + (STUCK_TRIES - len(PAUSES)) * PAUSES[-1] >= 600


def test_a_run_leaves_the_rest_to_the_next_one_when_its_time_is_over(
    fake: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        start(fake, authorise=Pending(""), status=AWAY)
        PaymentIntent.objects.filter(reference="").update(reference=F("id"))
    let_pass(PAUSES[0] + 1)
    monkeypatch.setattr(payments, "SETTLE_SECONDS", -1)
    payments.settle_due()
    assert "status" not in fake.calls
    monkeypatch.undo()


def test_an_intent_that_reached_no_provider_needs_no_question_and_no_cancellation(
    fake: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(intent: PaymentIntent) -> None:
        raise AWAY

    monkeypatch.setattr(fake, "prepare", fail)
    given_up, cancelled = make_order(), make_order()
    for order in (given_up, cancelled):
        payments.start(order=order, method=FAKE)
    assert orders.cancel(order=cancelled, actor="", reason="test")
    let_pass(120)
    PaymentIntent.objects.update(created_at=F("created_at") - timedelta(minutes=2))
    payments.settle_due()
    assert books(given_up)["payments"] == ["declined"]
    assert books(cancelled)["payments"] == ["cancelled"]
    assert fake.calls == []


def test_control_an_order_that_is_cancelled_between_the_two_calls_asks_no_bank(
    fake: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider's id is written only while the payment lives; with an unconditional write it would be asked."""
    order = make_order()
    prepare = fake.prepare

    def prepare_slowly(intent: PaymentIntent) -> object:
        assert orders.cancel(order=order, actor="", reason="the other tab")
        return prepare(intent)

    monkeypatch.setattr(fake, "prepare", prepare_slowly)
    payments.start(order=order, method=FAKE)
    assert "authorise" not in fake.calls
    payments.settle_due()
    assert books(order)["payments"] == ["cancelled"]
