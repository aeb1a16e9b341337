"""What `localstripe` cannot do: answers and events in the shapes of Stripe's documentation, and its faults."""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from uuid import uuid4

import httpx
import pytest
from django.core.mail import EmailMessage
from pytest_django import Settings

from shop import gateways, payment_events, refund_settling, refunds
from shop.gateways import (
    ActionRequired,
    AlreadyCaptured,
    Authorised,
    BadSignature,
    Declined,
    EventKind,
    GatewayRefused,
    GatewayUnavailable,
    Money,
    Pending,
    Status,
    View,
)
from shop.gateways import stripe as ours
from shop.models import PaymentIntent
from tests.shop.ordering import captured_order, make_order
from tests.shop.providers import prepared, stripe_provider
from tests.shop.stripe_fixture import SETTINGS, WEBHOOK_SECRET, StripeServer

pytestmark = pytest.mark.django_db

bank = ours.StripeGateway()
REFERENCE = "pi_3PxqWvAbCdEfGh"
#: As in Stripe's reference, less what nobody reads here.
INTENT: dict[str, Any] = {
    "id": REFERENCE,
    "object": "payment_intent",
    "amount": 10000,
    "client_secret": f"{REFERENCE}_secret_x",
    "last_payment_error": None,
    "latest_charge": None,
    "metadata": {},
    "next_action": None,
    "status": "requires_capture",
}


@pytest.fixture(autouse=True)
def stripe_is_on(settings: Settings) -> None:
    for name, value in SETTINGS.items():
        setattr(settings, name, value)
    # Nothing of this goes to Stripe, whatever a test forgets.
    settings.STRIPE_API_BASE = "http://127.0.0.1:1"


def make_intent() -> PaymentIntent:
    order = make_order()
    return order.payment_intents.create(
        gateway="stripe",
        method={"method": "stripe", "payment_method": "pm_card_visa"},
        reference=REFERENCE,
        amount=order.total,
        currency="EUR",
    )


@contextmanager
def answering(
    settings: Settings, *answers: tuple[int, dict[str, Any] | bytes]
) -> Iterator[list[Any]]:
    """A server that gives these answers one after the other, and the requests that it got."""
    asked: list[Any] = []
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked.append((self.command, self.path.partition("?")[0], dict(self.headers), body))
            status, answer = left.pop(0)
            sent = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    settings.STRIPE_API_BASE = f"http://127.0.0.1:{server.server_port}"
    try:
        yield asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def error(kind: str, message: str, **more: str) -> dict[str, Any]:
    return {"error": {"type": kind, "message": message} | more}


REFUSED = (400, error("invalid_request_error", "No.", code="payment_intent_unexpected_state"))
REDIRECT = {
    "type": "redirect_to_url",
    "redirect_to_url": {"url": "https://hooks.stripe.com/3ds", "return_url": "https://shop"},
}


@pytest.mark.parametrize(
    ("changes", "answer", "status"),
    [
        ({}, Authorised(REFERENCE), Status(View.AUTHORISED, REFERENCE)),
        ({"status": "processing"}, Pending(REFERENCE), Status(View.PENDING, REFERENCE)),
        ({"status": "succeeded"}, Authorised(REFERENCE), Status(View.CAPTURED, REFERENCE)),
        (
            {"status": "canceled"},
            Declined("This payment was cancelled."),
            Status(View.CANCELLED, REFERENCE),
        ),
        (
            {
                "status": "requires_payment_method",
                "last_payment_error": {"message": "Your card was declined."},
            },
            Declined("Your card was declined."),
            Status(View.DECLINED, REFERENCE),
        ),
        (
            {"status": "requires_action", "next_action": REDIRECT},
            ActionRequired(REFERENCE, {"type": "redirect", "url": "https://hooks.stripe.com/3ds"}),
            Status(
                View.PENDING, REFERENCE, {"type": "redirect", "url": "https://hooks.stripe.com/3ds"}
            ),
        ),
        (
            {
                "status": "succeeded",
                "currency": "jpy",
                "amount": 500,
                "latest_charge": {
                    "id": "ch_1",
                    "object": "charge",
                    "refunded": True,
                    "amount_refunded": 500,
                },
            },
            Authorised(REFERENCE, Money(Decimal(500), "JPY")),
            Status(
                View.REFUNDED,
                REFERENCE,
                money=Money(Decimal(500), "JPY"),
                refunded=Decimal(500),
            ),
        ),
    ],
)
def test_what_stripe_says_is_understood(
    settings: Settings, changes: dict[str, Any], answer: object, status: Status
) -> None:
    intent = make_intent()
    with answering(settings, (200, INTENT | changes), (200, INTENT | changes)):
        assert bank.authorise(intent) == answer
        assert bank.status(intent) == status


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("amount_too_small", ours.TOO_SMALL),
        ("amount_too_large", ours.TOO_LARGE),
        ("payment_method_not_available", ours.CARD_NOT_TAKEN),
    ],
)
def test_a_total_that_a_card_is_not_charged_is_said_to_be(
    settings: Settings, code: str, reason: str
) -> None:
    refused = (400, error("invalid_request_error", "Amount must be at least €0.50.", code=code))
    with answering(settings, refused):
        assert bank.prepare(make_intent()) == Declined(reason)


@pytest.mark.parametrize(
    ("changes", "money"),
    [
        ({"amount_capturable": 9999}, Money(Decimal("99.99"), "EUR")),
        ({"amount_capturable": 10000, "currency": "jpy"}, Money(Decimal(10000), "JPY")),
        (
            {"status": "succeeded", "amount_capturable": 0, "amount_received": 12},
            Money(Decimal("0.12"), "EUR"),
        ),
        ({"status": "processing"}, None),
    ],
)
def test_what_stripe_keeps_or_took_is_told(
    settings: Settings, changes: dict[str, Any], money: Money | None
) -> None:
    intent, found = make_intent(), INTENT | {"currency": "eur"} | changes
    with answering(settings, (200, found), (200, found)):
        assert bank.status(intent).money == money
        assert bank.capture(intent) == money


def test_a_call_says_what_it_is_about_and_in_which_version(settings: Settings) -> None:
    intent = make_intent()
    with answering(settings, (200, INTENT), (200, INTENT)) as asked:
        bank.prepare(intent)
        bank.authorise(intent)
    (_, path, headers, body), (_, confirm_path, confirm_headers, _) = asked
    sent = httpx.QueryParams(body.decode())
    assert (path, headers["Stripe-Version"]) == ("/v1/payment_intents", ours.API_VERSION)
    assert headers["Idempotency-Key"] == f"{intent.pk}-create"
    assert dict(sent) == {
        "amount": str(int(intent.amount * 100)),
        "currency": "eur",
        "capture_method": "manual",
        "payment_method": "pm_card_visa",
        "allowed_payment_method_types[0]": "card",
        "metadata[intent]": str(intent.pk),
        "metadata[order]": intent.order.reference,
    }
    assert confirm_path == f"/v1/payment_intents/{REFERENCE}/confirm"
    assert confirm_headers["Idempotency-Key"] == f"{intent.pk}-confirm"


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (429, error("invalid_request_error", "Too many requests", code="rate_limit")),
        (500, error("api_error", "Sorry")),
        (503, b"<html>nginx</html>"),
        (401, error("invalid_request_error", "Invalid API Key provided: sk_test_*2345")),
        (403, error("invalid_request_error", "Not permitted")),
        (409, error("idempotency_error", "At work on it", code="idempotency_key_in_use")),
        (400, error("idempotency_error", "Other parameters")),
        (200, b"no json"),
    ],
)
def test_whatever_leaves_the_outcome_open_is_no_answer(
    settings: Settings, status: int, answer: dict[str, Any] | bytes
) -> None:
    intent = make_intent()
    calls = [bank.prepare, bank.authorise, bank.capture, bank.cancel, bank.status]
    for call in calls:
        with answering(settings, (status, answer)), pytest.raises(GatewayUnavailable):
            call(intent)
    with answering(settings, (status, answer)), pytest.raises(GatewayUnavailable):
        bank.refund(intent, Decimal(1), key=uuid4())


def test_nobody_at_home_and_nobody_who_answers_are_no_answer(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    intent = make_intent()
    with pytest.raises(GatewayUnavailable, match="APIConnectionError"):
        bank.status(intent)
    slow = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)  # takes calls, and answers none
    try:
        settings.STRIPE_API_BASE = f"http://127.0.0.1:{slow.server_port}"
        monkeypatch.setattr(ours, "BANK_TIMEOUT", (0.05, 0.05))
        with pytest.raises(GatewayUnavailable, match="APIConnectionError"):
            bank.authorise(intent)
    finally:
        slow.server_close()


def test_a_card_that_stripe_does_not_take_is_declined_in_words_for_the_shopper(
    settings: Settings,
) -> None:
    intent = make_intent()
    with answering(settings, (400, error("invalid_request_error", "No such PaymentMethod"))):
        declined = bank.prepare(intent)
    assert declined == Declined("This card cannot be used here. Please try another.")
    said = error("card_error", "Your card has insufficient funds.", code="card_declined")
    with answering(settings, (402, said)):
        assert bank.authorise(intent) == Declined("Your card has insufficient funds.")


def test_a_refusal_is_judged_by_what_the_payment_is(settings: Settings) -> None:
    intent = make_intent()
    done, gone = (200, INTENT | {"status": "succeeded"}), (200, INTENT | {"status": "canceled"})
    with answering(settings, REFUSED, done):
        bank.capture(intent)
    with answering(settings, REFUSED, gone), pytest.raises(GatewayRefused):
        bank.capture(intent)
    with answering(settings, REFUSED, gone):
        bank.cancel(intent)
    with answering(settings, REFUSED, done), pytest.raises(AlreadyCaptured):
        bank.cancel(intent)
    with (
        answering(settings, REFUSED, (200, INTENT | {"status": "processing"})),
        pytest.raises(GatewayUnavailable),
    ):
        bank.cancel(intent)
    with answering(settings, REFUSED, (200, INTENT)):
        assert bank.authorise(intent) == Authorised(REFERENCE)


def test_a_refund_that_was_made_days_ago_is_not_made_again(settings: Settings) -> None:
    """Stripe has forgotten the key by then; the refund has not."""
    intent, key = make_intent(), uuid4()
    made = {"id": "re_1", "object": "refund", "status": "succeeded", "metadata": {"key": str(key)}}
    books = {"object": "list", "url": "/v1/refunds", "has_more": False}
    with answering(settings, (200, books | {"data": [made]})) as asked:
        bank.refund(intent, Decimal(1), key=key)
    assert [method for method, *_ in asked] == ["GET"]
    others = made | {"id": "re_0", "metadata": {"key": str(uuid4())}}
    with answering(settings, (200, books | {"data": [others]}), (200, made)) as asked:
        bank.refund(intent, Decimal(1), key=key)
    assert [method for method, *_ in asked] == ["GET", "POST"]


@pytest.mark.parametrize("status", ["failed", "canceled"])
@pytest.mark.parametrize("known", [False, True])
def test_a_refund_that_failed_is_not_given_back(
    settings: Settings, status: str, known: bool
) -> None:
    intent, key = make_intent(), uuid4()
    made = {"id": "re_1", "object": "refund", "status": status, "metadata": {"key": str(key)}}
    books = {"object": "list", "url": "/v1/refunds", "has_more": False, "data": [made] * known}
    with (
        answering(settings, (200, books), (200, made)) as asked,
        pytest.raises(GatewayRefused, match=status),
    ):
        bank.refund(intent, Decimal(1), key=key)
    assert [method for method, *_ in asked] == ["GET"] if known else ["GET", "POST"]


@pytest.mark.parametrize("status", ["succeeded", "pending", "requires_action"])
def test_control_a_refund_that_is_on_its_way_is_given_back(settings: Settings, status: str) -> None:
    made = {"id": "re_1", "object": "refund", "status": status, "metadata": {}}
    books = {"object": "list", "url": "/v1/refunds", "has_more": False, "data": []}
    with answering(settings, (200, books), (200, made)):
        bank.refund(make_intent(), Decimal(1), key=uuid4())


@pytest.mark.parametrize(
    ("amount", "currency", "units"),
    [("12.34", "EUR", 1234), ("100.00", "JPY", 100), ("1.25", "KWD", 1250), ("0.10", "usd", 10)],
)
def test_money_is_counted_in_the_units_of_its_currency(
    amount: str, currency: str, units: int
) -> None:
    assert ours.minor_units(Decimal(amount), currency) == units


def test_a_fraction_that_a_currency_does_not_have_is_not_charged() -> None:
    with pytest.raises(ValueError, match=r"JPY has no 1\.50"):
        ours.minor_units(Decimal("1.50"), "JPY")


# Events


def signed(
    payload: object, *, age: float = 0, secret: str = WEBHOOK_SECRET
) -> tuple[bytes, dict[str, str]]:
    body = json.dumps(payload).encode()
    then = int(time.time() - age)
    digest = hmac.new(secret.encode(), b"%d.%s" % (then, body), hashlib.sha256).hexdigest()
    return body, {"Stripe-Signature": f"t={then},v1={digest}"}


def event(kind: str, about: dict[str, Any]) -> dict[str, Any]:
    return {"id": "evt_1", "object": "event", "type": kind, "created": 1, "data": {"object": about}}


@pytest.mark.parametrize(
    ("kind", "means"),
    [
        ("payment_intent.amount_capturable_updated", EventKind.AUTHORISED),
        ("payment_intent.payment_failed", EventKind.DECLINED),
        ("payment_intent.succeeded", EventKind.CAPTURED),
        ("payment_intent.canceled", EventKind.CANCELLED),
        ("payment_intent.created", EventKind.OTHER),
    ],
)
def test_an_event_is_read_and_only_what_is_needed_is_kept(kind: str, means: EventKind) -> None:
    ours_id = uuid4()
    about = INTENT | {"metadata": {"intent": str(ours_id)}}
    parsed = bank.parse_event(*signed(event(kind, about)))
    assert (parsed.event_id, parsed.kind) == ("evt_1", means)
    assert (parsed.reference, parsed.intent_id) == (REFERENCE, ours_id)
    assert "secret" not in json.dumps(parsed.payload)


def test_an_event_about_a_charge_names_its_payment() -> None:
    charge = {"id": "ch_1", "object": "charge", "payment_intent": REFERENCE, "metadata": {}}
    parsed = bank.parse_event(*signed(event("charge.refunded", charge)))
    assert (parsed.kind, parsed.reference, parsed.intent_id) == (
        EventKind.REFUNDED,
        REFERENCE,
        None,
    )


@pytest.mark.parametrize(
    ("kind", "status", "means"),
    [
        ("refund.failed", "failed", EventKind.REFUND_FAILED),
        ("charge.refund.updated", "failed", EventKind.REFUND_FAILED),
        ("charge.refund.updated", "canceled", EventKind.REFUND_FAILED),
        ("charge.refund.updated", "succeeded", EventKind.OTHER),
        ("refund.created", "pending", EventKind.OTHER),
    ],
)
def test_an_event_about_a_refund_names_it_and_its_payment(
    kind: str, status: str, means: EventKind
) -> None:
    key = uuid4()
    refund = {"id": "re_1", "object": "refund", "payment_intent": REFERENCE, "status": status}
    parsed = bank.parse_event(*signed(event(kind, refund | {"metadata": {"key": str(key)}})))
    assert (parsed.kind, parsed.reference, parsed.refund_id) == (means, REFERENCE, key)


@pytest.mark.django_db(transaction=True)
def test_a_refund_that_failed_days_later_is_refused_again_and_staff_are_told_once(
    settings: Settings, mailoutbox: list[EmailMessage]
) -> None:
    settings.ALERT_EMAILS = ["staff@example.com"]
    order = captured_order()
    PaymentIntent.objects.update(gateway="stripe", reference=REFERENCE)
    outcome = refunds.refund_in_full(order=order, actor="staff@example.com", reason="it broke")
    assert isinstance(outcome, refunds.Started)
    books = {"object": "list", "url": "/v1/refunds", "has_more": False, "data": []}
    made: dict[str, Any] = {"id": "re_1", "object": "refund", "payment_intent": REFERENCE} | {
        "metadata": {"key": str(outcome.refund.pk)}
    }
    with answering(settings, (200, books), (200, made | {"status": "succeeded"})):
        assert refund_settling.settle(outcome.refund.pk).state == "done"
    assert order.payment_intents.get().state == "refunded"
    mailoutbox.clear()
    outcomes = []
    for name in ("evt_1", "evt_2"):
        told = event("refund.failed", made | {"status": "failed"}) | {"id": name}
        body, headers = signed(told)
        stored = payment_events.receive(gateway="stripe", body=body, headers=headers).event
        outcomes.append(payment_events.process(stored.pk))
    assert outcomes == ["the refund failed", "nothing to do"]
    outcome.refund.refresh_from_db()
    assert (outcome.refund.state, outcome.refund.done_at) == ("refused", None)
    assert order.payment_intents.get().state == "refunding"
    assert [mail.to for mail in mailoutbox if "refund" in mail.subject] == [["staff@example.com"]]
    again = refunds.repeat(refund=outcome.refund, actor="staff@example.com")
    assert isinstance(again, refunds.Started)
    with answering(settings, (200, books), (200, made | {"status": "succeeded"})):
        assert refund_settling.settle(again.refund.pk).state == "done"
    assert order.payment_intents.get().state == "refunded"


def test_an_event_of_another_system_on_the_same_account_is_taken_and_is_nobodys() -> None:
    about = INTENT | {"metadata": {"intent": "invoice 7"}}
    assert bank.parse_event(*signed(event("payment_intent.succeeded", about))).intent_id is None


def test_an_old_signature_another_secret_and_no_secret_are_refused(settings: Settings) -> None:
    payload = event("payment_intent.succeeded", INTENT)
    bank.parse_event(*signed(payload, age=ours.TOLERANCE_SECONDS - 10))
    for bad in (
        signed(payload, age=ours.TOLERANCE_SECONDS + 10),
        signed(payload, secret="whsec_another"),
    ):
        with pytest.raises(BadSignature):
            bank.parse_event(*bad)
    settings.STRIPE_WEBHOOK_SECRET = ""
    with pytest.raises(BadSignature, match="not set"):
        bank.parse_event(*signed(payload, secret=""))


@pytest.mark.parametrize(
    "payload",
    [
        [],
        {},
        "text",
        {"object": "v2.core.event"},
        event("payment_intent.succeeded", {}),
        event("x" * 101, INTENT),
        event("payment_intent.succeeded", INTENT) | {"id": None},
        event("payment_intent.succeeded", INTENT) | {"data": None},
    ],
)
def test_what_is_signed_and_is_no_event_is_refused(payload: object) -> None:
    with pytest.raises(BadSignature):
        bank.parse_event(*signed(payload))


def test_an_event_that_localstripe_signed_is_read(with_stripe: StripeServer) -> None:
    got: list[tuple[bytes, dict[str, str]]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((body, dict(self.headers)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    receiver = HTTPServer(("127.0.0.1", 0), Receiver)
    receiver.timeout = 10
    url = f"http://127.0.0.1:{receiver.server_port}/"
    hook = {"url": url, "secret": WEBHOOK_SECRET}
    httpx.post(f"{with_stripe.url}/_config/webhooks/ours", json=hook).raise_for_status()
    try:
        intent = prepared(stripe_provider(with_stripe))
        gateway = gateways.find("stripe")
        gateway.authorise(intent)
        gateway.capture(intent)
        receiver.handle_request()
    finally:
        receiver.server_close()
    parsed = gateway.parse_event(*got[0])
    assert (parsed.kind, parsed.intent_id) == (EventKind.CAPTURED, intent.pk)
    assert parsed.reference == intent.reference
