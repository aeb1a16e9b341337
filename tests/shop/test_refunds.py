"""Refunds of all or a part: never more than was paid, units back once, and the provider asked under one key."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db.models import F
from pytest_django import Settings

from inventory import alerts, audit
from inventory.models import Reservation, Stock, StockMovement
from shop import gateways, orders, payments, refund_settling, refunds
from shop.gateways import GatewayRefused
from shop.models import DemoRefund, Order, OrderEvent, PaymentIntent, Refund
from tests.factories import make_variant
from tests.shop.ordering import AWAY, FakeGateway, captured_order, paid_order

pytestmark = pytest.mark.django_db
STAFF = "staff@example.com"


@pytest.fixture(autouse=True)
def the_books_agree(settings: Settings) -> Iterator[None]:
    settings.AUDIT_CHECKS = ["inventory.audit.checks", "shop.audit.checks"]
    yield
    breaches = {r.check.name: r.breaches for r in audit.run(scope={}) if r.breaches}
    breaches.pop("refunds_do_not_wait", None)  # a refused one waits for a person
    assert breaches == {}


def part(order: Order, units: int = 0, **more: Any) -> refunds.Started | refunds.NotRefunded:
    item = order.line_items.order_by("id")[0]
    return refunds.refund_part(
        order=order, units={item.pk: units}, actor=STAFF, reason="it broke", **more
    )


def started(outcome: refunds.Started | refunds.NotRefunded) -> Refund:
    assert isinstance(outcome, refunds.Started), outcome
    return outcome.refund


def state_of(order: Order) -> str:
    return Order.objects.get(pk=order.pk).state


def shelf() -> tuple[int, int]:
    row = Stock.objects.get(pool="main")
    return row.on_hand, row.allocated


# What is written down


def test_units_of_a_paid_order_go_back_to_where_they_were_reserved() -> None:
    order = captured_order(units=5, quantity=3)
    refund = started(part(order, 2, restock=True))
    assert (refund.amount, refund.state, refund.actor) == (Decimal("200.00"), "pending", STAFF)
    assert refund.lines.get().is_restocked
    assert (state_of(order), shelf()) == ("paid", (5, 1))
    reservation = Reservation.objects.get()
    assert (reservation.state, reservation.quantity) == ("confirmed", 1)
    assert order.line_items.get().released == 2
    movement = StockMovement.objects.order_by("id").last()
    assert movement is not None
    assert (movement.kind, movement.allocated_change) == ("cancel", -2)
    event = order.events.last()
    assert event is not None
    assert event.message == "A refund of €200.00 was started: it broke."
    assert event.actor == STAFF


def test_the_rest_of_an_order_is_shipped_without_the_units_that_went_back() -> None:
    order = captured_order(units=5, quantity=3)
    started(part(order, 2, restock=True))
    assert orders.fulfil(order=order, actor=STAFF)
    assert (state_of(order), shelf()) == ("fulfilled", (4, 0))


def test_a_line_that_went_back_altogether_is_not_shipped() -> None:
    lamp, chair = make_variant(units=1), make_variant(units=1)
    order = captured_order(lamp, chair)
    started(part(order, 1, restock=True))
    assert orders.fulfil(order=order, actor=STAFF)
    assert sorted(Reservation.objects.values_list("state", flat=True)) == ["consumed", "released"]


def test_an_order_of_which_nothing_is_left_is_not_shipped() -> None:
    order = captured_order(make_variant(units=1))
    Order.objects.filter(pk=order.pk).update(total=F("total") + 5, shipping=5)
    PaymentIntent.objects.update(amount=F("amount") + 5)
    started(part(order, 1, restock=True))
    assert not orders.fulfil(order=order, actor=STAFF)
    assert state_of(order) == "paid"


def test_units_that_came_back_after_the_shipping_are_received_in_the_main_pool() -> None:
    order = captured_order(units=5, quantity=3)
    assert orders.fulfil(order=order, actor=STAFF)
    order.refresh_from_db()
    started(part(order, 2, restock=True))
    assert (state_of(order), shelf()) == ("fulfilled", (4, 0))
    assert (order.line_items.get().released, order.line_items.get().returned) == (0, 2)
    movement = StockMovement.objects.order_by("id").last()
    assert movement is not None
    assert (movement.kind, movement.on_hand_change, movement.actor) == ("receive", 2, STAFF)


def test_a_refund_without_restock_leaves_the_units_with_the_order() -> None:
    order = captured_order(units=5, quantity=3)
    refund = started(part(order, 2))
    assert not refund.lines.get().is_restocked
    assert (Reservation.objects.get().quantity, shelf()) == (3, (5, 3))


def test_an_amount_alone_moves_no_unit() -> None:
    order = captured_order(units=5, quantity=3)
    assert started(part(order, extra=Decimal("12.34"))).amount == Decimal("12.34")
    assert (state_of(order), shelf()) == ("paid", (5, 3))


def test_the_last_part_makes_the_order_refunded_and_lets_go_of_its_units() -> None:
    order = captured_order(units=5, quantity=2)
    started(part(order, 1, restock=True))
    started(part(order, 1, restock=True))
    assert (state_of(order), shelf()) == ("refunded", (5, 0))
    assert order.payment_intents.get().state == "refunding"


def test_what_is_given_back_in_full_and_not_restocked_is_written_off() -> None:
    order = captured_order(units=5, quantity=2)
    started(refunds.refund_in_full(order=order, actor=STAFF, reason="it broke", restock=False))
    assert (state_of(order), shelf()) == ("refunded", (3, 0))


def test_a_full_refund_after_a_part_gives_back_the_rest() -> None:
    order = captured_order(units=5, quantity=3)
    started(part(order, 1, restock=True, extra=Decimal("30.00")))
    refund = started(refunds.refund_in_full(order=order, actor=STAFF, reason="it broke"))
    assert refund.amount == Decimal("170.00")
    assert [(line.quantity, line.amount) for line in refund.lines.all()] == [(2, Decimal("170.00"))]
    assert (state_of(order), shelf()) == ("refunded", (5, 0))


def test_cancelling_after_a_part_gives_back_the_rest() -> None:
    order = captured_order(units=5, quantity=3)
    started(part(order, 1, restock=True))
    assert orders.cancel(order=order, actor=STAFF, reason="sold out after all")
    amounts = Refund.objects.order_by("created_at").values_list("amount", flat=True)
    assert list(amounts) == [Decimal("100.00"), Decimal("200.00")]
    assert (state_of(order), shelf()) == ("cancelled", (5, 0))


# What is refused


@pytest.mark.parametrize(
    ("units", "more", "reason"),
    [
        (4, {}, "at most 3 can be refunded"),
        (-1, {}, "at most 3 can be refunded"),
        (0, {}, "Choose units, delivery or an amount"),
        (0, {"delivery": True}, "Choose units, delivery or an amount"),
        (1, {"extra": Decimal("-1.00")}, "Choose units, delivery or an amount"),
        (0, {"extra": Decimal("300.01")}, "at most €300.00 can be given back"),
        (3, {"extra": Decimal("0.01")}, "at most €300.00 can be given back"),
    ],
)
def test_more_than_there_is_is_refused_and_changes_nothing(
    units: int, more: dict[str, Any], reason: str
) -> None:
    order = captured_order(units=5, quantity=3)
    outcome = part(order, units, restock=True, **more)
    assert isinstance(outcome, refunds.NotRefunded)
    assert reason in outcome.reason
    assert (Refund.objects.count(), state_of(order), shelf()) == (0, "paid", (5, 3))


def test_units_are_refunded_once() -> None:
    order = captured_order(units=5, quantity=3)
    started(part(order, 2))
    outcome = part(order, 2)
    assert isinstance(outcome, refunds.NotRefunded)
    assert "at most 1 can be refunded" in outcome.reason


def test_lines_of_another_order_are_refused() -> None:
    order, other = captured_order(), captured_order()
    outcome = refunds.refund_part(
        order=order, units={other.line_items.get().pk: 1}, actor=STAFF, reason="test"
    )
    assert outcome == refunds.NotRefunded("These are not lines of this order.")


@pytest.mark.parametrize("state", ["pending", "cancelled", "expired", "refunded"])
def test_an_order_that_is_not_paid_has_nothing_to_give_back(state: str) -> None:
    order = captured_order()
    Order.objects.filter(pk=order.pk).update(state=state)
    assert isinstance(part(order, 1), refunds.NotRefunded)
    outcome = refunds.refund_in_full(order=order, actor=STAFF, reason="test")
    assert isinstance(outcome, refunds.NotRefunded)
    Order.objects.filter(pk=order.pk).update(state="paid")


# What was refused and is tried again


def refused(order: Order, units: int = 0, **more: Any) -> Refund:
    refund = started(part(order, units, **more))
    Refund.objects.filter(pk=refund.pk).update(state="refused")
    refund.refresh_from_db()
    return refund


def not_repeated(refund: Refund) -> str:
    outcome = refunds.repeat(refund=refund, actor=STAFF)
    assert isinstance(outcome, refunds.NotRefunded), outcome
    refund.refresh_from_db()
    assert refund.state == "refused"
    return outcome.reason


def test_more_than_is_left_is_not_tried_again() -> None:
    order = captured_order()
    refund = refused(order, extra=Decimal("60.00"))
    started(part(order, extra=Decimal("60.00")))
    assert not_repeated(refund) == "There is not that much left to give back."


def test_units_that_were_given_back_meanwhile_are_not_given_back_again() -> None:
    order = captured_order(*(make_variant(units=2) for _ in range(3)))
    refund = refused(order, 1)
    started(part(order, 1))
    assert "given back with another refund" in not_repeated(refund)
    assert orders.cancel(order=order, actor=STAFF, reason="sold out after all")


def test_delivery_that_was_given_back_meanwhile_is_not_given_back_again() -> None:
    order = captured_order()
    Order.objects.filter(pk=order.pk).update(total=F("total") + 5, shipping=5)
    PaymentIntent.objects.update(amount=F("amount") + 5)
    refund = refused(order, delivery=True)
    started(part(order, delivery=True))
    assert "given back with another refund" in not_repeated(refund)


def test_control_units_that_were_not_given_back_meanwhile_are() -> None:
    order = captured_order(units=2, quantity=2)
    refund = refused(order, 1)
    started(part(order, 1))
    assert started(refunds.repeat(refund=refund, actor=STAFF)).amount == Decimal("100.00")


# A payment that came when the order had another


def superfluous(order: Order) -> Refund:
    """It was given up, and the provider says that it was captured all the same."""
    intent = order.payment_intents.create(
        gateway="demo", amount=order.total, currency=order.currency, state="cancelling"
    )
    assert refunds.give_back_rest(intent, order=order, reason="it was not wanted any more")
    return Refund.objects.get(intent=intent)


def test_a_superfluous_payment_goes_back_and_leaves_the_orders_units_alone() -> None:
    order = captured_order(units=5, quantity=3)
    refund = superfluous(order)
    assert (refund.amount, refund.lines.count()) == (Decimal("300.00"), 0)
    assert started(part(order, 1)).amount == Decimal("100.00")
    rest = started(refunds.refund_in_full(order=order, actor=STAFF, reason="it broke"))
    assert rest.lines.get().quantity == 2
    assert state_of(order) == "refunded"


def test_cancelling_after_a_superfluous_payment_gives_back_the_orders_own() -> None:
    order = captured_order(units=5, quantity=3)
    superfluous(order)
    assert orders.cancel(order=order, actor=STAFF, reason="sold out after all")
    assert Refund.objects.filter(lines__quantity=3).get().intent.state == "refunding"
    assert (state_of(order), shelf()) == ("cancelled", (5, 0))


def test_a_superfluous_payment_whose_refund_is_tried_again_does_not_close_the_order() -> None:
    order = captured_order(units=5, quantity=3)
    refund = superfluous(order)
    Refund.objects.update(state="refused")
    started(refunds.repeat(refund=refund, actor=STAFF))
    assert (state_of(order), shelf()) == ("paid", (5, 3))


# The provider


@pytest.mark.django_db(transaction=True)
class TestProvider:
    def test_parts_are_given_back_each_under_its_own_key_with_a_mail_of_its_own(self) -> None:
        order = paid_order(units=5, quantity=3)
        first, second = started(part(order, 1)), started(part(order, extra=Decimal("5.00")))
        assert refund_settling.settle_due() == 2
        assert refund_settling.settle_due() == 0
        kept = {row.key: row.amount for row in DemoRefund.objects.all()}
        assert kept == {first.pk: Decimal("100.00"), second.pk: Decimal("5.00")}
        mails = order.mails.filter(template="order_refunded").order_by("pk")
        assert [mail.context["amount"] for mail in mails] == ["100.00", "5.00"]
        assert order.payment_intents.get().state == "captured"

    def test_a_call_that_is_repeated_gives_back_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        order = paid_order(units=5, quantity=3)
        refund = started(part(order, 1))

        class Killed(BaseException):
            pass

        def die(refund: Refund) -> None:
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(refund_settling, "_record_done", die)
            with pytest.raises(Killed):
                refund_settling.settle(refund.pk)
        assert refund_settling.settle(refund.pk).state == "done"
        assert refund_settling.settle(refund.pk).state == "done"
        assert DemoRefund.objects.count() == 1
        assert order.events.filter(kind="refunded").count() == 1

    def test_control_another_key_would_give_back_twice(self) -> None:
        order = paid_order(units=5, quantity=3)
        intent = order.payment_intents.get()
        for number in range(2):
            gateways.find("demo").refund(intent, Decimal("100.00"), key=UUID(int=number))
        assert DemoRefund.objects.count() == 2

    def test_a_provider_that_does_not_answer_is_asked_again_after_a_pause(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        order, fake = paid_order(units=5, quantity=3), FakeGateway(says={"refund": [AWAY]})
        monkeypatch.setattr(gateways, "find", lambda name: fake)
        refund = started(part(order, 1))
        assert refund_settling.settle_due() == 0
        assert refund_settling.settle_due() == 0  # it pauses
        assert fake.calls == ["refund"]
        refund.refresh_from_db()
        assert (refund.state, refund.tries, refund.error) == ("pending", 1, "no answer")
        Refund.objects.update(due_at=F("created_at"))
        assert refund_settling.settle_due() == 1

    def test_a_refusal_is_told_to_staff_and_tried_again_under_another_key(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told: list[str] = []
        monkeypatch.setattr(alerts, "alert", lambda *, subject, body: told.append(subject))
        fake = FakeGateway(says={"refund": [GatewayRefused("the account is closed")]})
        order = paid_order(units=5, quantity=3)
        monkeypatch.setattr(gateways, "find", lambda name: fake)
        refund = started(part(order, 1, restock=True))
        assert refund_settling.settle(refund.pk).state == "refused"
        assert told == [f"a refund of order {order.reference} was refused"]
        event = OrderEvent.objects.get(kind="refund_refused")
        assert (event.is_internal, "the account is closed" in event.message) == (True, True)
        another = started(refunds.repeat(refund=refund, actor=STAFF))
        assert isinstance(refunds.repeat(refund=refund, actor=STAFF), refunds.NotRefunded)
        assert another.pk != refund.pk
        assert another.lines.get().quantity == 1
        assert refund_settling.settle(another.pk).state == "done"
        assert shelf() == (5, 2)  # the unit came back with the first one, once

    def test_a_full_refund_that_is_refused_is_tried_again_in_full(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fake = FakeGateway(says={"refund": [GatewayRefused("not now")]})
        order = paid_order()
        monkeypatch.setattr(gateways, "find", lambda name: fake)
        assert orders.refund(order=order, actor=STAFF, reason="it broke")
        payments.settle_due()
        assert Refund.objects.get().state == "refused"
        started(refunds.repeat(refund=Refund.objects.get(), actor=STAFF))
        payments.settle_due()
        assert order.payment_intents.get().state == "refunded"
        assert (state_of(order), shelf()) == ("refunded", (3, 0))

    def test_a_gateway_that_was_switched_off_keeps_the_refund_for_later(
        self, settings: Settings
    ) -> None:
        order = paid_order()
        refund = started(part(order, extra=Decimal("5.00")))
        settings.PAYMENT_GATEWAYS = []
        assert refund_settling.settle(refund.pk).state == "pending"
        settings.PAYMENT_GATEWAYS = ["demo"]
        assert refund_settling.settle(refund.pk).state == "done"


def test_the_provider_is_not_asked_inside_a_transaction() -> None:
    refund = started(part(captured_order(), extra=Decimal("5.00")))
    with pytest.raises(RuntimeError, match="inside a transaction"):
        refund_settling.settle(refund.pk)
