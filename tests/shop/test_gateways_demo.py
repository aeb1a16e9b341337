"""The demo provider refuses what a real one refuses, and repeats change nothing."""

import json
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db.models import F
from django.utils import timezone
from pytest_django import Settings

from shop import gateways
from shop.gateways import (
    ActionRequired,
    AlreadyCaptured,
    Authorised,
    BadSignature,
    Declined,
    EventKind,
    GatewayRefused,
    GatewayUnavailable,
    ParsedEvent,
    Pending,
    UnknownGateway,
    View,
    demo,
)
from shop.gateways.demo import LATE_SECONDS, SIGNATURE_HEADER, DemoGateway
from shop.models import DemoAuthorisation, DemoDelivery, PaymentIntent
from tests.shop.ordering import demo as card
from tests.shop.ordering import make_order

pytestmark = pytest.mark.django_db

bank = DemoGateway()


def make_intent(name: str = "approve") -> PaymentIntent:
    order = make_order()
    return order.payment_intents.create(
        gateway="demo", method=card(name), amount=order.total, currency="EUR"
    )


def announced() -> list[str]:
    return [row.payload["type"] for row in DemoDelivery.objects.order_by("id")]


def delivered() -> list[ParsedEvent]:
    events: list[ParsedEvent] = []
    demo.deliver_due(send=lambda body, headers: events.append(bank.parse_event(body, headers)))
    return events


def let_time_pass() -> None:
    from_then = timedelta(seconds=LATE_SECONDS)
    DemoDelivery.objects.update(deliver_at=F("deliver_at") - from_then)


@pytest.mark.parametrize(
    ("name", "answer", "view", "events"),
    [
        ("approve", Authorised, View.AUTHORISED, ["payment.authorised"]),
        ("duplicate", Authorised, View.AUTHORISED, ["payment.authorised"] * 3),
        ("late", Pending, View.PENDING, ["payment.authorised"]),
        ("decline", Declined, View.DECLINED, ["payment.declined"]),
        ("second_step", ActionRequired, View.PENDING, []),
        ("late_decline", Pending, View.PENDING, ["payment.declined"]),
        ("out_of_order", Authorised, View.AUTHORISED, ["payment.authorised"]),
        ("capture_silent", Authorised, View.AUTHORISED, ["payment.authorised"]),
        ("capture_refused", Authorised, View.AUTHORISED, ["payment.authorised"]),
    ],
)
def test_the_card_says_how_the_bank_answers(
    name: str, answer: type, view: View, events: list[str]
) -> None:
    intent = make_intent(name)
    assert isinstance(bank.authorise(intent), answer)
    assert bank.status(intent).view is view
    assert announced() == events


@pytest.mark.parametrize(("name", "view"), [("silent", View.AUTHORISED), ("lost", View.UNKNOWN)])
def test_a_bank_that_says_nothing_has_done_it_or_not(name: str, view: View) -> None:
    intent = make_intent(name)
    for _ in range(2):
        with pytest.raises(GatewayUnavailable):
            bank.authorise(intent)
    assert (bank.status(intent).view, announced()) == (view, [])


def test_a_late_bank_may_say_no() -> None:
    intent = make_intent("late_decline")
    bank.authorise(intent)
    let_time_pass()
    assert [event.kind for event in delivered()] == [EventKind.DECLINED]
    assert bank.status(intent).view is View.DECLINED


def test_an_event_overtakes_the_one_before_it() -> None:
    intent = make_intent("out_of_order")
    bank.authorise(intent)
    bank.capture(intent)
    assert [event.kind for event in delivered()] == [EventKind.CAPTURED]
    let_time_pass()
    assert [event.kind for event in delivered()] == [EventKind.AUTHORISED]
    assert bank.status(intent).view is View.CAPTURED


def test_a_capture_may_be_refused_or_lose_its_answer() -> None:
    refused, silent = make_intent("capture_refused"), make_intent("capture_silent")
    for intent in (refused, silent):
        bank.authorise(intent)
    for _ in range(2):
        with pytest.raises(GatewayRefused, match="cancelled"):
            bank.capture(refused)
    with pytest.raises(GatewayUnavailable):
        bank.capture(silent)
    bank.capture(silent)
    assert [bank.status(intent).view for intent in (refused, silent)] == [
        View.CANCELLED,
        View.CAPTURED,
    ]


@pytest.mark.parametrize("approves", [True, False])
def test_a_second_step_is_taken_once(approves: bool) -> None:
    intent = make_intent("second_step")
    bank.authorise(intent)
    assert demo.decide(intent, approves=approves)
    assert not demo.decide(intent, approves=not approves)
    assert announced() == ["payment.authorised" if approves else "payment.declined"]


@pytest.mark.parametrize("name", ["approve", "duplicate", "late", "decline", "second_step"])
def test_asking_twice_is_asking_once(name: str) -> None:
    intent = make_intent(name)
    first = bank.authorise(intent)
    before = announced()
    assert bank.authorise(intent) == first
    assert (announced(), DemoAuthorisation.objects.count()) == (before, 1)


def test_a_late_bank_decides_when_its_event_goes_out() -> None:
    intent = make_intent("late")
    bank.authorise(intent)
    assert (delivered(), bank.status(intent).view) == ([], View.PENDING)
    delivery = DemoDelivery.objects.get()
    wait = (delivery.deliver_at - timezone.now()).total_seconds()
    assert LATE_SECONDS - 1 < wait <= LATE_SECONDS
    let_time_pass()
    assert [(event.kind, event.intent_id) for event in delivered()] == [
        (EventKind.AUTHORISED, intent.pk)
    ]
    assert bank.status(intent).view is View.AUTHORISED
    assert delivered() == []


def test_a_late_bank_says_nothing_about_a_payment_that_was_cancelled() -> None:
    intent = make_intent("late")
    bank.authorise(intent)
    bank.cancel(intent)
    let_time_pass()
    assert [event.kind for event in delivered()] == [EventKind.CANCELLED]
    assert bank.status(intent).view is View.CANCELLED


def test_a_duplicate_card_sends_one_event_three_times() -> None:
    bank.authorise(make_intent("duplicate"))
    events = delivered()
    assert (len(events), len({event.event_id for event in events})) == (3, 1)


def test_an_event_that_was_not_taken_is_sent_again() -> None:
    bank.authorise(make_intent())

    def refuse(body: bytes, headers: object) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        demo.deliver_due(send=refuse)
    assert len(delivered()) == 1


def test_capturing_twice_takes_the_money_once() -> None:
    intent = make_intent()
    bank.authorise(intent)
    bank.capture(intent)
    bank.capture(intent)
    assert announced() == ["payment.authorised", "payment.captured"]


@pytest.mark.parametrize("name", ["late", "decline"])
def test_what_is_not_authorised_is_not_captured(name: str) -> None:
    intent = make_intent(name)
    bank.authorise(intent)
    with pytest.raises(GatewayRefused):
        bank.capture(intent)


def test_what_was_never_asked_for_or_was_cancelled_is_not_captured() -> None:
    intent = make_intent()
    with pytest.raises(GatewayRefused, match="unknown"):
        bank.capture(intent)
    bank.authorise(intent)
    bank.cancel(intent)
    bank.cancel(intent)
    with pytest.raises(GatewayRefused, match="cancelled"):
        bank.capture(intent)


def test_a_cancel_that_overtakes_the_authorisation_wins() -> None:
    intent = make_intent()
    bank.cancel(intent)
    assert isinstance(bank.authorise(intent), Declined)
    assert bank.status(intent).view is View.CANCELLED


def test_captured_money_is_refunded_and_not_cancelled() -> None:
    intent = make_intent()
    bank.authorise(intent)
    with pytest.raises(GatewayRefused, match="Nothing was captured"):
        bank.refund(intent, intent.amount, key=uuid4())
    bank.capture(intent)
    with pytest.raises(AlreadyCaptured):
        bank.cancel(intent)
    with pytest.raises(GatewayRefused, match="more than"):
        bank.refund(intent, intent.amount + Decimal("0.01"), key=uuid4())
    key = uuid4()
    bank.refund(intent, intent.amount, key=key)
    bank.refund(intent, intent.amount, key=key)
    assert announced() == ["payment.authorised", "payment.captured", "payment.refunded"]


def test_parts_are_refunded_once_each_and_never_more_than_was_captured() -> None:
    intent = make_intent()
    bank.authorise(intent)
    bank.capture(intent)
    part, rest = uuid4(), intent.amount - Decimal("1.50")
    bank.refund(intent, Decimal("1.50"), key=part)
    bank.refund(intent, Decimal("1.50"), key=part)
    assert bank.status(intent).view is View.CAPTURED
    with pytest.raises(GatewayRefused, match="more than"):
        bank.refund(intent, rest + Decimal("0.01"), key=uuid4())
    bank.refund(intent, rest, key=uuid4())
    assert bank.status(intent).view is View.REFUNDED
    with pytest.raises(GatewayRefused, match="more than"):
        bank.refund(intent, Decimal("0.01"), key=uuid4())


def signed(payload: object) -> tuple[bytes, dict[str, str]]:
    body = json.dumps(payload).encode()
    return body, {SIGNATURE_HEADER: demo.sign(body)}


EVENT = {"id": "evt_1", "type": "payment.captured", "reference": "demo_1", "intent": str(uuid4())}


def test_an_event_is_read_when_its_signature_is_right() -> None:
    parsed = bank.parse_event(*signed(EVENT))
    assert (parsed.event_id, parsed.kind) == ("evt_1", EventKind.CAPTURED)
    assert (parsed.reference, str(parsed.intent_id)) == ("demo_1", EVENT["intent"])
    other = bank.parse_event(*signed(EVENT | {"type": "payout.created"}))
    assert other.kind is EventKind.OTHER


@pytest.mark.parametrize("given", ["", "00", "ünicode", None])
def test_an_event_without_the_right_signature_is_refused(given: str | None) -> None:
    body, _ = signed(EVENT)
    headers = {} if given is None else {SIGNATURE_HEADER: given}
    with pytest.raises(BadSignature):
        bank.parse_event(body, headers)


def test_another_secret_makes_another_signature(settings: Settings) -> None:
    body, headers = signed(EVENT)
    settings.DEMO_GATEWAY_SECRET = "another"
    with pytest.raises(BadSignature):
        bank.parse_event(body, headers)


@pytest.mark.parametrize(
    "payload", [[], {}, "text", EVENT | {"intent": "no-uuid"}, EVENT | {"type": 3}]
)
def test_what_is_signed_and_is_no_event_is_refused(payload: object) -> None:
    with pytest.raises(BadSignature, match="not an event"):
        bank.parse_event(*signed(payload))


def test_a_gateway_that_is_switched_off_is_unknown(settings: Settings) -> None:
    assert isinstance(gateways.find("demo"), DemoGateway)
    settings.PAYMENT_GATEWAYS = []
    with pytest.raises(UnknownGateway):
        gateways.find("demo")
