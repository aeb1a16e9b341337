"""Stripe, by its own library: PaymentIntents that are captured by hand.

Stripe.js turns the card into a payment method in the browser; only its id comes here. An intent is created
without asking the bank (`prepare`), and confirmed under the id that we have committed (`authorise`), so
nothing rests on how long Stripe remembers an idempotency key. Where a call says no, the intent's status at
Stripe says whether it was done before.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

import stripe
from django import forms
from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext_noop

from shop.gateways.protocol import (
    ActionRequired,
    AlreadyCaptured,
    Authorised,
    BadMethod,
    BadSignature,
    Declined,
    EventKind,
    GatewayRefused,
    GatewayUnavailable,
    Money,
    ParsedEvent,
    Pending,
    Prepared,
    Status,
    View,
)
from shop.models import PaymentIntent

log = logging.getLogger(__name__)

SIGNATURE_HEADER = "Stripe-Signature"
#: The version whose shapes are read here, whatever the account's default is.
API_VERSION = "2026-10-28.endive"
#: Seconds to connect, and to wait for an answer. A bank that is asked takes its time.
TIMEOUT = (3.0, 6.0)
BANK_TIMEOUT = (3.0, 12.0)
#: Seconds by which a signature may be old; Stripe signs anew whenever it sends an event again.
TOLERANCE_SECONDS = 300
NEEDS_SCRIPT = (
    "The card was not read: paying by card needs JavaScript. The other ways to pay do not."
)
CARD_NOT_TAKEN = gettext_noop("This card cannot be used here. Please try another.")
TOO_SMALL = gettext_noop(
    "The total is less than a card can be charged. Order something more, or pay in another way."
)
TOO_LARGE = gettext_noop(
    "The total is more than a card can be charged at once. Order in parts, or pay in another way."
)
DECLINED = gettext_noop("The bank declined this card.")
CANCELLED = gettext_noop("This payment was cancelled.")
#: Why an amount is not taken, by Stripe's code for it.
NOT_CHARGED = {"amount_too_small": TOO_SMALL, "amount_too_large": TOO_LARGE}

#: Currencies that Stripe counts in whole units, and in thousandths; all others in hundredths.
WHOLE = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA"}
    | {"PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"}
)
THOUSANDTHS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})

VIEWS = {
    "requires_payment_method": View.DECLINED,
    "requires_confirmation": View.UNKNOWN,
    "requires_action": View.PENDING,
    "processing": View.PENDING,
    "requires_capture": View.AUTHORISED,
    "succeeded": View.CAPTURED,
    "canceled": View.CANCELLED,
}
KINDS = {
    "payment_intent.amount_capturable_updated": EventKind.AUTHORISED,
    "payment_intent.payment_failed": EventKind.DECLINED,
    "payment_intent.succeeded": EventKind.CAPTURED,
    "payment_intent.canceled": EventKind.CANCELLED,
    "charge.refunded": EventKind.REFUNDED,
}
#: What is told of a refund; only that it failed is news.
REFUND_EVENTS = ("refund.failed", "refund.updated", "charge.refund.updated")
#: A refund in one of these gives nothing back, now or ever.
NOT_REFUNDED = ("failed", "canceled")


class StripeGateway:
    title = gettext_noop("Card")

    def form_fields(self) -> dict[str, forms.Field]:
        script = {
            "data-stripe-key": settings.STRIPE_PUBLISHABLE_KEY,
            "data-stripe-script": settings.STRIPE_JS_URL,
        }
        return {
            "payment_method": forms.CharField(
                label="Stripe's payment method id",
                max_length=100,
                required=False,
                widget=forms.HiddenInput(attrs=script),
            )
        }

    def read_method(self, method: Mapping[str, Any]) -> dict[str, Any]:
        given = method.get("payment_method") or ""
        if not isinstance(given, str) or not re.fullmatch(r"pm_\w{1,90}", given, re.ASCII):
            raise BadMethod(NEEDS_SCRIPT if not given else "payment_method is an id of Stripe's.")
        return {"method": "stripe", "payment_method": given}

    def prepare(self, intent: PaymentIntent) -> Prepared | Declined:
        try:
            with _translated():
                made = _client().v1.payment_intents.create(
                    {
                        "amount": minor_units(intent.amount, intent.currency),
                        "currency": intent.currency.lower(),
                        "capture_method": "manual",
                        "payment_method": intent.method["payment_method"],
                        "allowed_payment_method_types": ["card"],
                        "metadata": {"intent": str(intent.pk), "order": intent.order.reference},
                    },
                    {"idempotency_key": f"{intent.pk}-create"},
                )
        except GatewayRefused as refusal:
            log.warning("stripe: payment %s was not taken: %s", intent.pk, refusal)
            code = getattr(refusal.__cause__, "code", None)
            return Declined(NOT_CHARGED.get(str(code), CARD_NOT_TAKEN))
        return Prepared(made.id)

    def authorise(self, intent: PaymentIntent) -> Authorised | Declined | Pending | ActionRequired:
        back = settings.SITE_URL + reverse("shop:payment-return", args=[intent.pk])
        try:
            with _translated():
                confirmed = _client(asks_bank=True).v1.payment_intents.confirm(
                    intent.reference,
                    {"return_url": back},
                    {"idempotency_key": f"{intent.pk}-confirm"},
                )
        except stripe.CardError as error:
            return Declined(str(error.user_message or DECLINED)[:200])
        except GatewayRefused:
            # Confirmed before, cancelled, or never possible: its status tells.
            return _answer(_look(intent))
        return _answer(confirmed.to_dict())

    def capture(self, intent: PaymentIntent) -> Money | None:
        try:
            with _translated():
                taken = _client(asks_bank=True).v1.payment_intents.capture(intent.reference)
            return _money(taken.to_dict())
        except (GatewayRefused, stripe.CardError) as refusal:
            found = _look(intent)
            if found["status"] != "succeeded":
                raise GatewayRefused(str(refusal)) from refusal
            return _money(found)

    def cancel(self, intent: PaymentIntent) -> None:
        try:
            with _translated():
                _client().v1.payment_intents.cancel(intent.reference)
        except GatewayRefused as refusal:
            match _look(intent)["status"]:
                case "canceled":
                    return
                case "succeeded":
                    raise AlreadyCaptured("It was captured; refund it.") from refusal
                case "processing":
                    raise GatewayUnavailable("The bank is still deciding.") from refusal
            raise

    def refund(self, intent: PaymentIntent, amount: Decimal, key: UUID) -> None:
        with _translated():
            refunds = _client().v1.refunds
            # Stripe forgets idempotency keys after a day; what it gave back carries ours for ever.
            made = refunds.list({"payment_intent": intent.reference, "limit": 100})
            mine = (
                row
                for row in made.auto_paging_iter()
                if row.metadata is not None and row.metadata.to_dict().get("key") == str(key)
            )
            refund = next(mine, None) or refunds.create(
                {
                    "payment_intent": intent.reference,
                    "amount": minor_units(amount, intent.currency),
                    "metadata": {"key": str(key)},
                },
                {"idempotency_key": str(key)},
            )
        if refund.status in NOT_REFUNDED:
            # Not made anew under this key: news of the failure may still come, and would be taken for its.
            raise GatewayRefused(f"Stripe says that this refund is {refund.status}.")

    def status(self, intent: PaymentIntent) -> Status:
        found = _look(intent)
        view = VIEWS.get(found["status"], View.PENDING)
        charge = found.get("latest_charge")
        if view is View.CAPTURED and isinstance(charge, dict) and charge.get("refunded"):
            view = View.REFUNDED
        asks = found["status"] == "requires_action"
        action = _action(found) if asks else None
        return Status(view, found["id"], action, _money(found), _given_back(found))

    def parse_event(self, body: bytes, headers: Mapping[str, str]) -> ParsedEvent:
        secret = settings.STRIPE_WEBHOOK_SECRET
        if not secret:
            raise BadSignature("STRIPE_WEBHOOK_SECRET is not set: nobody's signature is right.")
        try:
            event = stripe.Webhook.construct_event(
                body, headers.get(SIGNATURE_HEADER), secret, TOLERANCE_SECONDS
            ).to_dict()
            return _read_event(event)
        except stripe.SignatureVerificationError as error:
            raise BadSignature("The signature of this event is missing, wrong or old.") from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise BadSignature(f"This is signed, and not an event: {error}.") from error


def minor_units(amount: Decimal, currency: str) -> int:
    """12.34 EUR as 1234. Raises `ValueError` for a fraction that the currency does not have."""
    units = amount * _units_of(currency)
    if units != int(units):
        raise ValueError(f"{currency.upper()} has no {amount}.")
    return int(units)


def _units_of(currency: str) -> int:
    code = currency.upper()
    return 1 if code in WHOLE else 1000 if code in THOUSANDTHS else 100


def _money(found: Mapping[str, Any]) -> Money | None:
    """What Stripe keeps for us, or took."""
    names = {"requires_capture": "amount_capturable", "succeeded": "amount_received"}
    name, currency = names.get(found["status"]), found.get("currency")
    if name is None or currency is None:
        return None
    # `localstripe` has the intent's amount alone.
    units = found.get(name, found["amount"])
    return Money(Decimal(units) / _units_of(currency), currency.upper())


def _given_back(found: Mapping[str, Any]) -> Decimal | None:
    """What of the charge was refunded, by us or in Stripe's dashboard."""
    charge, currency = found.get("latest_charge"), found.get("currency")
    if not isinstance(charge, dict) or currency is None or "amount_refunded" not in charge:
        return None
    return Decimal(charge["amount_refunded"]) / _units_of(currency)


@cache
def _make_client(
    key: str, base: str, timeout: tuple[float, float], version: str
) -> stripe.StripeClient:
    """One per way of calling: it keeps its connections. It tries nothing again; `payment_pauses` does."""
    return stripe.StripeClient(
        key,
        base_addresses={"api": base} if base else None,
        http_client=stripe.RequestsClient(timeout=timeout),
        max_network_retries=0,
        stripe_version=version,
    )


def _client(*, asks_bank: bool = False) -> stripe.StripeClient:
    timeout = BANK_TIMEOUT if asks_bank else TIMEOUT
    return _make_client(settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE, timeout, API_VERSION)


@contextmanager
def _translated() -> Iterator[None]:
    """Say what the library raises in the protocol's words. `CardError` is left to those who expect it."""
    try:
        yield
    except stripe.CardError:
        raise
    except stripe.InvalidRequestError as error:
        raise GatewayRefused(str(error.user_message or error)) from error
    except stripe.AuthenticationError as error:
        log.error("stripe: STRIPE_SECRET_KEY is not accepted: %s", error)  # noqa: TRY400 -- no trace: it would show the key's end
        raise GatewayUnavailable("Stripe does not accept our key.") from error
    except stripe.StripeError as error:
        # No connection, no answer in time, too many calls, a fault of theirs, the same call still at work.
        raise GatewayUnavailable(f"{type(error).__name__}: {error}") from error


def _look(intent: PaymentIntent) -> dict[str, Any]:
    with _translated():
        found = _client().v1.payment_intents.retrieve(
            intent.reference, {"expand": ["latest_charge"]}
        )
    return found.to_dict()


def _answer(found: Mapping[str, Any]) -> Authorised | Declined | Pending | ActionRequired:
    match found["status"]:
        case "requires_capture" | "succeeded":
            return Authorised(found["id"], _money(found))
        case "requires_action":
            return ActionRequired(found["id"], _action(found))
        case "requires_payment_method":
            error = found.get("last_payment_error") or {}
            return Declined(str(error.get("message") or DECLINED)[:200])
        case "canceled":
            return Declined(CANCELLED)
        case _:
            return Pending(found["id"])


def _action(found: Mapping[str, Any]) -> dict[str, Any]:
    """A page of the bank's, or what Stripe.js needs to show it inside ours."""
    asked = found.get("next_action") or {}
    if asked.get("type") == "redirect_to_url":
        return {"type": "redirect", "url": asked["redirect_to_url"]["url"]}
    return {
        "type": "stripe",
        "client_secret": found["client_secret"],
        "publishable_key": settings.STRIPE_PUBLISHABLE_KEY,
        "script": settings.STRIPE_JS_URL,
    }


def _read_event(event: Mapping[str, Any]) -> ParsedEvent:
    """Only what is needed is kept: their objects hold secrets, and shoppers' names."""
    about = event["data"]["object"]
    is_intent = about["object"] not in ("charge", "refund")
    reference = about.get("id") if is_intent else about.get("payment_intent")
    event_id, kind = event["id"], event["type"]
    texts = (event_id, kind, reference or "")
    if not all(isinstance(text, str) and len(text) <= 100 and text.isprintable() for text in texts):
        raise ValueError("its id, type and object are texts of at most 100 characters")
    metadata = about.get("metadata") or {}
    has_failed = kind in REFUND_EVENTS and about.get("status") in NOT_REFUNDED
    return ParsedEvent(
        event_id=event_id,
        kind=EventKind.REFUND_FAILED if has_failed else KINDS.get(kind, EventKind.OTHER),
        reference=reference or "",
        intent_id=_uuid(metadata.get("intent")),
        refund_id=_uuid(metadata.get("key")) if about["object"] == "refund" else None,
        payload={
            "id": event_id,
            "type": kind,
            "created": event.get("created"),
            "object": about["object"],
            "status": about.get("status"),
        },
    )


def _uuid(text: object) -> UUID | None:
    try:
        return UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None
