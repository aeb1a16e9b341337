"""The rule: authorise, confirm, capture. What happens when a step is slow, wrong, late, twice, or cut off."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone
from pytest_django import Settings

from inventory import audit, reservations, stock
from inventory.models import Reservation
from shop import gateways, orders, payment_pauses, payments, refund_settling, refunds
from shop.gateways import (
    Authorised,
    BadMethod,
    Declined,
    GatewayRefused,
    GatewayUnavailable,
    Pending,
    View,
    demo,
)
from shop.models import DemoAuthorisation, Order, PaymentIntent
from shop.payments import NotPayable, Started
from tests.factories import make_variant
from tests.shop.ordering import AWAY, FAKE, FakeGateway, books, make_order
from tests.shop.ordering import demo as card

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def fake(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> FakeGateway:
    gateway = FakeGateway()
    monkeypatch.setitem(gateways.GATEWAYS, "fake", gateway)
    settings.PAYMENT_GATEWAYS = ["demo", "fake"]
    return gateway


@pytest.fixture(autouse=True)
def the_shop_and_the_stockroom_agree(settings: Settings) -> Iterator[None]:
    """Whatever a test does: what is left behind has no breach."""
    settings.AUDIT_CHECKS = ["inventory.audit.checks", "shop.audit.checks"]
    yield
    breaches = {r.check.name: r.breaches for r in audit.run(scope={}) if r.breaches}
    assert breaches == {}


def let_time_pass(*, seconds: float = payments.NEVER_SENT_SECONDS + 1) -> None:
    earlier = timedelta(seconds=seconds)
    PaymentIntent.objects.update(
        updated_at=F("updated_at") - earlier, created_at=F("created_at") - earlier
    )


def end_the_hold(order: Order, *, tidied: bool = True) -> None:
    past = timezone.now() - timedelta(seconds=1)
    Reservation.objects.filter(line_item__order=order).update(expires_at=past)
    Order.objects.filter(pk=order.pk).update(expires_at=past)
    if tidied:
        reservations.expire()


def settle() -> None:
    let_time_pass()
    payments.settle_due()


def kinds(order: Order) -> list[str]:
    return list(order.events.values_list("kind", flat=True))


def pay(order: Order, method: dict[str, str]) -> PaymentIntent:
    outcome = payments.start(order=order, method=method)
    assert isinstance(outcome, Started)
    return outcome.intent


PAID = {"order": "paid", "payments": ["captured"], "units": ["confirmed"], "bank": ["captured"]}


def test_a_card_that_is_approved_pays_at_once() -> None:
    order = make_order()
    intent = pay(order, card())
    assert (intent.state, intent.amount, intent.reference) == (
        "captured",
        order.total,
        f"demo_{intent.pk.hex}",
    )
    assert books(order) == PAID
    assert kinds(order) == ["placed", "paid"]
    order.refresh_from_db()
    assert order.paid_at is not None


def test_the_units_are_confirmed_before_the_money_is_taken(fake: FakeGateway) -> None:
    order = make_order()
    seen: list[str] = []

    def look(intent: PaymentIntent) -> None:
        seen.extend(books(order)["units"])

    fake.capture = look  # type: ignore[method-assign]  # to look at the books in the middle
    pay(order, FAKE)
    assert seen == ["confirmed"]


def test_a_decline_keeps_the_units_and_another_card_pays() -> None:
    order = make_order()
    declined = pay(order, card("decline"))
    assert (declined.state, declined.decline_reason) == ("declined", demo.DECLINE_REASON)
    assert books(order)["units"] == ["held"]
    pay(order, card())
    assert books(order) == {
        "order": "paid",
        "payments": ["declined", "captured"],
        "units": ["confirmed"],
        "bank": ["declined", "captured"],
    }


def test_a_double_click_at_once_is_one_charge(fake: FakeGateway) -> None:
    order = make_order()
    barrier = Barrier(4)

    def click(_: int) -> str:
        barrier.wait()
        try:
            return str(pay(order, FAKE).pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        intents = set(pool.map(click, range(4)))
    assert len(intents) == 1
    assert fake.calls == ["authorise", "capture"]


def test_paying_a_paid_order_again_charges_nothing(fake: FakeGateway) -> None:
    order = make_order()
    first, again = pay(order, FAKE), pay(order, FAKE)
    assert first.pk == again.pk
    assert fake.calls == ["authorise", "capture"]


def test_an_order_whose_time_is_over_starts_no_payment(fake: FakeGateway) -> None:
    order = make_order()
    end_the_hold(order, tidied=False)
    assert isinstance(payments.start(order=order, method=FAKE), NotPayable)
    orders.expire_due()
    assert isinstance(payments.start(order=order, method=FAKE), NotPayable)
    assert (fake.calls, PaymentIntent.objects.count()) == ([], 0)


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ({}, "Payment methods here: demo."),
        ({"method": "gold"}, "Payment methods here: demo."),
        ({"method": ["demo"]}, "Payment methods here: demo."),
        ({"method": "demo"}, "The demo card is one of: approve, second_step, decline, late,"),
        ({"method": "demo", "card": "4111111111111111"}, "The demo card is one of"),
    ],
)
def test_a_method_that_makes_no_sense_is_explained(method: dict[str, Any], message: str) -> None:
    order = make_order()
    with pytest.raises(BadMethod, match=message):
        payments.start(order=order, method=method)
    assert PaymentIntent.objects.count() == 0


def test_a_provider_is_never_called_inside_a_transaction() -> None:
    order = make_order()
    with pytest.raises(RuntimeError, match="inside a transaction"), transaction.atomic():
        payments.start(order=order, method=card())
    assert DemoAuthorisation.objects.count() == 0


# Late


def test_a_late_bank_keeps_the_order_waiting_and_then_pays() -> None:
    order = make_order()
    intent = pay(order, card("late"))
    assert (intent.state, intent.reference) == ("created", f"demo_{intent.pk.hex}")
    settle()
    assert books(order)["bank"] == ["pending"]
    DemoAuthorisation.objects.update(state="authorised")  # its event is lost
    settle()
    assert books(order) == PAID


def authorised_too_late(order: Order, fake: FakeGateway) -> PaymentIntent:
    fake.says["authorise"] = Pending("fake-late")
    intent = pay(order, FAKE)
    fake.views[str(intent.pk)] = View.AUTHORISED
    return intent


@pytest.mark.parametrize("tidied", [False, True])
def test_an_authorisation_after_the_hold_takes_a_free_unit_once_more(
    fake: FakeGateway, tidied: bool
) -> None:
    order = make_order(units=1)
    intent = authorised_too_late(order, fake)
    end_the_hold(order, tidied=tidied)
    payments.record_authorised(intent.pk, reference="fake-late")
    payments.drive(intent.pk)
    assert books(order) | {"bank": []} == PAID | {"bank": []}


def test_an_expired_order_comes_back_when_its_unit_is_still_free(fake: FakeGateway) -> None:
    order = make_order(units=1)
    intent = authorised_too_late(order, fake)
    end_the_hold(order)
    assert orders.expire_due() == 1
    payments.record_authorised(intent.pk, reference="fake-late")
    payments.drive(intent.pk)
    assert books(order) | {"bank": []} == PAID | {"bank": []}
    assert kinds(order) == ["placed", "expired", "revived", "paid"]


@pytest.mark.parametrize("swept", [False, True])
def test_an_authorisation_after_the_last_unit_went_is_given_back_and_told(
    fake: FakeGateway, swept: bool
) -> None:
    lamp = make_variant(units=1)
    order = make_order(lamp)
    intent = authorised_too_late(order, fake)
    end_the_hold(order)
    other = make_order(lamp)
    if swept:
        orders.expire_due()
    payments.record_authorised(intent.pk, reference="fake-late")
    payments.drive(intent.pk)
    assert books(order) == {
        "order": "expired",
        "payments": ["cancelled"],
        "units": ["expired"],
        "bank": ["unknown"],
    }
    assert fake.calls == ["authorise", "cancel"]
    assert kinds(order)[-1] == "payment_returned"
    assert ("expired" in kinds(order)) is swept
    assert books(other)["units"] == ["held"]


def test_a_late_payment_that_goes_back_stays_on_its_way_back_when_a_unit_comes_free(
    fake: FakeGateway,
) -> None:
    """Its shopper was told so; the bank's news of the authorisation may come once more."""
    lamp = make_variant(units=1)
    order = make_order(lamp)
    intent = authorised_too_late(order, fake)
    end_the_hold(order)
    other = make_order(lamp)
    fake.says["cancel"] = AWAY
    payments.record_authorised(intent.pk, reference="fake-late")
    with pytest.raises(GatewayUnavailable):
        payments.drive(intent.pk)
    assert orders.cancel(order=other, actor="", reason="test")
    payments.record_authorised(intent.pk, reference="fake-late")
    assert books(order)["payments"] == ["cancelling"]
    fake.says.clear()
    payments.drive(intent.pk)
    assert books(order) | {"bank": []} == {
        "order": "expired",
        "payments": ["cancelled"],
        "units": ["expired"],
        "bank": [],
    }
    assert kinds(order).count("payment_returned") == 1


def test_a_payment_that_was_given_up_is_not_told_as_a_late_one_that_was_returned(
    fake: FakeGateway,
) -> None:
    """One payment came late and went back; another of that order is let go of days later."""
    lamp = make_variant(units=1)
    order = make_order(lamp)
    fake.says["authorise"] = AWAY
    never_sent = pay(order, FAKE)
    fake.views.clear()
    settle()
    late = authorised_too_late(order, fake)
    end_the_hold(order)
    make_order(lamp)
    payments.record_authorised(late.pk, reference="fake-late")
    payments.drive(late.pk)
    late.refresh_from_db()
    assert late.decline_reason == payments.NOTHING_FREE
    fake.views[str(never_sent.pk)] = View.AUTHORISED
    payments.record_authorised(never_sent.pk, reference="fake-slow")
    payments.settle_due()
    assert books(order)["payments"] == ["cancelled", "cancelled"]
    assert kinds(order).count("payment_returned") == 1
    assert order.mails.filter(template="late_payment_returned").count() == 1


def test_the_hold_ends_and_the_payment_with_it() -> None:
    order = make_order()
    pay(order, card("late"))
    end_the_hold(order)
    assert orders.expire_due() == 1
    assert books(order)["payments"] == ["cancelling"]
    payments.settle_due()
    assert books(order) == {
        "order": "expired",
        "payments": ["cancelled"],
        "units": ["expired"],
        "bank": ["cancelled"],
    }


# Unknown outcomes


def test_no_answer_to_authorise_is_looked_up_later(fake: FakeGateway) -> None:
    order = make_order()
    fake.says["authorise"] = AWAY
    intent = pay(order, FAKE)
    fake.views[str(intent.pk)] = View.AUTHORISED
    assert intent.state == "created"
    settle()
    assert books(order)["order"] == "paid"
    assert fake.calls == ["authorise", "status", "capture"]


def test_a_payment_that_the_provider_never_heard_of_is_given_up(fake: FakeGateway) -> None:
    order = make_order()
    fake.says["authorise"] = AWAY
    intent = pay(order, FAKE)
    fake.views.clear()
    let_time_pass(seconds=payment_pauses.PAUSES[1] + 1)
    payments.settle_due()
    assert books(order)["payments"] == ["created"]
    settle()
    intent.refresh_from_db()
    assert (intent.state, intent.decline_reason) == ("declined", payments.NEVER_SENT)
    assert books(order)["units"] == ["held"]


def test_a_payment_that_was_given_up_and_authorised_all_the_same_goes_back(
    fake: FakeGateway,
) -> None:
    order = make_order()
    fake.says["authorise"] = AWAY
    given_up = pay(order, FAKE)
    fake.views.clear()
    settle()
    fake.says.clear()
    pay(order, FAKE)
    fake.views[str(given_up.pk)] = View.AUTHORISED
    payments.record_authorised(given_up.pk, reference="fake-slow")
    payments.settle_due()
    assert books(order)["payments"] == ["cancelled", "captured"]
    assert fake.views[str(given_up.pk)] is View.CANCELLED


def test_no_answer_to_capture_is_asked_again_until_there_is_one(fake: FakeGateway) -> None:
    order = make_order()
    fake.says["capture"] = [AWAY, AWAY]
    assert pay(order, FAKE).state == "confirmed"
    settle()
    assert books(order)["order"] == "pending"
    settle()
    assert books(order)["order"] == "paid"


def test_a_capture_that_is_refused_for_good_gives_everything_back(fake: FakeGateway) -> None:
    lamp = make_variant(units=1)
    order = make_order(lamp)
    fake.says["capture"] = GatewayRefused("the card was closed")
    pay(order, FAKE)
    assert books(order) == {
        "order": "cancelled",
        "payments": ["cancelled"],
        "units": ["released"],
        "bank": ["unknown"],
    }
    assert stock.available(skus=[lamp.sku])[lamp.sku] == 1
    assert kinds(order) == ["placed", "cancelled"]


def test_money_that_comes_for_an_order_that_is_closed_goes_back(fake: FakeGateway) -> None:
    """Only a hand in the database can close an order whose payment is being captured."""
    order = make_order()
    fake.says["capture"] = AWAY
    pay(order, FAKE)
    fake.says.clear()
    Order.objects.filter(pk=order.pk).update(state="cancelled")
    reservations.release(reservation_ids=orders.reservation_ids(order), reason="by hand")
    settle()
    assert books(order)["payments"] == ["refunded"]
    assert fake.calls[-1] == "refund"


def test_one_payment_without_an_answer_does_not_keep_others_waiting(fake: FakeGateway) -> None:
    first, second = make_order(), make_order()
    fake.says["capture"] = [AWAY, AWAY, AWAY]
    pay(first, FAKE)
    pay(second, FAKE)
    settle()
    settle()
    assert {books(order)["order"] for order in (first, second)} == {"paid"}


def test_what_a_request_is_working_on_is_left_to_it(fake: FakeGateway) -> None:
    order = make_order()
    fake.says["capture"] = [AWAY]
    pay(order, FAKE)
    assert payments.settle_due() == 0
    assert fake.calls == ["authorise", "capture"]


def test_two_workers_at_once_settle_once(fake: FakeGateway) -> None:
    placed = [make_order() for _ in range(5)]
    fake.says["capture"] = [AWAY] * 5
    for order in placed:
        pay(order, FAKE)
    let_time_pass()
    barrier = Barrier(3)

    def work(_: int) -> None:
        barrier.wait()
        try:
            payments.settle_due()
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(3)))
    for order in placed:
        assert books(order)["order"] == "paid"
        assert kinds(order) == ["placed", "paid"]


# Killed


def hear_yes(intent: PaymentIntent) -> None:
    payments.record_authorised(intent.pk, reference=intent.reference)
    payments.drive(intent.pk)


class Killed(BaseException):
    """The process ends here."""


def kill_before(monkeypatch: pytest.MonkeyPatch, target: Any, name: str) -> None:
    def die(*args: Any, **kwargs: Any) -> None:
        raise Killed

    monkeypatch.setattr(target, name, die)


def kill_after(monkeypatch: pytest.MonkeyPatch, target: Any, name: str) -> None:
    work: Callable[..., Any] = getattr(target, name)

    def work_and_die(*args: Any, **kwargs: Any) -> None:
        work(*args, **kwargs)
        raise Killed

    monkeypatch.setattr(target, name, work_and_die)


STEPS = [
    (demo.DemoGateway, "authorise"),
    (payments, "record_authorised"),
    (payments, "_confirm"),
    (reservations, "confirm"),
    (demo.DemoGateway, "capture"),
    (orders, "pay"),
    (payments, "_capture"),
]


@pytest.mark.parametrize("kill", [kill_before, kill_after])
@pytest.mark.parametrize(("target", "name"), STEPS)
def test_a_process_killed_at_any_step_of_paying_leaves_an_order_that_finishes(
    target: Any, name: str, kill: Callable[..., None]
) -> None:
    order = make_order()
    with pytest.MonkeyPatch.context() as patch:
        kill(patch, target, name)
        with pytest.raises(Killed):
            payments.start(order=order, method=card())
    settle()
    never_sent = (kill, name) == (kill_before, "authorise")
    if never_sent:
        assert books(order)["payments"] == ["declined"]
        pay(order, card())
        assert books(order)["payments"] == ["declined", "captured"]
    else:
        assert books(order) == PAID
        assert kinds(order) == ["placed", "paid"]


@pytest.mark.parametrize("kill", [kill_before, kill_after])
@pytest.mark.parametrize(("target", "name"), STEPS)
def test_a_process_killed_while_paying_and_left_until_the_hold_is_over_keeps_nobodys_money(
    target: Any, name: str, kill: Callable[..., None]
) -> None:
    """Nothing settles until the hold is over and its unit is somebody else's."""
    lamp = make_variant(units=1)
    order = make_order(lamp)
    with pytest.MonkeyPatch.context() as patch:
        kill(patch, target, name)
        with pytest.raises(Killed):
            payments.start(order=order, method=card())
    end_the_hold(order)
    other = make_order(lamp) if stock.available(skus=[lamp.sku])[lamp.sku] else None
    orders.expire_due()
    settle()
    settle()
    found = books(order)
    if other is None:
        assert found == PAID
    else:
        assert found["order"] == "expired"
        assert found["units"] == ["expired"]
        assert found["payments"][0] in ("cancelled", "declined")
        assert found["bank"][0] in ("cancelled", "unknown")


@pytest.mark.parametrize("kill", [kill_before, kill_after])
@pytest.mark.parametrize(
    ("target", "name"), [(demo.DemoGateway, "cancel"), (payments, "_cancel"), (orders, "record")]
)
def test_a_process_killed_while_giving_a_late_payment_back_gives_it_back(
    target: Any, name: str, kill: Callable[..., None]
) -> None:
    lamp = make_variant(units=1)
    order = make_order(lamp)
    intent = pay(order, card("late"))
    DemoAuthorisation.objects.update(state="authorised")
    end_the_hold(order)
    make_order(lamp)
    with pytest.MonkeyPatch.context() as patch:
        kill(patch, target, name)
        with pytest.raises(Killed):
            hear_yes(intent)
    settle()
    settle()
    found = books(order)
    assert (found["order"], found["payments"], found["bank"]) == (
        "expired",
        ["cancelled"],
        ["cancelled"],
    )
    assert kinds(order).count("payment_returned") == 1


@pytest.mark.parametrize("kill", [kill_before, kill_after])
@pytest.mark.parametrize(
    ("target", "name"), [(demo.DemoGateway, "refund"), (refund_settling, "_record_done")]
)
def test_a_process_killed_while_refunding_refunds_once(
    target: Any, name: str, kill: Callable[..., None]
) -> None:
    order = make_order()
    pay(order, card())
    order.refresh_from_db()
    assert orders.refund(order=order, actor="merchant@example.com", reason="broken")
    with pytest.MonkeyPatch.context() as patch:
        kill(patch, target, name)
        with pytest.raises(Killed):
            payments.settle_due()
    payments.settle_due()
    assert books(order) == {
        "order": "refunded",
        "payments": ["refunded"],
        "units": ["released"],
        "bank": ["refunded"],
    }
    assert kinds(order) == ["placed", "paid", "refund_started", "refunded"]


def test_a_decline_that_comes_while_the_answer_is_on_its_way_counts_once(
    fake: FakeGateway,
) -> None:
    order = make_order()
    fake.says["authorise"] = Declined("no")
    intent = pay(order, FAKE)
    payments.record_declined(intent.pk, reason="no")
    assert kinds(order) == ["placed", "payment_declined"]


def test_control_capturing_before_confirming_charges_for_a_unit_that_is_gone(
    fake: FakeGateway,
) -> None:
    """The rule the other way round: money taken, and nothing to send."""
    lamp = make_variant(units=1)
    order = make_order(lamp)
    intent = authorised_too_late(order, fake)
    end_the_hold(order)
    make_order(lamp)
    fake.capture(intent)
    assert not reservations.retake(reservation_ids=orders.reservation_ids(order))
    assert fake.views[str(intent.pk)] is View.CAPTURED
    fake.refund(intent, intent.amount, key=intent.pk)
    Order.objects.filter(pk=order.pk).update(state="expired")
    PaymentIntent.objects.filter(pk=intent.pk).update(state="refunded")
    order.refunds.create(intent=intent, amount=intent.amount, currency="EUR", state="done")


def test_an_authorisation_that_is_told_twice_is_confirmed_once(fake: FakeGateway) -> None:
    order = make_order()
    fake.says["authorise"] = Authorised("fake-twice")
    intent = pay(order, FAKE)
    payments.record_authorised(intent.pk, reference="fake-twice")
    payments.drive(intent.pk)
    assert fake.calls == ["authorise", "capture"]
    assert kinds(order) == ["placed", "paid"]


def test_a_refund_that_the_bank_refuses_keeps_no_other_payment_waiting() -> None:
    refused, other = make_order(), make_order()
    for order in (refused, other):
        pay(order, card())
        order.refresh_from_db()
        assert orders.refund(order=order, actor="staff", reason="broken")
    reference = refused.payment_intents.get().reference
    DemoAuthorisation.objects.filter(reference=reference).update(state="authorised")
    for _ in range(3):
        settle()
    assert other.payment_intents.get().state == "refunded"
    assert refused.payment_intents.get().state == "refunding"
    refund = refused.refunds.get()
    assert (refund.state, refund.error) == (
        "refused",
        "Nothing was captured, so nothing can be refunded.",
    )
    DemoAuthorisation.objects.filter(reference=reference).update(state="captured")
    assert isinstance(refunds.repeat(refund=refund, actor="staff"), refunds.Started)
    settle()
    assert refused.payment_intents.get().state == "refunded"
